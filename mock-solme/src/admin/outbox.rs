//! Mails that the vendor has answered with.

use axum::Json as Out;
use axum::extract::State;

use super::Admin;
use super::extract::{Listing, Path, Query};
use crate::http::problem::ProblemResponse;
use crate::main_server::NumberedMail;

pub(super) async fn list(
    State(admin): State<Admin>,
    Query(listing): Query<Listing>,
) -> Result<Out<Vec<NumberedMail>>, ProblemResponse> {
    let limit = listing.limit();
    Ok(Out(admin.act(move |main_server| main_server.outbox(limit)).await?))
}

pub(super) async fn show(
    State(admin): State<Admin>,
    Path(number): Path<u64>,
) -> Result<Out<NumberedMail>, ProblemResponse> {
    Ok(Out(admin.act(move |main_server| main_server.outbox_mail(number)).await?))
}

//! Mails that came in, in this run.

use axum::Json as Out;
use axum::extract::State;
use axum::http::StatusCode;

use super::Admin;
use super::api::{InboxMail, Listing};
use super::extract::{Number, Path, Query, limit};
use crate::http::problem::ProblemResponse;

pub(super) async fn list(State(admin): State<Admin>, Query(listing): Query<Listing>) -> Out<Vec<InboxMail>> {
    let limit = usize::try_from(limit(listing.limit)).unwrap_or(usize::MAX);
    Out(admin.main_server.inbox.list(listing.before, limit))
}

pub(super) async fn show(
    State(admin): State<Admin>,
    Path(Number(number)): Path<Number>,
) -> Result<Out<InboxMail>, ProblemResponse> {
    let mail = admin.main_server.inbox.mail(number).ok_or_else(|| {
        let detail = format!("There is no mail {number} in the inbox.");
        let cure = "It has the newest 200 of this run: mock-solme inbox list.";
        ProblemResponse::new(StatusCode::NOT_FOUND, "unknown-mail", detail, cure)
    })?;
    Ok(Out(mail))
}

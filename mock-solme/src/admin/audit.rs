//! What was changed, by whom and why.

use axum::Json as Out;
use axum::extract::State;

use super::Admin;
use super::api::Listing;
use super::extract::{Query, id_of, limit};
use crate::http::problem::ProblemResponse;
use crate::store::audit::AuditEntry;

pub(super) async fn list(
    State(admin): State<Admin>,
    Query(listing): Query<Listing>,
) -> Result<Out<Vec<AuditEntry>>, ProblemResponse> {
    let (id, before, limit) = (id_of(&listing)?, listing.before, limit(listing.limit));
    Ok(Out(admin.act(move |main_server| main_server.audit(id.as_ref(), before, limit)).await?))
}

//! Every exchange with a License Server.

use axum::Json as Out;
use axum::extract::State;

use super::Admin;
use super::api::Listing;
use super::extract::{Query, id_of, limit};
use crate::http::problem::ProblemResponse;
use crate::main_server::JournalEntry;

pub(super) async fn list(
    State(admin): State<Admin>,
    Query(listing): Query<Listing>,
) -> Result<Out<Vec<JournalEntry>>, ProblemResponse> {
    let limit = usize::try_from(limit(listing.limit)).unwrap_or(usize::MAX);
    Ok(Out(admin.main_server.journal.list(id_of(&listing)?.as_ref(), listing.before, limit)))
}

//! Every exchange with a License Server.

use axum::Json as Out;
use axum::extract::State;
use axum::response::Response;

use super::Admin;
use super::api::JournalListing;
use super::extract::{Query, id_in, limit};
use crate::http::problem::ProblemResponse;
use crate::main_server::{Filter, JournalEntry};

pub(super) async fn list(
    State(admin): State<Admin>,
    Query(listing): Query<JournalListing>,
) -> Result<Out<Vec<JournalEntry>>, ProblemResponse> {
    let JournalListing { id, verdict, clause, quirk, carrier, before, limit: asked, brief } = listing;
    let filter = Filter { id: id_in(id.as_deref())?, verdict, clause, quirk, carrier };
    let limit = usize::try_from(limit(asked)).unwrap_or(usize::MAX);
    let journal = &admin.main_server.journal;
    Ok(Out(if brief { journal.brief(&filter, before, limit) } else { journal.list(&filter, before, limit) }))
}

/// Exchanges as they happen, without their bytes, and that something else has changed: server-sent events.
pub(super) async fn live(State(admin): State<Admin>) -> Response {
    admin.main_server.feed.subscribe()
}

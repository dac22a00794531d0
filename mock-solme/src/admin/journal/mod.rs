//! Every exchange with a License Server.

mod har;
mod scenario;

use axum::Json as Out;
use axum::extract::State;
use axum::http::StatusCode;

use self::har::{Addresses, Har};
use self::scenario::Past;
use super::Admin;
use super::api::{IdFilter, JournalListing};
use super::description::{Live, Raw, Toml};
use super::extract::{Query, id_in, limit};
use crate::http::problem::ProblemResponse;
use crate::main_server::{Filter, JournalEntry};

pub(super) use super::exchange::show;

pub(super) async fn list(
    State(admin): State<Admin>,
    Query(listing): Query<JournalListing>,
) -> Result<Out<Vec<JournalEntry>>, ProblemResponse> {
    Ok(Out(entries(&admin, listing)?))
}

fn entries(admin: &Admin, listing: JournalListing) -> Result<Vec<JournalEntry>, ProblemResponse> {
    let JournalListing { id, verdict, clause, quirk, carrier, before, limit: asked, brief } = listing;
    let filter = Filter { id: id_in(id.as_deref())?, verdict, clause, quirk, carrier };
    let limit = usize::try_from(limit(asked)).unwrap_or(usize::MAX);
    let journal = &admin.main_server.journal;
    Ok(if brief { journal.brief(&filter, before, limit) } else { journal.list(&filter, before, limit) })
}

/// The same exchanges for browsers' developer tools.
pub(super) async fn har(
    State(admin): State<Admin>,
    Query(listing): Query<JournalListing>,
) -> Result<Raw<Har>, ProblemResponse> {
    let entries = entries(&admin, listing)?;
    let trust = admin.front.trust_file();
    let har = admin.act(move |main_server| {
        let at = Addresses { https: &trust.https, http: &trust.http };
        Ok::<_, ProblemResponse>(har::har(&entries, &at, |name| main_server.payload_named(name)))
    });
    Ok(Raw::new(har.await?.to_string()))
}

/// What happened, as a scenario.
pub(super) async fn scenario(
    State(admin): State<Admin>,
    Query(of): Query<IdFilter>,
) -> Result<Raw<Toml>, ProblemResponse> {
    let id = id_in(of.id.as_deref())?;
    let scenario = admin.act(move |main_server| Past::of(main_server, id.as_ref())).await?.scenario();
    scenario.map(Raw::new).ok_or_else(|| {
        let detail = "Nothing has happened yet that a scenario could tell.";
        let cure = "Let a License Server synchronize first.";
        ProblemResponse::new(StatusCode::CONFLICT, "nothing-to-tell", detail, cure)
    })
}

/// Exchanges as they happen, without their bytes, and that something else has changed: server-sent events.
pub(super) async fn live(State(admin): State<Admin>) -> Live {
    Live(admin.main_server.feed.subscribe())
}

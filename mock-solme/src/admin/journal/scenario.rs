//! What happened, as a scenario in TOML that plays again: `harness scenario FILE` (fixtures/scenarios/README.md).
//!
//! The main server sees requests and changes, and not what a License Server does with an answer, nor whether a new key
//! pair is a new machine. What cannot be told stands in the file as a comment.

mod order;
mod story;

use solme_sync_protocol::LicenseServerId;

use super::super::api::{AuditEntry, JournalEntry};
use crate::main_server::{MainServer, NumberedClearRequest, OperatorError};
use crate::registry::Record;

/// Exchanges, and changes, that a scenario looks at: the newest.
const AT_MOST: u32 = 10_000;

/// What there is to tell.
#[derive(Debug)]
pub(super) struct Past {
    pub(super) records: Vec<Record>,
    pub(super) audit: Vec<AuditEntry>,
    pub(super) journal: Vec<JournalEntry>,
    pub(super) clear_requests: Vec<NumberedClearRequest>,
}

impl Past {
    /// That of one id, or of all.
    pub(super) fn of(main_server: &MainServer, id: Option<&LicenseServerId>) -> Result<Self, OperatorError> {
        let sound = |records: Vec<Result<Record, _>>| records.into_iter().filter_map(Result::ok).collect();
        let filter = crate::main_server::Filter { id: id.cloned(), ..Default::default() };
        Ok(Self {
            records: match id {
                Some(id) => vec![main_server.record(id)?],
                None => sound(main_server.records("", "", AT_MOST)?),
            },
            audit: main_server.audit(id, None, AT_MOST)?,
            journal: main_server.journal.list(&filter, None, AT_MOST as usize),
            clear_requests: main_server.clear_requests(id, None, AT_MOST)?,
        })
    }

    /// The scenario; nothing if no step of it would be told.
    pub(super) fn scenario(&self) -> Option<String> {
        story::Story::of(self).written()
    }
}

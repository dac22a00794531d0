//! What happened: for people, and as the second place of every receipt that was applied.

use rusqlite::{Connection, OptionalExtension as _, params};
use serde::Serialize;
use solme_sync_protocol::{KeyThumbprint, UtcTime};

use super::read::{signed, time};
use super::{LocalStateFailure, Store};
use crate::output::rfc3339;

/// How many events are kept, and beyond them the newest receipt.
const KEPT: i64 = 1_000;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PastEvent {
    /// When, by the local clock.
    #[serde(serialize_with = "rfc3339")]
    pub at: UtcTime,
    /// What, by the name of its command.
    pub event: String,
    /// How it ended.
    pub outcome: String,
    /// The code of the outcome.
    pub code: String,
    /// The outcome in words.
    pub message: String,
    /// The key pair in use then.
    pub key_thumbprint: String,
}

/// Writes an event, and forgets the oldest ones.
pub(super) fn record(db: &Connection, event: &PastEvent, receipt: Option<&str>) -> Result<(), rusqlite::Error> {
    db.execute(
        "INSERT INTO history (at, event, outcome, code, message, key_thumbprint, receipt) VALUES (?, ?, ?, ?, ?, ?, ?)",
        params![
            signed(event.at.as_secs()),
            event.event,
            event.outcome,
            event.code,
            event.message,
            event.key_thumbprint,
            receipt
        ],
    )?;
    db.execute(
        "DELETE FROM history WHERE id <= (SELECT max(id) FROM history) - ?
         AND id <> ifnull((SELECT max(id) FROM history WHERE receipt IS NOT NULL), 0)",
        [KEPT],
    )?;
    Ok(())
}

/// The newest receipt that was applied under this key pair.
pub(super) fn newest_receipt(db: &Connection, key: &KeyThumbprint) -> Result<Option<String>, rusqlite::Error> {
    db.query_row(
        "SELECT receipt FROM history WHERE receipt IS NOT NULL AND key_thumbprint = ? ORDER BY id DESC LIMIT 1",
        [key.to_string()],
        |row| row.get(0),
    )
    .optional()
}

impl Store {
    /// All events that are kept, the newest last.
    pub(crate) fn history(&self) -> Result<Vec<PastEvent>, LocalStateFailure> {
        let mut query =
            self.db.prepare("SELECT at, event, outcome, code, message, key_thumbprint FROM history ORDER BY id")?;
        let events = query.query_map([], |row| {
            Ok(PastEvent {
                at: time(row, 0)?,
                event: row.get(1)?,
                outcome: row.get(2)?,
                code: row.get(3)?,
                message: row.get(4)?,
                key_thumbprint: row.get(5)?,
            })
        })?;
        Ok(events.collect::<Result<_, _>>()?)
    }
}

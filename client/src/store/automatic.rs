//! What automatic synchronization goes by, and what came of it last.

use rusqlite::{Connection, OptionalExtension as _, params};
use serde::Serialize;
use solme_sync_protocol::UtcTime;

use super::read::{optional_time, signed, time, unsigned};
use super::{LocalStateFailure, Store};
use crate::core::Schedule;
use crate::output::rfc3339;

/// How the last automatic synchronization ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LastAutomatic {
    /// When, by the local clock.
    #[serde(serialize_with = "rfc3339")]
    pub at: UtcTime,
    /// How: `synchronized`, `refused` or `failed`.
    pub outcome: String,
    /// The code of that.
    pub code: String,
    /// The same in words.
    pub message: String,
}

impl Store {
    /// What automatic synchronization goes by.
    pub(crate) fn schedule(&self) -> Result<Schedule, LocalStateFailure> {
        let query = "SELECT mode, since, retries, not_before, warned_by, warned_days FROM automatic";
        let (mode, schedule) = self.db.query_row(query, [], |row| {
            let warned =
                optional_time(row, 4)?.map(|by| Ok::<_, rusqlite::Error>((by, unsigned(row, 5)?))).transpose()?;
            let schedule = Schedule {
                since: optional_time(row, 1)?,
                retries: row.get(2)?,
                not_before: optional_time(row, 3)?,
                warned,
                ..Schedule::NEW
            };
            Ok((row.get::<_, String>(0)?, schedule))
        })?;
        let mode = mode.parse().map_err(|detail| LocalStateFailure::DatabaseDamaged { detail })?;
        Ok(Schedule { mode, ..schedule })
    }

    /// Stores what automatic synchronization goes by.
    pub(crate) fn save_schedule(&mut self, schedule: &Schedule) -> Result<(), LocalStateFailure> {
        self.change("schedule stored", |db| write_schedule(db, schedule))
    }

    /// Stores how an automatic synchronization ended, with the schedule that it leaves.
    pub(crate) fn save_automatic(
        &mut self,
        schedule: &Schedule,
        last: &LastAutomatic,
    ) -> Result<(), LocalStateFailure> {
        self.change("automatic synchronization noted", |db| {
            write_schedule(db, schedule)?;
            db.execute(
                "INSERT OR REPLACE INTO automatic_last VALUES (1, ?, ?, ?, ?)",
                params![signed(last.at.as_secs()), last.outcome, last.code, last.message],
            )
            .map(drop)
        })
    }

    /// How the last automatic synchronization ended.
    pub(crate) fn last_automatic(&self) -> Result<Option<LastAutomatic>, LocalStateFailure> {
        let last = self.db.query_row("SELECT at, outcome, code, message FROM automatic_last", [], |row| {
            Ok(LastAutomatic { at: time(row, 0)?, outcome: row.get(1)?, code: row.get(2)?, message: row.get(3)? })
        });
        Ok(last.optional()?)
    }
}

pub(super) fn write_schedule(db: &Connection, schedule: &Schedule) -> Result<(), rusqlite::Error> {
    let Schedule { mode, since, retries, not_before, warned } = schedule;
    let seconds = |time: &Option<UtcTime>| time.map(|time| signed(time.as_secs()));
    db.execute(
        "UPDATE automatic SET mode = ?, since = ?, retries = ?, not_before = ?, warned_by = ?, warned_days = ?",
        params![
            mode.as_str(),
            seconds(since),
            retries,
            seconds(not_before),
            seconds(&warned.map(|(by, _)| by)),
            warned.map(|(_, days)| signed(days)),
        ],
    )
    .map(drop)
}

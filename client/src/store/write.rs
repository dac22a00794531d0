//! Changing the state: one transaction for each change.

use std::cell::OnceCell;
use std::sync::Arc;

use rusqlite::{Connection, Transaction, params};
use solme_sync_protocol::{Request, RequestId, SealingKey, Signed};

use super::automatic::write_schedule;
use super::database::{close_for_a_while, upgrade};
use super::file::sync_directory_of;
use super::history::record;
use super::read::signed;
use super::{Keeper, LocalStateFailure, Notes, PastEvent, Store, seal};
use crate::core::{Applied, Fate, Identity, Outstanding, Sealed, Times};

/// How an answer leaves the state.
#[derive(Debug, Clone, Copy)]
pub(crate) struct End<'a> {
    /// What becomes of the outstanding request.
    pub(crate) fate: Fate,
    /// The refusal that cleared the key pair.
    pub(crate) cleared: Option<&'a str>,
}

impl Store {
    /// The first thing that the database says: id, trust and key pair, all at once.
    pub(crate) fn set_up(
        &mut self,
        identity: &Identity,
        times: &Times,
        event: &PastEvent,
    ) -> Result<(), LocalStateFailure> {
        self.write_setup(identity)?;
        self.change_and_seal("license server set up", |db| {
            upgrade(db)?;
            db.execute(
                "INSERT INTO setup VALUES (1, ?, ?, ?)",
                params![
                    identity.license_server_id.as_str(),
                    identity.trust.to_json(),
                    identity.key_thumbprint.to_string()
                ],
            )?;
            write_times(db, times)?;
            record(db, event, None)
        })?;
        // Both entries once more: a run that was cut off may have made them, and not come to this.
        let synced =
            sync_directory_of(&self.directory.database_file()).and_then(|()| sync_directory_of(self.directory.path()));
        synced.map_err(|error| LocalStateFailure::Directory { directory: self.path().to_owned(), error })
    }

    /// Updates addresses, name and CA from a trust file of the same identity (P 15.3).
    pub(crate) fn update_trust(&mut self, identity: &Identity, event: &PastEvent) -> Result<(), LocalStateFailure> {
        self.write_setup(identity)?;
        self.change("trust file replaced", |db| {
            db.execute("UPDATE setup SET trust_file = ?", [identity.trust.to_json()])?;
            record(db, event, None)
        })
    }

    /// Stores the times, if the clock has moved (P 17.3).
    pub(crate) fn save_times(&mut self, times: &Times) -> Result<(), LocalStateFailure> {
        if self.times()? == *times {
            return Ok(());
        }
        self.change("times stored", |db| write_times(db, times))
    }

    /// One change: one transaction, one durable step. A seal that was broken before stays broken (P 11.12).
    pub(super) fn change(
        &mut self,
        name: &'static str,
        change: impl FnOnce(&Transaction<'_>) -> Result<(), rusqlite::Error>,
    ) -> Result<(), LocalStateFailure> {
        let broken = self.broken_seal()?;
        self.transact(name, broken, change)
    }

    /// A change that heals a broken seal.
    pub(super) fn change_and_seal(
        &mut self,
        name: &'static str,
        change: impl FnOnce(&Transaction<'_>) -> Result<(), rusqlite::Error>,
    ) -> Result<(), LocalStateFailure> {
        self.transact(name, None, change)?;
        self.broken_seal = OnceCell::from(None);
        Ok(())
    }

    fn transact(
        &mut self,
        name: &'static str,
        broken: Option<Sealed>,
        change: impl FnOnce(&Transaction<'_>) -> Result<(), rusqlite::Error>,
    ) -> Result<(), LocalStateFailure> {
        self.key()?;
        let transaction = self.db.transaction()?;
        change(&transaction)?;
        match (broken, self.key.get()) {
            (Some(part), _) => seal::keep_broken(&transaction, part)?,
            (None, Some(key)) => seal::renew(&transaction, key)?,
            (None, None) => unreachable!("the key pair was read before"),
        }
        Ok(self.directory.steps().take(name, || transaction.commit())?)
    }

    /// The log of the database still holds what was erased; all of it goes into the database, durably, and it is emptied
    /// (P 3.4).
    pub(super) fn erase_from_log(&mut self) -> Result<(), LocalStateFailure> {
        Ok(self.directory.steps().take("one-time key erased from the log", || truncate_log(&self.db))?)
    }
}

impl Keeper for Store {
    type Failure = LocalStateFailure;

    fn fresh(&self, _last: Option<&str>, _before: Option<&str>) -> (RequestId, Arc<SealingKey>) {
        let mut bits = [0; 16];
        getrandom::fill(&mut bits).expect("the operating system gives random numbers");
        (RequestId::from_random(bits), Arc::new(SealingKey::generate()))
    }

    fn sign(&self, request: &Request) -> Result<Signed<Request>, LocalStateFailure> {
        Ok(Signed::sign(request, self.key()?))
    }

    fn begin_request(&mut self, request: &Outstanding, times: &Times) -> Result<(), LocalStateFailure> {
        self.change("outstanding request stored", |db| {
            db.execute(
                "INSERT OR REPLACE INTO outstanding VALUES (1, ?, ?)",
                params![request.jws, &request.sealing_key.expose_secret_bytes()[..]],
            )?;
            write_times(db, times)
        })
    }

    /// The caller has the turn, so that nobody takes the answer but by hand. The key pair in use is another one then only
    /// where the request is, so it is not read again.
    fn away<T>(
        self,
        asked: &Outstanding,
        identity: &Identity,
        wait: impl FnOnce() -> T,
    ) -> Result<(Self, Times, T), LocalStateFailure> {
        let Self { db, directory, key, .. } = self;
        close_for_a_while(db)?;
        let (place, verb) = directory.unlock();
        let done = wait();
        let store = Self { key, ..Self::open(&place, verb)? };
        if identity.conduct.stores_before_sending() && !store.still_asks(&asked.jws, &identity.key_thumbprint)? {
            return Err(LocalStateFailure::ChangedMeanwhile { directory: place.path });
        }
        let times = store.times()?;
        Ok((store, times, done))
    }

    fn apply(
        &mut self,
        applied: &Applied,
        notes: &Notes,
        times: &Times,
        event: &PastEvent,
    ) -> Result<(), LocalStateFailure> {
        let schedule = self.schedule()?.succeeded(notes.applied_at);
        // The log is made durable when it is emptied, which follows at once and comes before any success (P 11.9).
        self.db.pragma_update(None, "synchronous", "NORMAL")?;
        self.change_and_seal("receipt and allocation applied", |db| {
            db.execute(
                "INSERT OR REPLACE INTO applied VALUES (1, ?, ?, ?, ?, ?)",
                params![
                    applied.last().jws,
                    applied.allocation_bytes(),
                    signed(notes.applied_at.as_secs()),
                    notes.clock_skew,
                    serde_json::to_string(&notes.changes).expect("changes have string keys"),
                ],
            )?;
            db.execute("DELETE FROM outstanding", [])?;
            write_times(db, times)?;
            write_schedule(db, &schedule)?;
            record(db, event, Some(&applied.last().jws))
        })?;
        self.erase_from_log()?;
        Ok(self.db.pragma_update(None, "synchronous", "FULL")?)
    }

    fn note(&mut self, end: End<'_>, times: &Times, event: &PastEvent) -> Result<(), LocalStateFailure> {
        self.change("outcome noted", |db| {
            if end.fate == Fate::Ends {
                db.execute("DELETE FROM outstanding", [])?;
            }
            if let Some(refusal) = end.cleared {
                db.execute("INSERT OR REPLACE INTO cleared VALUES (1, ?)", [refusal])?;
            }
            write_times(db, times)?;
            record(db, event, None)
        })?;
        if end.fate == Fate::Ends { self.erase_from_log() } else { Ok(()) }
    }
}

fn truncate_log(db: &Connection) -> Result<(), rusqlite::Error> {
    match db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))? {
        0 => Ok(()),
        _ => Err(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY), None)),
    }
}

fn write_times(db: &Connection, times: &Times) -> Result<(), rusqlite::Error> {
    db.execute(
        "INSERT OR REPLACE INTO times VALUES (1, ?, ?, ?, ?)",
        params![
            signed(times.high_water_mark.as_secs()),
            signed(times.local_clock.as_secs()),
            signed(times.set_back),
            signed(times.advanced)
        ],
    )?;
    Ok(())
}

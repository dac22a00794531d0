//! Reading the state: everything is verified again before it is believed (P 11.12).

use std::sync::Arc;

use rusqlite::{OptionalExtension as _, Row};
use solme_sync_protocol::{KeyThumbprint, LicenseServerId, SealingKey, TrustFile, UtcTime};
use zeroize::Zeroizing;

use super::{LocalStateFailure, Store, history};
use crate::core::{Changes, Identity, LocalServer, Outstanding, Proved, Stored, StoredRequestError, Times};

/// All that a command needs to know.
pub(crate) struct Loaded {
    pub(crate) identity: Identity,
    pub(crate) times: Times,
    pub(crate) server: LocalServer,
    pub(crate) outstanding: Option<Result<Outstanding, StoredRequestError>>,
    pub(crate) notes: Option<Notes>,
}

/// What the last synchronization left to show.
#[derive(Debug, Clone)]
pub(crate) struct Notes {
    /// The local clock when the receipt was applied.
    pub(crate) applied_at: UtcTime,
    /// Seconds by which the local clock was fast then, as far as that is known.
    pub(crate) clock_skew: Option<i64>,
    pub(crate) changes: Changes,
}

impl Store {
    /// Who this local server is. Needs no key file.
    pub(crate) fn identity(&self) -> Result<Identity, LocalStateFailure> {
        let (id, trust, thumbprint): (String, Vec<u8>, String) =
            self.db.query_row("SELECT license_server_id, trust_file, key_thumbprint FROM setup", [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?;
        Ok(Identity {
            license_server_id: id.parse::<LicenseServerId>().map_err(damaged)?,
            trust: TrustFile::parse(&trust).map_err(damaged)?,
            key_thumbprint: thumbprint.parse::<KeyThumbprint>().map_err(damaged)?,
            conduct: self.directory.conduct(),
        })
    }

    /// Reads and verifies everything; the local clock shows `clock`.
    /// `proved` is what this process has verified before.
    pub(crate) fn load(&self, clock: UtcTime, proved: Option<Proved>) -> Result<Loaded, LocalStateFailure> {
        let identity = self.identity()?;
        let key = self.load_key(&identity.key_thumbprint)?;
        let broken_seal = self.broken_seal()?;
        // The seal is of the private half, the name of the key pair is of the public one.
        if broken_seal.is_some() && !key.is_a_pair() {
            return Err(LocalStateFailure::KeyDamaged { file: self.directory.key_file() });
        }
        let times = identity.conduct.observed(self.times()?.observe(clock));
        let applied = self.applied()?;
        let stored = Stored {
            applied: applied.as_ref().map(|(receipt, allocation, _)| (receipt.clone(), allocation.clone())),
            evidence: history::newest_receipt(&self.db, &identity.key_thumbprint)?,
            cleared: self.db.query_row("SELECT refusal FROM cleared", [], |row| row.get(0)).optional()?,
            broken_seal,
            proved: proved.and_then(|proved| proved.of(&identity)),
        };
        Ok(Loaded {
            server: LocalServer::restore(stored, &identity, &times),
            outstanding: self.outstanding(&identity)?,
            notes: applied.map(|(_, _, notes)| notes),
            identity,
            times,
        })
    }

    pub(crate) fn times(&self) -> Result<Times, LocalStateFailure> {
        let times =
            self.db.query_row("SELECT high_water_mark, local_clock, set_back, advanced FROM times", [], |row| {
                Ok(Times {
                    high_water_mark: time(row, 0)?,
                    local_clock: time(row, 1)?,
                    set_back: unsigned(row, 2)?,
                    advanced: unsigned(row, 3)?,
                })
            })?;
        Ok(times)
    }

    fn applied(&self) -> Result<Option<(String, Vec<u8>, Notes)>, LocalStateFailure> {
        let query = "SELECT receipt, allocation, applied_at, clock_skew, changes FROM applied";
        let applied = self.db.query_row(query, [], |row| {
            let changes: String = row.get(4)?;
            let notes = Notes {
                applied_at: time(row, 2)?,
                clock_skew: row.get(3)?,
                // For people only: damage to it is no reason to refuse anything.
                changes: serde_json::from_str(&changes).unwrap_or_default(),
            };
            Ok((row.get(0)?, row.get(1)?, notes))
        });
        Ok(applied.optional()?)
    }

    /// Whether this request, signed with this key pair, is still the outstanding one.
    pub(super) fn still_asks(&self, request: &str, key: &KeyThumbprint) -> Result<bool, LocalStateFailure> {
        let query = "SELECT count(*) FROM outstanding, setup WHERE request = ? AND key_thumbprint = ?";
        let found: i64 = self.db.query_row(query, [request, &key.to_string()], |row| row.get(0))?;
        Ok(found == 1)
    }

    fn outstanding(
        &self,
        identity: &Identity,
    ) -> Result<Option<Result<Outstanding, StoredRequestError>>, LocalStateFailure> {
        let query = "SELECT request, sealing_key FROM outstanding";
        let stored: Option<(String, Zeroizing<Vec<u8>>)> =
            self.db.query_row(query, [], |row| Ok((row.get(0)?, Zeroizing::new(row.get(1)?)))).optional()?;
        Ok(stored.map(|(request, sealing_key)| {
            let sealing_key = SealingKey::from_bytes(&sealing_key).map_err(|_| StoredRequestError::SealingKey)?;
            Outstanding::restore(&request, Arc::new(sealing_key), &identity.key_thumbprint, identity.conduct)
        }))
    }
}

/// A column that holds a time.
pub(super) fn time(row: &Row<'_>, column: usize) -> Result<UtcTime, rusqlite::Error> {
    unsigned(row, column).map(UtcTime::from_secs)
}

/// A column that may hold a time.
pub(super) fn optional_time(row: &Row<'_>, column: usize) -> Result<Option<UtcTime>, rusqlite::Error> {
    match row.get_ref(column)? {
        rusqlite::types::ValueRef::Null => Ok(None),
        _ => time(row, column).map(Some),
    }
}

/// A column that holds a number which is not negative.
pub(super) fn unsigned(row: &Row<'_>, column: usize) -> Result<u64, rusqlite::Error> {
    let stored: i64 = row.get(column)?;
    u64::try_from(stored).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, stored))
}

/// A number of seconds as SQLite holds it: times end at 2^53 (P 2.5).
pub(super) fn signed(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX)
}

fn damaged(error: impl std::fmt::Display) -> LocalStateFailure {
    LocalStateFailure::DatabaseDamaged { detail: error.to_string() }
}

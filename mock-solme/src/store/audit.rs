//! The audit: what was changed, by whom and why. Rows are written in the transaction of the change, and never changed.

use rusqlite::{Connection, params};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use solme_sync_protocol::{KeyThumbprint, LicenseServerId, UtcTime};

use super::{StoreError, records::parse_thumbprint};

/// What was done to an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AuditAction {
    /// An id was added.
    IdAdded,
    /// Its name or contacts were changed.
    IdChanged,
    /// An id was disabled (P 9.5).
    IdDisabled,
    /// An id was enabled again.
    IdEnabled,
    /// A license was added.
    LicenseAdded,
    /// A license was changed.
    LicenseChanged,
    /// A license was taken back.
    LicenseRemoved,
    /// A key pair was bound by its first synchronization.
    KeyPairBound,
    /// A request of the key pair in use was accepted.
    Synchronized,
    /// The key pair in use was cleared.
    KeyPairCleared,
    /// The reservation of a free id was set or lifted.
    ReservationChanged,
    /// A request to clear arrived by e-mail.
    ClearRequestReceived,
    /// A clear request was approved.
    ClearRequestApproved,
    /// A clear request was rejected.
    ClearRequestRejected,
    /// It was closed: the key pair was not in use any more.
    ClearRequestAlreadyDone,
    /// Everything of the id was forgotten but what is allocated to it.
    Reset,
}

impl AuditAction {
    /// The action as it is stored and shown.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::IdAdded => "id-added",
            Self::IdChanged => "id-changed",
            Self::IdDisabled => "id-disabled",
            Self::IdEnabled => "id-enabled",
            Self::LicenseAdded => "license-added",
            Self::LicenseChanged => "license-changed",
            Self::LicenseRemoved => "license-removed",
            Self::KeyPairBound => "key-pair-bound",
            Self::Synchronized => "synchronized",
            Self::KeyPairCleared => "key-pair-cleared",
            Self::ReservationChanged => "reservation-changed",
            Self::ClearRequestReceived => "clear-request-received",
            Self::ClearRequestApproved => "clear-request-approved",
            Self::ClearRequestRejected => "clear-request-rejected",
            Self::ClearRequestAlreadyDone => "clear-request-already-done",
            Self::Reset => "reset",
        }
    }
}

/// One row of the audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditEntry {
    /// Raised by one with each row.
    pub number: u64,
    /// Main server time, UTC in seconds.
    #[serde(with = "crate::rfc3339")]
    #[schemars(with = "crate::form::Time")]
    pub at: UtcTime,
    /// Whose record was changed.
    #[schemars(with = "Option<crate::form::LicenseServerId>")]
    pub license_server_id: Option<LicenseServerId>,
    /// What was done, for example `key-pair-cleared`.
    pub action: String,
    /// The operator; `None` when a License Server did it.
    pub operator: Option<String>,
    /// The operator's reason, if one was given.
    pub reason: Option<String>,
    /// The key pair concerned.
    #[schemars(with = "Option<crate::form::KeyThumbprint>")]
    pub thumbprint: Option<KeyThumbprint>,
    /// More about it, for people.
    pub detail: String,
}

/// A row to be written.
#[derive(Debug, Clone)]
pub(crate) struct NewAuditEntry {
    pub(crate) at: UtcTime,
    pub(crate) license_server_id: LicenseServerId,
    pub(crate) action: AuditAction,
    pub(crate) operator: Option<String>,
    pub(crate) reason: Option<String>,
    pub(crate) thumbprint: Option<KeyThumbprint>,
    pub(crate) detail: String,
}

pub(crate) fn append(connection: &Connection, entry: &NewAuditEntry) -> Result<(), StoreError> {
    let sql = "INSERT INTO audit (at, license_server_id, action, operator, reason, thumbprint, detail)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    connection.prepare_cached(sql)?.execute(params![
        entry.at.as_secs(),
        entry.license_server_id.as_str(),
        entry.action.as_str(),
        entry.operator,
        entry.reason,
        entry.thumbprint.map(String::from),
        entry.detail,
    ])?;
    connection
        .prepare_cached("DELETE FROM audit WHERE number <= ?1")?
        .execute([connection.last_insert_rowid() - KEPT])?;
    Ok(())
}

/// Rows that are kept: the newest ones.
const KEPT: i64 = 1_000_000;

/// The newest `limit` rows before `before`, oldest first; of one id, or of all.
pub(crate) fn list(
    connection: &Connection,
    id: Option<&LicenseServerId>,
    before: Option<u64>,
    limit: u32,
) -> Result<Vec<AuditEntry>, StoreError> {
    const SELECT: &str =
        "SELECT number, at, license_server_id, action, operator, reason, thumbprint, detail FROM audit";
    let before = before.unwrap_or(solme_sync_protocol::limits::INTEGER);
    let sql = match id {
        Some(_) => format!("{SELECT} WHERE license_server_id = ?3 AND number < ?1 ORDER BY number DESC LIMIT ?2"),
        None => format!("{SELECT} WHERE number < ?1 AND ?3 IS NULL ORDER BY number DESC LIMIT ?2"),
    };
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params![before, limit, id.map(LicenseServerId::as_str)])?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        let id: Option<String> = row.get(2)?;
        let thumbprint: Option<String> = row.get(6)?;
        entries.push(AuditEntry {
            number: row.get(0)?,
            at: UtcTime::from_secs(row.get(1)?),
            license_server_id: id.map(|id| id.parse().map_err(StoreError::damaged)).transpose()?,
            action: row.get(3)?,
            operator: row.get(4)?,
            reason: row.get(5)?,
            thumbprint: thumbprint.as_deref().map(parse_thumbprint).transpose()?,
            detail: row.get(7)?,
        });
    }
    entries.reverse();
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    #[test]
    fn the_newest_rows_are_kept_and_no_more() {
        let entry = NewAuditEntry {
            at: UtcTime::from_secs(0),
            license_server_id: "DEMO-1".parse().unwrap(),
            action: AuditAction::Synchronized,
            operator: None,
            reason: None,
            thumbprint: None,
            detail: String::new(),
        };
        let store = Store::in_memory(|_| Ok(())).unwrap();
        let kept = store.read(|store| {
            for number in [6, 7, KEPT + 5] {
                append(store, &entry)?;
                store.execute("UPDATE audit SET number = ?1 WHERE number = ?2", [number, store.last_insert_rowid()])?;
            }
            append(store, &entry)?;
            list(store, None, None, 9)
        });
        let kept: Vec<_> = kept.unwrap().into_iter().map(|entry| entry.number.cast_signed()).collect();
        assert_eq!(kept, [7, KEPT + 5, KEPT + 6]);
    }
}

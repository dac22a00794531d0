//! Mails that the vendor has answered with. They lie here until someone reads them.

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use solme_sync_protocol::UtcTime;

use super::{StoreError, from_json, to_json};
use crate::mail::OutboxMail;

/// A mail in the outbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NumberedMail {
    /// Number of the mail, from 1.
    pub id: u64,
    /// When it was written.
    #[serde(with = "crate::rfc3339")]
    #[schemars(with = "crate::form::Time")]
    pub at: UtcTime,
    /// The mail as it was composed.
    #[serde(flatten)]
    pub mail: OutboxMail,
}

/// Mails that are kept: the newest ones.
const KEPT: i64 = 10_000;

/// Stores a mail, and forgets the oldest one beyond those that are kept. Its number.
pub(crate) fn insert(connection: &Connection, at: UtcTime, mail: &OutboxMail) -> Result<u64, StoreError> {
    connection.execute("INSERT INTO outbox (at, mail) VALUES (?1, ?2)", params![at.as_secs(), to_json(mail)?])?;
    connection.execute("DELETE FROM outbox WHERE id <= ?1", [connection.last_insert_rowid() - KEPT])?;
    u64::try_from(connection.last_insert_rowid()).map_err(StoreError::damaged)
}

pub(crate) fn update(connection: &Connection, number: u64, mail: &OutboxMail) -> Result<(), StoreError> {
    connection.execute("UPDATE outbox SET mail = ?2 WHERE id = ?1", params![number, to_json(mail)?])?;
    Ok(())
}

/// One mail, by its number.
pub(crate) fn load(connection: &Connection, number: u64) -> Result<Option<NumberedMail>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT id, at, mail FROM outbox WHERE id = ?1")?;
    statement.query_row([number], columns).optional()?.map(numbered).transpose()
}

/// The newest `limit` mails before `before`, in the order in which they were written.
pub(crate) fn list(connection: &Connection, before: Option<u64>, limit: u32) -> Result<Vec<NumberedMail>, StoreError> {
    let before = before.unwrap_or(solme_sync_protocol::limits::INTEGER);
    let sql = "SELECT id, at, mail FROM outbox WHERE id < ?1 ORDER BY id DESC LIMIT ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(params![before, limit], columns)?;
    let mut mails: Vec<_> = rows.map(|row| numbered(row?)).collect::<Result<_, StoreError>>()?;
    mails.reverse();
    Ok(mails)
}

fn columns(row: &Row<'_>) -> rusqlite::Result<(u64, u64, String)> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
}

fn numbered((id, at, mail): (u64, u64, String)) -> Result<NumberedMail, StoreError> {
    Ok(NumberedMail { id, at: UtcTime::from_secs(at), mail: from_json(&mail)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    #[test]
    fn the_newest_mails_are_kept_and_no_more() {
        let mail = OutboxMail {
            to: Vec::new(),
            subject: String::new(),
            message_id: String::new(),
            text: String::new(),
            raw: String::new(),
            handed_on_at: None,
        };
        let at = UtcTime::from_secs(0);
        let store = Store::in_memory(|_| Ok(())).unwrap();
        let kept = store.read(|store| {
            for number in [6, 7, KEPT + 5] {
                let stored = insert(store, at, &mail)?;
                store.execute("UPDATE outbox SET id = ?1 WHERE id = ?2", params![number, stored])?;
            }
            insert(store, at, &mail)?;
            list(store, None, 9)
        });
        let kept: Vec<_> = kept.unwrap().into_iter().map(|mail| mail.id.cast_signed()).collect();
        assert_eq!(kept, [7, KEPT + 5, KEPT + 6]);
    }
}

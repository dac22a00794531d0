//! Mails that the vendor has answered with. They lie here until someone reads them.

use rusqlite::{Connection, OptionalExtension as _, params};
use serde::{Deserialize, Serialize};
use solme_sync_protocol::UtcTime;

use super::{StoreError, from_json, to_json};

/// A mail in the outbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredMail {
    /// The recipients.
    pub to: Vec<String>,
    /// The subject.
    pub subject: String,
    /// The name of the mail.
    pub message_id: String,
    /// The text, before it was encoded.
    pub text: String,
    /// The whole mail as it travels.
    pub raw: String,
    /// When it was handed on to a mail server, if it was.
    #[serde(default, with = "crate::rfc3339::option")]
    pub handed_on_at: Option<UtcTime>,
}

/// Mails that are kept: the newest ones.
const KEPT: i64 = 10_000;

/// Stores a mail, and forgets the oldest one beyond those that are kept. Its number.
pub(crate) fn insert(connection: &Connection, at: UtcTime, mail: &StoredMail) -> Result<u64, StoreError> {
    connection.execute("INSERT INTO outbox (at, mail) VALUES (?1, ?2)", params![at.as_secs(), to_json(mail)?])?;
    connection.execute("DELETE FROM outbox WHERE id <= ?1", [connection.last_insert_rowid() - KEPT])?;
    u64::try_from(connection.last_insert_rowid()).map_err(StoreError::damaged)
}

pub(crate) fn update(connection: &Connection, number: u64, mail: &StoredMail) -> Result<(), StoreError> {
    connection.execute("UPDATE outbox SET mail = ?2 WHERE id = ?1", params![number, to_json(mail)?])?;
    Ok(())
}

/// One mail, and when it was written.
pub(crate) fn load(connection: &Connection, number: u64) -> Result<Option<(UtcTime, StoredMail)>, StoreError> {
    let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, u64>(0)?, row.get::<_, String>(1)?));
    let found = connection.query_row("SELECT at, mail FROM outbox WHERE id = ?1", [number], read).optional()?;
    found.map(|(at, mail)| Ok((UtcTime::from_secs(at), from_json(&mail)?))).transpose()
}

/// The newest `limit` mails before `before`, in the order in which they were written.
pub(crate) fn list(
    connection: &Connection,
    before: Option<u64>,
    limit: u32,
) -> Result<Vec<(u64, UtcTime, StoredMail)>, StoreError> {
    let before = before.unwrap_or(solme_sync_protocol::limits::INTEGER);
    let sql = "SELECT id, at, mail FROM outbox WHERE id < ?1 ORDER BY id DESC LIMIT ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![before, limit])?;
    let mut mails = Vec::new();
    while let Some(row) = rows.next()? {
        mails.push((row.get(0)?, UtcTime::from_secs(row.get(1)?), from_json(&row.get::<_, String>(2)?)?));
    }
    mails.reverse();
    Ok(mails)
}

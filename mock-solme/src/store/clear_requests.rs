//! Requests to clear a key pair that arrived by e-mail.

use rusqlite::{Connection, OptionalExtension as _, params};
use solme_sync_protocol::LicenseServerId;

use super::{StoreError, from_json, to_json};
use crate::registry::ClearRequest;

/// Stores a new one. Its number.
pub(crate) fn insert(connection: &Connection, request: &ClearRequest) -> Result<u64, StoreError> {
    let sql = "INSERT INTO clear_request (license_server_id, request) VALUES (?1, ?2)";
    connection.execute(sql, params![request.license_server_id.as_str(), to_json(request)?])?;
    u64::try_from(connection.last_insert_rowid()).map_err(StoreError::damaged)
}

pub(crate) fn update(connection: &Connection, number: u64, request: &ClearRequest) -> Result<(), StoreError> {
    let sql = "UPDATE clear_request SET request = ?2 WHERE id = ?1";
    connection.execute(sql, params![number, to_json(request)?])?;
    Ok(())
}

pub(crate) fn load(connection: &Connection, number: u64) -> Result<Option<ClearRequest>, StoreError> {
    let sql = "SELECT request FROM clear_request WHERE id = ?1";
    let json: Option<String> = connection.query_row(sql, [number], |row| row.get(0)).optional()?;
    json.as_deref().map(from_json).transpose()
}

/// The newest `limit` before `before`, of one id or of all, in the order of their arrival.
pub(crate) fn list(
    connection: &Connection,
    id: Option<&LicenseServerId>,
    before: Option<u64>,
    limit: u32,
) -> Result<Vec<(u64, ClearRequest)>, StoreError> {
    let before = before.unwrap_or(solme_sync_protocol::limits::INTEGER);
    let sql = match id {
        Some(_) => {
            "SELECT id, request FROM clear_request WHERE license_server_id = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3"
        }
        None => "SELECT id, request FROM clear_request WHERE ?1 IS NULL AND id < ?2 ORDER BY id DESC LIMIT ?3",
    };
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![id.map(LicenseServerId::as_str), before, limit])?;
    let mut requests = Vec::new();
    while let Some(row) = rows.next()? {
        requests.push((row.get(0)?, from_json(&row.get::<_, String>(1)?)?));
    }
    requests.reverse();
    Ok(requests)
}

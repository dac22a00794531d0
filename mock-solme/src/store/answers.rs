//! Accepted requests, kept for ever, and the payload of each id's newest answer.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _, params};
use solme_sync_protocol::{Digest, LicenseServerId, PayloadName, RequestId};

use super::StoreError;

/// The digest of the accepted request of the id that had this request id (P 9.7, 9.8).
pub(crate) fn accepted(
    connection: &Connection,
    id: &LicenseServerId,
    request_id: &RequestId,
) -> Result<Option<Digest>, StoreError> {
    let sql = "SELECT request_digest FROM accepted_request WHERE license_server_id = ?1 AND request_id = ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let digest = statement.query_row([id.as_str(), request_id.as_str()], |row| row.get(0)).optional()?;
    Ok(digest.map(Digest::from_bytes))
}

/// Keeps the request for ever, and its payload in place of the one before (P 13.4).
pub(crate) fn save(
    connection: &Connection,
    id: &LicenseServerId,
    (request_id, request_digest): (&RequestId, &Digest),
    (payload_name, payload): (&PayloadName, &[u8]),
) -> Result<(), StoreError> {
    let sql = "INSERT INTO accepted_request (license_server_id, request_id, request_digest) VALUES (?1, ?2, ?3)";
    let digest = request_digest.as_bytes().as_slice();
    connection.prepare_cached(sql)?.execute(params![id.as_str(), request_id.as_str(), digest])?;
    let sql = "INSERT INTO payload (license_server_id, name, payload) VALUES (?1, ?2, ?3)
               ON CONFLICT (license_server_id) DO UPDATE SET name = ?2, payload = ?3";
    connection.prepare_cached(sql)?.execute(params![id.as_str(), payload_name.as_str(), payload])?;
    Ok(())
}

/// A payload, and whose it is.
pub(crate) type Owned = (LicenseServerId, Arc<[u8]>);

/// The payload of this name, if it is the newest of its id, and whose it is. `shared` may have it in memory already.
pub(crate) fn payload(
    connection: &Connection,
    name: &PayloadName,
    shared: impl FnOnce() -> Option<Arc<[u8]>>,
) -> Result<Option<Owned>, StoreError> {
    let sql = "SELECT license_server_id, payload FROM payload WHERE name = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([name.as_str()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let id = row.get::<_, String>(0)?.parse().map_err(StoreError::damaged)?;
    let payload = match shared() {
        Some(payload) => payload,
        None => row.get_ref(1)?.as_blob().map_err(StoreError::damaged)?.into(),
    };
    Ok(Some((id, payload)))
}

/// Whether the payload of this name has more than these many bytes.
pub(crate) fn is_large(connection: &Connection, name: &PayloadName, bytes: usize) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM payload WHERE name = ?1 AND length(payload) > ?2";
    Ok(connection.prepare_cached(sql)?.exists(params![name.as_str(), bytes])?)
}

/// The payload of the newest answer for the id.
pub(crate) fn newest_payload(connection: &Connection, id: &LicenseServerId) -> Result<Vec<u8>, StoreError> {
    let sql = "SELECT payload FROM payload WHERE license_server_id = ?1";
    Ok(connection.prepare_cached(sql)?.query_row([id.as_str()], |row| row.get(0))?)
}

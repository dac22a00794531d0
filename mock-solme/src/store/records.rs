//! The record of each id: a row, its allocation, its cleared key pairs.

use rusqlite::types::{FromSql, ValueRef};
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use solme_sync_protocol::{Allocation, Digest, KeyThumbprint, LicenseServerId, UtcTime, limits};

use super::{StoreError, from_json, to_json};
use crate::registry::{self, ClearedKeyPair, KeyPairInUse, NewestAnswer, Record};

const COLUMNS: &str = "id, name, contacts, added_at, disabled, key_generation, sequence, reserved_for, thumbprint, \
                       bound_at, last_synchronized_at, request_digest, receipt";

/// The record of an id.
pub(crate) fn load(connection: &Connection, id: &LicenseServerId) -> Result<Option<Record>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM license_server WHERE id = ?1");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([id.as_str()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    read(connection, row).map(Some).map_err(|error| error.of_record(id.as_str()))
}

/// Whether there is such an id.
pub(crate) fn exists(connection: &Connection, id: &LicenseServerId) -> Result<bool, StoreError> {
    Ok(connection.prepare_cached("SELECT 1 FROM license_server WHERE id = ?1")?.exists([id.as_str()])?)
}

/// Whether more than these many bytes are allocated to an id.
pub(crate) fn is_large(connection: &Connection, id: &LicenseServerId, bytes: usize) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM allocation WHERE license_server_id = ?1 AND length(allocation) > ?2";
    Ok(connection.prepare_cached(sql)?.exists(params![id.as_str(), bytes])?)
}

/// A record that is damaged: its id as it is stored, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DamagedRecord {
    pub(crate) id: String,
    pub(crate) what: String,
}

/// The records whose id begins with `begins_with` and comes after `after`, in the order of their ids. One that is damaged
/// does not hide the others.
pub(crate) fn list(
    connection: &Connection,
    begins_with: &str,
    after: &str,
    limit: u32,
) -> Result<Vec<Result<Record, DamagedRecord>>, StoreError> {
    // One range of the primary key, as fast among a million as among ten. Ids are ASCII (P 2.7), but a damaged one may not be.
    let (from, end) = (after.max(begins_with), (!begins_with.is_empty()).then(|| format!("{begins_with}\u{7f}")));
    let end_of_range = if end.is_some() { "id < ?3" } else { "?3 IS NULL" };
    let sql = format!(
        "SELECT {COLUMNS} FROM license_server WHERE id >= ?1 AND id <> ?2 AND {end_of_range} ORDER BY id LIMIT ?4"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params![from, after, end, limit])?;
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        let id = row.get_ref(0)?.as_str_or_null().ok().flatten().unwrap_or_default();
        records.push(match read(connection, row).map_err(|error| error.of_record(id)) {
            Ok(record) => Ok(record),
            Err(StoreError::DamagedRecord { id, what }) => Err(DamagedRecord { id, what }),
            Err(error) => return Err(error),
        });
    }
    Ok(records)
}

/// What can still be read of a damaged record: name, contacts, and each license that is sound. Its key pairs are not
/// among it: half a binding is none.
pub(crate) fn salvage(connection: &Connection, id: &LicenseServerId, now: UtcTime) -> Result<Record, StoreError> {
    let mut record = Record::new(id.clone(), now);
    let sql = "SELECT name, contacts FROM license_server WHERE id = ?1";
    let (name, contacts) = connection.query_row(sql, [id.as_str()], |row| {
        Ok((row.get::<_, Option<String>>(0).ok().flatten(), row.get::<_, String>(1).ok()))
    })?;
    record.name = name;
    record.contacts = contacts.and_then(|contacts| from_json(&contacts).ok()).unwrap_or_default();
    let sql = "SELECT CAST(allocation AS BLOB) FROM allocation WHERE license_server_id = ?1";
    let stored: Option<Option<Vec<u8>>> = connection.query_row(sql, [id.as_str()], |row| row.get(0)).optional()?;
    let stored: serde_json::Value = serde_json::from_slice(&stored.flatten().unwrap_or_default()).unwrap_or_default();
    record.allocation.revision = stored["revision"].as_u64().unwrap_or_default().saturating_add(1).min(limits::INTEGER);
    for license in stored["licenses"].as_array().into_iter().flatten() {
        if let Ok(license) = serde_json::from_value(license.clone())
            && let Ok(with_it) = registry::add_license(&record, license)
        {
            record.allocation.licenses = with_it.allocation.licenses;
        }
    }
    Ok(record)
}

/// Stores a record. Of what lies beside its row, only what differs from `before` is written: an allocation can have
/// 8 MB, and a synchronization does not change it.
pub(crate) fn save(connection: &Connection, before: Option<&Record>, record: &Record) -> Result<(), StoreError> {
    let in_use = record.key_pair_in_use.as_ref();
    let sql = format!(
        "INSERT INTO license_server ({COLUMNS})
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
         ON CONFLICT (id) DO UPDATE SET ({COLUMNS}) = (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)"
    );
    connection.prepare_cached(&sql)?.execute(params![
        record.license_server_id.as_str(),
        record.name,
        to_json(&record.contacts)?,
        record.added_at.as_secs(),
        record.disabled.as_ref().map(to_json).transpose()?,
        record.key_generation,
        record.sequence,
        record.reserved_for.map(String::from),
        in_use.map(|in_use| in_use.thumbprint.to_string()),
        in_use.map(|in_use| in_use.bound_at.as_secs()),
        in_use.map(|in_use| in_use.last_synchronized_at.as_secs()),
        in_use.map(|in_use| in_use.newest_answer.request_digest.as_bytes().as_slice()),
        in_use.map(|in_use| in_use.newest_answer.receipt.as_str()),
    ])?;
    if before.is_none_or(|before| before.allocation != record.allocation) {
        let sql = "INSERT OR REPLACE INTO allocation (license_server_id, allocation) VALUES (?1, ?2)";
        let allocation = to_json(&record.allocation)?.into_bytes();
        connection.prepare_cached(sql)?.execute(params![record.license_server_id.as_str(), allocation])?;
    }
    // The history only grows.
    let stored = before.map_or(0, |before| before.cleared_key_pairs.len());
    for cleared in record.cleared_key_pairs.iter().skip(stored) {
        save_cleared(connection, &record.license_server_id, cleared)?;
    }
    Ok(())
}

/// Forgets all that was stored of an id, so that it can be stored anew (reset).
pub(crate) fn delete(connection: &Connection, id: &LicenseServerId) -> Result<(), StoreError> {
    for (table, column) in [
        ("license_server", "id"),
        ("allocation", "license_server_id"),
        ("cleared_key_pair", "license_server_id"),
        ("payload", "license_server_id"),
        ("accepted_request", "license_server_id"),
        ("clear_request", "license_server_id"),
    ] {
        connection.execute(&format!("DELETE FROM {table} WHERE {column} = ?1"), [id.as_str()])?;
    }
    Ok(())
}

/// Forgets everything but the identity and the clock (reset).
pub(crate) fn delete_all(connection: &Connection) -> Result<(), StoreError> {
    for table in [
        "license_server",
        "allocation",
        "cleared_key_pair",
        "payload",
        "accepted_request",
        "clear_request",
        "audit",
        "outbox",
    ] {
        connection.execute(&format!("DELETE FROM {table}"), [])?;
    }
    Ok(())
}

fn save_cleared(connection: &Connection, id: &LicenseServerId, cleared: &ClearedKeyPair) -> Result<(), StoreError> {
    let sql = "INSERT INTO cleared_key_pair
               (license_server_id, key_generation, thumbprint, bound_at, last_synchronized_at, cleared_at, cleared_by,
                reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    connection.prepare_cached(sql)?.execute(params![
        id.as_str(),
        cleared.key_generation,
        cleared.thumbprint.to_string(),
        cleared.bound_at.as_secs(),
        cleared.last_synchronized_at.as_secs(),
        cleared.cleared_at.as_secs(),
        cleared.cleared_by,
        cleared.reason,
    ])?;
    Ok(())
}

/// A column by its name. A number that is out of range is damage, and named.
fn column<T: FromSql>(row: &Row<'_>, name: &str) -> Result<T, StoreError> {
    row.get(name).map_err(|error| match error {
        rusqlite::Error::IntegralValueOutOfRange(_, value) => StoreError::Damaged(format!("{name} is {value}")),
        error => error.into(),
    })
}

fn time(row: &Row<'_>, name: &str) -> Result<UtcTime, StoreError> {
    column(row, name).map(UtcTime::from_secs)
}

fn read(connection: &Connection, row: &Row<'_>) -> Result<Record, StoreError> {
    let license_server_id: LicenseServerId = column::<String>(row, "id")?.parse().map_err(StoreError::damaged)?;
    let thumbprint = |name| column::<Option<String>>(row, name)?.as_deref().map(parse_thumbprint).transpose();
    let in_use = ["thumbprint", "bound_at", "last_synchronized_at", "request_digest", "receipt"];
    let set =
        in_use.iter().map(|name| Ok(row.get_ref(*name)? != ValueRef::Null)).collect::<Result<Vec<_>, StoreError>>()?;
    let key_pair_in_use = match thumbprint("thumbprint")? {
        Some(thumbprint) if set.iter().all(|set| *set) => Some(KeyPairInUse {
            thumbprint,
            bound_at: time(row, "bound_at")?,
            last_synchronized_at: time(row, "last_synchronized_at")?,
            newest_answer: NewestAnswer {
                request_digest: Digest::from_bytes(column(row, "request_digest")?),
                receipt: column(row, "receipt")?,
            },
        }),
        None if !set.contains(&true) => None,
        _ => return Err(StoreError::Damaged(format!("half a key pair is in use for {license_server_id}"))),
    };
    Ok(Record {
        name: column(row, "name")?,
        contacts: from_json(&column::<String>(row, "contacts")?)?,
        added_at: time(row, "added_at")?,
        disabled: column::<Option<String>>(row, "disabled")?.as_deref().map(from_json).transpose()?,
        allocation: allocation(connection, &license_server_id)?,
        key_generation: column(row, "key_generation")?,
        sequence: column(row, "sequence")?,
        key_pair_in_use,
        cleared_key_pairs: cleared_key_pairs(connection, &license_server_id)?,
        reserved_for: thumbprint("reserved_for")?,
        license_server_id,
    })
}

fn allocation(connection: &Connection, id: &LicenseServerId) -> Result<Allocation, StoreError> {
    let sql = "SELECT allocation FROM allocation WHERE license_server_id = ?1";
    let json: Vec<u8> = connection.prepare_cached(sql)?.query_row([id.as_str()], |row| row.get(0))?;
    serde_json::from_slice(&json).or_else(|_| {
        // Once more, for the place of the damage.
        let allocation = serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_slice(&json));
        allocation.map_err(|error| StoreError::Damaged(format!("allocation: {error}")))
    })
}

fn cleared_key_pairs(connection: &Connection, id: &LicenseServerId) -> Result<Vec<ClearedKeyPair>, StoreError> {
    let sql = "SELECT thumbprint, key_generation, bound_at, last_synchronized_at, cleared_at, cleared_by, reason
               FROM cleared_key_pair WHERE license_server_id = ?1 ORDER BY key_generation";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([id.as_str()])?;
    let mut cleared = Vec::new();
    while let Some(row) = rows.next()? {
        cleared.push(ClearedKeyPair {
            thumbprint: parse_thumbprint(&column::<String>(row, "thumbprint")?)?,
            key_generation: column(row, "key_generation")?,
            bound_at: time(row, "bound_at")?,
            last_synchronized_at: time(row, "last_synchronized_at")?,
            cleared_at: time(row, "cleared_at")?,
            cleared_by: column(row, "cleared_by")?,
            reason: column(row, "reason")?,
        });
    }
    Ok(cleared)
}

pub(super) fn parse_thumbprint(text: &str) -> Result<KeyThumbprint, StoreError> {
    text.parse().map_err(|error| StoreError::Damaged(format!("a key thumbprint: {error}")))
}

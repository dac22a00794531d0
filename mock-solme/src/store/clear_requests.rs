//! Requests to clear a key pair that arrived by e-mail.

use rusqlite::{Connection, OptionalExtension as _, params};
use solme_sync_protocol::LicenseServerId;

use super::{StoreError, from_json, to_json};
use crate::registry::ClearRequest;

/// Requests that are kept once they are closed: those among the newest so many.
const KEPT: i64 = 100_000;

/// Stores a new one, and forgets the closed ones beyond those that are kept. Its number.
pub(crate) fn insert(connection: &Connection, request: &ClearRequest) -> Result<u64, StoreError> {
    let sql = "INSERT INTO clear_request (license_server_id, request) VALUES (?1, ?2)";
    connection.execute(sql, params![request.license_server_id.as_str(), to_json(request)?])?;
    let number = connection.last_insert_rowid();
    forget_closed(connection, number - KEPT)?;
    u64::try_from(number).map_err(StoreError::damaged)
}

/// Up to this number. Open ones stay: of an id and key pair there is one.
fn forget_closed(connection: &Connection, up_to: i64) -> Result<(), StoreError> {
    let sql = "DELETE FROM clear_request WHERE id <= ?1 AND json_type(request, '$.state') = 'object'";
    connection.prepare_cached(sql)?.execute([up_to])?;
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::{ClearRequestState, ClosedAs, RequestMail};
    use crate::store::Store;
    use solme_sync_protocol::UtcTime;

    #[test]
    fn closed_requests_beyond_the_ceiling_are_forgotten_and_open_ones_never() {
        let at = UtcTime::from_secs(1_800_000_000);
        let (by, reason, overridden) = (String::new(), String::new(), Vec::new());
        let closed = ClearRequestState::Closed { closed_as: ClosedAs::Approved, at, by, reason, overridden };
        let request = |state: &ClearRequestState| ClearRequest {
            license_server_id: "DEMO-1".parse().unwrap(),
            thumbprint: None,
            mail: RequestMail {
                sender: String::new(),
                envelope_sender: None,
                subject: String::new(),
                new_thumbprint: None,
                received_at: at,
            },
            ids_left_out: 0,
            further_mails: 0,
            further: Vec::new(),
            state: state.clone(),
        };
        let store = Store::in_memory(|_| Ok(())).unwrap();
        let kept = store.read(|store| {
            for state in [&closed, &ClearRequestState::Open, &closed, &closed] {
                insert(store, &request(state))?;
            }
            forget_closed(store, 3)?;
            list(store, None, None, 9)
        });
        assert_eq!(kept.unwrap().into_iter().map(|(number, _)| number).collect::<Vec<_>>(), [2, 4]);
        let kept = store.read(|store| {
            store.execute("UPDATE clear_request SET id = ?1 WHERE id = 4", [KEPT + 9])?;
            store.execute("UPDATE clear_request SET request = ?1", [to_json(&request(&closed))?])?;
            insert(store, &request(&closed))?;
            list(store, None, None, 9)
        });
        let kept: Vec<_> = kept.unwrap().into_iter().map(|(number, _)| number.cast_signed()).collect();
        assert_eq!(kept, [KEPT + 9, KEPT + 10]);
    }
}

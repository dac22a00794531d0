//! The seal: what may change is bound to the private key, so that another hand's changes are found (P 11.12).
//!
//! Receipt, allocation and request prove themselves; times, and which request or refusal is here at all, do not. Each
//! part has its own HMAC-SHA-384, so that the one that does not fit can be named, and all of them have the serial number
//! of the last change, so that none of them can be put back alone. A state put back as a whole fits (P 17.9).

use std::collections::HashMap;

use hmac::{Hmac, KeyInit as _, Mac as _};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, params};
use sha2::Sha384;
use solme_sync_protocol::SigningKey;

use super::{LocalStateFailure, Store};
use crate::core::Sealed;

/// Separates it from whatever else the private key may be used for.
const PURPOSE: &str = "license-server state seal 1";

/// The rows of a part, all columns: one that is added later is sealed without a word.
const fn rows(part: Sealed) -> &'static str {
    match part {
        Sealed::Times => "SELECT * FROM times",
        Sealed::Request => "SELECT * FROM outstanding",
        Sealed::Cleared => "SELECT * FROM cleared",
        Sealed::Receipt => "SELECT receipt FROM applied",
    }
}

/// The first part that is not as this program left it.
fn broken(db: &Connection, key: &SigningKey) -> Result<Option<Sealed>, rusqlite::Error> {
    let key = key.derive_secret(PURPOSE);
    let newest = serial(db)?;
    let mut query = db.prepare("SELECT part, mac FROM seal WHERE serial = ?")?;
    let found = query.query_map([newest], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let found: HashMap<String, Vec<u8>> = found.collect::<Result<_, _>>()?;
    for part in Sealed::ALL {
        let mac = mac(db, &*key, part, newest)?;
        if found.get(part.as_str()).is_none_or(|found| mac.verify_slice(found).is_err()) {
            return Ok(Some(part));
        }
    }
    Ok(None)
}

/// Seals the rows as they are. The caller has a transaction.
pub(super) fn renew(db: &Connection, key: &SigningKey) -> Result<(), rusqlite::Error> {
    let key = key.derive_secret(PURPOSE);
    let serial = serial(db)?.checked_add(1).unwrap_or(1);
    db.execute("DELETE FROM seal", [])?;
    for part in Sealed::ALL {
        let mac = mac(db, &*key, part, serial)?.finalize().into_bytes();
        let mut insert = db.prepare_cached("INSERT INTO seal VALUES (?, ?, ?)")?;
        insert.execute(params![part.as_str(), serial, &mac[..]])?;
    }
    Ok(())
}

/// Keeps a part as broken, whatever is written to it from now on.
pub(super) fn keep_broken(db: &Connection, part: Sealed) -> Result<(), rusqlite::Error> {
    db.execute("UPDATE seal SET mac = x'' WHERE part = ?", [part.as_str()]).map(drop)
}

fn serial(db: &Connection) -> Result<i64, rusqlite::Error> {
    db.query_row("SELECT ifnull(max(serial), 0) FROM seal", [], |row| row.get(0))
}

/// Over the name of the part, the serial number, and each value with the name of its column, its type and its length.
fn mac(db: &Connection, key: &[u8], part: Sealed, serial: i64) -> Result<Hmac<Sha384>, rusqlite::Error> {
    let mut mac = Hmac::<Sha384>::new_from_slice(key).expect("HMAC takes a key of any length");
    let mut add = |kind: u8, bytes: &[u8]| {
        mac.update(&[kind]);
        mac.update(&(bytes.len() as u64).to_be_bytes());
        mac.update(bytes);
    };
    add(b'p', part.as_str().as_bytes());
    add(b's', &serial.to_be_bytes());
    let mut query = db.prepare_cached(rows(part))?;
    let columns: Vec<String> = query.column_names().map(str::to_owned).collect();
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        for (n, column) in columns.iter().enumerate() {
            add(b'c', column.as_bytes());
            match row.get_ref(n)? {
                ValueRef::Null => add(b'n', &[]),
                ValueRef::Integer(number) => add(b'i', &number.to_be_bytes()),
                ValueRef::Real(number) => add(b'r', &number.to_be_bytes()),
                ValueRef::Text(text) => add(b't', text),
                ValueRef::Blob(bytes) => add(b'b', bytes),
            }
        }
    }
    Ok(mac)
}

impl Store {
    /// The first part that was not as this program left it when the state was locked. Nobody else changes it after that.
    pub(super) fn broken_seal(&self) -> Result<Option<Sealed>, LocalStateFailure> {
        if let Some(broken) = self.broken_seal.get() {
            return Ok(*broken);
        }
        let broken = broken(&self.db, self.key()?)?;
        Ok(*self.broken_seal.get_or_init(|| broken))
    }
}

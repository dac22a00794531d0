//! The seal: what may change is bound to the private key, so that another hand's changes are found (P 11.12).
//!
//! Receipt, allocation and request prove themselves; times, and which request or refusal is here at all, do not. Each
//! part has its own HMAC-SHA-384, so that the one that does not fit can be named, and all of them have the serial number
//! of the last change, so that none of them can be put back alone. A state put back as a whole fits (P 17.9).

use hmac::{Hmac, KeyInit as _, Mac as _};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension as _, params};
use sha2::Sha384;
use solme_sync_protocol::SigningKey;
use zeroize::Zeroizing;

use super::{LocalStateFailure, Store};
use crate::core::Sealed;

/// Separates it from whatever else the private key may be used for.
const PURPOSE: &str = "license-server state seal 1";

/// The key of the seal, of the key pair in use.
pub(super) struct SealKey(Zeroizing<[u8; 48]>);

impl SealKey {
    pub(super) fn of(key: &SigningKey) -> Self {
        Self(key.derive_secret(PURPOSE))
    }
}

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
pub(super) fn broken(db: &Connection, key: &SealKey) -> Result<Option<Sealed>, rusqlite::Error> {
    let newest = serial(db)?;
    for part in Sealed::ALL {
        let query = "SELECT mac FROM seal WHERE part = ? AND serial = ?";
        let found: Option<Vec<u8>> =
            db.query_row(query, params![part.as_str(), newest], |row| row.get(0)).optional()?;
        let mac = mac(db, key, part, newest)?;
        if found.is_none_or(|found| mac.verify_slice(&found).is_err()) {
            return Ok(Some(part));
        }
    }
    Ok(None)
}

/// Seals the rows as they are. The caller has a transaction.
pub(super) fn renew(db: &Connection, key: &SealKey) -> Result<(), rusqlite::Error> {
    let serial = serial(db)?.checked_add(1).unwrap_or(1);
    db.execute("DELETE FROM seal", [])?;
    for part in Sealed::ALL {
        let mac = mac(db, key, part, serial)?.finalize().into_bytes();
        db.execute("INSERT INTO seal VALUES (?, ?, ?)", params![part.as_str(), serial, &mac[..]])?;
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
fn mac(db: &Connection, key: &SealKey, part: Sealed, serial: i64) -> Result<Hmac<Sha384>, rusqlite::Error> {
    let mut mac = Hmac::<Sha384>::new_from_slice(&*key.0).expect("HMAC takes a key of any length");
    let mut add = |kind: u8, bytes: &[u8]| {
        mac.update(&[kind]);
        mac.update(&(bytes.len() as u64).to_be_bytes());
        mac.update(bytes);
    };
    add(b'p', part.as_str().as_bytes());
    add(b's', &serial.to_be_bytes());
    let mut query = db.prepare(rows(part))?;
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
    /// The key of the seal.
    pub(super) fn seal_key(&self) -> Result<&SealKey, LocalStateFailure> {
        if self.seal_key.get().is_none() {
            self.load_key(&self.identity()?.key_thumbprint)?;
        }
        Ok(self.seal_key.get().expect("reading the key pair sets it"))
    }
}

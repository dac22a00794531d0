//! The database: its schema, its version, and the pragmas that make "durable" and "erased" true.

use std::path::Path;

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::LocalStateFailure;
use super::file::{create_private, must_be_regular};

/// The version of the schema, in SQLite's `user_version`. 0 is an empty database.
pub(super) const VERSION: i64 = 3;

/// What each version added, the first one first. Tables of one row have the key 1.
const SCHEMA: [&str; VERSION as usize] = [
    "
CREATE TABLE setup (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    license_server_id TEXT NOT NULL,
    trust_file BLOB NOT NULL,
    key_thumbprint TEXT NOT NULL
) STRICT;
CREATE TABLE times (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    high_water_mark INTEGER NOT NULL,
    local_clock INTEGER NOT NULL,
    set_back INTEGER NOT NULL,
    advanced INTEGER NOT NULL
) STRICT;
-- The private half of the sealing key is here only while the request is outstanding (P 3.4).
CREATE TABLE outstanding (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    request TEXT NOT NULL,
    sealing_key BLOB NOT NULL
) STRICT;
CREATE TABLE applied (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    receipt TEXT NOT NULL,
    allocation BLOB NOT NULL,
    applied_at INTEGER NOT NULL,
    clock_skew INTEGER,
    changes TEXT NOT NULL
) STRICT;
CREATE TABLE cleared (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    refusal TEXT NOT NULL
) STRICT;
-- With a receipt that was applied: the signed proof, a second time.
CREATE TABLE history (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    event TEXT NOT NULL,
    outcome TEXT NOT NULL,
    code TEXT NOT NULL,
    message TEXT NOT NULL,
    key_thumbprint TEXT NOT NULL,
    receipt TEXT
) STRICT;
",
    "
CREATE TABLE automatic (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    mode TEXT NOT NULL,
    since INTEGER,
    retries INTEGER NOT NULL,
    not_before INTEGER,
    warned_by INTEGER,
    warned_days INTEGER
) STRICT;
INSERT INTO automatic VALUES (1, 'off', NULL, 0, NULL, NULL, NULL);
-- The last automatic synchronization, for people.
CREATE TABLE automatic_last (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    at INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    code TEXT NOT NULL,
    message TEXT NOT NULL
) STRICT;
",
    "
-- What binds the rows that change to the key pair (P 11.12).
CREATE TABLE seal (
    part TEXT PRIMARY KEY,
    serial INTEGER NOT NULL,
    mac BLOB NOT NULL
) STRICT;
",
];

/// Opens or creates the database file.
pub(super) fn open(file: &Path) -> Result<Connection, LocalStateFailure> {
    // SQLite gives its log the mode of the database.
    create_private(file)
        .and_then(|()| must_be_regular(file))
        .map_err(|error| LocalStateFailure::DatabaseFailed { detail: format!("{}: {error}", file.display()) })?;
    let mut db = Connection::open(file)?;
    // The directory is locked, so SQLite needs neither shared memory nor locks of its own between processes.
    db.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    db.pragma_update(None, "secure_delete", "ON")?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "FULL")?;
    let found = version(&db)?;
    if found > VERSION {
        return Err(LocalStateFailure::NewerSchema { found, known: VERSION });
    }
    if found > 0 && found < VERSION {
        let transaction = db.transaction()?;
        upgrade(&transaction)?;
        transaction.commit()?;
    }
    Ok(db)
}

/// Closes the database and leaves its log, as a crash does: to empty it and begin another costs three syncs.
pub(super) fn close_for_a_while(db: Connection) -> Result<(), LocalStateFailure> {
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(db.close().map_err(|(_, error)| error)?)
}

/// Brings the schema up to date, from wherever it is. The caller has a transaction.
pub(super) fn upgrade(db: &Connection) -> Result<(), rusqlite::Error> {
    let found = usize::try_from(version(db)?).unwrap_or(0);
    SCHEMA.iter().skip(found).try_for_each(|added| db.execute_batch(added))?;
    db.pragma_update(None, "user_version", VERSION)
}

/// Whether the schema is not there yet.
pub(super) fn is_empty(db: &Connection) -> Result<bool, rusqlite::Error> {
    Ok(version(db)? == 0)
}

fn version(db: &Connection) -> Result<i64, rusqlite::Error> {
    db.pragma_query_value(None, "user_version", |row| row.get(0))
}

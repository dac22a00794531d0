//! What the main server keeps, in SQLite: in memory, or durable in a data directory. Rows are per id, so the cost of a
//! synchronization does not depend on how many ids there are.
//!
//! Every change is whole, audit row included, and durable before anyone is told of it; see [`group`]. The other modules
//! below are the tables; they decide nothing.

pub(crate) mod answers;
pub(crate) mod audit;
pub(crate) mod clear_requests;
mod group;
pub(crate) mod meta;
pub(crate) mod outbox;
mod readers;
pub(crate) mod records;
mod thread;

use std::ffi::c_int;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::backup::Backup;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, TransactionBehavior};

use self::group::Groups;
use self::readers::Readers;
use self::thread::WriterThread;
use crate::seams::DurableSteps;

/// Prepared statements that are kept: more than there are.
const STATEMENTS: usize = 64;

/// Of the database in memory, as SQLite counts it: below zero, KiB. More of it makes nothing faster, with a million ids
/// either: the operating system has a cache of its own.
const CACHE: i64 = -8_192;

/// Raised with every change of the tables.
const SCHEMA_VERSION: i64 = 1;

const SCHEMA: &str = "
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE license_server (
    id TEXT PRIMARY KEY,
    name TEXT,
    contacts TEXT NOT NULL,
    added_at INTEGER NOT NULL,
    disabled TEXT,
    key_generation INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    reserved_for TEXT,
    thumbprint TEXT,
    bound_at INTEGER,
    last_synchronized_at INTEGER,
    request_digest BLOB,
    receipt TEXT
) WITHOUT ROWID;
CREATE TABLE allocation (license_server_id TEXT PRIMARY KEY, allocation BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE cleared_key_pair (
    license_server_id TEXT NOT NULL,
    key_generation INTEGER NOT NULL,
    thumbprint TEXT NOT NULL,
    bound_at INTEGER NOT NULL,
    last_synchronized_at INTEGER NOT NULL,
    cleared_at INTEGER NOT NULL,
    cleared_by TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (license_server_id, key_generation)
) WITHOUT ROWID;
CREATE TABLE payload (license_server_id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, payload BLOB NOT NULL);
CREATE TABLE accepted_request (
    license_server_id TEXT NOT NULL,
    request_id TEXT NOT NULL,
    request_digest BLOB NOT NULL,
    PRIMARY KEY (license_server_id, request_id)
) WITHOUT ROWID;
CREATE TABLE audit (
    number INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    license_server_id TEXT,
    action TEXT NOT NULL,
    operator TEXT,
    reason TEXT,
    thumbprint TEXT,
    detail TEXT NOT NULL
);
CREATE INDEX audit_license_server_id ON audit (license_server_id, number);
CREATE TABLE clear_request (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    license_server_id TEXT NOT NULL,
    request TEXT NOT NULL
);
CREATE INDEX clear_request_license_server_id ON clear_request (license_server_id, id);
CREATE TABLE outbox (id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, mail TEXT NOT NULL);
";

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite or the disk has failed.
    #[error("the store: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A stored row is not what this program wrote.
    #[error("the store is damaged: {0}")]
    Damaged(String),
    /// The record of one id is not what this program wrote. Those of the others are not concerned.
    #[error("the record of license server id {id} is damaged: {what}")]
    DamagedRecord {
        /// Whose; as it is stored, which may be part of the damage.
        id: String,
        /// What is wrong with the record.
        what: String,
    },
    /// The changes of a group, this one's among them, could not be made durable. None of them was made.
    #[error("the store: {0}")]
    NotCommitted(String),
    /// The operating system gave no thread to write on.
    #[error("the store: {0}")]
    Thread(std::io::Error),
    /// Written by another version of this program.
    #[error("the store has schema version {found}, expected {SCHEMA_VERSION}")]
    SchemaVersion {
        /// Schema version of the store that was found.
        found: i64,
    },
}

impl StoreError {
    pub(crate) fn damaged(error: impl std::fmt::Display) -> Self {
        Self::Damaged(error.to_string())
    }

    /// What cannot be read back of the record of `id` is damage, unless SQLite itself has failed.
    fn of_record(self, id: &str) -> Self {
        let what = match self {
            Self::Sqlite(error @ rusqlite::Error::SqliteFailure(..)) => return Self::Sqlite(error),
            Self::Sqlite(rusqlite::Error::QueryReturnedNoRows) => "its allocation is missing".to_owned(),
            Self::Sqlite(error) => error.to_string(),
            Self::Damaged(what) | Self::DamagedRecord { what, .. } => what,
            other => return other,
        };
        Self::DamagedRecord { id: id.to_owned(), what }
    }

    pub(crate) fn no_record(id: &solme_sync_protocol::LicenseServerId) -> Self {
        Self::Damaged(format!("no record of {id}"))
    }
}

/// The store: one connection writes, so that there is one writer; others read, if there is a disk to wait for.
pub(crate) struct Store {
    beside: Option<Beside>,
    groups: Arc<Groups>,
}

/// What there is beside the writer of a store on disk. It is closed first: the last connection tidies up.
struct Beside {
    readers: Readers,
    thread: WriterThread,
}

impl Store {
    /// A store that is gone when it is dropped, with what `first` puts into it.
    pub(crate) fn in_memory(first: impl FnOnce(&Connection) -> Result<(), StoreError>) -> Result<Self, StoreError> {
        let mut connection = Connection::open_in_memory()?;
        set_up(&connection)?;
        create_tables(&mut connection, first)?;
        Ok(Self { beside: None, groups: Arc::new(Groups::new(connection, None)) })
    }

    /// The store in this file. What was committed survives SIGKILL and power failure.
    /// Tables are made in a `new` one only, with what `first` puts into them.
    pub(crate) fn open(
        file: &Path,
        new: bool,
        first: impl FnOnce(&Connection) -> Result<(), StoreError>,
        steps: DurableSteps,
    ) -> Result<Self, StoreError> {
        let mut connection = Connection::open(file)?;
        set_up(&connection)?;
        connection.pragma_update(None, "cache_size", CACHE)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        if !has_tables(&connection)? {
            if !new {
                return Err(StoreError::Damaged("it has no tables".to_owned()));
            }
            steps.step("tables", || create_tables(&mut connection, first))?;
        }
        // Made by earlier versions of this program, which can do without it as well.
        connection.execute_batch("DROP INDEX IF EXISTS accepted_request_digest")?;
        let groups = Arc::new(Groups::new(connection, Some(steps)));
        let thread = WriterThread::start(Arc::clone(&groups)).map_err(StoreError::Thread)?;
        Ok(Self { beside: Some(Beside { readers: Readers::new(file), thread }), groups })
    }

    /// Reads at the start, when nobody writes yet: to open a connection that only reads takes longer than all that is read
    /// then.
    pub(crate) fn read_at_start<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.groups.read(read)
    }

    /// Reads what is durable, of one moment.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        match &self.beside {
            Some(beside) => beside.readers.read(read),
            None => self.groups.read(read),
        }
    }

    /// As [`Store::write`], for those who must not wait for a disk on their thread.
    pub(crate) async fn write_beside<T, E>(
        &self,
        name: &'static str,
        write: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        match &self.beside {
            Some(beside) => beside.thread.write(name, write).await,
            None => self.groups.write(name, write),
        }
    }

    /// Makes one change, whole and durable. On any error nothing has changed.
    pub(crate) fn write<T, E: From<StoreError>>(
        &self,
        name: &'static str,
        write: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        self.groups.write(name, write)
    }

    /// Those who are waiting for their turn to write.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.groups.waiting()
    }

    /// All that is stored, at one moment.
    pub(crate) fn snapshot(&self) -> Result<Connection, StoreError> {
        let mut snapshot = Connection::open_in_memory()?;
        self.read(|stored| {
            Ok(Backup::new(stored, &mut snapshot)?.run_to_completion(c_int::MAX, Duration::ZERO, None)?)
        })?;
        Ok(snapshot)
    }

    /// Puts a snapshot in the place of all that is stored. On any error nothing has changed.
    pub(crate) fn restore(&self, snapshot: &Connection) -> Result<(), StoreError> {
        self.groups.alone("restore a snapshot", |connection| {
            let backup = Backup::new(snapshot, connection)?;
            Ok(backup.run_to_completion(c_int::MAX, Duration::ZERO, None)?)
        })
    }
}

/// What every connection is to be told.
fn set_up(connection: &Connection) -> Result<(), StoreError> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // Otherwise SQLite compiles some statements anew, prepared as they are, each time that something is bound to them: there
    // might be a better plan. Without statistics there is none.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

fn has_tables(connection: &Connection) -> Result<bool, StoreError> {
    match connection.pragma_query_value(None, "user_version", |row| row.get(0))? {
        SCHEMA_VERSION => Ok(true),
        0 => Ok(false),
        found => Err(StoreError::SchemaVersion { found }),
    }
}

fn create_tables(
    connection: &mut Connection,
    first: impl FnOnce(&Connection) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(SCHEMA)?;
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    first(&transaction)?;
    Ok(transaction.commit()?)
}

fn execute(connection: &Connection, sql: &str) -> Result<(), StoreError> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}

fn to_json(value: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(StoreError::damaged)
}

fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(StoreError::damaged)
}

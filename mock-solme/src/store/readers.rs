//! Connections that read beside the writer, and wait for nobody's disk. What they see is durable: SQLite shows a
//! transaction to other connections only once its own wait for the disk is over.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use rusqlite::{Connection, OpenFlags};

use super::{StoreError, execute, set_up};

/// Reads at one time. One takes microseconds; those beyond wait for it.
const READERS: usize = 4;

/// Of the database in memory, for each of them, in KiB below zero: a read looks at a few pages, and each commit makes old what is
/// kept.
const CACHE: i64 = -512;

/// Opened as they are needed.
pub(super) struct Readers {
    file: PathBuf,
    connections: [Mutex<Option<Connection>>; READERS],
}

impl Readers {
    pub(super) fn new(file: &Path) -> Self {
        Self { file: file.to_owned(), connections: Default::default() }
    }

    /// Reads what was durable at one moment.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut place = self.place();
        let connection = match &mut *place {
            Some(connection) => connection,
            empty => empty.insert(open(&self.file)?),
        };
        let moment = Moment::begin(connection)?;
        read(moment.0)
    }

    fn place(&self) -> MutexGuard<'_, Option<Connection>> {
        let free = self.connections.iter().find_map(|connection| match connection.try_lock() {
            Err(TryLockError::WouldBlock) => None,
            Err(TryLockError::Poisoned(panicked)) => Some(panicked.into_inner()),
            Ok(free) => Some(free),
        });
        free.unwrap_or_else(|| self.connections[0].lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What is read until it is dropped was there at the same time.
struct Moment<'a>(&'a Connection);

impl<'a> Moment<'a> {
    fn begin(connection: &'a Connection) -> Result<Self, StoreError> {
        execute(connection, "BEGIN")?;
        Ok(Self(connection))
    }
}

impl Drop for Moment<'_> {
    fn drop(&mut self) {
        if let Err(error) = execute(self.0, "COMMIT") {
            tracing::error!(%error, "the store cannot end a read");
        }
    }
}

fn open(file: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags)?;
    set_up(&connection)?;
    connection.pragma_update(None, "cache_size", CACHE)?;
    Ok(connection)
}

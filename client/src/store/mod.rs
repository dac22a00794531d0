//! Storage: one SQLite database and one key file in a state directory that one process at a time uses.
//!
//! Every change is one transaction, or one rename, and is a numbered durable step: whatever happens between two of
//! them is healed by running the command again.

mod archive;
mod automatic;
mod database;
mod directory;
mod failure;
mod file;
mod history;
mod key_file;
mod read;
mod salvage;
mod seal;
mod steps;
mod write;

pub use automatic::LastAutomatic;
pub(crate) use directory::{Place, Serving, Turn};
pub(crate) use failure::LocalStateFailure;
pub(crate) use file::{Readers, read_bounded, write_atomically};
pub(crate) use history::Event;
pub use history::PastEvent;
pub(crate) use read::{Loaded, Notes};
pub(crate) use salvage::Wreck;
pub(crate) use steps::DurableSteps;
pub(crate) use write::End;

use std::cell::OnceCell;
use std::path::Path;

use directory::StateDirectory;
use rusqlite::Connection;
use seal::SealKey;

/// The open and locked state of one local server.
pub(crate) struct Store {
    db: Connection,
    directory: StateDirectory,
    /// Of the key pair in use, once that was read.
    seal_key: OnceCell<SealKey>,
}

impl Store {
    /// Opens the state that `init` has made.
    pub(crate) fn open(place: &Place, verb: &str) -> Result<Self, LocalStateFailure> {
        let directory = StateDirectory::lock(place, verb)?;
        let file = directory.database_file();
        if !file.exists() {
            return Err(if directory.key_file().exists() {
                LocalStateFailure::DatabaseMissing { file }
            } else {
                LocalStateFailure::NotInitialized { directory: place.path.clone() }
            });
        }
        let db = database::open(&file)?;
        if database::is_empty(&db)? {
            return Err(LocalStateFailure::NotInitialized { directory: place.path.clone() });
        }
        Ok(Self { db, directory, seal_key: OnceCell::new() })
    }

    /// Opens the state directory, which may be new, or hold what an interrupted `init` left.
    pub(crate) fn open_or_create(place: &Place, verb: &str) -> Result<Self, LocalStateFailure> {
        let directory = StateDirectory::create(place, verb)?;
        let db = database::open(&directory.database_file())?;
        Ok(Self { db, directory, seal_key: OnceCell::new() })
    }

    /// Closes the state, and opens it again when `wait` is over: others may use it meanwhile. The key pair in use is
    /// another one then only where [`Self::still_asks`] says so, so the key of the seal is kept.
    pub(crate) fn away<T>(
        self,
        place: &Place,
        verb: &str,
        wait: impl FnOnce() -> T,
    ) -> Result<(Self, T), LocalStateFailure> {
        let Self { db, directory, seal_key } = self;
        database::close_for_a_while(db)?;
        drop(directory);
        let done = wait();
        Ok((Self { seal_key, ..Self::open(place, verb)? }, done))
    }

    /// Whether `init` has not completed here yet.
    pub(crate) fn is_new(&self) -> Result<bool, LocalStateFailure> {
        Ok(database::is_empty(&self.db)?)
    }

    /// The durable steps of this run.
    pub(crate) const fn steps(&self) -> &DurableSteps {
        self.directory.steps()
    }

    /// What others may do to the state, and should not.
    pub(crate) fn exposed(&self) -> Option<LocalStateFailure> {
        self.directory.exposed()
    }

    /// Whether there is room for the next change.
    ///
    /// # Errors
    /// [`LocalStateFailure::NoRoom`].
    pub(crate) fn has_room(&self) -> Result<(), LocalStateFailure> {
        self.directory.has_room()
    }

    /// The state directory.
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }
}

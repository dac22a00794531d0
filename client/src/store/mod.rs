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
pub use history::PastEvent;
pub(crate) use read::{Loaded, Notes};
pub(crate) use salvage::Wreck;
pub(crate) use steps::DurableSteps;
pub(crate) use write::End;

use std::cell::OnceCell;
use std::path::Path;
use std::sync::Arc;

use directory::StateDirectory;
use rusqlite::Connection;
use solme_sync_protocol::{Request, RequestId, SealingKey, Signed, SigningKey};

use crate::core::{Applied, Identity, Outstanding, Sealed, Times};

/// What keeps the state of one local server during a synchronization: the database, or a value (`on_paper`). A change is
/// durable, whole or not at all, when it returns.
pub(crate) trait Keeper: Sized {
    type Failure;

    /// The id and the one-time key of a new request, given the last receipt and the request that is outstanding
    /// nevertheless. Both are random.
    fn fresh(&self, last: Option<&str>, before: Option<&str>) -> (RequestId, Arc<SealingKey>);

    /// Signs a request with the key pair in use.
    fn sign(&self, request: &Request) -> Result<Signed<Request>, Self::Failure>;

    /// Stores the one outstanding request before the first byte of it leaves (P 12.1).
    fn begin_request(&mut self, request: &Outstanding, times: &Times) -> Result<(), Self::Failure>;

    /// Lets others use the state while `wait` lasts. Gives the stored times as they are then.
    ///
    /// # Errors
    /// `asked` is not the outstanding request any more.
    fn away<T>(
        self,
        asked: &Outstanding,
        identity: &Identity,
        wait: impl FnOnce() -> T,
    ) -> Result<(Self, Times, T), Self::Failure>;

    /// Applies an answer: receipt, allocation and the end of the outstanding request at once (P 11.9).
    fn apply(
        &mut self,
        applied: &Applied,
        notes: &Notes,
        times: &Times,
        event: &PastEvent,
    ) -> Result<(), Self::Failure>;

    /// Notes what happened, and how it left the outstanding request.
    fn note(&mut self, end: End<'_>, times: &Times, event: &PastEvent) -> Result<(), Self::Failure>;
}

/// The open and locked state of one local server.
pub(crate) struct Store {
    db: Connection,
    directory: StateDirectory,
    /// The key pair in use, once it was read.
    key: OnceCell<SigningKey>,
    /// What of it was broken when it was locked, once that was looked at.
    broken_seal: OnceCell<Option<Sealed>>,
}

impl Store {
    /// Opens the state that `init` has made.
    pub(crate) fn open(place: &Place, verb: &'static str) -> Result<Self, LocalStateFailure> {
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
        Ok(Self::new(db, directory))
    }

    const fn new(db: Connection, directory: StateDirectory) -> Self {
        Self { db, directory, key: OnceCell::new(), broken_seal: OnceCell::new() }
    }

    /// Opens the state directory, which may be new, or hold what an interrupted `init` left.
    pub(crate) fn open_or_create(place: &Place, verb: &'static str) -> Result<Self, LocalStateFailure> {
        let directory = StateDirectory::create(place, verb)?;
        let db = database::open(&directory.database_file())?;
        Ok(Self::new(db, directory))
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

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }
}

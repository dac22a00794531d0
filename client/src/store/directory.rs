//! The state directory: mode 0700, and used by one process at a time.
//!
//! Two locks. The *state lock* is held while the state is read or changed, which takes milliseconds, so everyone waits
//! for it. A *turn* is held by the process that asks for, expects or takes an answer, from the request to the end of it: there is
//! one synchronization at a time, and beside it everything else goes on. A turn is taken before the state lock.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use solme_sync_protocol::UtcTime;

use super::file::{close_to_others, others_may, owner_only, sync_directory_of};
use super::{DurableSteps, LocalStateFailure};
use crate::conduct::Conduct;

/// Where a state is, and how it is used.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) path: PathBuf,
    /// The durable steps of this run.
    pub(crate) steps: DurableSteps,
    /// How long to wait for another process.
    pub(crate) patience: Duration,
    pub(crate) conduct: &'static dyn Conduct,
}

impl Place {
    /// Differs after every change of the state.
    pub(crate) fn stamp(&self) -> impl Eq + Send + use<> {
        let of = |name: &str| {
            let file = fs::metadata(self.path.join(name)).ok()?;
            Some((file.modified().ok()?, file.len()))
        };
        [of("state.sqlite"), of("state.sqlite-wal")]
    }
}

/// The turn to synchronize. It ends with the value, and with the process.
pub(crate) struct Turn {
    _lock: File,
}

impl Turn {
    /// Waits for the turn.
    ///
    /// # Errors
    /// [`LocalStateFailure::Synchronizing`] if it does not come; else what is wrong with the directory.
    pub(crate) fn take(place: &Place, verb: &str) -> Result<Self, LocalStateFailure> {
        match lock(place, "synchronization.lock", verb, place.patience)? {
            Ok(lock) => Ok(Self { _lock: lock }),
            Err(holder) => Err(LocalStateFailure::Synchronizing { directory: place.path.clone(), holder }),
        }
    }
}

/// The one `serve` of a state. It ends with the value, and with the process.
pub(crate) struct Serving {
    _lock: File,
}

impl Serving {
    const LOCK: &str = "serve.lock";

    /// Begins to serve.
    ///
    /// # Errors
    /// [`LocalStateFailure::Serving`] if another process does already; else what is wrong with the directory.
    pub(crate) fn begin(place: &Place, verb: &str) -> Result<Self, LocalStateFailure> {
        // Another process that looks whether anyone serves holds the lock for a moment.
        const A_LOOK: Duration = Duration::from_secs(1);
        match lock(place, Self::LOCK, verb, place.patience.min(A_LOOK))? {
            Ok(lock) => Ok(Self { _lock: lock }),
            Err(holder) => Err(LocalStateFailure::Serving { directory: place.path.clone(), holder }),
        }
    }

    /// Whether any process serves this state directory.
    pub(crate) fn is_under_way(path: &Path) -> bool {
        let locked = |file: File| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock));
        File::open(path.join(Self::LOCK)).is_ok_and(locked)
    }
}

/// Locks a file of the state directory, or says who holds it.
fn lock(place: &Place, name: &str, verb: &str, patience: Duration) -> Result<Result<File, String>, LocalStateFailure> {
    const BETWEEN_TRIES: Duration = Duration::from_millis(2);
    if !place.path.is_dir() {
        return Err(LocalStateFailure::NotInitialized { directory: place.path.clone() });
    }
    let failed = |error| LocalStateFailure::Directory { directory: place.path.clone(), error };
    let file = place.path.join(name);
    let opened = owner_only().read(true).write(true).create(true).truncate(false).open(file);
    let mut lock = opened.map_err(failed)?;
    let began = Instant::now();
    loop {
        match lock.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) if began.elapsed() < patience => std::thread::sleep(BETWEEN_TRIES),
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = lock.take(200).read_to_string(&mut holder);
                return Ok(Err(holder));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
    }
    // For the message of a second process only: a full disk is no reason to stop here.
    let _ = lock.set_len(0).and_then(|()| lock.rewind());
    let _ = lock.write_all(format!("process {}, `license-server {verb}`", std::process::id()).as_bytes());
    Ok(Ok(lock))
}

/// A state directory that this process has locked. The lock ends with the value, and with the process.
pub(super) struct StateDirectory {
    place: Place,
    verb: &'static str,
    _lock: File,
}

impl StateDirectory {
    /// Locks a state directory that exists.
    pub(super) fn lock(place: &Place, verb: &'static str) -> Result<Self, LocalStateFailure> {
        match lock(place, "lock", verb, place.patience)? {
            Ok(lock) => Ok(Self { place: place.clone(), verb, _lock: lock }),
            Err(holder) => Err(LocalStateFailure::InUse { directory: place.path.clone(), holder }),
        }
    }

    /// Lets others lock it. Gives what is needed to lock it again.
    pub(super) fn unlock(self) -> (Place, &'static str) {
        (self.place, self.verb)
    }

    /// Locks a state directory, and makes it if it does not exist.
    pub(super) fn create(place: &Place, verb: &'static str) -> Result<Self, LocalStateFailure> {
        let failed = |error| LocalStateFailure::Directory { directory: place.path.clone(), error };
        if !place.path.is_dir() {
            place.steps.take("state directory made", || make(&place.path)).map_err(failed)?;
        } else if others_may(&place.path, 0o077) && fs::read_dir(&place.path).map_err(failed)?.next().is_none() {
            close_to_others(&place.path).map_err(failed)?;
        }
        Self::lock(place, verb)
    }

    pub(super) fn path(&self) -> &Path {
        &self.place.path
    }

    pub(super) const fn steps(&self) -> &DurableSteps {
        &self.place.steps
    }

    pub(super) const fn conduct(&self) -> &'static dyn Conduct {
        self.place.conduct
    }

    pub(super) fn database_file(&self) -> PathBuf {
        self.path().join("state.sqlite")
    }

    pub(super) fn key_file(&self) -> PathBuf {
        self.path().join("signing-key.pem")
    }

    /// A new key pair, until the database says that it is the one in use.
    pub(super) fn next_key_file(&self) -> PathBuf {
        self.path().join("signing-key.next.pem")
    }

    /// License server id and trust file once more, for when the database is lost.
    pub(super) fn setup_file(&self) -> PathBuf {
        self.path().join("setup.json")
    }

    /// What the modes of directory and files let others do; none of them was made so.
    pub(super) fn exposed(&self) -> Option<LocalStateFailure> {
        let key = self.key_file();
        if others_may(&key, 0o077) {
            return Some(LocalStateFailure::KeyExposed { file: key });
        }
        let written = [(self.path().to_owned(), 0o002), (self.database_file(), 0o022)];
        let writable = written.into_iter().find(|(path, bits)| others_may(path, *bits));
        writable.map(|(path, _)| LocalStateFailure::StateExposed { path })
    }

    /// Whether there is room for the next change: as much as a large allocation takes. It is given back at once.
    pub(super) fn has_room(&self) -> Result<(), LocalStateFailure> {
        const LARGE: usize = 1 << 20;
        let file = self.path().join("room.tmp");
        let _ = fs::remove_file(&file); // of a run that was cut off
        let written = owner_only().write(true).create_new(true).open(&file).and_then(|mut file| {
            file.write_all(&vec![0; LARGE])?;
            file.sync_all()
        });
        let _ = fs::remove_file(&file);
        written.map_err(|error| LocalStateFailure::NoRoom { directory: self.path().to_owned(), error })
    }

    /// Makes a new directory of the archive.
    pub(super) fn make_archive(&self, now: UtcTime) -> Result<PathBuf, LocalStateFailure> {
        let stamp: String = now.to_string().chars().filter(|c| !matches!(c, '-' | ':')).collect();
        let named = |n: u32| self.path().join("archive").join(format!("{stamp}-{n}"));
        let directory = (1..).map(named).find(|path| !path.exists()).expect("an archive has a free number");
        let made = self.steps().take("archive made", || make(&directory));
        made.map_err(|error| LocalStateFailure::Archive { error })?;
        Ok(directory)
    }
}

/// Makes a directory that only its owner may enter, and those above it that are not there.
pub(super) fn make(path: &Path) -> std::io::Result<()> {
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty() && !parent.is_dir()) {
        fs::create_dir_all(parent)?;
        parent.ancestors().filter(|made| !made.as_os_str().is_empty()).try_for_each(sync_directory_of)?;
    }
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(path)?;
    sync_directory_of(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conduct::Standard;
    use crate::store::Store;

    #[test]
    fn a_directory_that_takes_nothing_more_has_no_room() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let steps = DurableSteps::new(None);
        let place = Place { path, steps, patience: Duration::ZERO, conduct: &Standard };
        let store = Store::open_or_create(&place, "test").unwrap();
        let files = || fs::read_dir(&place.path).unwrap().count();
        let before = files();
        assert!(store.has_room().is_ok());
        assert_eq!(files(), before, "it is given back");
        fs::remove_dir_all(&place.path).unwrap();
        assert!(matches!(store.has_room(), Err(LocalStateFailure::NoRoom { .. })));
    }
}

//! The state directory: mode 0700, and locked against a second process.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use protocol::UtcTime;

use super::file::sync_directory_of;
use super::{DurableSteps, LocalStateError};

/// A state directory that this process has locked. The lock ends with the value, and with the process.
pub(super) struct StateDirectory {
    path: PathBuf,
    _lock: File,
    steps: DurableSteps,
}

impl StateDirectory {
    /// Locks a state directory that exists.
    pub(super) fn lock(path: &Path, verb: &str, steps: DurableSteps) -> Result<Self, LocalStateError> {
        if !path.is_dir() {
            return Err(LocalStateError::NotInitialized { directory: path.to_owned() });
        }
        let failed = |error| LocalStateError::Directory { directory: path.to_owned(), error };
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path.join("lock"))
            .map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = lock.take(200).read_to_string(&mut holder);
                return Err(LocalStateError::InUse { directory: path.to_owned(), holder });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        // For the message of a second process only.
        lock.set_len(0).and_then(|()| lock.rewind()).map_err(failed)?;
        write!(lock, "process {}, `license-server {verb}`", std::process::id()).map_err(failed)?;
        Ok(Self { path: path.to_owned(), _lock: lock, steps })
    }

    /// Locks a state directory, and makes it if it does not exist.
    pub(super) fn create(path: &Path, verb: &str, steps: DurableSteps) -> Result<Self, LocalStateError> {
        if !path.is_dir() {
            let failed = |error| LocalStateError::Directory { directory: path.to_owned(), error };
            steps.take("state directory made", || make(path)).map_err(failed)?;
        }
        Self::lock(path, verb, steps)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) const fn steps(&self) -> &DurableSteps {
        &self.steps
    }

    pub(super) fn database_file(&self) -> PathBuf {
        self.path.join("state.sqlite")
    }

    pub(super) fn key_file(&self) -> PathBuf {
        self.path.join("signing-key.pem")
    }

    /// A new key pair, until the database says that it is the one in use.
    pub(super) fn next_key_file(&self) -> PathBuf {
        self.path.join("signing-key.next.pem")
    }

    /// License server id and trust file once more, for when the database is lost.
    pub(super) fn setup_file(&self) -> PathBuf {
        self.path.join("setup.json")
    }

    /// Makes a new directory of the archive.
    pub(super) fn make_archive(&self, now: UtcTime) -> Result<PathBuf, LocalStateError> {
        let stamp: String = now.to_string().chars().filter(|c| !matches!(c, '-' | ':')).collect();
        let named = |n: u32| self.path.join("archive").join(format!("{stamp}-{n}"));
        let directory = (1..).map(named).find(|path| !path.exists()).expect("an archive has a free number");
        let made = self.steps.take("archive made", || make(&directory));
        made.map_err(|error| LocalStateError::Archive { error })?;
        Ok(directory)
    }
}

/// Makes a directory that only its owner may enter.
pub(super) fn make(path: &Path) -> std::io::Result<()> {
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        fs::create_dir_all(parent)?;
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

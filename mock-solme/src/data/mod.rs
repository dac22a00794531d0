//! The data directory: who may read it, whether it is whole, and what is in it that should not be.

mod remembered;
mod temporary;

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

pub(crate) use remembered::{Addresses, Remembered, listen};
pub(crate) use temporary::TemporaryFolder;

pub(crate) const SIGNING_KEY: &str = "signing-key.pk8";
pub(crate) const CA_KEY: &str = "ca-key.pem";
pub(crate) const CA_CERTIFICATE: &str = "ca.pem";
pub(crate) const STATE: &str = "state.sqlite";
const LOCK: &str = "lock";
/// There while a new directory is set up: what is missing then was not used for anything yet.
const SETTING_UP: &str = "setting-up";
/// What a main server cannot be the same without.
const WHOLE: [&str; 4] = [SIGNING_KEY, CA_KEY, CA_CERTIFICATE, STATE];
/// Files that nobody else may read.
const PRIVATE: [&str; 7] =
    [CA_CERTIFICATE, STATE, "state.sqlite-wal", "state.sqlite-shm", LOCK, "journal.jsonl", "serve.json"];
/// Bytes of a key or certificate.
const KEY_AT_MOST: u64 = 65_536;

/// The way out of a directory that cannot be used.
const WAY_OUT: &str = "restore the directory from a backup, or name an empty one and set every License Server up anew";

/// Why a data directory is not used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DataError {
    /// The operating system has refused a file or directory.
    #[error("{}: {error}; check free space and permissions there, or name another directory", path.display())]
    File { path: PathBuf, error: io::Error },
    /// Another process holds its lock.
    #[error("{} is in use by another mock-solme: stop that one, or name another --data", .0.display())]
    InUse(PathBuf),
    /// It holds files of something else.
    #[error("{} is neither empty nor a data directory of mock-solme; name an empty directory, or one that does not exist yet", .0.display())]
    NotOurs(PathBuf),
    /// There is a file, or something else, in its place.
    #[error("{} is not a directory: name an empty directory, or one that does not exist yet", .0.display())]
    NotADirectory(PathBuf),
    /// Key, CA or database are gone.
    #[error("{} is incomplete: {missing} is missing. Next: {WAY_OUT}", path.display())]
    Missing { path: PathBuf, missing: String },
    /// A directory or device lies in the place of a file.
    #[error("{} is {what}, not a file. Next: {WAY_OUT}", path.display())]
    NotAFile { path: PathBuf, what: &'static str },
    /// A key file has more than 64 KiB.
    #[error("{} is longer than any key. Next: {WAY_OUT}", .0.display())]
    TooLong(PathBuf),
    /// A file with a secret is open to other users.
    #[error(
        "others can read or write {}, so its key may have leaked. Next: `chmod 600` it if you are sure that nobody did, or name an empty directory",
        .0.display()
    )]
    KeyOpenToOthers(PathBuf),
}

/// A data directory that this process holds.
pub(crate) struct DataDirectory {
    path: PathBuf,
    /// Whether it is being set up: what is missing is made.
    pub(crate) new: bool,
    lock: Lock,
}

/// Keeps other processes out of a data directory until it is dropped. To close the file would not do: a program that this
/// process is starting just now has a copy of it.
pub(crate) struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

impl DataDirectory {
    /// Takes the directory, makes it if there is none, and sees that it is empty or whole.
    pub(crate) fn take(path: &Path) -> Result<Self, DataError> {
        let failed = |error| DataError::File { path: path.to_owned(), error };
        if let Some(there) = path.ancestors().find(|path| path.symlink_metadata().is_ok())
            && !there.is_dir()
        {
            return Err(DataError::NotADirectory(there.to_owned()));
        }
        make_private(path).map_err(failed)?;
        let there = |name: &str| path.join(name).symlink_metadata().is_ok();
        let new = there(SETTING_UP) || is_empty(path).map_err(failed)?;
        let missing: Vec<_> = WHOLE.into_iter().filter(|name| !there(name)).collect();
        if !new && missing.len() == WHOLE.len() && !there("trust.json") && !there("serve.json") {
            return Err(DataError::NotOurs(path.to_owned()));
        }
        let lock = private().write(true).create(true).truncate(false).open(path.join(LOCK)).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(DataError::InUse(path.to_owned())),
            Err(fs::TryLockError::Error(error)) => return Err(failed(error)),
        }
        if !new && !missing.is_empty() {
            return Err(DataError::Missing { path: path.to_owned(), missing: missing.join(", ") });
        }
        if new {
            // Each time until it is set up: whoever made the directory may have been cut off before this.
            sync_directory(path.parent().unwrap_or(path)).map_err(failed)?;
            let begun = private().write(true).create(true).truncate(true).open(path.join(SETTING_UP));
            begun.and_then(|begun| begun.sync_all()).map_err(failed)?;
            if missing.contains(&STATE) {
                // SQLite gives its files the permissions of this one.
                private().write(true).create(true).truncate(false).open(path.join(STATE)).map_err(failed)?;
            }
        }
        let directory = Self { path: path.to_owned(), new, lock: Lock(lock) };
        directory.check_permissions()?;
        Ok(directory)
    }

    /// Everything is there: from now on nothing of it may be missing.
    pub(crate) fn finish(mut self) -> Result<Lock, DataError> {
        if self.new {
            let marker = self.path.join(SETTING_UP);
            let removed = fs::remove_file(&marker).and_then(|()| sync_directory(&self.path));
            removed.map_err(|error| DataError::File { path: marker, error })?;
            self.new = false;
        }
        Ok(self.lock)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// A key or certificate; none where there is none.
    pub(crate) fn read_key(&self, name: &str) -> Result<Option<Vec<u8>>, DataError> {
        let path = self.path(name);
        let failed = |error| DataError::File { path: path.clone(), error };
        if !regular(&path)? {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        File::open(&path).and_then(|file| file.take(KEY_AT_MOST + 1).read_to_end(&mut bytes)).map_err(failed)?;
        if bytes.len() as u64 > KEY_AT_MOST { Err(DataError::TooLong(path)) } else { Ok(Some(bytes)) }
    }

    /// Keys that others may read are not used: nobody can tell who has them. Everything else is closed to others, and
    /// that is said.
    #[cfg(unix)]
    fn check_permissions(&self) -> Result<(), DataError> {
        for key in [SIGNING_KEY, CA_KEY].map(|name| self.path(name)) {
            if regular(&key)? && open_to_others(&key) {
                return Err(DataError::KeyOpenToOthers(key));
            }
        }
        for file in PRIVATE.map(|name| self.path(name)) {
            if regular(&file)? && open_to_others(&file) {
                tracing::warn!(file = %file.display(), "others could read or write this file; its permissions are now 0600");
                close_to_others(&file, 0o600).map_err(|error| DataError::File { path: file.clone(), error })?;
            }
        }
        Ok(())
    }

    #[cfg(not(unix))]
    fn check_permissions(&self) -> Result<(), DataError> {
        WHOLE.iter().chain(&PRIVATE).try_for_each(|name| regular(&self.path(name)).map(drop))
    }
}

/// Whether there is a regular file: a FIFO or a device would be waited for, or read without end.
pub(crate) fn regular(path: &Path) -> Result<bool, DataError> {
    let kind = match fs::metadata(path) {
        Ok(metadata) => metadata.file_type(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(DataError::File { path: path.to_owned(), error }),
    };
    let what = match kind {
        kind if kind.is_file() => return Ok(true),
        kind if kind.is_dir() => "a directory",
        _ => "a pipe or a device",
    };
    Err(DataError::NotAFile { path: path.to_owned(), what })
}

fn is_empty(path: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name();
        if name != LOCK && name != "lost+found" {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Makes the entries of a directory durable.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    let here = Path::new(".");
    let directory = if directory.as_os_str().is_empty() { here } else { directory };
    if cfg!(unix) { File::open(directory)?.sync_all() } else { Ok(()) }
}

#[cfg(unix)]
fn make_private(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => {}
        made => return made,
    }
    if open_to_others(path) && (is_empty(path)? || path.join(STATE).exists()) {
        if !is_empty(path)? {
            tracing::warn!(directory = %path.display(), "others could enter this directory; its permissions are now 0700");
        }
        close_to_others(path, 0o700)?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn make_private(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

#[cfg(unix)]
fn open_to_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

#[cfg(unix)]
fn close_to_others(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode))
}

/// For a file that nobody else may read.
pub(crate) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

//! The folder of a simulator in memory: its trust file has to lie somewhere. A simulator that is killed cannot remove
//! it; the next one does.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

const PREFIX: &str = "mock-solme-";
const LOCK: &str = "lock";
/// A folder is not looked at while it is younger: its simulator may not have locked it yet.
const YOUNG: Duration = Duration::from_secs(60);

/// A folder that is gone when it is dropped. While its simulator lives it is locked.
pub(crate) struct TemporaryFolder {
    folder: tempfile::TempDir,
    _lock: File,
}

impl TemporaryFolder {
    pub(crate) fn new() -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir()?;
        let lock = File::create(folder.path().join(LOCK))?;
        lock.lock()?;
        remove_those_of_the_dead(folder.path());
        Ok(Self { folder, _lock: lock })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// What cannot be removed stays: the folder may be somebody else's.
fn remove_those_of_the_dead(ours: &Path) {
    let Some(entries) = ours.parent().and_then(|parent| fs::read_dir(parent).ok()) else { return };
    for entry in entries.flatten() {
        let folder = entry.path();
        let is_one = entry.file_name().to_string_lossy().starts_with(PREFIX) && folder != ours;
        if is_one && is_old(&folder).unwrap_or(false) && is_unlocked(&folder.join(LOCK)) {
            let _ = fs::remove_dir_all(&folder);
        }
    }
}

/// No symbolic link, and made a while ago.
fn is_old(folder: &Path) -> io::Result<bool> {
    let metadata = folder.symlink_metadata()?;
    let age = SystemTime::now().duration_since(metadata.modified()?).unwrap_or_default();
    Ok(metadata.is_dir() && age > YOUNG)
}

fn is_unlocked(lock: &Path) -> bool {
    lock.symlink_metadata().is_ok_and(|metadata| metadata.is_file())
        && File::open(lock).is_ok_and(|lock| lock.try_lock().is_ok())
}

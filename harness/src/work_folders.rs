//! Where the suites and the fleet keep what is thrown away.

use std::path::Path;
use std::{env, fs, io};

/// A file system in memory, on Linux.
const IN_MEMORY: &str = "/dev/shm";
/// Far more than a suite has at a time: a container's 64 MiB would not do.
const ROOM: u64 = 1 << 30;

/// Puts temporary folders into memory where it has room. A suite makes thousands of durable writes, and none has to outlive a
/// power failure: on a disk they are a fifth of its time, on a slow one most of it. `TMPDIR` decides where it is set.
pub(crate) fn in_memory() {
    let folder = Path::new(IN_MEMORY);
    let has_room = |folder| rustix::fs::statvfs(folder).is_ok_and(|fs| fs.f_bavail.saturating_mul(fs.f_frsize) >= ROOM);
    if env::var_os("TMPDIR").is_none() && has_room(folder) && tempfile::tempdir_in(folder).is_ok() {
        // An error says that the folder is set already.
        let _ = tempfile::env::override_temp_dir(folder);
    }
}

/// Copies a folder that nobody uses meanwhile.
pub(crate) fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

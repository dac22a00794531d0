//! Files that are there whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::DurableSteps;

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readers {
    /// Mode 0600.
    OwnerOnly,
    /// As the umask says.
    Usual,
}

/// Writes `bytes` to a file of another name, makes them durable, and gives them their name.
pub(crate) fn write_atomically(
    path: &Path,
    bytes: &[u8],
    readers: Readers,
    steps: &DurableSteps,
    names: [&'static str; 2],
) -> io::Result<()> {
    let temporary = temporary_name(path);
    steps.take(names[0], || {
        // What an interrupted run left; it may have another mode.
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = create(&temporary, readers)?;
        file.write_all(bytes)?;
        file.sync_all()
    })?;
    steps.take(names[1], || rename(&temporary, path))
}

/// Renames a file and makes that durable.
pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    sync_directory_of(to)
}

/// Makes the entries of the directory that holds `path` durable.
pub(super) fn sync_directory_of(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if cfg!(unix) { File::open(parent)?.sync_all() } else { Ok(()) }
}

fn temporary_name(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    path.with_file_name(name)
}

/// Makes an empty file of mode 0600, unless it is there.
pub(super) fn create_private(path: &Path) -> io::Result<()> {
    match create(path, Readers::OwnerOnly) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

fn create(path: &Path, readers: Readers) -> io::Result<File> {
    let mut options = OpenOptions::new();
    if readers == Readers::OwnerOnly {
        options = owner_only();
    }
    options.write(true).create_new(true).open(path)
}

/// A file that is made now has mode 0600, and nothing is opened through a symbolic link.
pub(super) fn owner_only() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600).custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
    }
    options
}

/// Whether someone beside the owner may do what `bits` of a mode say.
pub(super) fn others_may(path: &Path, bits: u32) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::metadata(path).is_ok_and(|file| file.permissions().mode() & bits != 0)
    }
    #[cfg(not(unix))]
    {
        let _ = (path, bits);
        false
    }
}

/// From now on only its owner may enter the directory.
pub(super) fn close_to_others(directory: &Path) -> io::Result<()> {
    #[cfg(unix)]
    fs::set_permissions(directory, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
    let _ = directory;
    Ok(())
}

/// Reads a file, `-` for standard input, up to one byte more than `at_most`: its reader then sees that it is too large.
pub(crate) fn read_bounded(path: &Path, at_most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = at_most as u64 + 1;
    if path == Path::new("-") {
        io::stdin().lock().take(limit).read_to_end(&mut bytes)?;
    } else {
        must_be_regular(path)?;
        File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// A pipe in the place of a file may never end, or never begin, and a device has no end.
pub(super) fn must_be_regular(path: &Path) -> io::Result<()> {
    let kind = fs::metadata(path)?.file_type();
    let found = match () {
        () if kind.is_file() => return Ok(()),
        () if kind.is_dir() => "it is a directory, expected a file",
        () => "it is a pipe or a device, expected a file (- is standard input)",
    };
    Err(io::Error::other(found))
}

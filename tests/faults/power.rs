//! The power fails: what was written and not synced is lost, in part or altogether. A disk is a list of calls here, so every
//! moment of an operation can be looked at, and what a disk may make of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::strace::Call;

/// What a disk keeps of that which was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// Nothing.
    Nothing,
    /// Names of files, and not what is in them.
    Names,
    /// What is in files, under the names that they had.
    Contents,
}

impl Kept {
    pub(crate) const ALL: [Self; 3] = [Self::Nothing, Self::Names, Self::Contents];
}

#[derive(Debug, Clone, Default)]
struct File {
    now: Vec<u8>,
    synced: Vec<u8>,
    mode: u32,
}

/// What a name stands for: a file, by its number, or a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entry {
    File(usize),
    Directory,
}

type Names = BTreeMap<PathBuf, Entry>;

/// A disk, or the part of it that the state is on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disk {
    files: Vec<File>,
    now: Names,
    synced: Names,
}

/// What is on a disk after the power has failed: directories, and files with mode and bytes.
pub(crate) type Remains = BTreeMap<PathBuf, Option<(u32, Vec<u8>)>>;

impl Disk {
    /// A disk on which everything below `copy` was synced, under the names that it has below `root`.
    pub(crate) fn of(copy: &Path, root: &Path) -> Self {
        Self::default().and(copy, root)
    }

    /// The same with another directory on it.
    pub(crate) fn and(mut self, copy: &Path, root: &Path) -> Self {
        if copy.exists() {
            self.add(copy, root);
        }
        self.synced = self.now.clone();
        self
    }

    fn add(&mut self, copy: &Path, name: &Path) {
        if copy.is_dir() {
            self.now.insert(name.to_owned(), Entry::Directory);
            for entry in fs::read_dir(copy).unwrap().map(Result::unwrap) {
                self.add(&entry.path(), &name.join(entry.file_name()));
            }
        } else {
            let bytes = fs::read(copy).unwrap();
            let mode = fs::metadata(copy).unwrap().permissions().mode() & 0o777;
            self.files.push(File { now: bytes.clone(), synced: bytes, mode });
            self.now.insert(name.to_owned(), Entry::File(self.files.len() - 1));
        }
    }

    /// A call is made. One that failed changes nothing.
    pub(crate) fn make(&mut self, call: &Call) {
        if !call.succeeded {
            return;
        }
        let name = call.file();
        match call.name.as_str() {
            "openat" => self.open(name, &call.flags),
            "mkdir" => drop(self.now.insert(name.to_owned(), Entry::Directory)),
            "unlink" => drop(self.now.remove(name)),
            "rename" => {
                let entry = self.now.remove(&call.paths[0]).unwrap_or_else(|| panic!("renamed from nowhere: {call:?}"));
                self.now.insert(name.to_owned(), entry);
            }
            "write" => {
                let end = self.file(name).now.len();
                self.write(name, end, &call.bytes);
            }
            "pwrite64" => self.write(name, usize::try_from(call.place).unwrap(), &call.bytes),
            "ftruncate" => self.file(name).now.resize(usize::try_from(call.place).unwrap(), 0),
            _ => self.sync(name),
        }
    }

    fn open(&mut self, name: &Path, flags: &str) {
        if !self.now.contains_key(name) {
            self.files.push(File { mode: 0o600, ..File::default() });
            self.now.insert(name.to_owned(), Entry::File(self.files.len() - 1));
        }
        if flags.contains("O_TRUNC") {
            self.file(name).now.clear();
        }
    }

    fn file(&mut self, name: &Path) -> &mut File {
        match self.now.get(name) {
            Some(Entry::File(number)) => &mut self.files[*number],
            // Under a name that is gone: nobody can see it.
            _ => {
                self.files.push(File::default());
                self.files.last_mut().unwrap()
            }
        }
    }

    fn write(&mut self, name: &Path, place: usize, bytes: &[u8]) {
        let file = self.file(name);
        if file.now.len() < place + bytes.len() {
            file.now.resize(place + bytes.len(), 0);
        }
        file.now[place..place + bytes.len()].copy_from_slice(bytes);
    }

    /// Of a directory: its names. Of a file: what is in it.
    fn sync(&mut self, name: &Path) {
        if let Some(Entry::File(number)) = self.now.get(name) {
            let file = &mut self.files[*number];
            file.synced.clone_from(&file.now);
            return;
        }
        self.synced.retain(|path, _| path.parent() != Some(name));
        let inside = self.now.iter().filter(|(path, _)| path.parent() == Some(name));
        self.synced.extend(inside.map(|(path, entry)| (path.clone(), *entry)));
    }

    /// What is there when the power comes back.
    pub(crate) fn after_a_power_failure(&self, kept: Kept) -> Remains {
        let names = if kept == Kept::Names { &self.now } else { &self.synced };
        let there = |path: &Path| {
            // A name is of no use without those of the directories above it.
            let mut above = path.ancestors().skip(1).take_while(|above| self.now.contains_key(*above));
            above.all(|above| names.contains_key(above))
        };
        let reachable = names.iter().filter(|(path, _)| there(path));
        let remains = reachable.map(|(path, entry)| {
            let file = match entry {
                Entry::Directory => None,
                Entry::File(number) => {
                    let File { now, synced, mode } = &self.files[*number];
                    Some((*mode, if kept == Kept::Contents { now.clone() } else { synced.clone() }))
                }
            };
            (path.clone(), file)
        });
        remains.collect()
    }
}

/// Puts what remains in the place of what is there now.
pub(crate) fn bring_back(remains: &Remains, root: &Path) {
    let _ = fs::remove_dir_all(root);
    for (path, file) in remains {
        match file {
            None => {
                let _ = fs::remove_dir_all(path);
                DirBuilder::new().mode(0o700).create(path).unwrap();
            }
            Some((mode, bytes)) => {
                let _ = fs::remove_file(path);
                let file = OpenOptions::new().write(true).create_new(true).mode(*mode).open(path);
                file.unwrap().write_all(bytes).unwrap();
            }
        }
    }
}

/// Each moment of an operation, and what may remain of it: how many calls were made, and what the disk kept.
pub(crate) fn moments(disk: Disk, calls: &[Call]) -> Vec<(usize, Kept, Remains)> {
    let mut disk = disk;
    let (mut moments, mut seen) = (Vec::new(), BTreeSet::new());
    for made in 0..=calls.len() {
        for kept in Kept::ALL {
            let remains = disk.after_a_power_failure(kept);
            // The end is looked at in any case: by then somebody was told.
            if seen.insert(remains.clone()) || made == calls.len() {
                moments.push((made, kept, remains));
            }
        }
        if let Some(call) = calls.get(made) {
            disk.make(call);
        }
    }
    moments
}

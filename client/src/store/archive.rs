//! `new-key-pair`: the old state goes into the archive, whole, before the new one begins.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use protocol::{SigningKey, UtcTime};
use rusqlite::Connection;

use super::directory::make;
use super::file::{Readers, sync_directory_of, write_atomically};
use super::history::record;
use super::{Event, LocalStateError, Store};

impl Store {
    /// Copies database and key file into a directory of the archive, which is returned. The one-time key of an
    /// outstanding request is not copied: it ends here (P 3.4).
    pub(crate) fn archive(&self, now: UtcTime) -> Result<PathBuf, LocalStateError> {
        let failed = |error| LocalStateError::Archive { error };
        let directory = self.free_archive_directory(now);
        self.directory.steps().take("archive made", || make(&directory)).map_err(failed)?;
        let copy = directory.join("state.sqlite");
        self.directory.steps().take("database archived", || self.copy_database(&copy))?;
        match fs::read(self.directory.key_file()).map(zeroize::Zeroizing::new) {
            Ok(key) => {
                let names = ["archived signing key written", "archived signing key in place"];
                let file = directory.join("signing-key.pem");
                write_atomically(&file, &key, Readers::OwnerOnly, self.directory.steps(), names).map_err(failed)?;
            }
            // A lost key file is one of the reasons to come here.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        Ok(directory)
    }

    /// Begins again with a new key pair: unsynchronized, same id, same trust, same history. Returns the key pair.
    pub(crate) fn begin_with_new_key(
        &mut self,
        event: impl FnOnce(&SigningKey) -> Event,
    ) -> Result<SigningKey, LocalStateError> {
        let key = SigningKey::generate();
        let event = event(&key);
        self.write_next_key(&key)?;
        let thumbprint = key.thumbprint().to_string();
        self.change("new key pair recorded", |db| {
            db.execute("UPDATE setup SET key_thumbprint = ?", [&thumbprint])?;
            db.execute_batch("DELETE FROM applied; DELETE FROM outstanding; DELETE FROM cleared;")?;
            record(db, &event, None)
        })?;
        self.put_next_key_in_place()?;
        self.erase_from_log()?;
        Ok(key)
    }

    fn free_archive_directory(&self, now: UtcTime) -> PathBuf {
        let stamp: String = now.to_string().chars().filter(|c| !matches!(c, '-' | ':')).collect();
        let named = |n: u32| self.directory.archive().join(format!("{stamp}-{n}"));
        (1..).map(named).find(|path| !path.exists()).expect("an archive has a free number")
    }

    fn copy_database(&self, to: &Path) -> Result<(), LocalStateError> {
        let name = to.to_string_lossy();
        self.db.execute("VACUUM INTO ?", [&*name])?;
        let copy = Connection::open(to)?;
        copy.pragma_update(None, "journal_mode", "MEMORY")?; // no second copy of the key on disk
        copy.pragma_update(None, "secure_delete", "ON")?;
        copy.execute("UPDATE outstanding SET sealing_key = x''", [])?;
        copy.close().map_err(|(_, error)| error)?;
        let durable = File::open(to).and_then(|file| file.sync_all()).and_then(|()| sync_directory_of(to));
        durable.map_err(|error| LocalStateError::Archive { error })
    }
}

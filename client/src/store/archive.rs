//! `new-key-pair`: the old state goes into the archive, whole, before the new one begins.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use solme_sync_protocol::{KeyThumbprint, SigningKey, UtcTime};
use zeroize::Zeroizing;

use super::automatic::write_schedule;
use super::file::{Readers, create_private, read_bounded, sync_directory_of, write_atomically};
use super::history::record;
use super::{LocalStateFailure, PastEvent, Store};
use crate::conduct::Held;
use crate::core::Schedule;

impl Store {
    /// Copies database and key file into a directory of the archive, which is returned. The one-time key of an
    /// outstanding request is not copied: it ends here (P 3.4).
    pub(crate) fn archive(&self, now: UtcTime) -> Result<PathBuf, LocalStateFailure> {
        let directory = self.directory.make_archive(now)?;
        let copy = directory.join("state.sqlite");
        self.directory.steps().take("database archived", || self.copy_database(&copy))?;
        self.archive_key(&directory)?;
        Ok(directory)
    }

    /// Begins again with a new key pair: unsynchronized, same id, same trust, same history. Returns its name.
    pub(crate) fn begin_with_new_key(
        &mut self,
        event: impl FnOnce(KeyThumbprint) -> PastEvent,
    ) -> Result<KeyThumbprint, LocalStateFailure> {
        let key = SigningKey::generate();
        let thumbprint = key.thumbprint();
        let event = event(thumbprint);
        self.write_next_key(&key)?;
        let mode = self.schedule()?.mode;
        let ending = self.directory.conduct().ends_with_key_pair();
        self.key = key.into();
        self.change_and_seal("new key pair recorded", |db| {
            db.execute("UPDATE setup SET key_thumbprint = ?", [thumbprint.to_string()])?;
            for held in ending {
                db.execute_batch(match held {
                    Held::Applied => "DELETE FROM applied",
                    Held::Outstanding => "DELETE FROM outstanding",
                    Held::Cleared => "DELETE FROM cleared",
                })?;
            }
            write_schedule(db, &Schedule { mode, ..Schedule::NEW })?;
            record(db, &event, None)
        })?;
        self.put_next_key_in_place()?;
        self.erase_from_log()?;
        Ok(thumbprint)
    }

    /// Copies the key file. A lost one is one of the reasons to come here.
    pub(super) fn archive_key(&self, archive: &Path) -> Result<(), LocalStateFailure> {
        let failed = |error| LocalStateFailure::Archive { error };
        match read_bounded(&self.directory.key_file(), 16_384).map(Zeroizing::new) {
            Ok(key) => {
                let names = ["archived signing key written", "archived signing key in place"];
                let file = archive.join("signing-key.pem");
                write_atomically(&file, &key, Readers::OwnerOnly, self.directory.steps(), names).map_err(failed)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(failed(error)),
        }
    }

    fn copy_database(&self, to: &Path) -> Result<(), LocalStateFailure> {
        create_private(to).map_err(|error| LocalStateFailure::Archive { error })?;
        let name = to.to_string_lossy();
        self.db.execute("VACUUM INTO ?", [&*name])?;
        let copy = Connection::open(to)?;
        copy.pragma_update(None, "journal_mode", "MEMORY")?; // no second copy of the key on disk
        copy.pragma_update(None, "secure_delete", "ON")?;
        copy.execute("UPDATE outstanding SET sealing_key = x''", [])?;
        copy.close().map_err(|(_, error)| error)?;
        let durable = File::open(to).and_then(|file| file.sync_all()).and_then(|()| sync_directory_of(to));
        durable.map_err(|error| LocalStateFailure::Archive { error })
    }
}

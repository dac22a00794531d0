//! The private signing key: a file of its own, mode 0600, PKCS #8 PEM.

use std::io::ErrorKind;
use std::path::Path;

use solme_sync_protocol::{KeyThumbprint, SigningKey};
use zeroize::Zeroizing;

use super::file::{Readers, read_bounded, rename, write_atomically};
use super::{LocalStateFailure, Store};

/// More bytes than any key file has.
const LONGEST: usize = 16_384;

impl Store {
    /// The key pair in the key file, or a new one, durably stored before it is used (P 3.3). A key file without
    /// a database is what an interrupted `init` left, and is adopted.
    pub(crate) fn adopt_or_make_key(&self) -> Result<&SigningKey, LocalStateFailure> {
        let file = self.directory.key_file();
        let key = match read(&file)? {
            Some(key) if !key.is_a_pair() => return Err(LocalStateFailure::KeyDamaged { file }),
            Some(key) => key,
            None => {
                let key = SigningKey::generate();
                self.write_key(&file, &key, ["signing key written", "signing key in place"])?;
                key
            }
        };
        Ok(self.key.get_or_init(|| key))
    }

    pub(crate) fn key(&self) -> Result<&SigningKey, LocalStateFailure> {
        match self.key.get() {
            Some(key) => Ok(key),
            None => self.load_key(&self.identity()?.key_thumbprint),
        }
    }

    /// Stores a new key pair beside the one in use.
    pub(super) fn write_next_key(&self, key: &SigningKey) -> Result<(), LocalStateFailure> {
        let file = self.directory.next_key_file();
        self.write_key(&file, key, ["next signing key written", "next signing key in place"])
    }

    /// Reads the key pair that the database says is in use. A change to the next one is completed, if it was
    /// interrupted after the database said so.
    pub(crate) fn load_key(&self, awaited: &KeyThumbprint) -> Result<&SigningKey, LocalStateFailure> {
        let (file, next) = (self.directory.key_file(), self.directory.next_key_file());
        if let Ok(Some(key)) = read(&next)
            && key.thumbprint() == *awaited
        {
            self.put_next_key_in_place()?;
            return Ok(self.key.get_or_init(|| key));
        }
        let key = read(&file)?.ok_or_else(|| LocalStateFailure::KeyMissing { file: file.clone() })?;
        let found = key.thumbprint();
        if found != *awaited {
            return Err(LocalStateFailure::KeyForeign { file, found, awaited: *awaited });
        }
        Ok(self.key.get_or_init(|| key))
    }

    /// Makes the next key file the key file.
    pub(crate) fn put_next_key_in_place(&self) -> Result<(), LocalStateFailure> {
        let file = self.directory.key_file();
        let renamed = self
            .directory
            .steps()
            .take("next signing key is the signing key", || rename(&self.directory.next_key_file(), &file));
        renamed.map_err(|error| LocalStateFailure::KeyFile { file, error })
    }

    fn write_key(&self, file: &Path, key: &SigningKey, names: [&'static str; 2]) -> Result<(), LocalStateFailure> {
        let pem = key.expose_secret_pem();
        write_atomically(file, pem.as_bytes(), Readers::OwnerOnly, self.directory.steps(), names)
            .map_err(|error| LocalStateFailure::KeyFile { file: file.to_owned(), error })
    }
}

fn read(file: &Path) -> Result<Option<SigningKey>, LocalStateFailure> {
    let damaged = || LocalStateFailure::KeyDamaged { file: file.to_owned() };
    match read_bounded(file, LONGEST).map(Zeroizing::new) {
        Ok(bytes) if bytes.len() > LONGEST => Err(damaged()),
        Ok(bytes) => {
            let pem = std::str::from_utf8(&bytes).map_err(|_| damaged())?;
            SigningKey::from_pem(pem).map(Some).map_err(|_| damaged())
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(LocalStateFailure::KeyFile { file: file.to_owned(), error }),
    }
}

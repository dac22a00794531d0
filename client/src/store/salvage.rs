//! The database is lost or damaged: `new-key-pair` still knows license server id and trust, from a copy of its own.

use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use solme_sync_protocol::{LicenseServerId, SigningKey, TrustFile, UtcTime, limits};

use super::directory::StateDirectory;
use super::file::{Readers, read_bounded, rename, write_atomically};
use super::{LocalStateFailure, Place, Store, database};
use crate::core::Identity;

/// What `setup.json` holds. It is read only when the database cannot be.
#[derive(Serialize, Deserialize)]
struct Setup {
    license_server_id: LicenseServerId,
    trust: TrustFile,
}

/// A state directory whose database cannot be used, and what is left of it.
pub(crate) struct Wreck {
    directory: StateDirectory,
    setup: Setup,
}

impl Wreck {
    /// Looks at what is left. `None` if that is not enough to begin again.
    pub(crate) fn find(place: &Place, verb: &'static str) -> Result<Option<Self>, LocalStateFailure> {
        let directory = StateDirectory::lock(place, verb)?;
        let Ok(bytes) = read_bounded(&directory.setup_file(), limits::TRUST_FILE * 2) else { return Ok(None) };
        Ok(solme_sync_protocol::parse_json(&bytes).ok().map(|setup| Self { directory, setup }))
    }

    /// Moves the database into the archive, copies the key file there, and begins with a new key pair and an empty
    /// database, which the caller sets up.
    pub(crate) fn begin_again(self, now: UtcTime) -> Result<(Store, Identity, PathBuf), LocalStateFailure> {
        let Self { directory, setup } = self;
        let archive = directory.make_archive(now)?;
        let file = directory.database_file();
        for name in ["state.sqlite-wal", "state.sqlite"] {
            let moved = directory.steps().take("damaged database archived", || {
                match rename(&file.with_file_name(name), &archive.join(name)) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                    other => other,
                }
            });
            moved.map_err(|error| LocalStateFailure::Archive { error })?;
        }
        let key = SigningKey::generate();
        let Setup { license_server_id, trust } = setup;
        let (key_thumbprint, conduct) = (key.thumbprint(), directory.conduct());
        let identity = Identity { license_server_id, trust, key_thumbprint, conduct };
        let store = Store::new(database::open(&file)?, directory);
        store.archive_key(&archive)?;
        store.write_next_key(&key)?;
        let store = Store { key: key.into(), ..store };
        Ok((store, identity, archive))
    }
}

impl Store {
    pub(super) fn write_setup(&self, identity: &Identity) -> Result<(), LocalStateFailure> {
        let setup = Setup { license_server_id: identity.license_server_id.clone(), trust: identity.trust.clone() };
        let bytes = serde_json::to_vec_pretty(&setup).expect("a setup has no failing serializers");
        let names = ["setup written", "setup in place"];
        let file = self.directory.setup_file();
        write_atomically(&file, &bytes, Readers::OwnerOnly, self.directory.steps(), names)
            .map_err(|error| LocalStateFailure::Directory { directory: self.path().to_owned(), error })
    }
}

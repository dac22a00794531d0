//! What can be wrong with the local state, each with its cure.

use std::io;
use std::path::PathBuf;

use rusqlite::ErrorCode;
use solme_sync_protocol::{KeyThumbprint, LicenseServerId, MainServerId};

/// The local state cannot be used as it is.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LocalStateFailure {
    /// Nothing of a License Server is there.
    #[error("the state directory {} is not set up as a license server", .directory.display())]
    NotInitialized { directory: PathBuf },
    /// Another process changes it at this moment.
    #[error("the state directory {} is in use by {}", .directory.display(), if .holder.is_empty() { "another process" } else { .holder })]
    InUse { directory: PathBuf, holder: String },
    /// Another process waits for the main server with its outstanding request.
    #[error("the state directory {} is already being synchronized by {}", .directory.display(), if .holder.is_empty() { "another process" } else { .holder })]
    Synchronizing { directory: PathBuf, holder: String },
    /// Another `license-server serve` does the automatic synchronizations.
    #[error("the state directory {} is already being served by {}", .directory.display(), if .holder.is_empty() { "another process" } else { .holder })]
    Serving { directory: PathBuf, holder: String },
    /// `new-key-pair` or `init` came between request and answer.
    #[error("the state directory {} was changed by hand while a synchronization was under way", .directory.display())]
    ChangedMeanwhile { directory: PathBuf },
    /// The operating system does not let us: owner, permissions, disk.
    #[error("the state directory {} cannot be used: {error}", .directory.display())]
    Directory { directory: PathBuf, error: io::Error },
    /// Without it nothing can be signed or opened.
    #[error("the private key file {} is missing", .file.display())]
    KeyMissing { file: PathBuf },
    /// It was written by something else, or its disk is failing.
    #[error("the private key file {} is damaged: not a P-384 key in PKCS #8 PEM", .file.display())]
    KeyDamaged { file: PathBuf },
    /// It is of another state directory: the database knows which key pair it is of.
    #[error("the private key file {} holds the key pair {found}; expected {awaited}", .file.display())]
    KeyForeign { file: PathBuf, found: KeyThumbprint, awaited: KeyThumbprint },
    /// The operating system does not let us: owner, permissions, disk.
    #[error("the private key file {} cannot be used: {error}", .file.display())]
    KeyFile { file: PathBuf, error: io::Error },
    /// Its mode lets others than the owner in.
    #[error("the private key file {} may be read or changed by others than its owner", .file.display())]
    KeyExposed { file: PathBuf },
    /// Whoever changes the state could take back a clear, or win time (P 17).
    #[error("{} may be changed by others than its owner", .path.display())]
    StateExposed { path: PathBuf },
    /// Disk full, quota, or limit on the size of a file.
    #[error("the state directory {} has no room for the next change: {error}", .directory.display())]
    NoRoom { directory: PathBuf, error: io::Error },
    /// A key without it could be of any license server id.
    #[error("the state database {} is missing, although a private key is there", .file.display())]
    DatabaseMissing { file: PathBuf },
    /// Not SQLite, or not as this program writes it.
    #[error("the state database is damaged: {detail}")]
    DatabaseDamaged { detail: String },
    /// SQLite cannot do what was asked of it: disk, permissions.
    #[error("the state database cannot be used: {detail}")]
    DatabaseFailed { detail: String },
    /// An older program must not write what it does not understand.
    #[error("the state was written by a newer program: its schema has version {found}, this program knows {known}")]
    NewerSchema { found: i64, known: i64 },
    /// A second `init` with another license server id.
    #[error("this state belongs to the license server id {own}, not to {asked}")]
    OtherLicenseServerId { own: LicenseServerId, asked: LicenseServerId },
    /// A second `init` with the trust file of another main server, which is told by its id and keys (P 15.3).
    #[error("this state trusts main server {own} (keys {own_keys}); the trust file is of {asked} (keys {asked_keys})")]
    OtherMainServer { own: MainServerId, own_keys: String, asked: MainServerId, asked_keys: String },
    /// `new-key-pair` and `init` keep what was there before, and do nothing if they cannot.
    #[error("the old state cannot be archived: {error}")]
    Archive { error: io::Error },
}

impl LocalStateFailure {
    /// The code, as scripts see it.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::NotInitialized { .. } => "not-initialized",
            Self::InUse { .. } => "state-in-use",
            Self::ChangedMeanwhile { .. } => "state-changed-meanwhile",
            Self::Serving { .. } => "already-serving",
            Self::Synchronizing { .. } => "synchronization-under-way",
            Self::Directory { .. } => "state-directory",
            Self::KeyMissing { .. } => "key-file-missing",
            Self::KeyDamaged { .. } => "key-file-damaged",
            Self::KeyForeign { .. } => "key-file-foreign",
            Self::KeyFile { .. } => "key-file-unusable",
            Self::KeyExposed { .. } => "key-file-exposed",
            Self::StateExposed { .. } => "state-exposed",
            Self::NoRoom { .. } => "state-no-room",
            Self::DatabaseMissing { .. } => "database-missing",
            Self::DatabaseDamaged { .. } => "database-damaged",
            Self::DatabaseFailed { .. } => "database-unusable",
            Self::NewerSchema { .. } => "state-newer",
            Self::OtherLicenseServerId { .. } => "other-license-server-id",
            Self::OtherMainServer { .. } => "other-main-server",
            Self::Archive { .. } => "archive-failed",
        }
    }

    /// Whether the key file is what is wrong.
    pub(crate) const fn is_about_the_key(&self) -> bool {
        matches!(
            self,
            Self::KeyMissing { .. }
                | Self::KeyDamaged { .. }
                | Self::KeyForeign { .. }
                | Self::KeyFile { .. }
                | Self::KeyExposed { .. }
        )
    }

    /// Whether `new-key-pair` may begin again without the database.
    pub(crate) const fn database_is_lost(&self) -> bool {
        matches!(self, Self::DatabaseMissing { .. } | Self::DatabaseDamaged { .. } | Self::NotInitialized { .. })
    }

    pub(crate) const fn cure(&self) -> &'static str {
        match self {
            Self::NotInitialized { .. } => {
                "Run `license-server init --id ID --trust FILE`, or name the right state directory with --state."
            }
            Self::InUse { .. } | Self::Synchronizing { .. } => {
                "Wait until that process has ended, then run the command again."
            }
            Self::Serving { .. } => "To start another one, stop that process first.",
            Self::ChangedMeanwhile { .. } => "Run the command again; it uses the state as it is now.",
            Self::Directory { .. } | Self::KeyFile { .. } | Self::DatabaseFailed { .. } | Self::Archive { .. } => {
                "Check the owner and the permissions of the state directory and the space on its disk, then run the \
                 command again."
            }
            Self::KeyExposed { .. } => {
                "Run `chmod 600` on it. If others may have read it, replace the key pair: `license-server new-key-pair --yes`, \
                 and have the old one cleared with `license-server request-clear`."
            }
            Self::StateExposed { .. } => "Run `chmod 700` on the state directory and `chmod 600` on the files in it.",
            Self::NoRoom { .. } => "Free space on the disk of the state directory, or raise the limit on its files.",
            Self::KeyMissing { .. } | Self::KeyDamaged { .. } | Self::KeyForeign { .. } => {
                "Put the right file back from a backup. If there is none, run `license-server new-key-pair --yes`, and \
                 have the old key pair cleared with `license-server request-clear`."
            }
            Self::DatabaseMissing { .. } | Self::DatabaseDamaged { .. } => {
                "Put the state directory back from a backup, if nothing was synchronized since. If not, run \
                 `license-server new-key-pair --yes`, and have the old key pair cleared with `license-server \
                 request-clear`."
            }
            Self::NewerSchema { .. } => "Use the newer program, or another state directory.",
            Self::OtherLicenseServerId { .. } | Self::OtherMainServer { .. } => {
                "Name another state directory with --state: one state serves one license server id at one main server."
            }
        }
    }
}

impl From<rusqlite::Error> for LocalStateFailure {
    fn from(error: rusqlite::Error) -> Self {
        let detail = error.to_string();
        let damaged = match &error {
            rusqlite::Error::SqliteFailure(failure, _) => {
                matches!(failure.code, ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt | ErrorCode::Unknown)
            }
            rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::QueryReturnedNoRows => true,
            _ => false,
        };
        if damaged { Self::DatabaseDamaged { detail } } else { Self::DatabaseFailed { detail } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_as_it_was_written_is_damage_and_a_full_disk_is_none() {
        let code = |error| LocalStateFailure::from(error).code();
        assert_eq!(code(rusqlite::Error::QueryReturnedNoRows), "database-damaged");
        assert_eq!(code(rusqlite::Error::IntegralValueOutOfRange(0, -1)), "database-damaged");
        let full = rusqlite::ffi::Error { code: ErrorCode::DiskFull, extended_code: rusqlite::ffi::SQLITE_FULL };
        assert_eq!(code(rusqlite::Error::SqliteFailure(full, None)), "database-unusable");
    }
}

//! What meets foreign bytes, without the sockets around it: for a fuzzer.

use serde::de::DeserializeOwned;
use solme_sync_protocol::{KeyThumbprint, LicenseServerId};

use crate::ReceivedMail;
use crate::admin::extract;
use crate::mail::reading::ReadMail;
pub use crate::mail::smtp::{Talk, talk as smtp};
use crate::quirks::{self, Fault, FaultFileError};

/// What a mail was found to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Who wrote it: each address, and that there are more.
    pub authors: Vec<String>,
    /// The subject, decoded and shortened.
    pub subject: Option<String>,
    /// Its name.
    pub message_id: Option<String>,
    /// A machine sent it.
    pub automatic: bool,
    /// Words that may be license server ids.
    pub candidates: Vec<LicenseServerId>,
    /// Thumbprints of key pairs.
    pub thumbprints: Vec<KeyThumbprint>,
}

/// Reads a mail to the licensing desk. There is none that cannot be read.
pub fn mail(mail: &ReceivedMail) -> Reading {
    let read = ReadMail::read(mail);
    Reading {
        authors: read.authors(),
        candidates: read.candidates().cloned().collect(),
        subject: read.subject,
        message_id: read.message_id.map(|id| id.as_str().to_owned()),
        automatic: read.automatic,
        thumbprints: read.thumbprints,
    }
}

/// The body of a call of the admin API.
///
/// # Errors
/// What is wrong, for the problem document.
pub fn admin_call<T: DeserializeOwned>(json: &[u8]) -> Result<T, String> {
    extract::parse(json)
}

/// A file of faults, as `serve --quirks` reads it.
///
/// # Errors
/// [`FaultFileError`].
pub fn faults(text: &str) -> Result<Vec<Fault>, FaultFileError> {
    quirks::parse_file(text)
}

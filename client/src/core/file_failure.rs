//! Why a response file cannot be used (P 14): a different, exact message for each, with its cure.

use solme_sync_protocol::{LicenseServerId, MainServerId};

use super::check::{AnswerError, SealedPayloadError};

/// Why a file cannot be used (P 14).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FileFailure {
    /// The operating system does not give it: its name, its owner, its disk.
    #[error("{what} cannot be read: {detail}")]
    Unreadable { what: String, detail: String },
    /// More than 16,777,216 bytes (P 18); not read further.
    #[error("{detail}")]
    TooLarge { detail: String },
    /// A response file with characters changed, or a payload that is not the one its receipt names (P 11.6, 14.2).
    #[error("the response file is damaged: {detail}")]
    Damaged { detail: String },
    /// It begins as JSON and ends too early, as an interrupted copy does.
    #[error("the response file is truncated: its end is missing")]
    Truncated,
    /// Something else (P 14.2).
    #[error("this is not a response file of a main server")]
    NotAResponse,
    /// The file that goes the other way (P 14.1).
    #[error("this is a request file; expected the response file that the main server returned for it")]
    RequestInstead,
    /// Of a version of the protocol that this program does not know (P 14.2).
    #[error("{detail}")]
    NewerVersion { detail: String },
    /// For another license server id (P 11.2, 11.10).
    #[error("the response file is for license server id {found}; this server is {own}")]
    OtherLicenseServer { found: LicenseServerId, own: LicenseServerId },
    /// Issued by a main server that the trust file does not name (P 11.2, 11.10).
    #[error("the response file is from main server {found}; expected {trusted}")]
    OtherMainServer { found: MainServerId, trusted: MainServerId },
    /// Signed by a key that is not in the trust file (P 11.1).
    #[error("the response file was not signed by the trusted main server: {detail}")]
    UntrustedKey { detail: String },
    /// For a key pair that is not the one of this server (P 11.3).
    #[error("the response file is for another key pair of this license server id: {detail}")]
    OtherKeyPair { detail: String },
    /// To a request that is not the outstanding one (P 11.3, 11.10).
    #[error("the response file answers another request: {detail}")]
    OtherRequest { detail: String },
    /// Applied already, or older than what was applied (P 11.11).
    #[error("the response file is out of date: {detail}")]
    Older { detail: String },
    /// Signed by the main server, and against another rule of the protocol.
    #[error("the response file fails a check ({clause}): {detail}")]
    Wrong { clause: &'static str, detail: String },
}

impl From<AnswerError> for FileFailure {
    fn from(wrong: AnswerError) -> Self {
        let (clause, detail) = (wrong.clause(), wrong.to_string());
        match wrong {
            AnswerError::OtherMainServer { found, trusted } => Self::OtherMainServer { found, trusted },
            AnswerError::NotVerified(solme_sync_protocol::NotVerified::UnknownKey(_)) => Self::UntrustedKey { detail },
            AnswerError::Unreadable(_) | AnswerError::NotVerified(_) => Self::Damaged { detail },
            AnswerError::OtherLicenseServer { found, own } => Self::OtherLicenseServer { found, own },
            AnswerError::OtherKeyPair { .. } => Self::OtherKeyPair { detail },
            AnswerError::OtherRequest { .. } | AnswerError::NothingAwaited => Self::OtherRequest { detail },
            AnswerError::Older { .. } | AnswerError::AlreadyApplied { .. } => Self::Older { detail },
            _ => Self::Wrong { clause, detail },
        }
    }
}

impl From<SealedPayloadError> for FileFailure {
    fn from(wrong: SealedPayloadError) -> Self {
        match wrong {
            SealedPayloadError::Size { .. } | SealedPayloadError::TooLong { .. } | SealedPayloadError::Digest => {
                Self::Damaged { detail: format!("its payload: {wrong}") }
            }
            _ => Self::Wrong { clause: wrong.clause(), detail: wrong.to_string() },
        }
    }
}

impl FileFailure {
    /// The code, as scripts see it.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "file-unreadable",
            Self::TooLarge { .. } => "file-too-large",
            Self::Damaged { .. } => "file-damaged",
            Self::Truncated => "file-truncated",
            Self::NotAResponse => "not-a-response-file",
            Self::RequestInstead => "request-file-instead",
            Self::NewerVersion { .. } => "file-version",
            Self::OtherLicenseServer { .. } => "other-license-server-id",
            Self::OtherMainServer { .. } | Self::UntrustedKey { .. } => "other-main-server",
            Self::OtherKeyPair { .. } => "other-key-pair",
            Self::OtherRequest { .. } => "other-request",
            Self::Older { .. } => "response-older",
            Self::Wrong { .. } => "response-wrong",
        }
    }

    pub(crate) fn cure(&self) -> String {
        const EXPORT: &str = "run `license-server export-request FILE` and have that file processed";
        match self {
            Self::Unreadable { .. } => "Check the name of the file and who may read it.".to_owned(),
            Self::TooLarge { .. } | Self::NotAResponse => {
                "Look for the file that came back from the main server, and import that.".to_owned()
            }
            Self::Damaged { .. } | Self::Truncated => {
                "Fetch the file once more, or ask for it again: the same request file gives the same response. Send it \
                 as an attachment, or zipped."
                    .to_owned()
            }
            Self::RequestInstead => {
                "Send this file to the main server's side, and import the response file that comes back.".to_owned()
            }
            Self::NewerVersion { .. } => "Update this software, then import the file again.".to_owned(),
            Self::OtherLicenseServer { found, .. } => format!("Import it on the license server with the id {found}."),
            Self::OtherMainServer { .. } | Self::UntrustedKey { .. } => format!(
                "Have the request processed at the main server of this server's trust file (`license-server status` \
                 names it): {EXPORT} there."
            ),
            Self::OtherKeyPair { .. } | Self::OtherRequest { .. } => {
                format!("Import the response to the request that is outstanding here; if there is none, {EXPORT}.")
            }
            Self::Older { .. } => {
                format!("Discard this file. For fresh licenses {EXPORT}.")
            }
            Self::Wrong { .. } => "Nothing was changed. Report it to licensing@solme.se, with the file.".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_another_main_server_is_told_by_both_names() {
        let [found, trusted] = ["SOLME-OTHER", "SOLME-TEST"].map(|id| id.parse().unwrap());
        let failure = FileFailure::from(AnswerError::OtherMainServer { found, trusted });
        assert_eq!(failure.code(), "other-main-server");
        let text = failure.to_string();
        assert!(text.contains("SOLME-OTHER") && text.contains("SOLME-TEST"), "{text}");
    }
}

//! Why a response file cannot be used (P 14): a different, exact message for each, with its cure.

use solme_sync_protocol::{LicenseServerId, MainServerId};

use super::check::{AnswerError, SealedPayloadError};

/// Why a file cannot be used (P 14).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FileFailure {
    Unreadable { what: String, detail: String },
    TooLarge { detail: String },
    Damaged { detail: String },
    Truncated,
    NotAResponse,
    RequestInstead,
    NewerVersion { detail: String },
    OtherLicenseServer { found: LicenseServerId, own: LicenseServerId },
    OtherMainServer { found: MainServerId, trusted: MainServerId },
    UntrustedKey { detail: String },
    OtherKeyPair { detail: String },
    OtherRequest { detail: String },
    Older { detail: String },
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

    /// What is wrong with the file, for people.
    pub(crate) fn message(&self) -> String {
        match self {
            Self::Unreadable { what, detail } => format!("{what} cannot be read: {detail}"),
            Self::TooLarge { detail } => detail.clone(),
            Self::Damaged { detail } => format!("the response file is damaged: {detail}"),
            Self::Truncated => "the response file is truncated: its end is missing".to_owned(),
            Self::NotAResponse => "this is not a response file of a main server".to_owned(),
            Self::RequestInstead => "this is a request file; expected the response file that the main server \
                                     returned for it"
                .to_owned(),
            Self::NewerVersion { detail } => detail.clone(),
            Self::OtherLicenseServer { found, own } => {
                format!("the response file is for license server id {found}; this server is {own}")
            }
            Self::OtherMainServer { found, trusted } => {
                format!("the response file is from main server {found}; expected {trusted}")
            }
            Self::UntrustedKey { detail } => {
                format!("the response file was not signed by the trusted main server: {detail}")
            }
            Self::OtherKeyPair { detail } => {
                format!("the response file is for another key pair of this license server id: {detail}")
            }
            Self::OtherRequest { detail } => format!("the response file answers another request: {detail}"),
            Self::Older { detail } => format!("the response file is out of date: {detail}"),
            Self::Wrong { clause, detail } => {
                format!("the response file fails a check ({clause}): {detail}")
            }
        }
    }

    /// What to do next.
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

//! Synchronization via file (P 14): a request file becomes a response file.

use solme_sync_protocol::{FileError, SyncFile};

use super::{Answer, Carrier, MainServer, OperatorError};
use crate::quirks::carrier::file::{defective, flipped, truncated};

/// What a request file was processed into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseFile {
    /// The response file (P 14), as bytes.
    pub bytes: Vec<u8>,
    /// `accepted`, or the code of the refusal inside.
    pub outcome: String,
}

impl MainServer {
    /// Processes a request file. A refusal makes a response file too: the customer is told why.
    pub(crate) fn process_request_file(&self, file: &[u8]) -> Result<ResponseFile, OperatorError> {
        let SyncFile::Request(request) = self.settings.conduct.request_file(file)? else {
            return Err(OperatorError::ResponseFile);
        };
        let outgoing = self.answer(request.as_bytes(), Carrier::File, Vec::new());
        let answer = outgoing.answer.expect("no quirk comes instead of a response file");
        let (about, response, outcome) = match flipped(answer, outgoing.quirk) {
            Answer::Accepted { license_server_id, receipt, payload } => (
                [
                    format!("Response file of the main license server for license server id {license_server_id}."),
                    "It answers one request file, and is of use only where that was made.".to_owned(),
                    "Next: license-server import-response FILE".to_owned(),
                ],
                SyncFile::Response { message: receipt, payload: Some(payload) },
                "accepted".to_owned(),
            ),
            Answer::Refused { license_server_id, refused, refusal } => (
                [
                    format!("Response file of the main license server for license server id {license_server_id}."),
                    format!("The request was refused, {}: {}", refused.code, refused.text),
                    "Next: license-server import-response FILE".to_owned(),
                ],
                SyncFile::Response { message: refusal, payload: None },
                refused.code.to_string(),
            ),
            Answer::Problem { detail, .. } => return Err(OperatorError::UnreadableRequest(detail)),
            Answer::Forged(problem) => (
                [
                    "Response file of the main license server.".to_owned(),
                    format!("The request was refused, {}: {}", problem.code, problem.detail),
                    "Next: license-server import-response FILE".to_owned(),
                ],
                SyncFile::Response { message: problem.refusal.unwrap_or_default(), payload: None },
                problem.code,
            ),
        };
        let bytes = self.settings.conduct.response_file(&response, &about);
        let bytes = defective(truncated(bytes, outgoing.quirk), outgoing.quirk);
        Ok(ResponseFile { bytes, outcome })
    }

    /// The code of a file that cannot be used.
    pub(crate) fn file_code(error: &FileError) -> &'static str {
        match error {
            FileError::TooLarge { .. } => "file-too-large",
            FileError::NotASyncFile => "not-a-request-file",
            FileError::Truncated => "file-truncated",
            FileError::Damaged(_) => "file-damaged",
            FileError::Version(_) => "file-version",
        }
    }
}

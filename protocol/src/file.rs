//! Request files and response files (P 14): JSON that survives mail.

use serde::{Deserialize, Serialize};

use crate::{JsonError, base64url, json, limits};

const VERSION: u64 = 1;
const PIECE: usize = 64;

/// What a file carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SyncFile {
    /// A request, the JWS.
    Request(String),
    /// An answer: a receipt with its payload, or a refusal without.
    Response {
        /// The signed message, a compact JWS.
        message: String,
        /// The sealed payload, beside a receipt.
        payload: Option<Vec<u8>>,
    },
}

/// Why a file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// Larger than P 18 allows.
    #[error("the file has {bytes} bytes, at most {} are allowed", limits::FILE)]
    TooLarge {
        /// Size of the file, in bytes.
        bytes: usize,
    },
    /// Nothing in it looks like a synchronization file.
    #[error("this is not a synchronization file")]
    NotASyncFile,
    /// It begins as one, and ends too early.
    #[error("the file is truncated: its end is missing")]
    Truncated,
    /// It begins as one, and something in it was changed.
    #[error("the file is damaged: {0}")]
    Damaged(String),
    /// Written by a newer program.
    #[error("the file has version {0}, only version 1 is understood")]
    Version(u64),
}

#[derive(Serialize, Deserialize)]
struct Container {
    solme_sync_file: String,
    #[serde(deserialize_with = "json::integer")]
    version: u64,
    #[serde(default)]
    about: Vec<String>,
    message: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    payload: Option<Vec<String>>,
}

impl SyncFile {
    /// Reads a file that may have travelled by mail (P 14.4).
    ///
    /// # Errors
    /// [`FileError`]. The messages inside are not looked at yet.
    pub fn parse(bytes: &[u8]) -> Result<Self, FileError> {
        if bytes.len() > limits::FILE {
            return Err(FileError::TooLarge { bytes: bytes.len() });
        }
        let object = object_inside(bytes)?;
        let container: Container = json::parse(&object).map_err(|error| not_a_container(&object, error))?;
        if container.version != VERSION {
            return Err(FileError::Version(container.version));
        }
        let message = container.message.concat();
        let payload = container.payload.map(|pieces| base64url::decode(pieces.concat())).transpose();
        let payload = payload.map_err(|e| FileError::Damaged(format!("its payload is {e}")))?;
        match container.solme_sync_file.as_str() {
            "request" => Ok(Self::Request(message)),
            "response" => Ok(Self::Response { message, payload }),
            other => Err(FileError::Damaged(format!("it claims to be a {other:?}"))),
        }
    }

    /// Writes the file (P 14.3). `about` is the header for people, a line each.
    pub fn to_bytes(&self, about: &[String]) -> Vec<u8> {
        let (kind, message, payload) = match self {
            Self::Request(message) => ("request", message, None),
            Self::Response { message, payload } => ("response", message, payload.as_ref()),
        };
        let container = Container {
            solme_sync_file: kind.to_owned(),
            version: VERSION,
            about: about.to_vec(),
            message: pieces(message),
            payload: payload.map(|bytes| pieces(&base64url::encode(bytes))),
        };
        let mut json = serde_json::to_vec_pretty(&container).expect("strings always serialize");
        json.push(b'\n');
        json
    }
}

fn pieces(mut text: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    while !text.is_empty() {
        let end = text.char_indices().nth(PIECE).map_or(text.len(), |(end, _)| end);
        let (piece, rest) = text.split_at(end);
        pieces.push(piece.to_owned());
        text = rest;
    }
    pieces
}

/// The first JSON object in `bytes`, without line breaks. Mail puts text before and after it, and wraps it; outside of
/// strings a line break means nothing, and inside it is never ours.
fn object_inside(bytes: &[u8]) -> Result<Vec<u8>, FileError> {
    let start = bytes.iter().position(|b| *b == b'{').ok_or(FileError::NotASyncFile)?;
    let mut object = Vec::with_capacity(bytes.len() - start);
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in bytes[start..].iter().copied().filter(|b| !matches!(b, b'\r' | b'\n')) {
        object.push(byte);
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' if !in_string => depth += 1,
            b'}' if !in_string => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Ok(object);
        }
    }
    if looks_like_ours(&object) { Err(FileError::Truncated) } else { Err(FileError::NotASyncFile) }
}

fn not_a_container(object: &[u8], error: JsonError) -> FileError {
    if looks_like_ours(object) { FileError::Damaged(error.to_string()) } else { FileError::NotASyncFile }
}

fn looks_like_ours(object: &[u8]) -> bool {
    const MARK: &[u8] = b"\"solme_sync_file\"";
    object.windows(MARK.len()).any(|window| window == MARK)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response() -> SyncFile {
        SyncFile::Response { message: "a".repeat(150), payload: Some((0..=255).collect()) }
    }

    fn about() -> Vec<String> {
        vec!["A response file {with braces} and \"quotes\"".to_owned(), "Import it".to_owned()]
    }

    #[test]
    fn files_survive_what_mail_does() {
        let text = String::from_utf8(response().to_bytes(&about())).unwrap();
        assert!(text.lines().all(|line| line.len() <= 76), "no line needs wrapping:\n{text}");
        let wrapped: String =
            text.as_bytes().chunks(40).map(|c| String::from_utf8_lossy(c).into_owned() + "\r\n").collect();
        for mailed in [
            text.clone(),
            text.replace('\n', "\r\n"),
            format!("\u{feff}{text}"),
            format!("Dear customer,\n\nhere it is.\n\n{text}\n-- \nSolme AB {{licensing}}\n"),
            wrapped,
        ] {
            assert_eq!(SyncFile::parse(mailed.as_bytes()), Ok(response()), "{mailed}");
        }
    }

    #[test]
    fn what_is_no_message_is_written_as_it_was_read() {
        let file = SyncFile::Request("a".repeat(63) + "\u{3b2}");
        assert_eq!(SyncFile::parse(&file.to_bytes(&about())), Ok(file));
    }

    #[test]
    fn every_truncation_is_named() {
        let bytes = response().to_bytes(&about());
        let end = bytes.len() - 2; // the closing brace and the line break
        for length in 0..=end {
            let found = SyncFile::parse(&bytes[..length]);
            assert!(matches!(found, Err(FileError::Truncated | FileError::NotASyncFile)), "{length}: {found:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let damaged = |text: &str| matches!(SyncFile::parse(text.as_bytes()), Err(FileError::Damaged(_)));
        assert_eq!(SyncFile::parse(b""), Err(FileError::NotASyncFile));
        assert_eq!(SyncFile::parse(b"{\"a\":1}"), Err(FileError::NotASyncFile));
        assert_eq!(
            SyncFile::parse(&vec![b' '; limits::FILE + 1]),
            Err(FileError::TooLarge { bytes: limits::FILE + 1 })
        );
        assert!(damaged(r#"{"solme_sync_file":"request","version":1}"#));
        assert!(damaged(r#"{"solme_sync_file":"other","version":1,"message":["a"]}"#));
        assert!(damaged(r#"{"solme_sync_file":"request","version":1,"message":["a"]\}"#));
        assert!(damaged(r#"{"solme_sync_file":"response","version":1,"message":["a"],"payload":["="]}"#));
        assert!(damaged(r#"{"solme_sync_file":"request","version":1,"message":["a"],"message":["b"]}"#));
        assert_eq!(
            SyncFile::parse(br#"{"solme_sync_file":"request","version":2,"message":["a"]}"#),
            Err(FileError::Version(2))
        );
        assert_eq!(
            SyncFile::parse(br#"{"solme_sync_file":"request","version":1,"message":["a","b"],"new":{}}"#),
            Ok(SyncFile::Request("ab".to_owned()))
        );
    }
}

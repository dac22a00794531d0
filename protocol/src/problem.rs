//! Problem documents (P 13.6).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::refusal::codes;
use crate::{JsonError, RefusalCode, json, limits};

codes! {
    /// Problems that cannot be tied to a request, and are never signed (P 8.2, 10).
    ProblemCode {
        /// Not a request (P 9.1).
        UnreadableRequest = "unreadable-request",
        /// Longer than a request may be (P 9.1).
        RequestTooLarge = "request-too-large",
    }
}

/// An RFC 9457 problem document. With a `refusal` it carries a signed one; without, it is only a hint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// `urn:solme-sync:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The code in words.
    pub title: String,
    /// The HTTP status, from 400 to 599.
    pub status: u16,
    /// What is wrong, for people.
    pub detail: String,
    /// A code of P 10.
    pub code: String,
    /// What to do next, for people.
    pub cure: String,
    /// The signed refusal, a JWS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
}

impl Problem {
    /// A problem that cannot be tied to a request.
    pub fn unsigned(code: ProblemCode, detail: String, cure: String) -> Self {
        let status = match code {
            ProblemCode::UnreadableRequest => 400,
            ProblemCode::RequestTooLarge => 413,
        };
        Self::new(code.as_str(), status, detail, cure, None)
    }

    /// The problem document that carries a refusal over HTTPS.
    pub fn carrying(code: RefusalCode, text: String, cure: String, refusal: String) -> Self {
        Self::new(code.as_str(), code.http_status(), text, cure, Some(refusal))
    }

    fn new(code: &str, status: u16, detail: String, cure: String, refusal: Option<String>) -> Self {
        Self {
            kind: format!("urn:solme-sync:problem:{code}"),
            title: code.replace('-', " "),
            status,
            detail,
            code: code.to_owned(),
            cure,
            refusal,
        }
    }

    /// Reads a problem document.
    ///
    /// # Errors
    /// [`JsonError`], also for one longer than P 18 allows.
    pub fn parse(bytes: &[u8]) -> Result<Self, JsonError> {
        if bytes.len() > limits::PROBLEM {
            return Err(JsonError::Invalid(format!("longer than {} bytes", limits::PROBLEM)));
        }
        json::parse(bytes)
    }
}

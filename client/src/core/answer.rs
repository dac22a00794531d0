//! What an HTTP answer is (P 13.3 to 13.6): a receipt, a refusal, or not the main server's.

use solme_sync_protocol::{Problem, RefusalCode, limits};

use super::{AnswerError, CheckedReceipt, CheckedRefusal, Failure, Identity, LastReceipt, Outstanding, Role, Via};
use super::{read_receipt, read_refusal, refusal::remark};
use crate::conduct::Document;

/// An HTTP answer, its body bounded by the transport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpAnswer {
    /// Real host and port of who answered, and the proxy on the way there.
    pub at: String,
    /// Its status.
    pub status: u16,
    /// Its `Content-Type`.
    pub content_type: Option<String>,
    /// Its `Content-Encoding`.
    pub content_encoding: Option<String>,
    /// Its `Location`.
    pub location: Option<String>,
    /// Its `Date`.
    pub date: Option<String>,
    /// Its `Retry-After`.
    pub retry_after: Option<String>,
    /// Its body, or the beginning of it.
    pub body: Vec<u8>,
    /// The body was longer than asked for; `body` holds its beginning.
    pub too_long: bool,
    /// The proxy that it came through.
    pub(crate) via: Option<Via>,
}

/// What the main server answered, checked (P 11.1 to 11.5, 11.10).
#[derive(Debug)]
pub(crate) enum CheckedAnswer {
    Receipt(CheckedReceipt),
    Refusal(CheckedRefusal),
}

/// Bytes that any sound answer on the 443 role fits into.
pub(crate) const MAX_ANSWER: usize = limits::PROBLEM;

/// Tells what came from the 443 role.
pub(crate) fn interpret_answer(
    answer: &HttpAnswer,
    outstanding: &Outstanding,
    last: Option<&LastReceipt>,
    identity: &Identity,
) -> Result<CheckedAnswer, Failure> {
    let foreign = |found| Err(Failure::NotTheMainServer { role: Role::Https, at: answer.at.clone(), found });
    if answer.content_encoding.is_some() || (300..400).contains(&answer.status) {
        return foreign(answer.in_words());
    }
    match (answer.status, answer.media_type().as_str()) {
        (200, "application/jose") => {
            let Ok(text) = std::str::from_utf8(&answer.body) else {
                return foreign("bytes that are not text".to_owned());
            };
            let given = read_receipt(text, identity).map_err(Failure::ReceiptWrong)?;
            let checked = given.answers(Some(outstanding), last, identity).map_err(Failure::ReceiptWrong)?;
            Ok(CheckedAnswer::Receipt(checked))
        }
        (status, "application/problem+json") if is_in_the_catalogue(status) => {
            refusal_in(answer, outstanding, identity)
        }
        // The certificate was Solme's: a busy server there is not a stranger on the connection.
        (429 | 500..600, _) => {
            Err(Failure::MainServerTrouble { role: Role::Https, at: answer.at.clone(), found: answer.in_words() })
        }
        _ => foreign(answer.in_words()),
    }
}

/// Whether the catalogue (P 10) has this status: any other does not come from the main server (P 13.8).
fn is_in_the_catalogue(status: u16) -> bool {
    let too_large = 413; // `request-too-large`, which is no refusal
    status == too_large || RefusalCode::ALL.iter().any(|code| code.http_status() == status)
}

fn refusal_in(answer: &HttpAnswer, outstanding: &Outstanding, identity: &Identity) -> Result<CheckedAnswer, Failure> {
    let trouble = |found| Failure::MainServerTrouble { role: Role::Https, at: answer.at.clone(), found };
    let problem = Problem::parse(&identity.conduct.document(Document::Problem, &answer.body))
        .map_err(|error| trouble(format!("{} with an unreadable problem document: {error}", answer.status)))?;
    // An unsigned answer is never a refusal (P 8.2); it may come from anyone's mistake, and changes nothing.
    let Some(jws) = identity.conduct.refusal_in(&problem, &outstanding.jws, &identity.trust) else {
        let (code, detail) = (remark(&problem.code), remark(&problem.detail));
        return Err(trouble(format!("{} with an unsigned problem {code}: {detail}", answer.status)));
    };
    let given = read_refusal(&jws, identity).map_err(not_ours_or_wrong)?;
    given.refuses(Some(outstanding), identity).map(CheckedAnswer::Refusal).map_err(not_ours_or_wrong)
}

fn not_ours_or_wrong(wrong: AnswerError) -> Failure {
    if wrong.is_for_another() { Failure::RefusalNotOurs(wrong) } else { Failure::RefusalWrong(wrong) }
}

/// What came from the 8080 role: the payload, or `None` for a 404, to which the same request is sent once more (P 13.5).
pub(crate) fn interpret_payload(answer: HttpAnswer, size: u64) -> Result<Option<Vec<u8>>, Failure> {
    if let Some(failure) = answer.via.as_ref().and_then(|via| via.own_answer(&answer)) {
        return Err(Failure::Proxy(failure));
    }
    match (answer.status, answer.media_type().as_str()) {
        // A web page is never the main server's word that it has no such payload (P 13.8).
        (404, _) if !answer.is_a_web_page() => Ok(None),
        (200, "application/octet-stream") if answer.content_encoding.is_none() => {
            if answer.too_long {
                let wrong = match size {
                    claimed if claimed > limits::PAYLOAD as u64 => super::SealedPayloadError::BeyondLimit { claimed },
                    awaited => super::SealedPayloadError::TooLong { awaited },
                };
                return Err(Failure::PayloadWrong(wrong));
            }
            Ok(Some(answer.body))
        }
        (500..600, media_type) if media_type != "text/html" => {
            let found = answer.in_words();
            Err(Failure::MainServerTrouble { role: Role::Http, at: answer.at, found })
        }
        _ => {
            let found = answer.in_words();
            Err(Failure::NotTheMainServer { role: Role::Http, at: answer.at, found })
        }
    }
}

impl HttpAnswer {
    /// An answer from this host and port.
    pub fn new(at: impl Into<String>, status: u16, content_type: Option<String>, body: Vec<u8>) -> Self {
        Self {
            at: at.into(),
            status,
            content_type,
            content_encoding: None,
            location: None,
            date: None,
            retry_after: None,
            body,
            too_long: false,
            via: None,
        }
    }

    /// Seconds that a `Retry-After` asks to wait (RFC 9110, 10.2.3), in either form; a date counts from the answer's own
    /// `Date`, so that the local clock has no part in it.
    pub(crate) fn retry_after(&self) -> Option<u64> {
        let asked = self.retry_after.as_deref()?.trim();
        if let Ok(seconds) = asked.parse() {
            return Some(seconds);
        }
        let seconds = |date: &str| jiff::fmt::rfc2822::parse(date).ok().map(|date| date.timestamp().as_second());
        u64::try_from(seconds(asked)? - seconds(self.date.as_deref()?)?).ok()
    }

    /// The media type without parameters, in lower case.
    pub(super) fn media_type(&self) -> String {
        let full = self.content_type.as_deref().unwrap_or_default();
        full.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    pub(super) fn is_a_web_page(&self) -> bool {
        matches!(self.media_type().as_str(), "text/html" | "application/xhtml+xml")
    }

    pub(super) fn is_a_problem(&self) -> bool {
        self.media_type() == "application/problem+json"
    }

    /// What it looks like, for people.
    pub(super) fn in_words(&self) -> String {
        let content =
            self.content_type.as_deref().map_or("no content type".to_owned(), |t| format!("{:.60}", remark(t)));
        let encoding = self.content_encoding.as_deref().map(|e| format!(", encoded as {:.40}", remark(e)));
        let target = self.location.as_deref().map(|l| format!(", a redirect to {:.100}", remark(l)));
        format!("status {} with {content}{}{}", self.status, encoding.unwrap_or_default(), target.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::super::SealedPayloadError;
    use super::*;

    #[test]
    fn a_payload_that_is_too_long_is_named_by_what_its_receipt_claims() {
        let limit = limits::PAYLOAD as u64;
        let wrong = |claimed| {
            let mut answer = HttpAnswer::new("main:8080", 200, Some("application/octet-stream".to_owned()), Vec::new());
            answer.too_long = true;
            interpret_payload(answer, claimed)
        };
        assert_eq!(wrong(limit), Err(Failure::PayloadWrong(SealedPayloadError::TooLong { awaited: limit })));
        let beyond = SealedPayloadError::BeyondLimit { claimed: limit + 1 };
        assert_eq!(wrong(limit + 1), Err(Failure::PayloadWrong(beyond)));
    }
}

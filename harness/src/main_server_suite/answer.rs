//! What a main server answers, read as strictly as a local server has to (P 11, 13.8), and the wire as people see it.

use reqwest::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName};
use solme_sync_protocol::{
    Digest, InvalidRequestReason, Message, Problem, ProblemCode, PublicJwk, Receipt, Refusal, RefusalCode, RustCrypto,
    Signed, SyncFile, base64url,
};

use crate::conformance::{Finding, Outcome};

/// An HTTP answer, its body whole.
pub(super) struct Reply {
    pub(super) status: u16,
    headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Reply {
    pub(super) fn new(status: u16, headers: HeaderMap, body: Vec<u8>) -> Self {
        Self { status, headers, body }
    }

    fn header(&self, name: HeaderName) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The content type without its parameters (P 13.8).
    pub(super) fn content_type(&self) -> String {
        let content_type = self.header(CONTENT_TYPE).split(';').next().unwrap_or_default();
        content_type.trim().to_ascii_lowercase()
    }

    pub(super) fn content_length(&self) -> &str {
        self.header(CONTENT_LENGTH)
    }

    /// Passes where nothing on the way may keep it (P 13.3, 13.4).
    pub(super) fn is_not_stored(&self) -> Outcome {
        let cache_control = self.header(CACHE_CONTROL).to_ascii_lowercase();
        if cache_control.split(',').any(|directive| directive.trim() == "no-store") {
            Ok(())
        } else {
            Err(Finding::deviates("Cache-Control: no-store", format!("{cache_control:?}, {}", self.shown())))
        }
    }

    /// For people: status, headers that matter, and what the body says.
    pub(super) fn shown(&self) -> String {
        let (kind, stored) = (self.header(CONTENT_TYPE), self.header(CACHE_CONTROL));
        format!("{} {kind}, Cache-Control: {stored}\n{}", self.status, legible(&self.body))
    }
}

/// A message as people read it: the header and the payload of a JWS, also of one inside a problem document.
pub(super) fn legible(bytes: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(bytes) else { return format!("({} bytes)", bytes.len()) };
    if let Some(decoded) = decoded(text) {
        return decoded;
    }
    let refusal = Problem::parse(bytes).ok().and_then(|problem| problem.refusal);
    match refusal.as_deref().and_then(decoded) {
        Some(refusal) => format!("{text}\n{refusal}"),
        None => text.to_owned(),
    }
}

fn decoded(jws: &str) -> Option<String> {
    let mut parts = jws.split('.');
    let (header, payload, _signature) = (parts.next()?, parts.next()?, parts.next()?);
    let part = |part| Some(String::from_utf8_lossy(&base64url::decode(part).ok()?).into_owned());
    Some(format!("{}\n{}", part(header)?, part(payload)?))
}

/// What a request was answered with. Its signature is that of a trusted key, its form that of sections 6, 8 and 13.6.
#[derive(Debug)]
pub(super) enum Answer {
    Receipt { text: String, receipt: Receipt },
    Refusal { status: Option<u16>, text: String, refusal: Refusal },
    Problem { status: u16, problem: Problem },
}

impl Answer {
    /// Reads an answer of the 443 role.
    pub(super) fn read(reply: &Reply, trusted: &[PublicJwk]) -> Result<Self, Finding> {
        match (reply.status, reply.content_type().as_str()) {
            (200, "application/jose") => {
                let text = String::from_utf8_lossy(&reply.body).into_owned();
                let receipt = message::<Receipt>(&text, trusted)?;
                Ok(Self::Receipt { text, receipt })
            }
            (status, "application/problem+json") => {
                let problem = Problem::parse(&reply.body).map_err(|error| {
                    Finding::deviates("a problem document (13.6)", format!("{error}: {}", reply.shown()))
                })?;
                match problem.refusal {
                    Some(text) => {
                        let refusal = message::<Refusal>(&text, trusted)?;
                        Ok(Self::Refusal { status: Some(status), text, refusal })
                    }
                    None => Ok(Self::Problem { status, problem }),
                }
            }
            _ => Err(Finding::deviates("a receipt or a problem document (section 13)", reply.shown())),
        }
    }

    /// Reads a response file; gives the payload beside a receipt.
    pub(super) fn read_file(bytes: &[u8], trusted: &[PublicJwk]) -> Result<(Self, Option<Vec<u8>>), Finding> {
        let wanted = "a response file (14.2)";
        let (text, payload) = match SyncFile::parse(bytes) {
            Ok(SyncFile::Response { message, payload }) => (message, payload),
            Ok(SyncFile::Request(_)) => return Err(Finding::deviates(wanted, "a request file")),
            Err(error) => return Err(Finding::deviates(wanted, error.to_string())),
        };
        let answer = match Signed::<Refusal>::parse(&text) {
            Ok(_) => {
                let refusal = message::<Refusal>(&text, trusted)?;
                Self::Refusal { status: None, text, refusal }
            }
            Err(_) => {
                let receipt = message::<Receipt>(&text, trusted)?;
                Self::Receipt { text, receipt }
            }
        };
        Ok((answer, payload))
    }

    /// For people, on one line.
    fn shown(&self) -> String {
        match self {
            Self::Receipt { receipt, .. } => format!("a receipt, sequence {}", receipt.sequence),
            Self::Refusal { refusal, .. } => match refusal.reason {
                Some(reason) => format!("refusal {}, {reason}: {}", refusal.code, refusal.text),
                None => format!("refusal {}: {}", refusal.code, refusal.text),
            },
            Self::Problem { problem, .. } => format!("problem {}: {}", problem.code, problem.detail),
        }
    }

    /// The JWS inside, whole; none in a problem.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Receipt { text, .. } | Self::Refusal { text, .. } => text,
            Self::Problem { .. } => "",
        }
    }

    /// Passes where the request was accepted.
    pub(super) fn accepted(self) -> Result<(String, Receipt), Finding> {
        match self {
            Self::Receipt { text, receipt } => Ok((text, receipt)),
            other => Err(Finding::deviates("a receipt", other.shown())),
        }
    }

    /// Passes where it was refused so.
    pub(super) fn refused(self, code: RefusalCode) -> Result<Refusal, Finding> {
        match self {
            Self::Refusal { refusal, .. } if refusal.code == code => Ok(refusal),
            other => Err(Finding::deviates(format!("refusal {code}"), other.shown())),
        }
    }

    /// Passes where it was refused as invalid, for this reason.
    pub(super) fn invalid(self, reason: InvalidRequestReason) -> Outcome {
        match &self {
            Self::Refusal { refusal, .. } if refusal.reason == Some(reason) => Ok(()),
            _ => Err(Finding::deviates(format!("refusal invalid-request, {reason}"), self.shown())),
        }
    }

    /// Passes where it could not be tied to a request.
    pub(super) fn problem(self, code: ProblemCode) -> Result<(u16, Problem), Finding> {
        match self {
            Self::Problem { status, problem } if problem.code == code.as_str() => Ok((status, problem)),
            other => Err(Finding::deviates(format!("problem {code}, unsigned"), other.shown())),
        }
    }
}

/// P 11.1, 6.1, 8.1: of the right form, and signed by a trusted key.
fn message<M: Message<Header = solme_sync_protocol::MainServerHeader>>(
    text: &str,
    trusted: &[PublicJwk],
) -> Result<M, Finding> {
    let wrong = |why: String| Finding::deviates(format!("a JWS of typ {} as in PROTOCOL.md", M::TYP), why);
    let signed = Signed::<M>::parse(text).map_err(|error| wrong(error.to_string()))?;
    let verified = signed.verify(&RustCrypto, trusted).map_err(|error| wrong(error.to_string()))?;
    verified.read().map_err(|error| wrong(error.to_string()))
}

/// Passes where both are the same bytes.
pub(super) fn same_bytes(what: &str, first: &[u8], second: &[u8]) -> Outcome {
    if first == second {
        return Ok(());
    }
    let shown = |bytes: &[u8]| format!("{} bytes, digest {}", bytes.len(), Digest::of(bytes));
    Err(Finding::deviates(format!("{what}: {}", shown(first)), shown(second)))
}

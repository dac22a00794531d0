//! What the main server does where the protocol asks something of it, one method for each decision.

use std::fmt::Debug;
use std::sync::Arc;

use axum::http::{HeaderMap, StatusCode};
use solme_sync_protocol::{
    FileError, NotVerified, PayloadName, ProblemCode, PublicJwk, Receipt, Refusal, Request, SignEs384, Signed,
    SyncFile, Verified, limits,
};

use crate::crypto::AwsLc;
use crate::main_server::Carrier;
use crate::registry::{self, Acceptance, Clear, ClearError, ClearOutcome, Decision, Facts, Fresh, Record};
use crate::store::StoreError;

/// The conduct of a main server. The default methods are that of the protocol; [`Protocol`] overrides none of them.
///
/// A program that judges main servers, or a test of what a License Server survives, overrides one and has a main server
/// with one deviation. What is signed, stored and sent around these decisions stays the simulator's own.
pub trait Conduct: Debug + Send + Sync {
    /// Reads a request (P 9.1).
    ///
    /// # Errors
    /// [`ReadError`]: the problem that answers it.
    fn read(&self, text: &[u8], _: Carrier) -> Result<Signed<Request>, ReadError> {
        read(text)
    }

    /// Verifies the signature of a request (P 9.2).
    ///
    /// # Errors
    /// It does not fit.
    fn verify(&self, request: Signed<Request>) -> Result<Verified<Request>, NotVerified> {
        request.verify(&AwsLc)
    }

    /// Applies P 9.3 to 9.12. It is asked twice for each accepted request: before its transaction, and within.
    ///
    /// # Errors
    /// Those of `facts`.
    fn decide(
        &self,
        record: Option<&Record>,
        request: &Verified<Request>,
        facts: &dyn Facts<Error = StoreError>,
    ) -> Result<Decision, StoreError> {
        registry::decide(record, request, facts)
    }

    /// What is new in a receipt: main server time, two names and the salt (P 2.8, 6, 7).
    fn fresh(&self, fresh: Fresh, _: Carrier) -> Fresh {
        fresh
    }

    /// What the allocation is sealed to, and the `info` it is sealed under (P 7.3, 7.4).
    fn sealing(&self, acceptance: &Acceptance, fresh: &Fresh, _: &Verified<Request>) -> (PublicJwk, Vec<u8>) {
        (*acceptance.sealing_jwk(), acceptance.sealing_info(fresh))
    }

    /// The receipt to sign (P 6).
    fn receipt(&self, acceptance: &Acceptance, fresh: &Fresh, payload: &[u8]) -> Receipt {
        acceptance.receipt(fresh, payload)
    }

    /// The refusal to sign (P 8).
    fn refusal(&self, refusal: Refusal) -> Refusal {
        refusal
    }

    /// A signed message as it leaves (P 4). `key` signed it.
    fn message(&self, jws: String, _: Leaving, _: &dyn SignEs384) -> String {
        jws
    }

    /// The payload that is served under a name (P 13.4), if one is stored.
    fn payload(&self, _: &PayloadName, stored: Option<Arc<[u8]>>) -> Option<Arc<[u8]>> {
        stored
    }

    /// Status and headers of an answer over 443 or 8080, as they leave (P 13.3, 13.4, 13.6).
    fn head(&self, _: Carrier, _: &mut StatusCode, _: &mut HeaderMap) {}

    /// Reads a request file (P 14.2, 14.4).
    ///
    /// # Errors
    /// It cannot be used.
    fn request_file(&self, file: &[u8]) -> Result<SyncFile, FileError> {
        SyncFile::parse(file)
    }

    /// Writes a response file (P 14.2, 14.3).
    fn response_file(&self, response: &SyncFile, about: &[String]) -> Vec<u8> {
        response.to_bytes(about)
    }

    /// Clears a key pair (P 16.2 to 16.4).
    ///
    /// # Errors
    /// [`ClearError`].
    fn clear(&self, record: &Record, clear: &Clear) -> Result<ClearOutcome, ClearError> {
        registry::clear_key_pair(record, clear)
    }
}

/// The protocol's conduct, and nothing else.
#[derive(Debug, Clone, Copy, Default)]
pub struct Protocol;

impl Conduct for Protocol {}

/// On which occasion a signed message leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaving {
    /// A receipt, for the first time.
    Receipt,
    /// The stored receipt, again (P 9.7).
    ReceiptAgain,
    /// A refusal, signed just now (P 8).
    Refusal,
}

/// Why a request cannot be read: the problem that answers it (P 8.2, 9.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadError {
    /// Code of the problem document (P 13.6).
    pub code: ProblemCode,
    /// What is wrong, for people.
    pub detail: String,
    /// What to do next, for people.
    pub cure: &'static str,
}

fn read(text: &[u8]) -> Result<Signed<Request>, ReadError> {
    if text.len() > limits::REQUEST {
        let detail = format!("A request has at most {} bytes.", limits::REQUEST);
        return Err(ReadError {
            code: ProblemCode::RequestTooLarge,
            detail,
            cure: "Send one request and nothing else.",
        });
    }
    let unreadable = |detail| {
        let cure = "Send the request unchanged: a JWS as in section 4 of the protocol, with nothing before or after.";
        ReadError { code: ProblemCode::UnreadableRequest, detail, cure }
    };
    let text = std::str::from_utf8(text).map_err(|_| unreadable("This is not text.".to_owned()))?;
    Signed::parse(text).map_err(|why| unreadable(format!("This is not a request: {why}.")))
}

//! The decisions of a License Server that meet the world, one method each.

use std::borrow::Cow;
use std::fmt::Debug;
use std::sync::Arc;

use rustls::SupportedProtocolVersion;
use solme_sync_protocol::{
    Allocation, LicenseNumber, OpenError, Problem, PublicJwk, Receipt, Refusal, Request, RustCrypto, SealingKey,
    Signature, TrustFile, VerifyEs384 as _,
};

use crate::core::{AnswerError, Consequence, Fate, HttpAnswer, Role, Rule, SealedPayloadError, Tampering, Times};

/// How a License Server behaves where PROTOCOL.md leaves it no choice. The defaults *are* the protocol, and
/// [`Standard`] has nothing else. To see what a referee makes of another conduct, override one method and hand it to
/// [`Seams::with_conduct`](crate::testing::Seams::with_conduct).
#[allow(unused_variables)] // another conduct may go by more than the default does
pub trait Conduct: Debug + Send + Sync {
    // Reading: what a message is taken to say, before anything is checked.

    /// The text that is read in the place of a receipt or refusal. What is stored and claimed later is `text` itself.
    fn message<'a>(&self, text: &'a str, trust: &TrustFile) -> Cow<'a, str> {
        Cow::Borrowed(text)
    }

    /// The bytes that are read in the place of a document. Digests are still taken of `bytes` itself.
    fn document<'a>(&self, document: Document, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        Cow::Borrowed(bytes)
    }

    /// What is taken for the answer of a port (P 13.3 to 13.5).
    fn answer(&self, role: Role, answer: HttpAnswer) -> HttpAnswer {
        answer
    }

    /// The JWS that a problem document refuses `request` with, also a JWS (P 8.2, 13.6).
    fn refusal_in(&self, problem: &Problem, request: &str, trust: &TrustFile) -> Option<String> {
        problem.refusal.clone()
    }

    // Judging: which check ends it.

    /// Whether the signature of an answer is that of a trusted key (P 11.1).
    fn verifies(&self, key: &PublicJwk, signing_input: &[u8], signature: &Signature) -> bool {
        RustCrypto.verify(key, signing_input, signature)
    }

    /// Whether the signature of a stored message still is (P 11.12, 12.4).
    fn verifies_again(&self, key: &PublicJwk, signing_input: &[u8], signature: &Signature) -> bool {
        RustCrypto.verify(key, signing_input, signature)
    }

    /// What a payload holds that is sealed under `info` (P 7.3).
    ///
    /// # Errors
    /// It does not open.
    fn opens(&self, key: &SealingKey, info: &[u8], payload: &[u8]) -> Result<Vec<u8>, OpenError> {
        key.open(info, payload)
    }

    /// Whether a receipt or refusal is out because of this (P 11.2 to 11.5, 11.10). What cannot be read or has no
    /// content always is.
    fn is_fatal(&self, document: Document, wrong: &AnswerError) -> bool {
        true
    }

    /// Whether a payload is out because of this (P 11.6 to 11.8).
    fn payload_is_fatal(&self, wrong: &SealedPayloadError) -> bool {
        true
    }

    /// Whether the state counts as tampered with because of this (P 11.12).
    fn tampering_is_fatal(&self, found: &Tampering) -> bool {
        true
    }

    /// Whether a trust file is of the main server that this License Server was set up with (P 15.3).
    fn is_same_main_server(&self, own: &TrustFile, other: &TrustFile) -> bool {
        own.same_identity(other)
    }

    /// The rule that decides whether a license may be issued, given the one of P 17 and what it rests on.
    fn rule(&self, rule: Rule, allocation: Option<&Allocation>, times: &Times, number: Option<&LicenseNumber>) -> Rule {
        rule
    }

    // Asking: what is sent, and how often.

    /// The one-time key of a new request; `fresh` was generated for it (P 5.4).
    fn sealing_key(&self, fresh: Arc<SealingKey>) -> Arc<SealingKey> {
        fresh
    }

    /// The content of a new request, before it is signed. Its `request_id` is fresh (P 5).
    fn request(&self, request: Request) -> Request {
        request
    }

    /// What is sent or exported in the place of the outstanding request.
    fn sends<'a>(&self, request: &'a str) -> Cow<'a, str> {
        Cow::Borrowed(request)
    }

    /// Whether a request is stored before its first byte leaves (P 12.1).
    fn stores_before_sending(&self) -> bool {
        true
    }

    /// Whether a request that is still outstanding is sent again, and no new one made (P 12.2).
    fn sends_again(&self) -> bool {
        true
    }

    /// How often a request is sent for a payload that is not found (P 13.5).
    fn tries(&self) -> u32 {
        2
    }

    /// Whether a fresh request follows the answer to one of an earlier run (P 12.5).
    fn asks_once_more(&self) -> bool {
        true
    }

    // Keeping: what an answer does to the state.

    /// What a refusal does (P 12.3, 12.4, 12.6). `copy_verifies`: the stored request still does.
    fn after_refusal(&self, refusal: &Refusal, copy_verifies: bool) -> Consequence {
        Consequence::of(refusal.code, copy_verifies)
    }

    /// What a failed synchronization does to the request: nothing (P 11.9, 12.2). `code` is that of the failure.
    fn after_failure(&self, code: &str) -> Fate {
        Fate::Stays
    }

    /// Whether a response that was imported before is a success that changes nothing (P 11.11).
    fn takes_again(&self) -> bool {
        true
    }

    /// What ends with the key pair that a new one replaces (P 3.3).
    fn ends_with_key_pair(&self) -> &'static [Held] {
        &[Held::Applied, Held::Outstanding, Held::Cleared]
    }

    /// What is taken for the times, after a look at the local clock (P 17.2, 17.3).
    fn observed(&self, times: Times) -> Times {
        times
    }

    /// The times after a receipt that answers `request` (P 17.5).
    fn settle(&self, times: Times, request: &Request, receipt: &Receipt) -> Times {
        times.settle(request.made_at, request.high_water_mark, receipt.main_server_time)
    }

    // The network.

    /// Whether it goes where a redirect points (P 13.5).
    fn follows_redirects(&self) -> bool {
        false
    }

    /// Whether a certificate will do that does not verify against the trust file's CA (P 13.2).
    fn accepts_certificate(&self, error: &rustls::Error) -> bool {
        false
    }

    /// The versions of TLS (P 13.2).
    fn tls_versions(&self) -> &'static [&'static SupportedProtocolVersion] {
        const VERSIONS: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];
        VERSIONS
    }
}

/// The conduct that PROTOCOL.md demands.
#[derive(Debug, Clone, Copy)]
pub struct Standard;

impl Conduct for Standard {}

/// What a License Server is given to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Document {
    /// A receipt, as JWS (P 6).
    Receipt,
    /// A refusal, as JWS (P 8).
    Refusal,
    /// A problem document (P 13.6).
    Problem,
    /// A response file (P 14).
    ResponseFile,
    /// A trust file (P 15).
    TrustFile,
    /// The opened payload (P 7).
    Allocation,
}

/// What is stored for one key pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// The receipt and the allocation that were applied last.
    Applied,
    /// The outstanding request and its one-time key.
    Outstanding,
    /// The refusal that said that the key pair is cleared.
    Cleared,
}

//! Bugs in what is checked: a signature, a member of a receipt, a payload, the right to issue.

use std::borrow::Cow;

use license_server::testing::rustls::{self, CertificateError};
use license_server::testing::{AnswerError, Document, HttpAnswer, Role, Rule, SealedPayloadError, Tampering, Times};
use serde_json::{Value, json};
use solme_sync_protocol::{
    Allocation, LicenseNumber, Problem, PublicJwk, Refusal, RefusalCode, Request, RustCrypto, SignEs384, Signature,
    Signed, TrustFile, VERSION, VerifyEs384 as _, base64url,
};

use super::mutants;

/// Takes a document of a kind with this error.
macro_rules! takes {
    ($document:pat, $wrong:pat) => {
        fn is_fatal(&self, document: Document, wrong: &AnswerError) -> bool {
            !matches!((document, wrong), ($document, $wrong))
        }
    };
}

/// Takes a sealed payload with this error.
macro_rules! takes_payload {
    ($wrong:pat) => {
        fn payload_is_fatal(&self, wrong: &SealedPayloadError) -> bool {
            !matches!(wrong, $wrong)
        }
    };
}

mutants! {
    /// P 11.1: takes an answer whoever signed it.
    SkipsTheSignature = "skips-the-signature" {
        fn message<'a>(&self, text: &'a str, trust: &TrustFile) -> Cow<'a, str> {
            with_trusted_kid(text, trust).map_or(Cow::Borrowed(text), Cow::Owned)
        }
        fn verifies(&self, _: &PublicJwk, _: &[u8], _: &Signature) -> bool { true }
        fn verifies_again(&self, _: &PublicJwk, _: &[u8], _: &Signature) -> bool { true }
    }
    /// P 11.2: takes a receipt for another license server id.
    AcceptsAnotherIdsReceipt = "accepts-another-ids-receipt" {
        takes! { Document::Receipt, AnswerError::OtherLicenseServer { .. } }
    }
    /// P 11.3: takes a receipt for another request.
    AcceptsAnotherRequestsReceipt = "accepts-another-requests-receipt" {
        takes! { Document::Receipt, AnswerError::OtherRequest { .. } }
    }
    /// P 11.3: takes a receipt for another key pair.
    AcceptsAnotherKeyPairsReceipt = "accepts-another-key-pairs-receipt" {
        takes! { Document::Receipt, AnswerError::OtherKeyPair { .. } }
    }
    /// P 11.4: takes any sequence.
    AcceptsAnySequence = "accepts-any-sequence" {
        takes! { _, AnswerError::Sequence { .. } | AnswerError::Older { .. } }
    }
    /// P 11.4: takes any key generation.
    AcceptsAnyKeyGeneration = "accepts-any-key-generation" {
        takes! { _, AnswerError::KeyGeneration { .. } }
    }
    /// P 11.4: takes an allocation that is older than its own.
    AcceptsALowerRevision = "accepts-a-lower-revision" {
        takes! { _, AnswerError::AllocationRevision { .. } }
    }
    /// P 11.5: takes any deadline.
    AcceptsAnyDeadline = "accepts-any-deadline" {
        takes! { _, AnswerError::SynchronizeBy { .. } }
    }
    /// P 11.6: does not compare the digest of the payload.
    SkipsThePayloadDigest = "skips-the-payload-digest" {
        takes_payload! { SealedPayloadError::Digest }
    }
    /// P 8.2: takes a problem document without a signature for a refusal.
    AcceptsAnUnsignedRefusal = "accepts-an-unsigned-refusal" {
        fn refusal_in(&self, problem: &Problem, request: &str, trust: &TrustFile) -> Option<String> {
            problem.refusal.clone().or_else(|| unsigned(problem, request, trust))
        }
        fn verifies(&self, key: &PublicJwk, signing_input: &[u8], signature: &Signature) -> bool {
            *signature == NO_SIGNATURE || RustCrypto.verify(key, signing_input, signature)
        }
    }
    /// P 11.10: takes a refusal of another request.
    AcceptsAnotherRequestsRefusal = "accepts-another-requests-refusal" {
        takes! { Document::Refusal, AnswerError::OtherRequest { .. } }
    }
    /// P 11.2: takes a receipt of another main server that the trusted key signed.
    AcceptsAnotherMainServersReceipt = "accepts-another-main-servers-receipt" {
        takes! { Document::Receipt, AnswerError::OtherMainServer { .. } }
    }
    /// P 11.10: does not read `aud` of a refusal.
    AcceptsAnotherIdsRefusal = "accepts-another-ids-refusal" {
        takes! { Document::Refusal, AnswerError::OtherLicenseServer { .. } }
    }
    /// P 11.10: does not read `iss` of a refusal.
    AcceptsAnotherMainServersRefusal = "accepts-another-main-servers-refusal" {
        takes! { Document::Refusal, AnswerError::OtherMainServer { .. } }
    }
    /// P 11.10: takes a refusal of another key pair.
    AcceptsAnotherKeyPairsRefusal = "accepts-another-key-pairs-refusal" {
        takes! { Document::Refusal, AnswerError::OtherKeyPair { .. } }
    }
    /// P 11.6: does not compare the size of the payload.
    SkipsThePayloadSize = "skips-the-payload-size" {
        takes_payload! { SealedPayloadError::Size { .. } }
    }
    /// P 11.7: does not compare the digest of the allocation.
    SkipsTheAllocationDigest = "skips-the-allocation-digest" {
        takes_payload! { SealedPayloadError::AllocationDigest }
    }
    /// P 11.8: does not compare the two revisions.
    SkipsTheRevision = "skips-the-revision" {
        takes_payload! { SealedPayloadError::Revision { .. } }
    }
    /// P 11.12: does not verify the signature of its receipt again.
    VerifiesOnceOnly = "verifies-once-only" {
        fn tampering_is_fatal(&self, found: &Tampering) -> bool { !matches!(found, Tampering::Seal(_)) }
        fn verifies_again(&self, _: &PublicJwk, _: &[u8], _: &Signature) -> bool { true }
    }
    /// P 13.6: goes by the problem document, and not by the refusal in it.
    GoesByTheProblemDocument = "goes-by-the-problem-document" {
        fn refusal_in(&self, problem: &Problem, request: &str, trust: &TrustFile) -> Option<String> {
            problem.refusal.as_ref().and_then(|_| unsigned(problem, request, trust))
        }
        fn verifies(&self, key: &PublicJwk, signing_input: &[u8], signature: &Signature) -> bool {
            *signature == NO_SIGNATURE || RustCrypto.verify(key, signing_input, signature)
        }
    }
    /// P 13.8: takes a receipt under any status.
    TakesAReceiptUnderAnyStatus = "takes-a-receipt-under-any-status" {
        fn answer(&self, _: Role, answer: HttpAnswer) -> HttpAnswer { under(200, "application/jose", answer) }
    }
    /// P 13.8: takes a refusal under any status.
    TakesARefusalUnderAnyStatus = "takes-a-refusal-under-any-status" {
        fn answer(&self, _: Role, answer: HttpAnswer) -> HttpAnswer { under(409, "application/problem+json", answer) }
    }
    /// P 13.8: does not read the content type.
    DoesNotReadTheContentType = "does-not-read-the-content-type" {
        fn answer(&self, role: Role, mut answer: HttpAnswer) -> HttpAnswer {
            if answer.status == 200 {
                let own = if role == Role::Https { "application/jose" } else { "application/octet-stream" };
                answer.content_type = Some(own.to_owned());
            }
            answer
        }
    }
    /// P 13.5: takes an answer with a content encoding as it is.
    DoesNotReadTheContentEncoding = "does-not-read-the-content-encoding" {
        fn answer(&self, _: Role, mut answer: HttpAnswer) -> HttpAnswer {
            answer.content_encoding = None;
            answer
        }
    }
    /// P 13.2: takes a certificate for any host.
    TakesACertificateForAnyHost = "takes-a-certificate-for-any-host" {
        fn accepts_certificate(&self, error: &rustls::Error) -> bool {
            matches!(error, rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }
            ))
        }
    }
    /// P 13.2: takes a certificate of any CA.
    TakesACertificateOfAnyCa = "takes-a-certificate-of-any-ca" {
        fn accepts_certificate(&self, error: &rustls::Error) -> bool {
            matches!(error, rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer))
        }
    }
    /// P 13.2: takes a certificate that has expired.
    TakesAnExpiredCertificate = "takes-an-expired-certificate" {
        fn accepts_certificate(&self, error: &rustls::Error) -> bool {
            matches!(error, rustls::Error::InvalidCertificate(
                CertificateError::Expired | CertificateError::ExpiredContext { .. }
            ))
        }
    }
    /// P 13.2: speaks TLS 1.2.
    SpeaksTls12 = "speaks-tls-1-2" {
        fn tls_versions(&self) -> &'static [&'static rustls::SupportedProtocolVersion] {
            const VERSIONS: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];
            VERSIONS
        }
    }
    /// P 15.3: knows a main server by any key in common.
    KnowsAMainServerByOneKey = "knows-a-main-server-by-one-key" {
        fn is_same_main_server(&self, own: &TrustFile, other: &TrustFile) -> bool {
            let common = other.signing_jwks.iter().any(|key| own.signing_jwks.contains(key));
            own.main_server_id == other.main_server_id && common
        }
    }
    /// P 15.3: knows a main server by its id.
    KnowsAMainServerByItsId = "knows-a-main-server-by-its-id" {
        fn is_same_main_server(&self, own: &TrustFile, other: &TrustFile) -> bool {
            own.main_server_id == other.main_server_id
        }
    }
    /// P 17.7: counts the end of a validity as part of it.
    CountsTheEnd = "counts-the-end" {
        fn rule(&self, rule: Rule, _: Option<&Allocation>, times: &Times, _: Option<&LicenseNumber>) -> Rule {
            let now = times.high_water_mark.max(times.local_clock);
            yes_if(matches!(rule, Rule::Expired { expires_at, .. } if expires_at == now), rule)
        }
    }
    /// P 17.1: issues beyond `synchronize_by`.
    ForgetsTheDeadline = "forgets-the-deadline" {
        fn rule(&self, rule: Rule, _: Option<&Allocation>, _: &Times, _: Option<&LicenseNumber>) -> Rule {
            yes_if(matches!(rule, Rule::Overdue { .. }), rule)
        }
    }
    /// P 17.4: issues with a clock that was set back.
    IssuesWithAWrongClock = "issues-with-a-wrong-clock" {
        fn rule(&self, rule: Rule, _: Option<&Allocation>, _: &Times, _: Option<&LicenseNumber>) -> Rule {
            yes_if(matches!(rule, Rule::LocalClockWrong(_)), rule)
        }
    }
    /// P 7.1: issues licenses that are no longer allocated.
    KeepsRemovedLicenses = "keeps-removed-licenses" {
        fn rule(&self, rule: Rule, _: Option<&Allocation>, _: &Times, _: Option<&LicenseNumber>) -> Rule {
            yes_if(matches!(rule, Rule::NotAllocated { .. } | Rule::NothingAllocated), rule)
        }
    }
    /// P 17.7: issues licenses that are not valid yet, or not any more.
    IgnoresTheValidityOfLicenses = "ignores-the-validity-of-licenses" {
        fn rule(&self, rule: Rule, _: Option<&Allocation>, _: &Times, _: Option<&LicenseNumber>) -> Rule {
            yes_if(matches!(rule, Rule::NotYetValid { .. } | Rule::Expired { .. }), rule)
        }
    }
    /// P 11.12: issues from a state that was tampered with.
    IssuesWhenTampered = "issues-when-tampered" {
        fn rule(&self, rule: Rule, _: Option<&Allocation>, _: &Times, _: Option<&LicenseNumber>) -> Rule {
            yes_if(matches!(rule, Rule::Tampered { .. }), rule)
        }
    }
}

/// An answer of this content type, under this status.
fn under(status: u16, content_type: &str, mut answer: HttpAnswer) -> HttpAnswer {
    let of_this_type = answer.content_type.as_deref().is_some_and(|own| own.starts_with(content_type));
    let known = [400, 403, 404, 409, 410, 413, 429, 503].contains(&answer.status);
    if of_this_type && (!known || status == 200) {
        answer.status = status;
    }
    answer
}

fn yes_if(forgiven: bool, rule: Rule) -> Rule {
    if forgiven { Rule::MayIssue { licenses: 1 } } else { rule }
}

/// The message, as if a trusted key had signed it.
fn with_trusted_kid(text: &str, trust: &TrustFile) -> Option<String> {
    let (header, rest) = text.split_once('.')?;
    let mut header: Value = serde_json::from_slice(&base64url::decode(header).ok()?).ok()?;
    let trusted = trust.key_thumbprints();
    if trusted.iter().any(|kid| header["kid"] == kid.to_string()) {
        return None;
    }
    header["kid"] = json!(trusted.first()?.to_string());
    Some(format!("{}.{rest}", base64url::encode(header.to_string())))
}

const NO_SIGNATURE: Signature = [0; 96];

/// The refusal that a problem document would carry, had it one.
fn unsigned(problem: &Problem, request: &str, trust: &TrustFile) -> Option<String> {
    let code = *RefusalCode::ALL.iter().find(|code| code.as_str() == problem.code)?;
    let request = Signed::<Request>::parse(request).ok()?.verify(&RustCrypto).ok()?;
    let content = request.read().ok()?;
    let refusal = Refusal {
        version: VERSION,
        main_server_id: content.main_server_id,
        license_server_id: content.license_server_id,
        main_server_time: content.made_at,
        code,
        reason: None,
        key_thumbprint: request.thumbprint(),
        request_digest: request.signed().digest(),
        text: problem.detail.clone(),
        cure: String::new(),
    };
    Some(Signed::sign(&refusal, &Nobody(trust.signing_jwks.first()?)).as_str().to_owned())
}

/// Signs as a key pair of which it has the public half only.
struct Nobody<'a>(&'a PublicJwk);

impl SignEs384 for Nobody<'_> {
    fn public_jwk(&self) -> &PublicJwk {
        self.0
    }

    fn sign(&self, _: &[u8]) -> Signature {
        NO_SIGNATURE
    }
}

//! Bugs in what is checked: a signature, a member of a receipt, a payload, the right to issue.

use std::borrow::Cow;

use license_server::testing::{Document, PayloadWrong, Rule, Times, Wrong};
use serde_json::{Value, json};
use solme_sync_protocol::{
    Allocation, LicenseNumber, Problem, PublicJwk, Refusal, RefusalCode, Request, RustCrypto, SignEs384, Signature,
    Signed, TrustFile, VERSION, VerifyEs384 as _, base64url,
};

use super::mutants;

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
        fn is_fatal(&self, document: Document, wrong: &Wrong) -> bool {
            !matches!((document, wrong), (Document::Receipt, Wrong::OtherLicenseServer { .. }))
        }
    }
    /// P 11.3: takes a receipt for another request.
    AcceptsAnotherRequestsReceipt = "accepts-another-requests-receipt" {
        fn is_fatal(&self, document: Document, wrong: &Wrong) -> bool {
            !matches!((document, wrong), (Document::Receipt, Wrong::OtherRequest { .. }))
        }
    }
    /// P 11.3: takes a receipt for another key pair.
    AcceptsAnotherKeyPairsReceipt = "accepts-another-key-pairs-receipt" {
        fn is_fatal(&self, document: Document, wrong: &Wrong) -> bool {
            !matches!((document, wrong), (Document::Receipt, Wrong::OtherKeyPair { .. }))
        }
    }
    /// P 11.4: takes any sequence.
    AcceptsAnySequence = "accepts-any-sequence" {
        fn is_fatal(&self, _: Document, wrong: &Wrong) -> bool {
            !matches!(wrong, Wrong::Sequence { .. } | Wrong::Older { .. })
        }
    }
    /// P 11.4: takes any key generation.
    AcceptsAnyKeyGeneration = "accepts-any-key-generation" {
        fn is_fatal(&self, _: Document, wrong: &Wrong) -> bool { !matches!(wrong, Wrong::KeyGeneration { .. }) }
    }
    /// P 11.4: takes an allocation that is older than its own.
    AcceptsALowerRevision = "accepts-a-lower-revision" {
        fn is_fatal(&self, _: Document, wrong: &Wrong) -> bool { !matches!(wrong, Wrong::AllocationRevision { .. }) }
    }
    /// P 6.2: takes any deadline.
    AcceptsAnyDeadline = "accepts-any-deadline" {
        fn is_fatal(&self, _: Document, wrong: &Wrong) -> bool { !matches!(wrong, Wrong::SynchronizeBy { .. }) }
    }
    /// P 11.6: does not compare the digest of the payload.
    SkipsThePayloadDigest = "skips-the-payload-digest" {
        fn payload_is_fatal(&self, wrong: &PayloadWrong) -> bool { !matches!(wrong, PayloadWrong::Digest) }
    }
    /// P 11.10: takes a problem document without a signature for a refusal.
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
        fn is_fatal(&self, document: Document, wrong: &Wrong) -> bool {
            !matches!((document, wrong), (Document::Refusal, Wrong::OtherRequest { .. }))
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
    /// P 17.8: issues from a state that was tampered with.
    IssuesWhenTampered = "issues-when-tampered" {
        fn rule(&self, rule: Rule, _: Option<&Allocation>, _: &Times, _: Option<&LicenseNumber>) -> Rule {
            yes_if(matches!(rule, Rule::Tampered { .. }), rule)
        }
    }
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

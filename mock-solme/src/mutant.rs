//! Main servers with one bug each, for judging whoever judges main servers. They enter through [`crate::Seams`] only.
//!
//! All that a mutant does differently stands here. The main server calls these functions at the places where the bugs
//! would be, and without a mutant they do what the protocol says.

use clap::ValueEnum;
use solme_sync_protocol::{
    KeyThumbprint, PublicJwk, Receipt, RefusalCode, Request, SignEs384, Signature, Signed, SyncId, Verified,
};
use solme_sync_protocol::{NotVerified, VerifyEs384};

use crate::crypto::{AwsLc, MainServerKey};
use crate::registry::{self, ClearOutcome, Decision, Facts, Record, Refused};

/// A bug that a main server can be given. Its name on the command line is its name in kebab-case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum)]
pub enum Mutant {
    /// Takes every signature for that of the key in the request (P 9.2).
    AcceptsForeignSignature,
    /// Says `key-pair-in-use` for an id that it does not know (P 9.3).
    UnknownIdIsInUse,
    /// Serves an id that is disabled (P 9.5).
    IgnoresDisabled,
    /// Looks at cleared key pairs before it looks whether the id is disabled (P 9, order).
    ClearedBeforeDisabled,
    /// Lets a cleared key pair bind the id again (P 9.6, 16.4).
    ClearedKeyPairComesBack,
    /// Answers the newest request again with the same receipt, signed anew (P 9.7).
    ResendIsSignedAgain,
    /// Answers the newest request again with another receipt (P 9.7).
    ResendMakesNewReceipt,
    /// Answers an older request with the newest receipt (P 9.7).
    OlderRequestGetsNewestReceipt,
    /// Lets everyone bind an id that is reserved for somebody (P 9.9).
    IgnoresReservation,
    /// Takes any claimed receipt for the newest one (P 9.11).
    IgnoresLastReceipt,
    /// Compares the claimed receipt with its signature, not its signing input (P 4.6, 9.11).
    ComparesLastReceiptBySignature,
    /// Blames the local server when the main server itself was restored (P 9.12).
    BehindIsDiverged,
    /// Clears the key pair in use, whichever the clear names (P 16.2).
    ClearIgnoresThumbprint,
    /// States generation 1 after a clear as well (P 16.3).
    GenerationNotRaised,
    /// Begins the sequence anew with each key pair (P 16.3).
    SequenceStartsAnew,
    /// Leaves gaps in the sequence (P 6).
    SequenceSkips,
    /// Takes a year for 365 days (P 6.2).
    #[value(name = "deadline-of-365-days")]
    DeadlineOf365Days,
    /// Digests the allocation where the sealed payload is asked for (P 7.5).
    DigestOfThePlaintext,
    /// Seals to the key that signed the request (P 7.3).
    SealsToTheSigningKey,
    /// Seals under an empty `info` (P 7.4).
    SealsWithoutInfo,
    /// Writes response files that mail would wrap (P 14.3).
    ResponseFileOnOneLine,
}

impl Mutant {
    /// All of them.
    pub fn all() -> &'static [Self] {
        Self::value_variants()
    }

    /// Its name in kebab-case.
    pub fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// Whatever it is shown was signed by whoever is said to have signed it.
struct Credulous;

impl VerifyEs384 for Credulous {
    fn verify(&self, _: &PublicJwk, _: &[u8], _: &Signature) -> bool {
        true
    }
}

/// 9.2.
pub(crate) fn verify(mutant: Option<Mutant>, request: Signed<Request>) -> Result<Verified<Request>, NotVerified> {
    match mutant {
        Some(Mutant::AcceptsForeignSignature) => request.verify(&Credulous),
        _ => request.verify(&AwsLc),
    }
}

/// 9.3 to 9.12.
pub(crate) fn decide<F: Facts>(
    mutant: Option<Mutant>,
    record: Option<&Record>,
    request: &Verified<Request>,
    facts: &F,
) -> Result<Decision, F::Error> {
    let Some(mutant) = mutant else { return registry::decide(record, request, facts) };
    let seen = record.map(|record| mutant.sees(record.clone(), request));
    let decision = registry::decide(seen.as_ref(), request, facts)?;
    Ok(mutant.decides(decision, record))
}

impl Mutant {
    /// The record as the mutant sees it.
    fn sees(self, mut record: Record, request: &Verified<Request>) -> Record {
        match self {
            Self::IgnoresDisabled => record.disabled = None,
            Self::ClearedBeforeDisabled if record.cleared(&request.thumbprint()).is_some() => record.disabled = None,
            Self::ClearedKeyPairComesBack => record.cleared_key_pairs.clear(),
            Self::IgnoresReservation => record.reserved_for = None,
            Self::IgnoresLastReceipt => {
                let claimed = request.read().ok().and_then(|content| content.last_receipt);
                if let (Some(claimed), Some(in_use)) = (claimed, &mut record.key_pair_in_use) {
                    in_use.newest_answer.receipt = claimed;
                }
            }
            _ => {}
        }
        record
    }

    /// What the mutant makes of a decision.
    fn decides(self, decision: Decision, record: Option<&Record>) -> Decision {
        let newest = record.and_then(|record| record.key_pair_in_use.as_ref()).map(|in_use| &in_use.newest_answer);
        let recoded = |refused, code| Decision::Refuse(Refused { code, ..refused });
        match (self, decision, newest) {
            (Self::UnknownIdIsInUse, Decision::Refuse(refused), _) if refused.clause == "9.3" => {
                recoded(refused, RefusalCode::KeyPairInUse)
            }
            (Self::BehindIsDiverged, Decision::Refuse(refused), _) if refused.code == RefusalCode::MainServerBehind => {
                recoded(refused, RefusalCode::StateDiverged)
            }
            (Self::OlderRequestGetsNewestReceipt, Decision::Refuse(refused), Some(newest))
                if refused.code == RefusalCode::RequestAlreadyAnswered =>
            {
                Decision::Resend(newest.clone())
            }
            (Self::ComparesLastReceiptBySignature, Decision::Accept(acceptance), Some(newest))
                if acceptance.request().last_receipt.as_ref() != Some(&newest.receipt) =>
            {
                let refused = Refused::temporarily_unavailable();
                Decision::Refuse(Refused { clause: "9.12", code: RefusalCode::StateDiverged, ..refused })
            }
            (_, decision, _) => decision,
        }
    }
}

/// The stored receipt, to be sent again (P 9.7).
pub(crate) fn resend(mutant: Option<Mutant>, receipt: String, key: &MainServerKey) -> String {
    let again = matches!(mutant, Some(Mutant::ResendIsSignedAgain | Mutant::ResendMakesNewReceipt));
    let stored = Signed::<Receipt>::parse(&receipt).ok().filter(|_| again);
    let stored = stored.and_then(|signed| signed.verify(&AwsLc, &[*key.public_jwk()]).ok());
    let Some(mut content) = stored.and_then(|verified| verified.read().ok()) else { return receipt };
    if mutant == Some(Mutant::ResendMakesNewReceipt) {
        content.sync_id = SyncId::from_random([0; 16]);
    }
    Signed::sign(&content, key).as_str().to_owned()
}

/// What the allocation is sealed to and under (P 7.3, 7.4).
pub(crate) fn sealing(
    mutant: Option<Mutant>,
    (key, info): (PublicJwk, Vec<u8>),
    request: &Verified<Request>,
) -> (PublicJwk, Vec<u8>) {
    match mutant {
        Some(Mutant::SealsToTheSigningKey) => (request.signed().header().jwk, info),
        Some(Mutant::SealsWithoutInfo) => (key, Vec::new()),
        _ => (key, info),
    }
}

/// The receipt to be signed (P 6).
pub(crate) fn receipt(mutant: Option<Mutant>, mut receipt: Receipt) -> Receipt {
    match mutant {
        Some(Mutant::GenerationNotRaised) => receipt.key_generation = 1,
        Some(Mutant::SequenceSkips) => receipt.sequence = 2 * receipt.sequence - 1,
        Some(Mutant::DeadlineOf365Days) => receipt.synchronize_by = receipt.main_server_time.plus(365 * 86_400),
        Some(Mutant::DigestOfThePlaintext) => receipt.payload_digest = receipt.allocation_digest,
        _ => {}
    }
    receipt
}

/// The key pair that a clear names (P 16.2).
pub(crate) fn named(mutant: Option<Mutant>, thumbprint: Option<KeyThumbprint>) -> Option<KeyThumbprint> {
    thumbprint.filter(|_| mutant != Some(Mutant::ClearIgnoresThumbprint))
}

/// What a clear came to (P 16.3).
pub(crate) fn cleared(mutant: Option<Mutant>, mut outcome: ClearOutcome) -> ClearOutcome {
    if let (Some(Mutant::SequenceStartsAnew), ClearOutcome::Cleared { record, .. }) = (mutant, &mut outcome) {
        record.sequence = 0;
    }
    outcome
}

/// The response file (P 14.3).
pub(crate) fn response_file(mutant: Option<Mutant>, bytes: Vec<u8>) -> Vec<u8> {
    let on_one_line = || serde_json::to_vec(&serde_json::from_slice::<serde_json::Value>(&bytes).ok()?).ok();
    match mutant {
        Some(Mutant::ResponseFileOnOneLine) => on_one_line().unwrap_or(bytes),
        _ => bytes,
    }
}

//! Bugs in the rules of the main server (P 9, 16).

use std::fmt::Debug;
use std::sync::Arc;

use mock_solme::StoreError;
use mock_solme::testing::registry::{self, Clear, ClearError, ClearOutcome, Decision, Facts, Record, Refused};
use mock_solme::testing::{Conduct, Protocol};
use serde_json::Value;
use solme_sync_protocol::{
    InvalidRequestReason, NotVerified, PublicJwk, Receipt, Refusal, RefusalCode, Request, RequestId, Signature, Signed,
    Verified, VerifyEs384, base64url,
};

use super::{Mutant, mutant};

pub(super) const MUTANTS: &[Mutant] = &[
    // Takes every signature for that of the key in the request.
    mutant("accepts-foreign-signature", "9.2", || Arc::new(AcceptsForeignSignature)),
    mutant("unknown-id-is-in-use", "9.3", || {
        refuses_as(RefusalCode::KeyPairInUse, |refused, _| refused.clause == "9.3")
    }),
    mutant("ignores-disabled", "9.5", || sees(|record, _| record.disabled = None)),
    // Looks at cleared key pairs before it looks whether the id is disabled.
    mutant("cleared-before-disabled", "9.5", || {
        sees(|record, request| {
            if record.cleared(&request.thumbprint()).is_some() {
                record.disabled = None;
            }
        })
    }),
    mutant("cleared-key-pair-comes-back", "16.4", || sees(|record, _| record.cleared_key_pairs.clear())),
    mutant("older-request-gets-newest-receipt", "9.7", || {
        decides((), |(), asked| {
            Ok(match (asked.decide()?, asked.record.and_then(|record| record.key_pair_in_use.as_ref())) {
                (Decision::Refuse(refused), Some(in_use)) if refused.code == RefusalCode::RequestAlreadyAnswered => {
                    Decision::Resend(in_use.newest_answer.clone())
                }
                (other, _) => other,
            })
        })
    }),
    mutant("ignores-reservation", "9.9", || sees(|record, _| record.reserved_for = None)),
    // Takes any claimed receipt for the newest one.
    mutant("ignores-last-receipt", "9.11", || {
        sees(|record, request| {
            if let (Some(claimed), Some(in_use)) = (claimed(request), &mut record.key_pair_in_use) {
                in_use.newest_answer.receipt = claimed;
            }
        })
    }),
    // Compares the claimed receipt with its signature, not its signing input.
    mutant("compares-last-receipt-by-signature", "4.6", || {
        refuses_accepted(|asked| {
            let in_use = asked.record.and_then(|record| record.key_pair_in_use.as_ref());
            claimed(asked.request).as_ref() != in_use.map(|in_use| &in_use.newest_answer.receipt)
        })
    }),
    mutant("newest-receipt-by-its-sequence", "9.11", || decides((), |(), asked| newest_by_sequence(asked))),
    // `>=` for `>`.
    mutant("behind-from-the-same-sequence-on", "9.12", || {
        refuses_as(RefusalCode::MainServerBehind, |refused, asked| {
            let claimed = claimed(asked.request).and_then(|receipt| content(&receipt)).map(|receipt| receipt.sequence);
            refused.code == RefusalCode::StateDiverged
                && claimed.is_some_and(|claimed| asked.record.is_some_and(|record| claimed >= record.sequence))
        })
    }),
    mutant("behind-only-where-a-key-pair-is-bound", "9.12", || {
        refuses_as(RefusalCode::StateDiverged, |refused, asked| {
            refused.code == RefusalCode::MainServerBehind && asked.of_a_free_id()
        })
    }),
    // Takes whatever the main server has signed for a receipt.
    mutant("refusal-taken-for-a-last-receipt", "9.12", || {
        refuses_as(RefusalCode::StateDiverged, |refused, asked| {
            refused.reason == Some(InvalidRequestReason::LastReceiptNotOurs)
                && claimed(asked.request).is_some_and(|claimed| Signed::<Refusal>::parse(&claimed).is_ok())
        })
    }),
    // Blames the local server when the main server itself was restored.
    mutant("behind-is-diverged", "9.12", || {
        refuses_as(RefusalCode::StateDiverged, |refused, _| refused.code == RefusalCode::MainServerBehind)
    }),
    mutant("binds-over-the-key-pair-in-use", "9.9", || {
        sees(|record, request| {
            record.key_pair_in_use =
                record.key_pair_in_use.take().filter(|bound| bound.thumbprint == request.thumbprint());
        })
    }),
    mutant("in-use-before-disabled", "9.5", || {
        sees(|record, request| {
            if record.bound_thumbprint().is_some_and(|bound| bound != request.thumbprint()) {
                record.disabled = None;
            }
        })
    }),
    mutant("cleared-is-unknown", "9.6", || {
        refuses_as(RefusalCode::UnknownLicenseServerId, |refused, _| refused.code == RefusalCode::KeyPairCleared)
    }),
    mutant("content-before-cleared", "9.6", || {
        finds_invalid(InvalidRequestReason::MalformedClaims, |refused, asked| {
            refused.code == RefusalCode::KeyPairCleared && asked.request.read().is_err()
        })
    }),
    mutant("newest-request-was-answered", "9.7", || {
        decides((), |(), asked| {
            Ok(match asked.decide()? {
                Decision::Resend(_) => refused("9.7", RefusalCode::RequestAlreadyAnswered),
                other => other,
            })
        })
    }),
    mutant("in-use-before-content", "9.8", || {
        refuses_as(RefusalCode::KeyPairInUse, |refused, asked| {
            let bound = asked.record.and_then(Record::bound_thumbprint);
            refused.clause == "9.8" && bound.is_some_and(|bound| bound != asked.request.thumbprint())
        })
    }),
    mutant("members-before-version", "4.7", || {
        finds_invalid(InvalidRequestReason::MalformedClaims, |refused, asked| {
            refused.code == RefusalCode::UnsupportedVersion && payload(asked.request).get("jti").is_none()
        })
    }),
    mutant("unknown-members-refused", "2.3", || {
        decides((), |(), asked| {
            Ok(match asked.decide()? {
                Decision::Accept(_) if payload(asked.request).get("new").is_some() => {
                    let refused = Refused { clause: "9.8", ..Refused::temporarily_unavailable() };
                    invalid(refused, InvalidRequestReason::MalformedClaims)
                }
                other => other,
            })
        })
    }),
    mutant("judges-iat", "5.2", || refuses_accepted(|asked| payload(asked.request)["iat"] == 0)),
    mutant("judges-high-water-mark", "5.2", || {
        refuses_accepted(|asked| payload(asked.request)["high_water_mark"].as_u64() > Some(1 << 40))
    }),
    mutant("claimed-at-a-free-id-has-diverged", "9.10", || {
        refuses_as(RefusalCode::StateDiverged, |refused, asked| {
            refused.reason == Some(InvalidRequestReason::LastReceiptNotOurs) && asked.of_a_free_id()
        })
    }),
    mutant("none-claimed-is-not-ours", "9.12", || {
        finds_invalid(InvalidRequestReason::LastReceiptNotOurs, |refused, asked| {
            refused.code == RefusalCode::StateDiverged && claimed(asked.request).is_none()
        })
    }),
    // Of a claimed receipt it looks at everything but one thing.
    mutant("claimed-receipt-of-any-signature", "9.12", || {
        takes_for_ours(|receipt, asked| {
            receipt.main_server_id == *asked.facts.main_server_id()
                && receipt.license_server_id == asked.request.frame().issuer
                && receipt.key_thumbprint == asked.request.thumbprint()
        })
    }),
    mutant("claimed-receipt-of-any-main-server", "9.12", || {
        takes_for_ours(|receipt, asked| receipt.main_server_id != *asked.facts.main_server_id())
    }),
    mutant("claimed-receipt-for-any-id", "9.12", || {
        takes_for_ours(|receipt, asked| receipt.license_server_id != asked.request.frame().issuer)
    }),
    mutant("claimed-receipt-for-any-key-pair", "9.12", || {
        takes_for_ours(|receipt, asked| receipt.key_thumbprint != asked.request.thumbprint())
    }),
    // What was allocated last, and nothing of what was there before.
    mutant("allocation-is-a-delta", "7.1", || {
        sees(|record, _| {
            let licenses = &mut record.allocation.licenses;
            if record.sequence > 0 && licenses.len() > 1 {
                licenses.drain(..licenses.len() - 1);
            }
        })
    }),
    mutant("revision-never-raised", "7.1", || sees(|record, _| record.allocation.revision = 1)),
    mutant("revision-raised-by-each-synchronization", "7.1", || {
        sees(|record, _| record.allocation.revision += record.sequence)
    }),
    mutant("license-without-components", "7.2", || {
        sees(|record, _| record.allocation.licenses.iter_mut().for_each(|license| license.components.clear()))
    }),
    mutant("clear-does-nothing", "16.1", || {
        Arc::new(Clears(|record, _| ClearOutcome::AlreadyDone { in_use: record.bound_thumbprint() }))
    }),
    mutant("clear-empties-the-allocation", "16.3", || {
        Arc::new(Clears(|_, outcome| changed(outcome, |record| record.allocation.licenses.clear())))
    }),
    mutant("clear-ignores-whom-it-reserves-for", "16.6", || {
        Arc::new(Clears(|_, outcome| changed(outcome, |record| record.reserved_for = None)))
    }),
    // Clears the key pair in use, whichever the clear names.
    mutant("clear-ignores-thumbprint", "16.2", || Arc::new(ClearIgnoresThumbprint)),
    // Begins the sequence anew with each key pair.
    mutant("sequence-starts-anew", "16.3", || {
        Arc::new(Clears(|_, outcome| changed(outcome, |record| record.sequence = 0)))
    }),
];

/// What the store says to the rules.
pub(super) type StoredFacts<'a> = &'a dyn Facts<Error = StoreError>;

/// A request that is to be decided.
pub(super) struct Asked<'a> {
    pub(super) record: Option<&'a Record>,
    pub(super) request: &'a Verified<Request>,
    pub(super) facts: StoredFacts<'a>,
}

impl Asked<'_> {
    /// What the protocol decides.
    pub(super) fn decide(&self) -> Result<Decision, StoreError> {
        self.believing(self.facts)
    }

    /// What it would decide over other facts.
    pub(super) fn believing(&self, facts: StoredFacts<'_>) -> Result<Decision, StoreError> {
        registry::decide(self.record, self.request, facts)
    }

    /// What it would decide over another record.
    pub(super) fn seeing(&self, change: impl FnOnce(&mut Record)) -> Result<Decision, StoreError> {
        let mut record = self.record.cloned();
        if let Some(record) = &mut record {
            change(record);
        }
        registry::decide(record.as_ref(), self.request, self.facts)
    }

    fn of_a_free_id(&self) -> bool {
        self.record.is_some_and(|record| record.key_pair_in_use.is_none())
    }
}

/// How a request is decided, with what the main server remembers.
type Decide<T> = fn(&T, &Asked<'_>) -> Result<Decision, StoreError>;

/// Decides otherwise than the protocol.
#[derive(Debug)]
struct Decides<T>(T, Decide<T>);

impl<T: Debug + Send + Sync> Conduct for Decides<T> {
    fn decide(
        &self,
        record: Option<&Record>,
        request: &Verified<Request>,
        facts: StoredFacts<'_>,
    ) -> Result<Decision, StoreError> {
        (self.1)(&self.0, &Asked { record, request, facts })
    }
}

/// A main server that decides otherwise.
pub(super) fn decides<T: Debug + Send + Sync + 'static>(memory: T, decide: Decide<T>) -> Arc<dyn Conduct> {
    Arc::new(Decides(memory, decide))
}

/// One that sees another record than there is.
fn sees(change: fn(&mut Record, &Verified<Request>)) -> Arc<dyn Conduct> {
    decides(change, |change, asked| asked.seeing(|record| change(record, asked.request)))
}

/// Whether a mutant refuses for another reason than the rules.
type Refuses = fn(&Refused, &Asked<'_>) -> bool;

/// One that refuses with another code.
fn refuses_as(code: RefusalCode, when: Refuses) -> Arc<dyn Conduct> {
    decides((code, when), |(code, when), asked| {
        Ok(match asked.decide()? {
            Decision::Refuse(refused) if when(&refused, asked) => {
                Decision::Refuse(Refused { reason: None, code: *code, ..refused })
            }
            other => other,
        })
    })
}

/// One that refuses as invalid what the rules refuse otherwise.
fn finds_invalid(reason: InvalidRequestReason, when: Refuses) -> Arc<dyn Conduct> {
    decides((reason, when), |(reason, when), asked| {
        Ok(match asked.decide()? {
            Decision::Refuse(refused) if when(&refused, asked) => invalid(refused, *reason),
            other => other,
        })
    })
}

/// One that refuses what the rules accept.
fn refuses_accepted(when: fn(&Asked<'_>) -> bool) -> Arc<dyn Conduct> {
    decides(when, |when, asked| {
        Ok(match asked.decide()? {
            Decision::Accept(_) if when(asked) => refused("9.12", RefusalCode::StateDiverged),
            other => other,
        })
    })
}

/// One that takes a claimed receipt for one of its own where it is not.
fn takes_for_ours(when: fn(&Receipt, &Asked<'_>) -> bool) -> Arc<dyn Conduct> {
    decides(when, |when, asked| {
        let claimed = || claimed(asked.request).and_then(|receipt| content(&receipt));
        Ok(match asked.decide()? {
            Decision::Refuse(refusal)
                if refusal.reason == Some(InvalidRequestReason::LastReceiptNotOurs)
                    && claimed().is_some_and(|claimed| when(&claimed, asked)) =>
            {
                refused("9.12", RefusalCode::StateDiverged)
            }
            other => other,
        })
    })
}

/// Refuses what the rules accept.
pub(super) fn refused(clause: &'static str, code: RefusalCode) -> Decision {
    Decision::Refuse(Refused { clause, code, ..Refused::temporarily_unavailable() })
}

/// Refuses as invalid.
fn invalid(refused: Refused, reason: InvalidRequestReason) -> Decision {
    Decision::Refuse(Refused { code: RefusalCode::InvalidRequest, reason: Some(reason), ..refused })
}

/// The payload of a request, also one that is malformed.
fn payload(request: &Verified<Request>) -> Value {
    let payload = request.signed().as_str().split('.').nth(1).and_then(|part| base64url::decode(part).ok());
    serde_json::from_slice(&payload.unwrap_or_default()).unwrap_or_default()
}

/// The receipt that a request claims.
fn claimed(request: &Verified<Request>) -> Option<String> {
    request.read().ok().and_then(|content| content.last_receipt)
}

/// The content of a receipt, whoever has signed it.
fn content(receipt: &str) -> Option<Receipt> {
    let payload = base64url::decode(receipt.split('.').nth(1)?).ok()?;
    serde_json::from_slice(&payload).ok()
}

/// The newest receipt given for an id.
pub(super) fn newest_receipt(record: &Record) -> Option<Receipt> {
    content(&record.key_pair_in_use.as_ref()?.newest_answer.receipt)
}

/// The request id of the newest accepted request of an id.
pub(super) fn newest_request_id(record: &Record) -> Option<RequestId> {
    newest_receipt(record).map(|receipt| receipt.request_id)
}

/// What is decided where a claimed receipt of ours with the newest sequence is taken for the newest receipt.
fn newest_by_sequence(asked: &Asked<'_>) -> Result<Decision, StoreError> {
    asked.seeing(|record| {
        if let Some(claimed) = claimed(asked.request)
            && let Some(given) = Signed::parse(&claimed).ok().and_then(|claimed| asked.facts.verify_receipt(claimed))
            && let Ok(receipt) = given.read()
            && receipt.sequence == record.sequence
            && receipt.license_server_id == record.license_server_id
            && let Some(in_use) = &mut record.key_pair_in_use
        {
            in_use.newest_answer.receipt = claimed;
        }
    })
}

#[derive(Debug)]
struct AcceptsForeignSignature;

impl Conduct for AcceptsForeignSignature {
    fn verify(&self, request: Signed<Request>) -> Result<Verified<Request>, NotVerified> {
        request.verify(&Credulous)
    }
}

/// Whatever it is shown was signed by whoever is said to have signed it.
pub(super) struct Credulous;

impl VerifyEs384 for Credulous {
    fn verify(&self, _: &PublicJwk, _: &[u8], _: &Signature) -> bool {
        true
    }
}

#[derive(Debug)]
struct ClearIgnoresThumbprint;

impl Conduct for ClearIgnoresThumbprint {
    fn clear(&self, record: &Record, clear: &Clear) -> Result<ClearOutcome, ClearError> {
        Protocol.clear(record, &Clear { thumbprint: None, ..clear.clone() })
    }
}

/// Clears otherwise: given the record, and what the protocol makes of it.
#[derive(Debug)]
struct Clears(fn(&Record, ClearOutcome) -> ClearOutcome);

impl Conduct for Clears {
    fn clear(&self, record: &Record, clear: &Clear) -> Result<ClearOutcome, ClearError> {
        Ok((self.0)(record, Protocol.clear(record, clear)?))
    }
}

/// A clear after which the record is another one.
fn changed(mut outcome: ClearOutcome, change: fn(&mut Record)) -> ClearOutcome {
    if let ClearOutcome::Cleared { record, .. } = &mut outcome {
        change(record);
    }
    outcome
}

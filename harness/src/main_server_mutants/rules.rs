//! Bugs in the rules of the main server (P 9, 16).

use std::sync::Arc;

use mock_solme::StoreError;
use mock_solme::testing::registry::{self, Clear, ClearError, ClearOutcome, Decision, Facts, Record, Refused};
use mock_solme::testing::{Conduct, Protocol};
use serde_json::Value;
use solme_sync_protocol::{
    InvalidRequestReason, KeyThumbprint, LicenseServerId, MainServerId, NotVerified, PublicJwk, Receipt, Refusal,
    RefusalCode, Request, RequestId, Signature, Signed, Verified, VerifyEs384, base64url,
};

use super::{Mutant, mutant};

pub(super) const MUTANTS: &[Mutant] = &[
    // Takes every signature for that of the key in the request.
    mutant("accepts-foreign-signature", "9.2", || Arc::new(AcceptsForeignSignature)),
    mutant("unknown-id-is-in-use", "9.3", || {
        Arc::new(Decides(|decision, _, _| match decision {
            Decision::Refuse(refused) if refused.clause == "9.3" => recoded(refused, RefusalCode::KeyPairInUse),
            other => other,
        }))
    }),
    mutant("ignores-disabled", "9.5", || Arc::new(Sees(|record, _| record.disabled = None))),
    // Looks at cleared key pairs before it looks whether the id is disabled.
    mutant("cleared-before-disabled", "9.5", || {
        Arc::new(Sees(|record, request| {
            if record.cleared(&request.thumbprint()).is_some() {
                record.disabled = None;
            }
        }))
    }),
    mutant("cleared-key-pair-comes-back", "16.4", || Arc::new(Sees(|record, _| record.cleared_key_pairs.clear()))),
    mutant("older-request-gets-newest-receipt", "9.7", || {
        Arc::new(Decides(|decision, record, _| {
            match (decision, record.and_then(|record| record.key_pair_in_use.as_ref())) {
                (Decision::Refuse(refused), Some(in_use)) if refused.code == RefusalCode::RequestAlreadyAnswered => {
                    Decision::Resend(in_use.newest_answer.clone())
                }
                (other, _) => other,
            }
        }))
    }),
    mutant("ignores-reservation", "9.9", || Arc::new(Sees(|record, _| record.reserved_for = None))),
    // Takes any claimed receipt for the newest one.
    mutant("ignores-last-receipt", "9.11", || {
        Arc::new(Sees(|record, request| {
            if let (Some(claimed), Some(in_use)) = (claimed(request), &mut record.key_pair_in_use) {
                in_use.newest_answer.receipt = claimed;
            }
        }))
    }),
    // Compares the claimed receipt with its signature, not its signing input.
    mutant("compares-last-receipt-by-signature", "4.6", || {
        Arc::new(Decides(|decision, record, request| {
            let newest = record.and_then(|record| record.key_pair_in_use.as_ref()).map(|in_use| &in_use.newest_answer);
            match decision {
                Decision::Accept(_) if claimed(request).as_ref() != newest.map(|newest| &newest.receipt) => {
                    refused("9.12", RefusalCode::StateDiverged)
                }
                other => other,
            }
        }))
    }),
    mutant("newest-receipt-by-its-sequence", "9.11", || Arc::new(NewestBySequence)),
    // `>=` for `>`.
    mutant("behind-from-the-same-sequence-on", "9.12", || {
        Arc::new(Decides(|decision, record, request| {
            let claimed = claimed(request).and_then(|receipt| content(&receipt)).map(|receipt| receipt.sequence);
            match decision {
                Decision::Refuse(refused)
                    if refused.code == RefusalCode::StateDiverged
                        && claimed.is_some_and(|claimed| record.is_some_and(|record| claimed >= record.sequence)) =>
                {
                    recoded(refused, RefusalCode::MainServerBehind)
                }
                other => other,
            }
        }))
    }),
    mutant("behind-only-where-a-key-pair-is-bound", "9.12", || {
        Arc::new(Decides(|decision, record, _| match decision {
            Decision::Refuse(refused)
                if refused.code == RefusalCode::MainServerBehind
                    && record.is_some_and(|record| record.key_pair_in_use.is_none()) =>
            {
                recoded(refused, RefusalCode::StateDiverged)
            }
            other => other,
        }))
    }),
    // Takes whatever the main server has signed for a receipt.
    mutant("refusal-taken-for-a-last-receipt", "9.12", || {
        Arc::new(Decides(|decision, _, request| match decision {
            Decision::Refuse(refused)
                if refused.reason == Some(InvalidRequestReason::LastReceiptNotOurs)
                    && claimed(request).is_some_and(|claimed| Signed::<Refusal>::parse(&claimed).is_ok()) =>
            {
                Decision::Refuse(Refused { reason: None, code: RefusalCode::StateDiverged, ..refused })
            }
            other => other,
        }))
    }),
    // Blames the local server when the main server itself was restored.
    mutant("behind-is-diverged", "9.12", || {
        Arc::new(Decides(|decision, _, _| match decision {
            Decision::Refuse(refused) if refused.code == RefusalCode::MainServerBehind => {
                recoded(refused, RefusalCode::StateDiverged)
            }
            other => other,
        }))
    }),
    mutant("binds-over-the-key-pair-in-use", "9.9", || {
        Arc::new(Sees(|record, request| {
            record.key_pair_in_use =
                record.key_pair_in_use.take().filter(|bound| bound.thumbprint == request.thumbprint());
        }))
    }),
    mutant("in-use-before-disabled", "9.5", || {
        Arc::new(Sees(|record, request| {
            if record.bound_thumbprint().is_some_and(|bound| bound != request.thumbprint()) {
                record.disabled = None;
            }
        }))
    }),
    mutant("cleared-is-unknown", "9.6", || {
        Arc::new(Decides(|decision, _, _| match decision {
            Decision::Refuse(refused) if refused.code == RefusalCode::KeyPairCleared => {
                recoded(refused, RefusalCode::UnknownLicenseServerId)
            }
            other => other,
        }))
    }),
    mutant("content-before-cleared", "9.6", || {
        Arc::new(Decides(|decision, _, request| match decision {
            Decision::Refuse(refused) if refused.code == RefusalCode::KeyPairCleared && request.read().is_err() => {
                invalid(refused, InvalidRequestReason::MalformedClaims)
            }
            other => other,
        }))
    }),
    mutant("newest-request-was-answered", "9.7", || {
        Arc::new(Decides(|decision, _, _| match decision {
            Decision::Resend(_) => refused("9.7", RefusalCode::RequestAlreadyAnswered),
            other => other,
        }))
    }),
    mutant("in-use-before-content", "9.8", || {
        Arc::new(Decides(|decision, record, request| match decision {
            Decision::Refuse(refused)
                if refused.clause == "9.8"
                    && record.and_then(Record::bound_thumbprint).is_some_and(|bound| bound != request.thumbprint()) =>
            {
                self::refused("9.9", RefusalCode::KeyPairInUse)
            }
            other => other,
        }))
    }),
    mutant("members-before-version", "4.7", || {
        Arc::new(Decides(|decision, _, request| match decision {
            Decision::Refuse(refused)
                if refused.code == RefusalCode::UnsupportedVersion && payload(request).get("jti").is_none() =>
            {
                invalid(refused, InvalidRequestReason::MalformedClaims)
            }
            other => other,
        }))
    }),
    mutant("unknown-members-refused", "2.3", || {
        Arc::new(Decides(|decision, _, request| match decision {
            Decision::Accept(_) if payload(request).get("new").is_some() => {
                let refused = Refused { clause: "9.8", ..Refused::temporarily_unavailable() };
                invalid(refused, InvalidRequestReason::MalformedClaims)
            }
            other => other,
        }))
    }),
    mutant("judges-iat", "5.2", || {
        Arc::new(Decides(|decision, _, request| match decision {
            Decision::Accept(_) if payload(request)["iat"] == 0 => refused("5.2", RefusalCode::StateDiverged),
            other => other,
        }))
    }),
    mutant("judges-high-water-mark", "5.2", || {
        Arc::new(Decides(|decision, _, request| match decision {
            Decision::Accept(_) if payload(request)["high_water_mark"].as_u64() > Some(1 << 40) => {
                refused("5.2", RefusalCode::StateDiverged)
            }
            other => other,
        }))
    }),
    mutant("claimed-at-a-free-id-has-diverged", "9.10", || {
        Arc::new(Decides(|decision, record, _| match decision {
            Decision::Refuse(refused)
                if refused.reason == Some(InvalidRequestReason::LastReceiptNotOurs)
                    && record.is_some_and(|record| record.key_pair_in_use.is_none()) =>
            {
                self::refused("9.12", RefusalCode::StateDiverged)
            }
            other => other,
        }))
    }),
    mutant("none-claimed-is-not-ours", "9.12", || {
        Arc::new(Decides(|decision, _, request| match decision {
            Decision::Refuse(refused) if refused.code == RefusalCode::StateDiverged && claimed(request).is_none() => {
                invalid(refused, InvalidRequestReason::LastReceiptNotOurs)
            }
            other => other,
        }))
    }),
    // Of a claimed receipt it looks at everything but one thing.
    mutant("claimed-receipt-of-any-signature", "9.12", || {
        Arc::new(Claims(|receipt, ours| {
            receipt.main_server_id == ours.main_server_id
                && receipt.license_server_id == ours.license_server_id
                && receipt.key_thumbprint == ours.key_thumbprint
        }))
    }),
    mutant("claimed-receipt-of-any-main-server", "9.12", || {
        Arc::new(Claims(|receipt, ours| receipt.main_server_id != ours.main_server_id))
    }),
    mutant("claimed-receipt-for-any-id", "9.12", || {
        Arc::new(Claims(|receipt, ours| receipt.license_server_id != ours.license_server_id))
    }),
    mutant("claimed-receipt-for-any-key-pair", "9.12", || {
        Arc::new(Claims(|receipt, ours| receipt.key_thumbprint != ours.key_thumbprint))
    }),
    // What was allocated last, and nothing of what was there before.
    mutant("allocation-is-a-delta", "7.1", || {
        Arc::new(Sees(|record, _| {
            let licenses = &mut record.allocation.licenses;
            if record.sequence > 0 && licenses.len() > 1 {
                licenses.drain(..licenses.len() - 1);
            }
        }))
    }),
    mutant("revision-never-raised", "7.1", || Arc::new(Sees(|record, _| record.allocation.revision = 1))),
    mutant("revision-raised-by-each-synchronization", "7.1", || {
        Arc::new(Sees(|record, _| record.allocation.revision += record.sequence))
    }),
    mutant("license-without-components", "7.2", || {
        Arc::new(Sees(|record, _| record.allocation.licenses.iter_mut().for_each(|license| license.components.clear())))
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

/// Sees another record than there is.
#[derive(Debug)]
struct Sees(fn(&mut Record, &Verified<Request>));

impl Conduct for Sees {
    fn decide(
        &self,
        record: Option<&Record>,
        request: &Verified<Request>,
        facts: &dyn Facts<Error = StoreError>,
    ) -> Result<Decision, StoreError> {
        let mut record = record.cloned();
        if let Some(record) = &mut record {
            (self.0)(record, request);
        }
        registry::decide(record.as_ref(), request, facts)
    }
}

/// Comes to another decision.
#[derive(Debug)]
struct Decides(fn(Decision, Option<&Record>, &Verified<Request>) -> Decision);

impl Conduct for Decides {
    fn decide(
        &self,
        record: Option<&Record>,
        request: &Verified<Request>,
        facts: &dyn Facts<Error = StoreError>,
    ) -> Result<Decision, StoreError> {
        Ok((self.0)(registry::decide(record, request, facts)?, record, request))
    }
}

/// Refuses for another reason than the rules have.
fn recoded(refused: Refused, code: RefusalCode) -> Decision {
    Decision::Refuse(Refused { code, ..refused })
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

/// What a claimed receipt of ours says.
struct Ours {
    main_server_id: MainServerId,
    license_server_id: LicenseServerId,
    key_thumbprint: KeyThumbprint,
}

/// Takes a claimed receipt for one of its own where it is not.
#[derive(Debug)]
struct Claims(fn(&Receipt, &Ours) -> bool);

impl Conduct for Claims {
    fn decide(
        &self,
        record: Option<&Record>,
        request: &Verified<Request>,
        facts: &dyn Facts<Error = StoreError>,
    ) -> Result<Decision, StoreError> {
        let decision = registry::decide(record, request, facts)?;
        let Decision::Refuse(refused) = &decision else { return Ok(decision) };
        let ours = Ours {
            main_server_id: facts.main_server_id().clone(),
            license_server_id: request.frame().issuer.clone(),
            key_thumbprint: request.thumbprint(),
        };
        let claimed = claimed(request).and_then(|receipt| content(&receipt));
        let taken = refused.reason == Some(InvalidRequestReason::LastReceiptNotOurs)
            && claimed.is_some_and(|claimed| (self.0)(&claimed, &ours));
        Ok(if taken { self::refused("9.12", RefusalCode::StateDiverged) } else { decision })
    }
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

#[derive(Debug)]
struct NewestBySequence;

impl Conduct for NewestBySequence {
    fn decide(
        &self,
        record: Option<&Record>,
        request: &Verified<Request>,
        facts: &dyn Facts<Error = StoreError>,
    ) -> Result<Decision, StoreError> {
        let mut record = record.cloned();
        if let Some(record) = &mut record
            && let Some(claimed) = claimed(request)
            && let Some(given) = Signed::parse(&claimed).ok().and_then(|claimed| facts.verify_receipt(claimed))
            && let Ok(receipt) = given.read()
            && receipt.sequence == record.sequence
            && receipt.license_server_id == record.license_server_id
            && let Some(in_use) = &mut record.key_pair_in_use
        {
            in_use.newest_answer.receipt = claimed;
        }
        registry::decide(record.as_ref(), request, facts)
    }
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

//! Main servers that remember what they should not, or only what has happened since they started (P 9, 13.4, 16.4).
//!
//! What they remember lies in memory, so a power failure makes them forget it.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mock_solme::StoreError;
use mock_solme::testing::registry::{self, Clear, ClearError, ClearOutcome, Decision, Facts, Record};
use mock_solme::testing::{Conduct, Protocol};
use solme_sync_protocol::{
    Digest, KeyThumbprint, LicenseServerId, MainServerId, NotVerified, PayloadName, Receipt, RefusalCode, Request,
    RequestId, Signed, Verified,
};

use super::rules::{Asked, Credulous, StoredFacts, decides, newest_receipt, newest_request_id, refused};
use super::{Mutant, mutant};

pub(super) const MUTANTS: &[Mutant] = &[
    // Looks at the signature of a request only the first time.
    mutant("trusts-a-request-answered-before", "9.2", || Arc::new(TrustsWhatItKnows::default())),
    mutant("older-requests-forgotten-at-restart", "9.7", || {
        decides(Memory::default(), |accepted, asked| {
            let remembered = |digest: &Digest, was: bool| was && accepted.has(digest);
            let decision = asked.believing(&Believed::accepted(asked.facts, &remembered))?;
            Ok(accepted.add_if_accepted(decision, || asked.request.signed().digest()))
        })
    }),
    mutant("request-id-compared-with-the-newest", "9.8", || {
        decides((), |(), asked| {
            let newest = asked.record.and_then(newest_request_id);
            asked.believing(&Believed::used(asked.facts, &|id, _| newest.as_ref() == Some(id)))
        })
    }),
    mutant("request-id-spent-for-all-ids", "9.8", || decides(Mutex::default(), spent_for_all_ids)),
    mutant("request-id-spent-by-key-pair-in-use", "9.8", || {
        decides(Memory::default(), |spent, asked| {
            let used = |id: &RequestId, was: bool| was || spent.has(id);
            let decision = asked.believing(&Believed::used(asked.facts, &used))?;
            if let (Decision::Refuse(refused), Ok(content)) = (&decision, asked.request.read())
                && refused.code == RefusalCode::KeyPairInUse
            {
                spent.add(content.request_id);
            }
            Ok(decision)
        })
    }),
    mutant("request-id-never-compared", "5.4", || {
        decides((), |(), asked| asked.believing(&Believed::used(asked.facts, &|_, _| false)))
    }),
    // A request with the other signature is another one to it.
    mutant("request-told-by-its-signature", "4.6", || {
        decides(Memory::default(), |accepted, asked| {
            let whole = || asked.request.signed().as_str().to_owned();
            Ok(match asked.decide()? {
                Decision::Resend(_) if !accepted.has(&whole()) => refused("9.12", RefusalCode::StateDiverged),
                decision => accepted.add_if_accepted(decision, whole),
            })
        })
    }),
    // Takes a request that is meant for another main server for its own.
    mutant("main-server-id-unread", "9.8", || {
        decides((), |(), asked| {
            let Ok(content) = asked.request.read() else { return asked.decide() };
            let truth = Believed::used(asked.facts, &|_, was| was);
            asked.believing(&Believed { main_server_id: &content.main_server_id, ..truth })
        })
    }),
    // Keeps the answer, and forgets the key pair that got it.
    mutant("binding-forgotten-at-restart", "9.13", || {
        decides(Memory::default(), |bound, asked| {
            let decision = asked.seeing(|record| {
                record.key_pair_in_use = record.key_pair_in_use.take().filter(|in_use| bound.has(&in_use.thumbprint));
            })?;
            Ok(bound.add_if_accepted(decision, || asked.request.thumbprint()))
        })
    }),
    mutant("refusal-raises-the-sequence", "9.15", || decides(Mutex::default(), refusal_raises_the_sequence)),
    // The receipt is the same.
    mutant("resend-has-another-payload", "9.7", || Arc::new(AnotherPayload::default())),
    mutant("payload-dropped-by-a-clear", "13.4", || Arc::new(DropsPayload::default())),
    mutant("cleared-key-pairs-forgotten-at-restart", "16.4", || Arc::new(ForgetsCleared::default())),
];

/// What a main server remembers since it started.
#[derive(Debug)]
struct Memory<T>(Mutex<HashSet<T>>);

impl<T> Default for Memory<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Eq + Hash> Memory<T> {
    fn add(&self, what: T) {
        locked(&self.0).insert(what);
    }

    fn has(&self, what: &T) -> bool {
        locked(&self.0).contains(what)
    }

    /// Adds to it where a request was accepted.
    fn add_if_accepted(&self, decision: Decision, what: impl FnOnce() -> T) -> Decision {
        if matches!(decision, Decision::Accept(_)) {
            self.add(what());
        }
        decision
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Facts of which the main server believes others: given a question and the truth, what it believes.
struct Believed<'a> {
    facts: StoredFacts<'a>,
    accepted: &'a dyn Fn(&Digest, bool) -> bool,
    used: &'a dyn Fn(&RequestId, bool) -> bool,
    main_server_id: &'a MainServerId,
}

impl<'a> Believed<'a> {
    fn accepted(facts: StoredFacts<'a>, accepted: &'a dyn Fn(&Digest, bool) -> bool) -> Self {
        Self { facts, accepted, used: &|_, truth| truth, main_server_id: facts.main_server_id() }
    }

    fn used(facts: StoredFacts<'a>, used: &'a dyn Fn(&RequestId, bool) -> bool) -> Self {
        Self { facts, accepted: &|_, truth| truth, used, main_server_id: facts.main_server_id() }
    }
}

impl Facts for Believed<'_> {
    type Error = StoreError;

    fn main_server_id(&self) -> &MainServerId {
        self.main_server_id
    }

    fn within_rate_limit(&self) -> bool {
        self.facts.within_rate_limit()
    }

    fn was_accepted(&self, request_digest: &Digest) -> Result<bool, StoreError> {
        Ok((self.accepted)(request_digest, self.facts.was_accepted(request_digest)?))
    }

    fn request_id_was_used(&self, request_id: &RequestId) -> Result<bool, StoreError> {
        Ok((self.used)(request_id, self.facts.request_id_was_used(request_id)?))
    }

    fn verify_receipt(&self, claimed: Signed<Receipt>) -> Option<Verified<Receipt>> {
        self.facts.verify_receipt(claimed)
    }
}

#[derive(Debug, Default)]
struct TrustsWhatItKnows {
    accepted: Memory<Digest>,
}

impl Conduct for TrustsWhatItKnows {
    fn verify(&self, request: Signed<Request>) -> Result<Verified<Request>, NotVerified> {
        if self.accepted.has(&request.digest()) { request.verify(&Credulous) } else { Protocol.verify(request) }
    }

    fn decide(
        &self,
        record: Option<&Record>,
        request: &Verified<Request>,
        facts: StoredFacts<'_>,
    ) -> Result<Decision, StoreError> {
        let decision = registry::decide(record, request, facts)?;
        Ok(self.accepted.add_if_accepted(decision, || request.signed().digest()))
    }
}

/// What is accepted for an id is decided twice, and was not spent elsewhere by the first time.
fn spent_for_all_ids(
    spent: &Mutex<HashMap<RequestId, LicenseServerId>>,
    asked: &Asked<'_>,
) -> Result<Decision, StoreError> {
    let here = &asked.request.frame().issuer;
    let elsewhere = |id: &RequestId| locked(spent).get(id).is_some_and(|spent_by| spent_by != here);
    let decision = asked.believing(&Believed::used(asked.facts, &|id, was| was || elsewhere(id)))?;
    if let Decision::Accept(acceptance) = &decision {
        locked(spent).entry(acceptance.request().request_id.clone()).or_insert_with(|| here.clone());
    }
    Ok(decision)
}

fn refusal_raises_the_sequence(
    refused: &Mutex<HashMap<LicenseServerId, u64>>,
    asked: &Asked<'_>,
) -> Result<Decision, StoreError> {
    let id = &asked.request.frame().issuer;
    let decision = asked.seeing(|record| {
        record.sequence += locked(refused).get(id).copied().unwrap_or_default();
    })?;
    if matches!(decision, Decision::Refuse(_)) {
        *locked(refused).entry(id.clone()).or_default() += 1;
    }
    Ok(decision)
}

#[derive(Debug, Default)]
struct AnotherPayload {
    served: Memory<PayloadName>,
}

impl Conduct for AnotherPayload {
    fn payload(&self, name: &PayloadName, stored: Option<Arc<[u8]>>) -> Option<Arc<[u8]>> {
        let first = !self.served.has(name);
        self.served.add(name.clone());
        let again = |payload: Arc<[u8]>| payload.iter().rev().copied().collect();
        if first { stored } else { stored.map(again) }
    }
}

#[derive(Debug, Default)]
struct DropsPayload {
    dropped: Memory<PayloadName>,
}

impl Conduct for DropsPayload {
    fn clear(&self, record: &Record, clear: &Clear) -> Result<ClearOutcome, ClearError> {
        let outcome = Protocol.clear(record, clear)?;
        if let (ClearOutcome::Cleared { .. }, Some(receipt)) = (&outcome, newest_receipt(record)) {
            self.dropped.add(receipt.payload_name);
        }
        Ok(outcome)
    }

    fn payload(&self, name: &PayloadName, stored: Option<Arc<[u8]>>) -> Option<Arc<[u8]>> {
        stored.filter(|_| !self.dropped.has(name))
    }
}

#[derive(Debug, Default)]
struct ForgetsCleared {
    cleared: Memory<KeyThumbprint>,
}

impl Conduct for ForgetsCleared {
    fn clear(&self, record: &Record, clear: &Clear) -> Result<ClearOutcome, ClearError> {
        let outcome = Protocol.clear(record, clear)?;
        if let ClearOutcome::Cleared { cleared, .. } = &outcome {
            self.cleared.add(cleared.thumbprint);
        }
        Ok(outcome)
    }

    fn decide(
        &self,
        record: Option<&Record>,
        request: &Verified<Request>,
        facts: StoredFacts<'_>,
    ) -> Result<Decision, StoreError> {
        let forgets = |record: &mut Record| {
            record.cleared_key_pairs.retain(|cleared| self.cleared.has(&cleared.thumbprint));
        };
        Asked { record, request, facts }.seeing(forgets)
    }
}

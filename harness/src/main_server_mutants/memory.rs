//! Main servers that remember what they should not, or only what has happened since they started (P 9, 13.4, 16.4).
//!
//! What they remember lies in memory, so a power failure makes them forget it.

use std::collections::{HashMap, HashSet};
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mock_solme::StoreError;
use mock_solme::testing::registry::{self, Clear, ClearError, ClearOutcome, Decision, Facts, Record};
use mock_solme::testing::{Conduct, Protocol};
use solme_sync_protocol::{
    Digest, KeyThumbprint, LicenseServerId, MainServerId, NotVerified, PayloadName, Receipt, RefusalCode, Request,
    RequestId, Signed, Verified,
};

use super::rules::{Credulous, newest_receipt, newest_request_id, refused};
use super::{Mutant, mutant};

pub(super) const MUTANTS: &[Mutant] = &[
    // Looks at the signature of a request only the first time.
    mutant("trusts-a-request-answered-before", "9.2", || Arc::new(TrustsWhatItKnows::default())),
    mutant("older-requests-forgotten-at-restart", "9.7", || Arc::new(ForgetsOlderRequests::default())),
    mutant("request-id-compared-with-the-newest", "9.8", || Arc::new(NewestRequestIdAlone)),
    mutant("request-id-spent-for-all-ids", "9.8", || Arc::new(SpentForAllIds::default())),
    mutant("request-id-spent-by-key-pair-in-use", "9.8", || Arc::new(SpentByRefusal::default())),
    mutant("request-id-never-compared", "5.4", || Arc::new(NoRequestIdIsSpent)),
    // A request with the other signature is another one to it.
    mutant("request-told-by-its-signature", "4.6", || Arc::new(TellsBySignature::default())),
    mutant("main-server-id-unread", "9.8", || Arc::new(AnyMainServer)),
    // Keeps the answer, and forgets the key pair that got it.
    mutant("binding-forgotten-at-restart", "9.13", || Arc::new(ForgetsBinding::default())),
    mutant("refusal-raises-the-sequence", "9.15", || Arc::new(CountsRefusals::default())),
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
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the store says to the rules.
type StoredFacts<'a> = &'a dyn Facts<Error = StoreError>;

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
        if matches!(decision, Decision::Accept(_)) {
            self.accepted.add(request.signed().digest());
        }
        Ok(decision)
    }
}

#[derive(Debug, Default)]
struct ForgetsOlderRequests {
    accepted: Memory<Digest>,
}

impl Conduct for ForgetsOlderRequests {
    fn decide(
        &self,
        record: Option<&Record>,
        request: &Verified<Request>,
        facts: StoredFacts<'_>,
    ) -> Result<Decision, StoreError> {
        let remembered = |digest: &Digest, was: bool| was && self.accepted.has(digest);
        let decision = registry::decide(record, request, &Believed::accepted(facts, &remembered))?;
        if matches!(decision, Decision::Accept(_)) {
            self.accepted.add(request.signed().digest());
        }
        Ok(decision)
    }
}

#[derive(Debug)]
struct NewestRequestIdAlone;

impl Conduct for NewestRequestIdAlone {
    fn decide(
        &self,
        record: Option<&Record>,
        request: &Verified<Request>,
        facts: StoredFacts<'_>,
    ) -> Result<Decision, StoreError> {
        let newest = record.and_then(newest_request_id);
        let used = |id: &RequestId, _| newest.as_ref() == Some(id);
        registry::decide(record, request, &Believed::used(facts, &used))
    }
}

#[derive(Debug)]
struct NoRequestIdIsSpent;

impl Conduct for NoRequestIdIsSpent {
    fn decide(
        &self,
        record: Option<&Record>,
        request: &Verified<Request>,
        facts: StoredFacts<'_>,
    ) -> Result<Decision, StoreError> {
        registry::decide(record, request, &Believed::used(facts, &|_, _| false))
    }
}

/// Takes a request that is meant for another main server for its own.
#[derive(Debug)]
struct AnyMainServer;

impl Conduct for AnyMainServer {
    fn decide(
        &self,
        record: Option<&Record>,
        request: &Verified<Request>,
        facts: StoredFacts<'_>,
    ) -> Result<Decision, StoreError> {
        let Ok(content) = request.read() else { return registry::decide(record, request, facts) };
        let believed = Believed { main_server_id: &content.main_server_id, ..Believed::used(facts, &|_, was| was) };
        registry::decide(record, request, &believed)
    }
}

#[derive(Debug, Default)]
struct TellsBySignature {
    accepted: Memory<String>,
}

impl Conduct for TellsBySignature {
    fn decide(
        &self,
        record: Option<&Record>,
        request: &Verified<Request>,
        facts: StoredFacts<'_>,
    ) -> Result<Decision, StoreError> {
        let whole = request.signed().as_str().to_owned();
        Ok(match registry::decide(record, request, facts)? {
            Decision::Resend(_) if !self.accepted.has(&whole) => refused("9.12", RefusalCode::StateDiverged),
            accepted @ Decision::Accept(_) => {
                self.accepted.add(whole);
                accepted
            }
            other => other,
        })
    }
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
struct SpentForAllIds {
    spent: Mutex<HashMap<RequestId, LicenseServerId>>,
}

impl Conduct for SpentForAllIds {
    fn decide(
        &self,
        record: Option<&Record>,
        request: &Verified<Request>,
        facts: StoredFacts<'_>,
    ) -> Result<Decision, StoreError> {
        let here = &request.frame().issuer;
        // What is accepted here is decided twice, and was not spent elsewhere by the first time.
        let elsewhere = |id: &RequestId| locked(&self.spent).get(id).is_some_and(|spent_by| spent_by != here);
        let decision = registry::decide(record, request, &Believed::used(facts, &|id, was| was || elsewhere(id)))?;
        if let Decision::Accept(acceptance) = &decision {
            locked(&self.spent).entry(acceptance.request().request_id.clone()).or_insert_with(|| here.clone());
        }
        Ok(decision)
    }
}

#[derive(Debug, Default)]
struct SpentByRefusal {
    spent: Memory<RequestId>,
}

impl Conduct for SpentByRefusal {
    fn decide(
        &self,
        record: Option<&Record>,
        request: &Verified<Request>,
        facts: StoredFacts<'_>,
    ) -> Result<Decision, StoreError> {
        let used = |id: &RequestId, was: bool| was || self.spent.has(id);
        let decision = registry::decide(record, request, &Believed::used(facts, &used))?;
        if let (Decision::Refuse(refused), Ok(content)) = (&decision, request.read())
            && refused.code == RefusalCode::KeyPairInUse
        {
            self.spent.add(content.request_id);
        }
        Ok(decision)
    }
}

#[derive(Debug, Default)]
struct ForgetsBinding {
    bound: Memory<KeyThumbprint>,
}

impl Conduct for ForgetsBinding {
    fn decide(
        &self,
        record: Option<&Record>,
        request: &Verified<Request>,
        facts: StoredFacts<'_>,
    ) -> Result<Decision, StoreError> {
        let mut record = record.cloned();
        if let Some(record) = &mut record {
            record.key_pair_in_use = record.key_pair_in_use.take().filter(|in_use| self.bound.has(&in_use.thumbprint));
        }
        let decision = registry::decide(record.as_ref(), request, facts)?;
        if matches!(decision, Decision::Accept(_)) {
            self.bound.add(request.thumbprint());
        }
        Ok(decision)
    }
}

#[derive(Debug, Default)]
struct CountsRefusals {
    refused: Mutex<HashMap<LicenseServerId, u64>>,
}

impl Conduct for CountsRefusals {
    fn decide(
        &self,
        record: Option<&Record>,
        request: &Verified<Request>,
        facts: StoredFacts<'_>,
    ) -> Result<Decision, StoreError> {
        let id = &request.frame().issuer;
        let mut record = record.cloned();
        if let Some(record) = &mut record {
            record.sequence += locked(&self.refused).get(id).copied().unwrap_or_default();
        }
        let decision = registry::decide(record.as_ref(), request, facts)?;
        if matches!(decision, Decision::Refuse(_)) {
            *locked(&self.refused).entry(id.clone()).or_default() += 1;
        }
        Ok(decision)
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
        let mut record = record.cloned();
        if let Some(record) = &mut record {
            record.cleared_key_pairs.retain(|cleared| self.cleared.has(&cleared.thumbprint));
        }
        registry::decide(record.as_ref(), request, facts)
    }
}

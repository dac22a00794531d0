//! One request, one answer (P 9), whatever carries them.

use std::panic::resume_unwind;
use std::sync::{Arc, PoisonError, Weak};
use std::time::Instant;

use rusqlite::Connection;
use solme_sync_protocol::{
    Digest, Health, LicenseServerId, MainServerId, Message, PayloadName, Problem, ProblemCode, PublicJwk, Receipt,
    Refusal, Request, RequestId, Salt, SignEs384 as _, Signed, SyncId, UtcTime, Verified, limits,
};
use tokio::task::spawn_blocking;

use super::MainServer;
use super::journal::{Carrier, Exchange, Filter, JournalEntry, TraceEntry};
use crate::conduct::{Conduct, Leaving, ReadError};
use crate::crypto::{self, AwsLc, CryptoError};
use crate::quirks::{Fired, Operation};
use crate::registry::{Acceptance, Bucket, Clause, Decision, Facts, Fresh, Record, Refused};
use crate::store::audit::{AuditAction, NewAuditEntry};
use crate::store::{StoreError, answers, audit, records};

/// Bytes of an allocation or payload that take longer to read, seal and digest than the other connections of a thread
/// should have to wait.
const LARGE: usize = 64 << 10;

/// The verdict on a request that is accepted, and was not before.
pub(crate) const ACCEPTED: &str = "accepted";

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Accepted now, or answered again.
    Accepted { license_server_id: LicenseServerId, receipt: String, payload: Vec<u8> },
    /// A signed refusal (P 8).
    Refused { license_server_id: LicenseServerId, refused: Refused, refusal: String },
    /// Not tied to a request, and not signed (P 8.2).
    Problem { code: ProblemCode, detail: String, cure: &'static str },
    /// A refusal that no honest main server gives.
    Forged(Box<Problem>),
}

/// What leaves the main server.
#[derive(Debug)]
pub(crate) struct Outgoing<T> {
    /// None where a quirk comes instead.
    pub(crate) answer: Option<T>,
    /// What the carrier has to act out, if it is a quirk of the carrier.
    pub(crate) quirk: Option<Fired>,
}

/// The main server is in trouble (P 9.14).
#[derive(Debug, thiserror::Error)]
enum Trouble {
    /// The record could not be read, or the acceptance not made durable.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nothing could be sealed or signed.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

/// What was decided, and carried out if it was to be.
enum Outcome {
    Accepted { clause: Clause, receipt: String, payload: Vec<u8> },
    AnsweredAgain { receipt: String, payload: Vec<u8> },
    Refused(Refused),
}

/// What was decided before the transaction.
enum Plan {
    Accept(Prepared),
    Done(Outcome),
}

/// An acceptance, sealed and signed, and the record that it was planned over.
struct Prepared {
    acceptance: Acceptance,
    before: Record,
    fresh: Fresh,
    payload: Vec<u8>,
    receipt: Signed<Receipt>,
}

/// What applies the rules, on whatever thread the transaction is made.
struct Judge {
    conduct: Arc<dyn Conduct>,
    main_server_id: MainServerId,
    key: PublicJwk,
}

impl MainServer {
    /// Answers a request by the rules of P 9, but for quirks, and records the exchange. `judgements` is what the carrier
    /// saw already. It waits for the disk on this thread.
    pub(crate) fn answer(&self, text: &[u8], carrier: Carrier, judgements: Vec<String>) -> Outgoing<Answer> {
        let mut exchange = Exchange::new(carrier, text, judgements);
        let who =
            || self.settings.conduct.read(text, carrier).ok().map(|request| request.unverified_frame().issuer.clone());
        let outgoing = match self.quirk_instead(&mut exchange, who) {
            Some(fired) => Outgoing { answer: None, quirk: Some(fired) },
            None => {
                let honest = match self.asked(text, &mut exchange) {
                    Ok(request) => {
                        let outcome = self.decide_and_carry_out(&request, carrier);
                        self.answer_of(&request, outcome, &mut exchange)
                    }
                    Err(answer) => answer,
                };
                let (answer, quirk) = self.with_quirk(text, honest, &mut exchange);
                Outgoing { answer: Some(answer), quirk }
            }
        };
        self.keep(exchange);
        outgoing
    }

    /// The same where no quirk is armed. It computes on this thread, and waits for no disk on it.
    pub(crate) async fn answer_beside(
        self: Arc<Self>,
        text: Vec<u8>,
        carrier: Carrier,
        judgements: Vec<String>,
    ) -> Outgoing<Answer> {
        let mut exchange = Exchange::new(carrier, &text, judgements);
        let answer = match self.asked(&text, &mut exchange) {
            Ok(request) => {
                let request = Arc::new(request);
                let outcome = self.decide_and_carry_out_beside(&request, carrier).await;
                self.answer_of(&request, outcome, &mut exchange)
            }
            Err(answer) => answer,
        };
        self.keep(exchange);
        Outgoing { answer: Some(answer), quirk: None }
    }

    /// Asks whoever sent it to come again: there are too many now (P 9.14).
    pub(crate) fn turn_away(&self, text: &[u8], carrier: Carrier, judgements: Vec<String>) -> Outgoing<Answer> {
        let mut exchange = Exchange::new(carrier, text, judgements);
        let answer = match self.read(text, &mut exchange) {
            Ok(signed) => {
                let refused = Refused::too_many();
                exchange.decided(refused.code.as_str(), refused.clause, &refused.text);
                self.refuse(&signed, refused, &mut exchange)
            }
            Err(answer) => answer,
        };
        self.keep(exchange);
        Outgoing { answer: Some(answer), quirk: None }
    }

    /// Whether another key pair has the id of this request, or nobody has it. Its signature is not looked at.
    pub(crate) fn is_of_a_stranger(&self, text: &[u8], carrier: Carrier) -> bool {
        let Ok(signed) = self.settings.conduct.read(text, carrier) else { return true };
        match self.store.read(|store| records::load(store, &signed.unverified_frame().issuer)) {
            Ok(Some(record)) => {
                record.bound_thumbprint().is_some_and(|bound| bound != signed.header().jwk.thumbprint())
            }
            Ok(None) => true,
            Err(_) => false,
        }
    }

    /// The message in this text (P 9.1), or the answer to what is none.
    fn read(&self, text: &[u8], exchange: &mut Exchange) -> Result<Signed<Request>, Answer> {
        let read = self.settings.conduct.read(text, exchange.entry.carrier);
        let signed = read.map_err(|ReadError { code, detail, cure }| {
            exchange.decided(code.as_str(), "9.1", &detail);
            Answer::Problem { code, detail, cure }
        })?;
        exchange.asked_by(&signed);
        Ok(signed)
    }

    /// The request in this text (P 9.1, 9.2), or the answer to what is none.
    fn asked(&self, text: &[u8], exchange: &mut Exchange) -> Result<Verified<Request>, Answer> {
        let signed = self.read(text, exchange)?;
        let request = self.settings.conduct.verify(signed.clone()).map_err(|why| {
            let refused = Refused::invalid_signature();
            exchange.decided(refused.code.as_str(), refused.clause, &why.to_string());
            self.refuse(&signed, refused, exchange)
        })?;
        exchange.sealing_thumbprint = request.read().ok().map(|content| content.sealing_jwk.thumbprint());
        Ok(request)
    }

    fn answer_of(
        &self,
        request: &Verified<Request>,
        outcome: Result<Outcome, Trouble>,
        exchange: &mut Exchange,
    ) -> Answer {
        let (verdict, clause, receipt, payload) = match outcome {
            Ok(Outcome::Accepted { clause, receipt, payload }) => (ACCEPTED, clause, receipt, payload),
            Ok(Outcome::AnsweredAgain { receipt, payload }) => ("answered-again", "9.7", receipt, payload),
            Ok(Outcome::Refused(refused)) => {
                exchange.decided(refused.code.as_str(), refused.clause, &refused.text);
                return self.refuse(request.signed(), refused, exchange);
            }
            Err(trouble) => {
                tracing::error!(%trouble, "a request could not be answered");
                let refused = Refused::temporarily_unavailable();
                exchange.decided(refused.code.as_str(), refused.clause, &trouble.to_string());
                return self.refuse(request.signed(), refused, exchange);
            }
        };
        exchange.decided(verdict, clause, "");
        exchange.entry.answer.clone_from(&receipt);
        Answer::Accepted { license_server_id: request.frame().issuer.clone(), receipt, payload }
    }

    fn refuse(&self, request: &Signed<Request>, refused: Refused, exchange: &mut Exchange) -> Answer {
        self.turns.refused(refused.code);
        let refusal = self.settings.conduct.refusal(refused.refusal(&self.id, request, self.now()));
        let refusal = self.leaving(&Signed::<Refusal>::sign(&refusal, &self.identity.key), Leaving::Refusal);
        exchange.entry.answer.clone_from(&refusal);
        Answer::Refused { license_server_id: request.unverified_frame().issuer.clone(), refused, refusal }
    }

    fn leaving<M: Message>(&self, signed: &Signed<M>, leaving: Leaving) -> String {
        self.settings.conduct.message(signed.as_str().to_owned(), leaving, &self.identity.key)
    }

    /// Decides, seals and signs outside of the transaction, and decides again inside it. Where another request was
    /// faster, the record is another one by then, and it begins anew: somebody has made progress each time.
    fn decide_and_carry_out(&self, request: &Verified<Request>, carrier: Carrier) -> Result<Outcome, Trouble> {
        let within_rate_limit = self.within_rate_limit(request)?;
        let judge = self.judge();
        loop {
            let prepared = match self.plan(request, carrier, within_rate_limit)? {
                Plan::Accept(prepared) => prepared,
                Plan::Done(outcome) => return Ok(outcome),
            };
            if self.store.write("accept a request", |store| judge.commit(store, request, &prepared))? {
                return Ok(self.carried_out(prepared));
            }
        }
    }

    /// The same, but what waits for the disk, or takes long, does so on another thread.
    async fn decide_and_carry_out_beside(
        self: &Arc<Self>,
        request: &Arc<Verified<Request>>,
        carrier: Carrier,
    ) -> Result<Outcome, Trouble> {
        if self.store.read(|store| records::is_large(store, &request.frame().issuer, LARGE))? {
            let (main_server, request) = (Arc::clone(self), Arc::clone(request));
            let carried_out = spawn_blocking(move || main_server.decide_and_carry_out(&request, carrier)).await;
            return carried_out.unwrap_or_else(|error| resume_unwind(error.into_panic()));
        }
        let within_rate_limit = self.within_rate_limit(request)?;
        let judge = Arc::new(self.judge());
        loop {
            let prepared = match self.plan(request, carrier, within_rate_limit)? {
                Plan::Accept(prepared) => prepared,
                Plan::Done(outcome) => return Ok(outcome),
            };
            let (judge, request) = (Arc::clone(&judge), Arc::clone(request));
            let commit = move |store: &_| Ok(judge.commit(store, &request, &prepared)?.then_some(prepared));
            let committed: Result<_, Trouble> = self.store.write_beside("accept a request", commit).await;
            if let Some(prepared) = committed? {
                return Ok(self.carried_out(prepared));
            }
        }
    }

    fn carried_out(&self, prepared: Prepared) -> Outcome {
        let Prepared { acceptance, receipt, payload, .. } = prepared;
        let receipt = self.leaving(&receipt, Leaving::Receipt);
        Outcome::Accepted { clause: acceptance.clause(), receipt, payload }
    }

    /// Decides, and prepares what is to be committed if it is accepted.
    fn plan(&self, request: &Verified<Request>, carrier: Carrier, within_rate_limit: bool) -> Result<Plan, Trouble> {
        let id = &request.frame().issuer;
        let judge = self.judge();
        let (before, decision, payload) = self.store.read(|store| {
            let before = records::load(store, id)?;
            let facts = judge.facts(store, request, within_rate_limit);
            let decision = judge.conduct.decide(before.as_ref(), request, &facts)?;
            let resend = matches!(decision, Decision::Resend(_));
            let payload = if resend { answers::newest_payload(store, id)? } else { Vec::new() };
            Ok((before, decision, payload))
        })?;
        match (decision, before) {
            (Decision::Accept(acceptance), Some(before)) => {
                Ok(Plan::Accept(self.prepare(acceptance, before, request, carrier)?))
            }
            (Decision::Accept(_), None) => Err(StoreError::no_record(id).into()),
            (Decision::Refuse(refused), _) => Ok(Plan::Done(Outcome::Refused(refused))),
            (Decision::Resend(answer), _) => {
                let receipt = self.settings.conduct.message(answer.receipt, Leaving::ReceiptAgain, &self.identity.key);
                Ok(Plan::Done(Outcome::AnsweredAgain { receipt, payload }))
            }
        }
    }

    fn prepare(
        &self,
        acceptance: Acceptance,
        before: Record,
        request: &Verified<Request>,
        carrier: Carrier,
    ) -> Result<Prepared, CryptoError> {
        let conduct = &self.settings.conduct;
        let fresh = Fresh {
            now: self.now(),
            sync_id: SyncId::from_random(crypto::random()?),
            payload_name: PayloadName::from_random(crypto::random()?),
            salt: Salt::from_random(crypto::random()?),
        };
        let fresh = conduct.fresh(fresh, carrier);
        let (key, info) = conduct.sealing(&acceptance, &fresh, request);
        let payload = crypto::seal(&key, &info, &acceptance.allocation(&fresh))?;
        let receipt = Signed::sign(&conduct.receipt(&acceptance, &fresh, &payload), &self.identity.key);
        Ok(Prepared { acceptance, before, fresh, payload, receipt })
    }

    fn judge(&self) -> Judge {
        let (conduct, key) = (Arc::clone(&self.settings.conduct), *self.identity.key.public_jwk());
        Judge { conduct, main_server_id: self.id.clone(), key }
    }

    /// Charges a request once, however often it is decided on. Ids that are not known have no bucket: the flood would
    /// fill the memory instead.
    fn within_rate_limit(&self, request: &Verified<Request>) -> Result<bool, StoreError> {
        let Some(limits) = &self.rate_limits else { return Ok(true) };
        let id = &request.frame().issuer;
        let Some(record) = self.store.read(|store| records::load(store, id))? else { return Ok(true) };
        Ok(limits.take(id, Bucket::of(&record, &request.thumbprint()), self.now()))
    }

    /// That the main server is there, and its time (P 13.9). It is no exchange of the journal, unless a quirk fires.
    pub(crate) fn health(&self) -> Outgoing<Health> {
        let mut exchange = Exchange::new(Carrier::Https, b"GET /health", Vec::new());
        exchange.operation = Operation::Probe;
        if let Some(fired) = self.quirk_instead(&mut exchange, || None) {
            self.keep(exchange);
            return Outgoing { answer: None, quirk: Some(fired) };
        }
        exchange.decided("healthy", "13.9", "");
        let quirk = self.quirk_of_answer(&mut exchange, |_| false);
        if quirk.is_some() {
            self.keep(exchange);
        }
        let health = Health { main_server_id: self.id.clone(), main_server_time: self.now() };
        Outgoing { answer: Some(health), quirk }
    }

    /// The payload of this name; one copy for all who are getting it now.
    fn stored_payload(&self, name: &PayloadName) -> Result<Option<answers::Owned>, StoreError> {
        self.store.read(|store| {
            let mut on_the_way = self.payloads_on_the_way.lock().unwrap_or_else(PoisonError::into_inner);
            let shared = || on_the_way.get(name).and_then(Weak::upgrade);
            let found = answers::payload(store, name, shared)?;
            if let Some((_, payload)) = &found {
                on_the_way.retain(|_, payload| payload.strong_count() > 0);
                on_the_way.insert(name.clone(), Arc::downgrade(payload));
            }
            Ok(found)
        })
    }

    /// Whether [`MainServer::payload`] takes long.
    pub(crate) fn has_large_payload(&self, name: &PayloadName) -> Result<bool, StoreError> {
        self.store.read(|store| answers::is_large(store, name, LARGE))
    }

    /// What the 8080 role has by this name.
    pub(crate) fn payload_named(&self, name: &str) -> Option<Arc<[u8]>> {
        let name = name.parse().ok()?;
        let found = self.stored_payload(&name).ok().flatten().or_else(|| self.forged_payloads.get(&name));
        found.map(|(_, payload)| payload)
    }

    /// The payload of this name, for the 8080 role (P 13.4).
    pub(crate) fn payload(
        &self,
        name: &PayloadName,
        judgements: Vec<String>,
    ) -> Result<Outgoing<Option<Arc<[u8]>>>, StoreError> {
        let stored = self.stored_payload(name)?;
        let found = stored.or_else(|| self.forged_payloads.get(name));
        let mut exchange = Exchange::new(Carrier::Http, name.as_str().as_bytes(), judgements);
        if found.is_none() {
            exchange.operation = Operation::Probe;
        }
        exchange.entry.license_server_id = found.as_ref().map(|(id, _)| id.clone());
        let id = exchange.entry.license_server_id.clone();
        if let Some(fired) = self.quirk_instead(&mut exchange, || id) {
            self.keep(exchange);
            return Ok(Outgoing { answer: None, quirk: Some(fired) });
        }
        let payload = self.settings.conduct.payload(name, found.map(|(_, payload)| payload));
        match &payload {
            Some(payload) => {
                exchange.decided("payload", "13.4", "");
                exchange.entry.answer = format!("{} bytes, digest {}", payload.len(), Digest::of(payload));
            }
            None => exchange.decided("no-such-payload", "13.4", ""),
        }
        let quirk = self.quirk_of_answer(&mut exchange, |_| false);
        self.keep(exchange);
        Ok(Outgoing { answer: Some(payload), quirk })
    }
}

impl Judge {
    /// The transaction of P 9.13. False where the rules, evaluated inside it, come to something else than was prepared.
    fn commit(&self, store: &Connection, request: &Verified<Request>, prepared: &Prepared) -> Result<bool, Trouble> {
        let Prepared { acceptance, before, fresh, payload, receipt } = prepared;
        let id = &before.license_server_id;
        let Some(record) = records::load(store, id)? else { return Ok(false) };
        let decision = self.conduct.decide(Some(&record), request, &self.facts(store, request, true))?;
        if record != *before || !matches!(&decision, Decision::Accept(now) if now == acceptance) {
            return Ok(false);
        }
        records::save(store, Some(before), &acceptance.record(before, fresh, receipt))?;
        let names = (&acceptance.request().request_id, acceptance.request_digest());
        answers::save(store, id, names, (&fresh.payload_name, payload))?;
        audit::append(store, &audit_entry(acceptance, id, fresh.now))?;
        Ok(true)
    }

    fn facts<'a>(&'a self, store: &'a Connection, request: &'a Verified<Request>, within: bool) -> StoredFacts<'a> {
        let Self { main_server_id, key, .. } = self;
        StoredFacts { store, request, id: &request.frame().issuer, main_server_id, key, within_rate_limit: within }
    }
}

fn audit_entry(acceptance: &Acceptance, id: &LicenseServerId, at: UtcTime) -> NewAuditEntry {
    let action = if acceptance.binds() { AuditAction::KeyPairBound } else { AuditAction::Synchronized };
    NewAuditEntry {
        at,
        license_server_id: id.clone(),
        action,
        operator: None,
        reason: None,
        thumbprint: Some(acceptance.thumbprint()),
        detail: format!("request {}", acceptance.request_digest()),
    }
}

/// What the rules ask the store.
struct StoredFacts<'a> {
    store: &'a Connection,
    request: &'a Verified<Request>,
    id: &'a LicenseServerId,
    main_server_id: &'a MainServerId,
    key: &'a PublicJwk,
    within_rate_limit: bool,
}

impl Facts for StoredFacts<'_> {
    type Error = StoreError;

    fn main_server_id(&self) -> &MainServerId {
        self.main_server_id
    }

    fn within_rate_limit(&self) -> bool {
        self.within_rate_limit
    }

    /// An equal digest is an equal request, and so it has an equal request id.
    fn was_accepted(&self, request_digest: &Digest) -> Result<bool, StoreError> {
        let Ok(content) = self.request.read() else { return Ok(false) };
        Ok(answers::accepted(self.store, self.id, &content.request_id)? == Some(*request_digest))
    }

    fn request_id_was_used(&self, request_id: &RequestId) -> Result<bool, StoreError> {
        Ok(answers::accepted(self.store, self.id, request_id)?.is_some())
    }

    fn verify_receipt(&self, claimed: Signed<Receipt>) -> Option<Verified<Receipt>> {
        claimed.verify(&AwsLc, &[*self.key]).ok()
    }
}

impl Exchange {
    pub(crate) fn new(carrier: Carrier, request: &[u8], judgements: Vec<String>) -> Self {
        let entry = JournalEntry {
            number: 0,
            at: UtcTime::from_secs(0),
            carrier,
            license_server_id: None,
            thumbprint: None,
            request_digest: None,
            verdict: String::new(),
            clause: String::new(),
            detail: String::new(),
            judgements,
            quirk: None,
            took_us: None,
            request: String::from_utf8_lossy(&request[..request.len().min(limits::REQUEST)]).into_owned(),
            answer: String::new(),
        };
        Self { entry, operation: carrier.operation(), sealing_thumbprint: None, began: Instant::now() }
    }

    fn asked_by(&mut self, request: &Signed<Request>) {
        self.entry.license_server_id = Some(request.unverified_frame().issuer.clone());
        self.entry.thumbprint = Some(request.header().jwk.thumbprint());
        self.entry.request_digest = Some(request.digest());
    }

    pub(crate) fn decided(&mut self, verdict: &str, clause: &str, detail: &str) {
        self.entry.verdict = verdict.to_owned();
        self.entry.clause = clause.to_owned();
        self.entry.detail = detail.to_owned();
    }
}

impl MainServer {
    /// Counts an exchange, and keeps it in the journal.
    pub(crate) fn keep(&self, exchange: Exchange) {
        let JournalEntry { carrier, license_server_id, verdict, clause, quirk, .. } = &exchange.entry;
        self.metrics.count(*carrier, verdict, *quirk);
        tracing::info!(
            id = license_server_id.as_ref().map(display),
            carrier = carrier.as_str(),
            verdict,
            clause,
            quirk = quirk.map(display),
            "exchange"
        );
        let entry = self.journal.record(self.now(), exchange);
        self.feed.send("exchange", &entry);
    }

    /// What came of the newest exchanges, oldest first.
    pub(crate) fn trace(&self) -> Vec<TraceEntry> {
        self.journal.brief(&Filter::default(), None, usize::MAX).into_iter().map(TraceEntry::from).collect()
    }
}

#[cfg(test)]
mod tests;

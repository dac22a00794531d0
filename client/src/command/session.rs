//! An open state, and what verbs do with it.

use solme_sync_protocol::UtcTime;

use super::Context;
use crate::core::{
    Applied, Asked, Carrier, Changes, CheckedRefusal, Consequence, Fate, Identity, LocalServer, Outstanding, Schedule,
    StoredRequestError, Times, changes_between, meaning, new_request, skew,
};
use crate::store::{End, Keeper, Loaded, LocalStateFailure, Notes, PastEvent, Store};

/// The state of one local server, verified, and open for change.
pub(crate) struct Session<K = Store> {
    pub(crate) store: K,
    pub(crate) identity: Identity,
    pub(crate) times: Times,
    pub(crate) server: LocalServer,
    pub(crate) outstanding: Option<Outstanding>,
    /// Why the stored request was dropped.
    pub(crate) dropped: Option<StoredRequestError>,
    pub(crate) notes: Option<Notes>,
}

/// What came of a step, and the session after it.
pub(crate) type Step<K, T> = Result<(Session<K>, T), <K as Keeper>::Failure>;

/// How an event of the history ended.
pub(super) struct Ending<'a> {
    pub(super) outcome: &'static str,
    pub(super) code: &'a str,
    pub(super) message: &'a str,
}

impl Session {
    /// Opens and verifies the state (P 11.12), and looks at the local clock.
    pub(super) fn open(context: &Context, verb: &'static str) -> Result<Self, LocalStateFailure> {
        let store = Store::open(&context.place, verb)?;
        let Loaded { identity, times, server, outstanding, notes } = store.load(context.now(), context.proved())?;
        let (outstanding, dropped) = match outstanding {
            Some(Ok(outstanding)) => (Some(outstanding), None),
            Some(Err(damaged)) => (None, Some(damaged)),
            None => (None, None),
        };
        let session = Self { store, identity, times, server, outstanding, dropped, notes };
        context.prove(&session);
        Ok(session)
    }
}

impl<K: Keeper> Session<K> {
    /// Runs `exchange` while others may use the state. The caller has the turn, so that nobody takes the answer to the
    /// outstanding request meanwhile.
    pub(super) fn away<T>(self, now: impl Fn() -> UtcTime, exchange: impl FnOnce(Asked<'_>) -> T) -> Step<K, T> {
        let Self { store, identity, times: _, server, outstanding, dropped, notes } = self;
        let Some(asked) = &outstanding else { unreachable!("a request is stored before it is sent") };
        let asked_for = Asked { identity: &identity, last: server.last_receipt(), outstanding: asked };
        let (store, times, answer) = store.away(asked, &identity, || exchange(asked_for))?;
        let times = identity.conduct.observed(times.observe(now()));
        Ok((Self { store, identity, times, server, outstanding, dropped, notes }, answer))
    }

    /// The outstanding request; a new one if there is none, durably stored before anyone sees it (P 12.1, 12.2).
    pub(crate) fn request(&mut self) -> Result<&Outstanding, K::Failure> {
        let conduct = self.identity.conduct;
        if self.outstanding.is_none() || !conduct.sends_again() {
            self.times = self.times.asking();
            let request = self.new_request()?;
            if conduct.stores_before_sending() {
                self.store.begin_request(&request, &self.times)?;
            }
            self.outstanding = Some(request);
        }
        Ok(self.outstanding.as_ref().expect("it is there, or was made above"))
    }

    fn new_request(&self) -> Result<Outstanding, K::Failure> {
        let conduct = self.identity.conduct;
        let (last, before) = (self.server.last_receipt(), self.outstanding.as_ref());
        let (id, fresh) = self.store.fresh(last.map(|last| &*last.jws), before.map(|before| &*before.jws));
        let sealing_key = conduct.sealing_key(fresh);
        let request = new_request(&self.identity, last, &self.times, id, sealing_key.public_jwk());
        let request = conduct.request(request);
        debug_assert_ne!(request.sealing_jwk.thumbprint(), self.identity.key_thumbprint, "P 5.3");
        let signed = self.store.sign(&request)?;
        Ok(Outstanding { jws: signed.as_str().to_owned(), digest: signed.digest(), request, sealing_key })
    }

    pub(super) fn changes(&self, applied: &Applied) -> Changes {
        changes_between(self.server.applied().map(Applied::allocation), applied.allocation())
    }

    /// Applies an answer to the outstanding request. `just_now`: the request was made in this run.
    pub(super) fn apply(mut self, applied: Applied, just_now: bool, event: &'static str) -> Step<K, Changes> {
        let Some(outstanding) = self.outstanding.take() else {
            unreachable!("only the outstanding request is answered")
        };
        let (receipt, request) = (applied.receipt(), &outstanding.request);
        let clock_skew = skew(self.times.local_clock, request.made_at, receipt.main_server_time, just_now);
        let times = self.identity.conduct.settle(self.times, request, receipt);
        let changes = self.changes(&applied);
        let notes = Notes { applied_at: self.times.local_clock, clock_skew, changes: changes.clone() };
        let message = format!(
            "synchronization number {}, {} added, {} removed, {} changed",
            receipt.sequence,
            changes.added.len(),
            changes.removed.len(),
            changes.changed.len()
        );
        let ending = Ending { outcome: "synchronized", code: "synchronized", message: &message };
        let event = self.event(event, ending);
        self.store.apply(&applied, &notes, &times, &event)?;
        self.server = self.server.apply(applied, &times);
        Ok((Self { times, notes: Some(notes), ..self }, changes))
    }

    /// Notes that a synchronization failed, and what that means for the request.
    pub(super) fn failed(&mut self, event: &'static str, code: &str, message: &str) -> Result<(), K::Failure> {
        let event = self.event(event, Ending { outcome: "failed", code, message });
        let end = End { fate: self.identity.conduct.after_failure(code), cleared: None };
        self.store.note(end, &self.times, &event)
    }

    /// Notes a refusal of the outstanding request, and what it means for it (P 12.3 to 12.6).
    pub(super) fn refused(
        mut self,
        refusal: CheckedRefusal,
        carrier: Carrier,
        event: &'static str,
    ) -> Result<Self, K::Failure> {
        let code = refusal.refusal.code;
        let copy_verifies =
            self.outstanding.as_ref().is_some_and(|outstanding| outstanding.verifies(self.identity.conduct));
        let Consequence { fate, clears } = self.identity.conduct.after_refusal(&refusal.refusal, copy_verifies);
        let message = meaning(&refusal.refusal, carrier).message;
        let event = self.event(event, Ending { outcome: "refused", code: code.as_str(), message: &message });
        let end = End { fate, cleared: clears.then_some(&*refusal.jws) };
        self.store.note(end, &self.times, &event)?;
        if fate == Fate::Ends {
            self.outstanding = None;
        }
        let server = if clears { self.server.clear(refusal) } else { self.server };
        Ok(Self { server, ..self })
    }

    /// Notes something that leaves the outstanding request as it is.
    pub(super) fn note(&mut self, event: &'static str, ending: Ending<'_>) -> Result<(), K::Failure> {
        let event = self.event(event, ending);
        self.store.note(End { fate: Fate::Stays, cleared: None }, &self.times, &event)
    }

    /// When the next automatic synchronization is due.
    pub(super) fn next_automatic(&self, schedule: &Schedule) -> Option<UtcTime> {
        self.server.next_automatic(&self.times, schedule, &self.identity.key_thumbprint)
    }

    pub(super) fn event(&self, event: &'static str, ending: Ending<'_>) -> PastEvent {
        new_event(self.times.local_clock, event, ending, &self.identity)
    }
}

pub(super) fn new_event(at: UtcTime, event: &'static str, ending: Ending<'_>, identity: &Identity) -> PastEvent {
    PastEvent {
        at,
        event: event.to_owned(),
        outcome: ending.outcome.to_owned(),
        code: ending.code.to_owned(),
        message: ending.message.chars().take(1_000).collect(),
        key_thumbprint: identity.key_thumbprint.to_string(),
    }
}

//! An open state, and what verbs do with it.

use solme_sync_protocol::{Request, RequestId, SealingKey, SignEs384 as _, Signed, SigningKey, UtcTime};

use super::Context;
use crate::core::{
    Applied, Carrier, Changes, CheckedRefusal, Fate, Identity, LastReceipt, LocalServer, Outstanding, RequestDamaged,
    Schedule, TimeLeft, Times, changes_between, fate, meaning, new_request, skew,
};
use crate::mutant::Mutant;
use crate::store::{End, Event, Loaded, LocalStateError, Notes, Store};

/// The state of one local server, verified, and open for change.
pub(super) struct Session {
    pub(super) store: Store,
    pub(super) identity: Identity,
    pub(super) times: Times,
    pub(super) server: LocalServer,
    pub(super) outstanding: Option<Outstanding>,
    /// Why the stored request was dropped.
    pub(super) dropped: Option<RequestDamaged>,
    pub(super) notes: Option<Notes>,
    key: SigningKey,
}

/// A request that is on its way, and what its answer is held against.
pub(super) struct Asked<'a> {
    pub(super) identity: &'a Identity,
    pub(super) last: Option<&'a LastReceipt>,
    pub(super) outstanding: &'a Outstanding,
}

/// How an event of the history ended.
pub(super) struct Ending<'a> {
    pub(super) outcome: &'static str,
    pub(super) code: &'a str,
    pub(super) message: &'a str,
}

impl Session {
    /// Opens and verifies the state (P 11.12), and looks at the local clock.
    pub(super) fn open(context: &Context, verb: &str) -> Result<Self, LocalStateError> {
        let store = Store::open(&context.place, verb)?;
        let Loaded { mut identity, key, times, server, outstanding, notes } = store.load(context.now())?;
        identity.mutant = context.mutant;
        let (outstanding, dropped) = match outstanding {
            Some(Ok(outstanding)) => (Some(outstanding), None),
            Some(Err(damaged)) => (None, Some(damaged)),
            None => (None, None),
        };
        let times = of_mutant(times, &identity);
        let mut session = Self { store, identity, times, server, outstanding, dropped, notes, key };
        if verb == "synchronize" && session.outstanding.is_some() {
            session.forget_on_retry()?;
        }
        Ok(session)
    }

    /// Runs `exchange` while others may read the state. Whoever calls this has the turn, so that nobody takes the answer
    /// to the outstanding request meanwhile.
    ///
    /// # Errors
    /// [`LocalStateError::ChangedMeanwhile`] if that happened nevertheless, by hand.
    pub(super) fn away<T>(
        self,
        context: &Context,
        verb: &str,
        exchange: impl FnOnce(&Asked<'_>) -> T,
    ) -> Result<(Self, T), LocalStateError> {
        let Self { store, identity, times: _, server, outstanding, dropped, notes, key } = self;
        let Some(asked) = &outstanding else { unreachable!("a request is stored before it is sent") };
        drop(store);
        let answer = exchange(&Asked { identity: &identity, last: server.last_receipt(), outstanding: asked });
        let store = Store::open(&context.place, verb)?;
        if !store.still_asks(&asked.jws, &identity.key_thumbprint)? {
            return Err(LocalStateError::ChangedMeanwhile { directory: store.path().to_owned() });
        }
        let times = of_mutant(store.times()?.observe(context.now()), &identity);
        Ok((Self { store, identity, times, server, outstanding, dropped, notes, key }, answer))
    }

    /// Two mutants do not keep what a retry needs.
    fn forget_on_retry(&mut self) -> Result<(), LocalStateError> {
        match self.identity.mutant {
            Some(Mutant::MakesANewRequestOnRetry) => self.outstanding = None,
            Some(Mutant::RegeneratesTheKeyPairOnRetry) => {
                let event = self.event("mutant", Ending { outcome: "done", code: "mutant", message: "" });
                self.key = self.store.begin_with_new_key(|_| event)?;
                self.identity.key_thumbprint = self.key.thumbprint();
                self.outstanding = None;
            }
            _ => {}
        }
        Ok(())
    }

    /// The outstanding request; a new one if there is none, durably stored before anyone sees it (P 12.1, 12.2).
    pub(super) fn request(&mut self) -> Result<&Outstanding, LocalStateError> {
        if self.outstanding.is_none() {
            let request = self.new_request();
            self.store.begin_request(&request, &self.times)?;
            self.outstanding = Some(request);
        }
        Ok(self.outstanding.as_ref().expect("it is there, or was made above"))
    }

    fn new_request(&self) -> Outstanding {
        let mutant = self.identity.mutant;
        let sealing_key = match mutant {
            Some(Mutant::ReusesTheOneTimeKey) => SealingKey::from_bytes(&[1; 48]).expect("it is below the order"),
            _ => SealingKey::generate(),
        };
        let mut bits = [0; 16];
        if mutant != Some(Mutant::ReusesTheRequestId) {
            getrandom::fill(&mut bits).expect("the operating system gives random numbers");
        }
        let last = self.server.last_receipt().filter(|_| mutant != Some(Mutant::ForgetsTheLastReceipt));
        let id = RequestId::from_random(bits);
        let request = new_request(&self.identity, last, &self.times, id, sealing_key.public_jwk());
        debug_assert_ne!(request.sealing_jwk, *self.key.public_jwk(), "P 5.3");
        let signed = Signed::<Request>::sign(&request, &self.key);
        Outstanding { jws: signed.as_str().to_owned(), digest: signed.digest(), request, sealing_key }
    }

    /// What an answer would change.
    pub(super) fn changes(&self, applied: &Applied) -> Changes {
        changes_between(self.server.applied().map(Applied::allocation), applied.allocation())
    }

    /// Applies an answer to the outstanding request. `just_now`: the request was made in this run.
    pub(super) fn apply(
        mut self,
        applied: Applied,
        just_now: bool,
        event: &'static str,
    ) -> Result<(Self, Changes), LocalStateError> {
        let Some(outstanding) = self.outstanding.take() else {
            unreachable!("only the outstanding request is answered")
        };
        let (receipt, request) = (applied.receipt(), &outstanding.request);
        let clock_skew = skew(self.times.local_clock, request.made_at, receipt.main_server_time, just_now);
        let stated_mark = match self.identity.mutant {
            Some(Mutant::LowersTheMarkWithAnyReceipt) => self.times.effective(),
            _ => request.high_water_mark,
        };
        let times = self.times.settle(stated_mark, receipt.main_server_time);
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
        let server = self.server.apply(applied, &times);
        Ok((Self { server, times, notes: Some(notes), ..self }, changes))
    }

    /// Notes a refusal of the outstanding request, and what it means for it (P 12.3 to 12.6).
    pub(super) fn refused(
        mut self,
        refusal: CheckedRefusal,
        carrier: Carrier,
        event: &'static str,
    ) -> Result<Self, LocalStateError> {
        let code = refusal.refusal.code;
        let fate = match self.identity.mutant {
            Some(Mutant::EndsTheRequestWithAnyRefusal) => Fate::Ends,
            _ => fate(code, self.outstanding.as_ref().is_some_and(Outstanding::verifies)),
        };
        let cleared = code == solme_sync_protocol::RefusalCode::KeyPairCleared
            && self.identity.mutant != Some(Mutant::GoesOnWhenCleared);
        let message = meaning(&refusal.refusal, carrier).message;
        let event = self.event(event, Ending { outcome: "refused", code: code.as_str(), message: &message });
        let end = End { fate, cleared: cleared.then_some(&*refusal.jws) };
        self.store.note(end, &self.times, &event)?;
        if fate == Fate::Ends {
            self.outstanding = None;
        }
        let server = if cleared { self.server.clear(refusal) } else { self.server };
        Ok(Self { server, ..self })
    }

    /// Notes something that leaves the outstanding request as it is.
    pub(super) fn note(&mut self, event: &'static str, ending: Ending<'_>) -> Result<(), LocalStateError> {
        let event = self.event(event, ending);
        self.store.note(End { fate: Fate::Stays, cleared: None }, &self.times, &event)
    }

    /// What is left until the required synchronization.
    pub(super) fn time_left(&self) -> TimeLeft {
        match self.server.applied() {
            Some(applied) => TimeLeft::Seconds(applied.receipt().synchronize_by.since(self.times.effective())),
            None => TimeLeft::Nothing,
        }
    }

    /// When the next automatic synchronization is due. A cleared key pair has nothing to ask (P 16.4).
    pub(super) fn next_automatic(&self, schedule: &Schedule) -> Option<UtcTime> {
        match self.server {
            LocalServer::Cleared(_) => None,
            _ => schedule.next_at(self.times.local_clock, self.time_left(), &self.identity.key_thumbprint),
        }
    }

    pub(super) fn event(&self, event: &'static str, ending: Ending<'_>) -> Event {
        new_event(self.times.local_clock, event, ending, &self.identity)
    }
}

/// A mutant has no high-water mark.
fn of_mutant(times: Times, identity: &Identity) -> Times {
    match identity.mutant {
        Some(Mutant::TrustsTheLocalClock) => Times::starting_at(times.local_clock),
        _ => times,
    }
}

/// An event of the history.
pub(super) fn new_event(at: UtcTime, event: &'static str, ending: Ending<'_>, identity: &Identity) -> Event {
    Event {
        at,
        event,
        outcome: ending.outcome,
        code: ending.code.to_owned(),
        message: ending.message.chars().take(1_000).collect(),
        key_thumbprint: identity.key_thumbprint,
    }
}

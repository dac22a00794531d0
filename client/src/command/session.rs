//! An open state, and what verbs do with it.

use solme_sync_protocol::{Request, RequestId, SealingKey, SignEs384 as _, Signed, SigningKey, UtcTime};

use super::Context;
use crate::core::{
    Applied, Asked, Carrier, Changes, CheckedRefusal, Consequence, Fate, Identity, LocalServer, Outstanding, Schedule,
    StoredRequestError, Times, changes_between, meaning, new_request, skew,
};
use crate::store::{End, Event, Loaded, LocalStateFailure, Notes, Store};

/// The state of one local server, verified, and open for change.
pub(super) struct Session {
    pub(super) store: Store,
    pub(super) identity: Identity,
    pub(super) times: Times,
    pub(super) server: LocalServer,
    pub(super) outstanding: Option<Outstanding>,
    /// Why the stored request was dropped.
    pub(super) dropped: Option<StoredRequestError>,
    pub(super) notes: Option<Notes>,
    key: SigningKey,
}

/// How an event of the history ended.
pub(super) struct Ending<'a> {
    pub(super) outcome: &'static str,
    pub(super) code: &'a str,
    pub(super) message: &'a str,
}

impl Session {
    /// Opens and verifies the state (P 11.12), and looks at the local clock.
    pub(super) fn open(context: &Context, verb: &str) -> Result<Self, LocalStateFailure> {
        let store = Store::open(&context.place, verb)?;
        let Loaded { identity, key, times, server, outstanding, notes } =
            store.load(context.now(), context.proved())?;
        let (outstanding, dropped) = match outstanding {
            Some(Ok(outstanding)) => (Some(outstanding), None),
            Some(Err(damaged)) => (None, Some(damaged)),
            None => (None, None),
        };
        let session = Self { store, identity, times, server, outstanding, dropped, notes, key };
        context.prove(&session);
        Ok(session)
    }

    /// Runs `exchange` while others may read the state. The caller has the turn, so that nobody takes the answer
    /// to the outstanding request meanwhile.
    ///
    /// # Errors
    /// [`LocalStateFailure::ChangedMeanwhile`] if that happened nevertheless, by hand.
    pub(super) fn away<T>(
        self,
        context: &Context,
        verb: &str,
        exchange: impl FnOnce(Asked<'_>) -> T,
    ) -> Result<(Self, T), LocalStateFailure> {
        let Self { store, identity, times: _, server, outstanding, dropped, notes, key } = self;
        let Some(asked) = &outstanding else { unreachable!("a request is stored before it is sent") };
        let asked_for = Asked { identity: &identity, last: server.last_receipt(), outstanding: asked };
        let (store, answer) = store.away(&context.place, verb, || exchange(asked_for))?;
        if identity.conduct.stores_before_sending() && !store.still_asks(&asked.jws, &identity.key_thumbprint)? {
            return Err(LocalStateFailure::ChangedMeanwhile { directory: store.path().to_owned() });
        }
        let times = identity.conduct.observed(store.times()?.observe(context.now()));
        Ok((Self { store, identity, times, server, outstanding, dropped, notes, key }, answer))
    }

    /// The outstanding request; a new one if there is none, durably stored before anyone sees it (P 12.1, 12.2).
    pub(super) fn request(&mut self) -> Result<&Outstanding, LocalStateFailure> {
        let conduct = self.identity.conduct;
        if self.outstanding.is_none() || !conduct.sends_again() {
            self.times = self.times.asking();
            let request = self.new_request();
            if conduct.stores_before_sending() {
                self.store.begin_request(&request, &self.times)?;
            }
            self.outstanding = Some(request);
        }
        Ok(self.outstanding.as_ref().expect("it is there, or was made above"))
    }

    fn new_request(&self) -> Outstanding {
        let sealing_key = self.identity.conduct.sealing_key(SealingKey::generate());
        let mut bits = [0; 16];
        getrandom::fill(&mut bits).expect("the operating system gives random numbers");
        let (last, id) = (self.server.last_receipt(), RequestId::from_random(bits));
        let request = new_request(&self.identity, last, &self.times, id, sealing_key.public_jwk());
        let request = self.identity.conduct.request(request);
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
    ) -> Result<(Self, Changes), LocalStateFailure> {
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
        let server = self.server.apply(applied, &times);
        Ok((Self { server, times, notes: Some(notes), ..self }, changes))
    }

    /// Notes that a synchronization failed, and what that means for the request.
    pub(super) fn failed(&mut self, event: &'static str, code: &str, message: &str) -> Result<(), LocalStateFailure> {
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
    ) -> Result<Self, LocalStateFailure> {
        let code = refusal.refusal.code;
        let copy_verifies = self.outstanding.as_ref().is_some_and(Outstanding::verifies);
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
    pub(super) fn note(&mut self, event: &'static str, ending: Ending<'_>) -> Result<(), LocalStateFailure> {
        let event = self.event(event, ending);
        self.store.note(End { fate: Fate::Stays, cleared: None }, &self.times, &event)
    }

    /// When the next automatic synchronization is due.
    pub(super) fn next_automatic(&self, schedule: &Schedule) -> Option<UtcTime> {
        self.server.next_automatic(&self.times, schedule, &self.identity.key_thumbprint)
    }

    pub(super) fn event(&self, event: &'static str, ending: Ending<'_>) -> Event {
        new_event(self.times.local_clock, event, ending, &self.identity)
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

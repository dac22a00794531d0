//! A License Server on paper: its state is a value, and each of its steps a function of it. Nothing is stored or sent.
//!
//! It is for a search that takes every step from every state, of the code that ships: [`Sheet`] stands in the place of the
//! database, and nothing else does.

use std::fmt::{self, Debug};
use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

use solme_sync_protocol::{
    KeyThumbprint, LicenseServerId, Receipt, RefusalCode, Request, RequestId, SealingKey, SignEs384, Signed, TrustFile,
    UtcTime,
};

use crate::command::{Outcome, Session, act, carry, check, judge};
use crate::conduct::Conduct;
use crate::core::{Applied, Carrier, Fate, Identity, LocalServer, Outstanding, Proved, State, Stored, Times};
use crate::output::Exit;
use crate::store::{End, Keeper, Notes, PastEvent};
use crate::transport::Connection;

mod automatic;

pub use automatic::AutomaticOnPaper;

/// What a License Server keeps on its disk, but for its key file and the one-time key of the request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OnPaper {
    times: Times,
    applied: Option<Arc<Kept>>,
    outstanding: Option<Arc<Posed>>,
    cleared: Option<Arc<str>>,
}

/// The receipt and the allocation that were applied last. They are verified once, as by a program that goes on.
#[derive(Debug)]
struct Kept {
    receipt: String,
    allocation: Vec<u8>,
    proved: OnceLock<Proved>,
}

impl PartialEq for Kept {
    fn eq(&self, other: &Self) -> bool {
        (&self.receipt, &self.allocation) == (&other.receipt, &other.allocation)
    }
}

impl Eq for Kept {}

impl Hash for Kept {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.receipt.hash(state); // it has the digest of the allocation
    }
}

/// The outstanding request, which is verified once too.
struct Posed {
    id: RequestId,
    request: String,
    restored: OnceLock<Outstanding>,
}

impl Debug for Posed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Posed").field(&self.id).finish() // the one-time key is a secret
    }
}

impl PartialEq for Posed {
    fn eq(&self, other: &Self) -> bool {
        (&self.id, &self.request) == (&other.id, &other.request)
    }
}

impl Eq for Posed {}

impl Hash for Posed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.request.hash(state);
    }
}

/// What is around a License Server while it takes a step.
pub struct Around<'a> {
    /// Its license server id.
    pub license_server_id: LicenseServerId,
    /// Its trust file.
    pub trust: &'a TrustFile,
    /// Its key pair.
    pub key: &'a dyn SignEs384,
    /// The thumbprint of that.
    pub key_thumbprint: KeyThumbprint,
    /// The id of a new request, given the last receipt and the request that is outstanding nevertheless.
    pub request_id: &'a dyn Fn(Option<&str>, Option<&str>) -> RequestId,
    /// The one-time key of the request with this id.
    pub sealing_key: &'a dyn Fn(&RequestId) -> Arc<SealingKey>,
    /// The local clock.
    pub clock: UtcTime,
    /// How it behaves.
    pub conduct: &'static dyn Conduct,
}

/// What a License Server shows of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sight {
    /// Its state.
    pub state: State,
    /// The newest receipt that it has applied.
    pub receipt: Option<Receipt>,
    /// Whether it may issue any license.
    pub may_issue: bool,
    /// Its effective time (P 17.2).
    pub effective: UtcTime,
    /// Whether a request is outstanding (P 12).
    pub is_outstanding: bool,
}

/// How a synchronization ended, and what automatic synchronization goes by after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// How it ended.
    pub ended: Ended,
    /// An answer was applied, whatever came after it.
    pub applied: bool,
    /// Trying again may help without anyone changing anything.
    pub transient: bool,
    /// Seconds that the main server asked to wait (P 13.7).
    pub retry_after: Option<u64>,
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// The answer is applied, or was before.
    Synchronized,
    /// The main server said no.
    Refused(RefusalCode),
    /// There was no answer, or it is for something else; the code.
    Failed(&'static str),
    /// The program was killed before it took the next durable step.
    Killed,
}

impl OnPaper {
    /// A License Server that was set up just now, or that got a new key pair (P 3.3).
    pub fn new(clock: UtcTime) -> Self {
        Self { times: Times::starting_at(clock), applied: None, outstanding: None, cleared: None }
    }

    /// What it shows of itself.
    pub fn look(&self, around: &Around<'_>) -> Sight {
        self.observe(around).1
    }

    /// It looked at its clock, and stored what it saw (P 17.3); and what it shows of itself.
    #[must_use]
    pub fn observe(&self, around: &Around<'_>) -> (Self, Sight) {
        let session = self.open(around, usize::MAX);
        let sight = Sight {
            state: session.server.state(),
            receipt: session.server.last_receipt().map(|last| last.receipt.clone()),
            may_issue: judge(&session, None).is_yes(),
            effective: session.times.effective(),
            is_outstanding: session.outstanding.is_some(),
        };
        let paper = session.store.keep_times(session.times).map_or_else(|kept| *kept, |store| store.paper);
        (paper, sight)
    }

    /// `export-request`, of which the file is the request alone. Nothing where the key pair was cleared.
    pub fn export(&self, around: &Around<'_>) -> (Self, Option<String>) {
        let mut session = self.open(around, usize::MAX);
        let is_cleared = matches!(session.server, LocalServer::Cleared(_));
        let request = (!is_cleared).then(|| session.request().map(|request| request.jws.clone()));
        let sent = request.and_then(Result::ok).map(|jws| around.conduct.sends(&jws).into_owned());
        (session.store.paper, sent)
    }

    /// `import-response`, of a file with this receipt and payload, or this refusal alone.
    pub fn import(&self, around: &Around<'_>, message: &str, payload: Option<&[u8]>) -> (Self, Ended) {
        let session = self.open(around, usize::MAX);
        if let Some(outcome) = Outcome::cleared(&session, Carrier::File) {
            return (session.store.paper, Ended::of(&outcome));
        }
        let found = check(message, payload, &session);
        match act(session, found) {
            Ok((session, Ok(outcome))) => (session.store.paper, Ended::of(&outcome)),
            Ok((session, Err(failure))) => (session.store.paper, Ended::Failed(failure.code())),
            Err(kept) => (*kept, Ended::Killed),
        }
    }

    /// `synchronize` over `connection`, by a program that is killed after `durable_steps` changes of what it keeps.
    pub fn synchronize(&self, around: &Around<'_>, connection: &dyn Connection, durable_steps: usize) -> (Self, Run) {
        let session = self.open(around, durable_steps);
        let ended = match Outcome::cleared(&session, Carrier::Direct) {
            Some(outcome) => session.store.keep_times(session.times).map(|store| (store, outcome)),
            None => carry(session, connection, || around.clock).map(|(session, outcome)| (session.store, outcome)),
        };
        let (paper, ended, transient, retry_after) = match ended {
            Ok((store, outcome)) => (store.paper, Ended::of(&outcome), outcome.transient, outcome.retry_after),
            Err(kept) => (*kept, Ended::Killed, false, None),
        };
        let applied = paper.applied != self.applied;
        (paper, Run { ended, applied, transient, retry_after })
    }

    fn open<'a>(&self, around: &'a Around<'a>, durable_steps: usize) -> Session<Sheet<'a>> {
        let identity = Identity {
            license_server_id: around.license_server_id.clone(),
            trust: around.trust.clone(),
            key_thumbprint: around.key_thumbprint,
            conduct: around.conduct,
        };
        let times = around.conduct.observed(self.times.observe(around.clock));
        let kept = self.applied.as_deref();
        let stored = Stored {
            applied: kept.map(|kept| (kept.receipt.clone(), kept.allocation.clone())),
            evidence: kept.map(|kept| kept.receipt.clone()),
            cleared: self.cleared.as_deref().map(str::to_owned),
            proved: kept.and_then(|kept| kept.proved.get()?.of(&identity)),
            ..Stored::default()
        };
        let outstanding = self.outstanding.as_deref().map(|posed| {
            let restore = || {
                let sealing_key = (around.sealing_key)(&posed.id);
                let key = &identity.key_thumbprint;
                let restored = Outstanding::restore(&posed.request, sealing_key, key, around.conduct);
                restored.expect("it was made here")
            };
            posed.restored.get_or_init(restore).clone()
        });
        let server = LocalServer::restore(stored, &identity, &times);
        if let (Some(kept), Some(applied)) = (kept, server.applied()) {
            kept.proved.get_or_init(|| Proved::new(&identity, applied));
        }
        let store = Sheet { paper: self.clone(), around, durable_steps };
        Session { store, identity, times, server, outstanding, dropped: None, notes: None }
    }
}

impl Ended {
    fn of(outcome: &Outcome) -> Self {
        match outcome.exit {
            Exit::Done => Self::Synchronized,
            Exit::Refused => {
                let refused = RefusalCode::ALL.iter().find(|code| code.as_str() == outcome.code);
                Self::Refused(*refused.expect("a refusal has a code of the catalogue"))
            }
            _ => Self::Failed(outcome.code),
        }
    }
}

/// The keeper of a state that is a value.
struct Sheet<'a> {
    paper: OnPaper,
    around: &'a Around<'a>,
    /// Changes that it takes before it is killed.
    durable_steps: usize,
}

/// It was killed before the next change; this is what it had kept.
type Killed = Box<OnPaper>;

impl Sheet<'_> {
    fn change(&mut self, times: &Times, change: impl FnOnce(&mut OnPaper)) -> Result<(), Killed> {
        let left = self.durable_steps.checked_sub(1);
        self.durable_steps = left.ok_or_else(|| Box::new(self.paper.clone()))?;
        self.paper.times = *times;
        change(&mut self.paper);
        Ok(())
    }

    fn keep_times(mut self, times: Times) -> Result<Self, Killed> {
        self.change(&times, |_| ())?;
        Ok(self)
    }
}

impl Keeper for Sheet<'_> {
    type Failure = Killed;

    fn fresh(&self, last: Option<&str>, before: Option<&str>) -> (RequestId, Arc<SealingKey>) {
        let id = (self.around.request_id)(last, before);
        let sealing_key = (self.around.sealing_key)(&id);
        (id, sealing_key)
    }

    fn sign(&self, request: &Request) -> Result<Signed<Request>, Killed> {
        Ok(Signed::sign(request, self.around.key))
    }

    fn begin_request(&mut self, request: &Outstanding, times: &Times) -> Result<(), Killed> {
        self.change(times, |paper| {
            let (id, request) = (request.request.request_id.clone(), request.jws.clone());
            paper.outstanding = Some(Arc::new(Posed { id, request, restored: OnceLock::new() }));
        })
    }

    fn away<T>(self, _: &Outstanding, _: &Identity, wait: impl FnOnce() -> T) -> Result<(Self, Times, T), Killed> {
        let (times, done) = (self.paper.times, wait());
        Ok((self, times, done))
    }

    fn apply(&mut self, applied: &Applied, _: &Notes, times: &Times, _: &PastEvent) -> Result<(), Killed> {
        self.change(times, |paper| {
            let (receipt, allocation) = (applied.last().jws.clone(), applied.allocation_bytes().to_vec());
            paper.applied = Some(Arc::new(Kept { receipt, allocation, proved: OnceLock::new() }));
            paper.outstanding = None;
        })
    }

    fn note(&mut self, end: End<'_>, times: &Times, _: &PastEvent) -> Result<(), Killed> {
        self.change(times, |paper| {
            if end.fate == Fate::Ends {
                paper.outstanding = None;
            }
            if let Some(refusal) = end.cleared {
                paper.cleared = Some(refusal.into());
            }
        })
    }
}

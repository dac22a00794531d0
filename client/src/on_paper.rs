//! A License Server on paper: its state is a value, and each of its steps a function of it. Nothing is stored or sent.
//!
//! It is for a search that takes every step from every state. All that decides is the core that ships. What is written here
//! a second time is what `command/session.rs`, `command/synchronize.rs` and `command/import_response.rs` do around the core,
//! with a value in the place of the database.

use solme_sync_protocol::{
    KeyThumbprint, LicenseServerId, Receipt, RefusalCode, Request, RequestId, SealingKey, SignEs384 as _, Signed,
    SigningKey, TrustFile, Unreadable, UtcTime,
};

use crate::command::exchange;
use crate::conduct::Conduct;
use crate::core::{
    Answer, AnswerError, Applied, Asked, CheckedRefusal, Consequence, End, Fate, FileFailure, Identity, LocalServer,
    Outstanding, Round, State, Stored, Times, may_issue, new_request, read_receipt, read_refusal,
};
use crate::transport::Connection;

/// What a License Server keeps on its disk, but for its key file and the one-time key of the request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OnPaper {
    times: Times,
    applied: Option<(String, Vec<u8>)>,
    outstanding: Option<(RequestId, String)>,
    cleared: Option<String>,
}

/// What is around a License Server while it takes a step.
pub struct Around<'a> {
    /// Its license server id.
    pub license_server_id: LicenseServerId,
    /// Its trust file.
    pub trust: &'a TrustFile,
    /// Its key pair.
    pub key: &'a SigningKey,
    /// The id of a new request, given the last receipt and the request that is outstanding nevertheless.
    pub request_id: &'a dyn Fn(Option<&str>, Option<&str>) -> RequestId,
    /// The one-time key of the request with this id.
    pub sealing_key: &'a dyn Fn(&RequestId) -> SealingKey,
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
        let open = Open::new(self, around, 0);
        let mut verdict = may_issue(&open.server, &open.times, None);
        let allocation = open.server.applied().map(Applied::allocation);
        verdict.rule = around.conduct.rule(verdict.rule, allocation, &open.times, None);
        Sight {
            state: open.server.state(),
            receipt: open.server.last_receipt().map(|last| last.receipt.clone()),
            may_issue: verdict.is_yes(),
            effective: open.times.effective(),
        }
    }

    /// `export-request`, of which the file is the request alone. Nothing where the key pair was cleared.
    pub fn export(&self, around: &Around<'_>) -> (Self, Option<String>) {
        let mut open = Open::new(self, around, usize::MAX);
        if matches!(open.server, LocalServer::Cleared(_)) {
            return (self.clone(), None);
        }
        let asked = open.request();
        (open.paper, asked.then(|| around.conduct.sends(&open.outstanding.expect("it was made").jws).into_owned()))
    }

    /// `import-response`, of a file with this receipt and payload, or this refusal alone.
    pub fn import(&self, around: &Around<'_>, message: &str, payload: Option<&[u8]>) -> (Self, Ended) {
        let mut open = Open::new(self, around, usize::MAX);
        let ended = match open.read(message, payload) {
            _ if matches!(open.server, LocalServer::Cleared(_)) => Ended::Refused(RefusalCode::KeyPairCleared),
            Ok(Found::Accepted(applied)) => {
                open.apply(applied);
                Ended::Synchronized
            }
            Ok(Found::AlreadyApplied) => open.failed().map_or(Ended::Killed, |()| Ended::Synchronized),
            Ok(Found::Refused(refusal)) => open.refused(refusal),
            Err(failure) => open.failed().map_or(Ended::Killed, |()| Ended::Failed(failure.code())),
        };
        (open.paper, ended)
    }

    /// `synchronize` over `connection`, by a program that is killed after `durable_steps` changes of what it keeps.
    pub fn synchronize(&self, around: &Around<'_>, connection: &dyn Connection, durable_steps: usize) -> (Self, Ended) {
        let mut open = Open::new(self, around, durable_steps);
        let ended = open.synchronize(connection).unwrap_or(Ended::Killed);
        (open.paper, ended)
    }
}

enum Found {
    Accepted(Applied),
    AlreadyApplied,
    Refused(CheckedRefusal),
}

/// A state that is read, verified, and open for change.
struct Open<'a> {
    paper: OnPaper,
    around: &'a Around<'a>,
    identity: Identity,
    times: Times,
    server: LocalServer,
    outstanding: Option<Outstanding>,
    durable_steps: usize,
}

impl<'a> Open<'a> {
    fn new(paper: &OnPaper, around: &'a Around<'a>, durable_steps: usize) -> Self {
        let key_thumbprint: KeyThumbprint = around.key.public_jwk().thumbprint();
        let identity = Identity {
            license_server_id: around.license_server_id.clone(),
            trust: around.trust.clone(),
            key_thumbprint,
            conduct: around.conduct,
        };
        let times = around.conduct.observed(paper.times.observe(around.clock));
        let stored = Stored {
            applied: paper.applied.clone(),
            evidence: paper.applied.as_ref().map(|(receipt, _)| receipt.clone()),
            cleared: paper.cleared.clone(),
            broken_seal: None,
            proved: None,
        };
        let outstanding = paper.outstanding.as_ref().map(|(id, jws)| {
            Outstanding::restore(jws, (around.sealing_key)(id), &key_thumbprint).expect("it was made here")
        });
        let server = LocalServer::restore(stored, &identity, &times);
        Self { paper: paper.clone(), around, identity, times, server, outstanding, durable_steps }
    }

    /// One change of what is kept: whole, or not at all.
    fn change(&mut self, change: impl FnOnce(&mut OnPaper)) -> Option<()> {
        self.durable_steps = self.durable_steps.checked_sub(1)?;
        self.paper.times = self.times;
        change(&mut self.paper);
        Some(())
    }

    fn request(&mut self) -> bool {
        let conduct = self.around.conduct;
        if self.outstanding.is_some() && conduct.sends_again() {
            return true;
        }
        self.times = self.times.asking();
        let last = self.server.last_receipt();
        let before = self.outstanding.as_ref().map(|outstanding| &*outstanding.jws);
        let id = (self.around.request_id)(last.map(|last| &*last.jws), before);
        let sealing_key = conduct.sealing_key((self.around.sealing_key)(&id));
        let request = new_request(&self.identity, last, &self.times, id.clone(), sealing_key.public_jwk());
        let request = conduct.request(request);
        let signed = Signed::<Request>::sign(&request, self.around.key);
        let jws = signed.as_str().to_owned();
        if conduct.stores_before_sending() && self.change(|paper| paper.outstanding = Some((id, jws.clone()))).is_none()
        {
            return false;
        }
        self.outstanding = Some(Outstanding { jws, digest: signed.digest(), request, sealing_key });
        true
    }

    fn synchronize(&mut self, connection: &dyn Connection) -> Option<Ended> {
        if matches!(self.server, LocalServer::Cleared(_)) {
            self.change(|_| ())?;
            return Some(Ended::Refused(RefusalCode::KeyPairCleared));
        }
        let mut round = Round::first(self.outstanding.is_some());
        loop {
            if !self.request() {
                return None;
            }
            let outstanding = self.outstanding.as_ref().expect("it was made");
            let asked = Asked { identity: &self.identity, last: self.server.last_receipt(), outstanding };
            let Answer { end, retry_after: _ } = exchange(asked, connection);
            match round.ends(end, self.around.conduct) {
                End::Apply { applied, next } => {
                    self.apply(applied)?;
                    let Some(next) = next else { return Some(Ended::Synchronized) };
                    round = next;
                }
                End::Refused(refusal) => return Some(self.refused(refusal)),
                End::Failed(failure) => {
                    self.failed()?;
                    return Some(Ended::Failed(failure.code()));
                }
                End::Noted(_) => {
                    self.failed()?;
                    return Some(Ended::Synchronized);
                }
            }
        }
    }

    fn apply(&mut self, applied: Applied) -> Option<()> {
        let outstanding = self.outstanding.take().expect("only the outstanding request is answered");
        self.times = self.around.conduct.settle(self.times, &outstanding.request, applied.receipt());
        let stored = (applied.last().jws.clone(), applied.allocation_bytes().to_vec());
        self.change(|paper| {
            paper.applied = Some(stored);
            paper.outstanding = None;
        })?;
        *self = Self::new(&self.paper, self.around, self.durable_steps);
        Some(())
    }

    fn refused(&mut self, refusal: CheckedRefusal) -> Ended {
        let code = refusal.refusal.code;
        let copy_verifies = self.outstanding.as_ref().is_some_and(Outstanding::verifies);
        let Consequence { fate, clears } = self.around.conduct.after_refusal(&refusal.refusal, copy_verifies);
        let noted = self.change(|paper| {
            if fate == Fate::Ends {
                paper.outstanding = None;
            }
            if clears {
                paper.cleared = Some(refusal.jws);
            }
        });
        noted.map_or(Ended::Killed, |()| Ended::Refused(code))
    }

    fn failed(&mut self) -> Option<()> {
        self.change(|_| ())
    }

    fn read(&self, message: &str, payload: Option<&[u8]>) -> Result<Found, FileFailure> {
        let outstanding = self.outstanding.as_ref();
        let is_refusal = matches!(Signed::<Receipt>::parse(message), Err(Unreadable::Type { .. }));
        let Some(payload) = payload.filter(|_| !is_refusal) else {
            let given = read_refusal(message, &self.identity)?;
            return Ok(Found::Refused(given.refuses(outstanding, &self.identity)?));
        };
        let given = read_receipt(message, &self.identity)?;
        match given.answers(outstanding, self.server.last_receipt(), &self.identity) {
            Ok(receipt) => {
                let outstanding = outstanding.expect("a receipt that passed answers the outstanding request");
                Ok(Found::Accepted(receipt.open(payload, &outstanding.sealing_key)?))
            }
            Err(AnswerError::AlreadyApplied { .. })
                if self.server.applied().is_some() && self.around.conduct.takes_again() =>
            {
                Ok(Found::AlreadyApplied)
            }
            Err(wrong) => Err(wrong.into()),
        }
    }
}

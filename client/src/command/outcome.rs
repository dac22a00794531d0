//! The report of `synchronize` and `import-response`.

use serde::Serialize;
use solme_sync_protocol::{LicenseServerId, Refusal, RefusalCode, UtcTime};

use super::session::Session;
use crate::core::{
    Carrier, Changes, Check, Failure, LocalServer, Meaning, SKEW_WORTH_SAYING, State, in_words, meaning,
    refusal_is_transient,
};
use crate::output::{Exit, Report, Text, rfc3339, sentence};

/// How a synchronization ended.
pub(crate) struct Outcome {
    pub(crate) exit: Exit,
    pub(crate) code: &'static str,
    pub(super) message: String,
    pub(super) cure: Option<String>,
    pub(super) changes: Changes,
    /// Whether trying again later may help without anyone changing anything.
    pub(crate) transient: bool,
    /// The check of `doctor` that this failure is.
    pub(super) check: Option<Check>,
    /// Seconds that the main server asked to wait (P 13.7).
    pub(crate) retry_after: Option<u64>,
    /// What is worth knowing beside it.
    pub(super) notes: Vec<String>,
}

impl Outcome {
    fn new(exit: Exit, code: &'static str, message: String, cure: Option<String>) -> Self {
        Self {
            exit,
            code,
            message,
            cure,
            changes: Changes::default(),
            transient: false,
            check: None,
            retry_after: None,
            notes: Vec::new(),
        }
    }

    pub(super) fn synchronized(code: &'static str, message: String, changes: Changes) -> Self {
        Self { changes, ..Self::new(Exit::Done, code, message, None) }
    }

    pub(super) fn refused(refusal: &Refusal, carrier: Carrier) -> Self {
        let Meaning { message, cure } = meaning(refusal, carrier);
        Self {
            transient: refusal_is_transient(refusal.code),
            ..Self::new(Exit::Refused, refusal.code.as_str(), message, Some(cure))
        }
    }

    /// A cleared key pair is dead for ever (P 16.4): there is nothing to ask, and nothing that an answer could change.
    pub(crate) fn cleared<K>(session: &Session<K>, carrier: Carrier) -> Option<Self> {
        let LocalServer::Cleared(cleared) = &session.server else { return None };
        let Meaning { message, cure } = cleared.meaning(carrier);
        Some(Self::new(Exit::Refused, RefusalCode::KeyPairCleared.as_str(), message, Some(cure)))
    }

    pub(super) fn failed(failure: &Failure) -> Self {
        let (transient, check) = (failure.is_transient(), Some(Check::of(failure)));
        let outcome = Self::new(Exit::NotReached, failure.code(), failure.message(), Some(failure.cure()));
        Self { transient, check, ..outcome }
    }

    pub(super) const fn is_synchronized(&self) -> bool {
        matches!(self.exit, Exit::Done)
    }

    /// How it ended, in a word.
    pub(super) const fn word(&self) -> &'static str {
        match self.exit {
            Exit::Done => "synchronized",
            Exit::Refused => "refused",
            _ => "failed",
        }
    }

    /// How it ended, with the state that it left.
    pub(super) fn of(mut self, session: &Session) -> Synchronization {
        self.notes.extend(clock_notes(session));
        if let Some(check) = self.check {
            let check = check.as_str();
            self.notes.push(format!("stopped at {check}; run `license-server doctor` for the full list"));
        }
        if let Some(seconds) = self.retry_after {
            self.notes.push(format!("the main server asks you to wait {}", in_words(seconds)));
        }
        if let Some(damaged) = session.dropped {
            self.notes.push(format!("{damaged}, so it was discarded"));
        }
        let synchronize_by = session.server.applied().map(|applied| applied.receipt().synchronize_by);
        let answered = Answered {
            code: self.code.to_owned(),
            message: self.message,
            cure: self.cure,
            changes: self.changes,
            check: self.check,
            transient: self.transient,
            retry_after_seconds: self.retry_after,
            notes: self.notes,
            license_server_id: session.identity.license_server_id.clone(),
            state: session.server.state(),
            synchronize_by,
            days_left: synchronize_by.map(|by| session.times.days_left(by)),
        };
        match self.exit {
            Exit::Done => Synchronization::Synchronized(answered),
            Exit::Refused => Synchronization::Refused(answered),
            _ => Synchronization::Failed(answered),
        }
    }
}

/// How a synchronization ended. Whichever way, what this server had stays valid until its deadline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Synchronization {
    /// The main server accepted it, and the answer is applied.
    Synchronized(Answered),
    /// The main server said no; `code` is one of P 10.
    Refused(Answered),
    /// The main server was not reached, or what answered could not be used.
    Failed(Answered),
}

/// What a synchronization brought, with the state that it left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answered {
    /// The code, as in the JSON of the command line.
    pub code: String,
    /// What happened, for people.
    pub message: String,
    /// What to do next, for people; `None` after a success.
    pub cure: Option<String>,
    /// Licenses that were added, removed or changed.
    pub changes: Changes,
    /// The check of a diagnosis that a failure is.
    pub check: Option<Check>,
    /// Whether trying again later may help without anyone changing anything.
    pub transient: bool,
    /// Seconds that the main server asked to wait (P 13.7).
    pub retry_after_seconds: Option<u64>,
    /// What is worth knowing beside it, for people.
    pub notes: Vec<String>,
    /// The license server id.
    pub license_server_id: LicenseServerId,
    /// The state of this server now.
    pub state: State,
    /// The required synchronization (P 17.1).
    #[serde(serialize_with = "rfc3339")]
    pub synchronize_by: Option<UtcTime>,
    /// Days left until then, rounded up (P 17.6).
    pub days_left: Option<u64>,
}

impl Synchronization {
    /// What it brought, however it ended.
    pub const fn answered(&self) -> &Answered {
        match self {
            Self::Synchronized(answered) | Self::Refused(answered) | Self::Failed(answered) => answered,
        }
    }

    /// Whether it synchronized.
    pub const fn is_synchronized(&self) -> bool {
        matches!(self, Self::Synchronized(_))
    }

    pub(super) const fn exit(&self) -> Exit {
        match self {
            Self::Synchronized(_) => Exit::Done,
            Self::Refused(_) => Exit::Refused,
            Self::Failed(_) => Exit::NotReached,
        }
    }

    pub(super) fn text(&self) -> Text {
        let answered = self.answered();
        let mut text = Text::default();
        match self.is_synchronized() {
            true => text.good(sentence(&answered.message)),
            false => text.bad(sentence(&answered.message)),
        }
        if self.is_synchronized() || !answered.changes.is_empty() {
            text.changes(&answered.changes);
        }
        for note in &answered.notes {
            text.warn(note);
        }
        match (&answered.cure, answered.synchronize_by, answered.days_left) {
            (Some(cure), ..) => text.next(cure),
            (None, Some(by), Some(days)) => text.next(format_args!(
                "synchronize again by {by}, {days} days from now; sooner when Solme changes the licenses."
            )),
            (None, ..) => text.next("run `license-server status`."),
        }
        if let (Some(by), false, State::Synchronized) =
            (answered.synchronize_by, self.is_synchronized(), answered.state)
        {
            text.line(format_args!("The current licenses stay valid until {by}."));
        }
        text
    }

    pub(super) fn report(&self) -> Report {
        Report::of(self.exit(), self, self.text())
    }
}

/// What is worth saying about the local clock, in `status` too.
pub(super) fn clock_notes(session: &Session) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(skew) = session.notes.as_ref().and_then(|notes| notes.clock_skew)
        && skew.unsigned_abs() >= SKEW_WORTH_SAYING
    {
        let direction = if skew > 0 { "fast" } else { "slow" };
        let by = in_words(skew.unsigned_abs());
        notes.push(format!("the local clock was {by} {direction} at the last synchronization; set it right"));
    }
    if session.times.check_clock().is_err() {
        let mark = session.times.high_water_mark;
        notes.push(format!(
            "the local clock shows {}, but {mark} was already seen: nothing is issued until the clock is right",
            session.times.local_clock
        ));
    }
    notes
}

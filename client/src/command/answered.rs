//! The report of `synchronize` and `import-response`.

use serde_json::{Value, json};
use solme_sync_protocol::{Refusal, RefusalCode};

use super::session::Session;
use crate::core::{
    Applied, Carrier, Changes, Check, Failure, LocalServer, Meaning, SKEW_WORTH_SAYING, in_words, meaning,
    refusal_is_transient,
};
use crate::output::{Exit, Report, Text, changes_json, sentence};

/// How a synchronization ended.
pub(super) struct Outcome {
    pub(super) exit: Exit,
    pub(super) code: String,
    pub(super) message: String,
    pub(super) cure: Option<String>,
    pub(super) changes: Changes,
    /// Whether trying again later may help without anyone changing anything.
    pub(super) transient: bool,
    /// The check of `doctor` that this failure is.
    pub(super) check: Option<Check>,
    /// Seconds that the main server asked to wait (P 13.7).
    pub(super) retry_after: Option<u64>,
    /// What is worth knowing beside it.
    pub(super) notes: Vec<String>,
}

impl Outcome {
    fn new(exit: Exit, code: &str, message: String, cure: Option<String>) -> Self {
        Self {
            exit,
            code: code.to_owned(),
            message,
            cure,
            changes: Changes::default(),
            transient: false,
            check: None,
            retry_after: None,
            notes: Vec::new(),
        }
    }

    pub(super) fn synchronized(code: &str, message: String, changes: Changes) -> Self {
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
    pub(super) fn cleared(session: &Session, carrier: Carrier) -> Option<Self> {
        let LocalServer::Cleared(cleared) = &session.server else { return None };
        let Meaning { message, cure } = cleared.meaning(carrier);
        Some(Self::new(Exit::Refused, RefusalCode::KeyPairCleared.as_str(), message, Some(cure)))
    }

    pub(super) fn failed(failure: &Failure) -> Self {
        let (transient, check) = (failure.is_transient(), Some(Check::of(failure)));
        let outcome = Self::new(Exit::NotReached, failure.code(), failure.message(), Some(failure.cure()));
        Self { transient, check, ..outcome }
    }

    /// How it ended, as scripts see it.
    pub(super) const fn outcome(&self) -> &'static str {
        match self.exit {
            Exit::Done => "synchronized",
            Exit::Refused => "refused",
            _ => "failed",
        }
    }

    pub(super) const fn is_synchronized(&self) -> bool {
        matches!(self.exit, Exit::Done)
    }

    /// The report, with the state that the synchronization left.
    pub(super) fn report(mut self, session: &Session) -> Report {
        self.notes.extend(clock_notes(session));
        if let Some(check) = self.check {
            let check = check.as_str();
            self.notes.push(format!("{check} is in the way; `license-server doctor` goes through all that can be"));
        }
        if let Some(seconds) = self.retry_after {
            self.notes.push(format!("the main server asks to wait {}", in_words(seconds)));
        }
        if let Some(damaged) = session.dropped {
            self.notes.push(format!("{damaged}, so it was of no use any more"));
        }
        let mut text = Text::default();
        match self.exit {
            Exit::Done => text.good(sentence(&self.message)),
            _ => text.bad(sentence(&self.message)),
        }
        if self.is_synchronized() || !self.changes.is_empty() {
            text.changes(&self.changes);
        }
        for note in &self.notes {
            text.warn(note);
        }
        match &self.cure {
            Some(cure) => text.next(cure),
            None => text.next(until(session)),
        }
        let synchronize_by = session.server.applied().map(|applied| applied.receipt().synchronize_by);
        if let (Some(by), true) = (synchronize_by, !self.is_synchronized() && session.server.may_go_on()) {
            text.line(format_args!("What this server has stays valid until {by}."));
        }
        let json = json!({
            "outcome": self.outcome(),
            "code": self.code,
            "message": self.message,
            "cure": self.cure,
            "changes": changes_json(&self.changes),
            "check": self.check.map(Check::as_str),
            "transient": self.transient,
            "retry_after_seconds": self.retry_after,
            "notes": self.notes,
            "license_server_id": session.identity.license_server_id,
            "state": session.server.name(),
            "synchronize_by": synchronize_by.map(|time| time.to_string()),
            "days_left": synchronize_by.map_or(Value::Null, |by| json!(session.times.days_left(by))),
        });
        Report::new(self.exit, json, text)
    }
}

/// The deadline in words.
fn until(session: &Session) -> String {
    match session.server.applied().map(Applied::receipt) {
        Some(receipt) => format!(
            "synchronize again by {}, {} days from now; sooner when Solme changes the licenses.",
            receipt.synchronize_by,
            session.times.days_left(receipt.synchronize_by)
        ),
        None => "run `license-server status`.".to_owned(),
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
        notes.push(format!("the local clock was {direction} by {by} at the last synchronization: set it right"));
    }
    if session.times.check_clock().is_err() {
        let mark = session.times.high_water_mark;
        notes.push(format!(
            "the local clock shows {}, but {mark} was seen before: nothing is issued until it is right",
            session.times.local_clock
        ));
    }
    notes
}

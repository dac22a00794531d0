//! `may-issue`: yes, or the rule, the clock values and the cure.

use serde::Serialize;
use solme_sync_protocol::{LicenseNumber, UtcTime};

use super::Context;
use super::session::Session;
use crate::core::{self, Applied, Rule, State, Times, may_issue};
use crate::output::{Error, Exit, Report, Text, rfc3339, sentence};

/// Whether a license may be issued now, the rule that decided, and the times that it went by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Whether the answer is yes.
    pub may_issue: bool,
    /// The rule that decided.
    #[serde(skip)]
    pub rule: Rule,
    /// Its code.
    pub code: &'static str,
    /// The rule in words, for people.
    pub message: String,
    /// What to do next, for people; `None` for a yes.
    pub cure: Option<String>,
    /// The license that was asked for; `None`: any.
    pub license_number: Option<LicenseNumber>,
    /// The state of this server.
    pub state: State,
    /// The effective time (P 17.2).
    #[serde(serialize_with = "rfc3339")]
    pub effective_now: UtcTime,
    /// The local clock.
    #[serde(serialize_with = "rfc3339")]
    pub local_clock: UtcTime,
    /// The latest time seen (P 17.3).
    #[serde(serialize_with = "rfc3339")]
    pub high_water_mark: UtcTime,
    /// Seconds by which the local clock was set back since the last synchronization, in sum (P 17.4).
    pub clock_set_back_seconds: u64,
    /// The deadline that counted, if there was one.
    #[serde(serialize_with = "rfc3339")]
    pub synchronize_by: Option<UtcTime>,
    #[serde(skip)]
    times: Times,
}

/// May a license be issued? With a number: that license; without: any.
pub(crate) fn ask(context: &Context, number: Option<&LicenseNumber>) -> Result<Verdict, Error> {
    let mut session = Session::open(context, "may-issue")?;
    session.store.save_times(&session.times)?;
    let verdict = judge(&session, number);
    let times = verdict.times;
    Ok(Verdict {
        may_issue: verdict.is_yes(),
        code: verdict.code(),
        message: verdict.message(),
        cure: verdict.cure(),
        license_number: number.cloned(),
        state: session.server.state(),
        effective_now: times.effective(),
        local_clock: times.local_clock,
        high_water_mark: times.high_water_mark,
        clock_set_back_seconds: times.set_back,
        synchronize_by: verdict.synchronize_by,
        rule: verdict.rule,
        times,
    })
}

/// The verdict of the core, and of its conduct.
pub(crate) fn judge<K>(session: &Session<K>, number: Option<&LicenseNumber>) -> core::Verdict {
    let verdict = may_issue(&session.server, &session.times, number);
    let allocation = session.server.applied().map(Applied::allocation);
    let rule = session.identity.conduct.rule(verdict.rule, allocation, &session.times, number);
    core::Verdict { rule, ..verdict }
}

impl Verdict {
    pub(super) fn report(&self) -> Report {
        let mut text = Text::default();
        match self.may_issue {
            true => text.good(sentence(&self.message)),
            false => text.bad(sentence(&format!("no: {}", self.message))),
        }
        text.value("effective time", self.effective_now);
        text.value("local clock", self.local_clock);
        text.value("latest time seen", self.high_water_mark);
        if let Some(by) = self.synchronize_by {
            text.value("synchronize by", format_args!("{by} ({} days left)", self.times.days_left(by)));
        }
        match (&self.cure, self.synchronize_by) {
            (Some(cure), _) => text.next(cure),
            (None, Some(by)) => text.next(format_args!("synchronize again by {by}.")),
            (None, None) => {}
        }
        Report::of(if self.may_issue { Exit::Done } else { Exit::MayNotIssue }, self, text)
    }
}

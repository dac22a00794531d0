//! `automatic-synchronization`: off, each day or each week, as in the menu of the License Server Manager.

use serde::Serialize;
use solme_sync_protocol::UtcTime;

use super::Context;
use super::session::{Ending, Session};
use crate::core::{Mode, Schedule};
use crate::output::{Done, Error, Exit, Report, Text, rfc3339, sentence};
use crate::store::{LastAutomatic, LocalStateFailure, Serving};

const EVENT: &str = "automatic-synchronization";

/// Automatic synchronization, and what came of it last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Automatic {
    /// How often.
    pub mode: Mode,
    /// When the next one is due; `None`: never.
    #[serde(serialize_with = "rfc3339")]
    pub next_at: Option<UtcTime>,
    /// Whether `license-server serve` runs, which does it.
    pub serving: bool,
    /// Tries again since the last regular one.
    pub retries: u32,
    /// How the last one ended.
    pub last: Option<LastAutomatic>,
}

#[derive(Serialize)]
struct Said<'a> {
    #[serde(flatten)]
    done: Done,
    #[serde(flatten)]
    automatic: &'a Automatic,
}

/// Shows automatic synchronization, and chooses the mode if there is one.
pub(crate) fn automatic(context: &Context, mode: Option<Mode>) -> Result<Automatic, Error> {
    let mut session = Session::open(context, EVENT)?;
    let mut schedule = session.store.schedule()?;
    if let Some(mode) = mode.filter(|mode| *mode != schedule.mode) {
        schedule = Schedule { mode, retries: 0, ..schedule };
        session.store.save_schedule(&schedule)?;
        let message = format!("automatic synchronization is {mode}");
        session.note(EVENT, Ending { outcome: "done", code: mode.as_str(), message: &message })?;
    }
    Ok(Automatic::of(&session)?)
}

impl Automatic {
    pub(super) fn report(&self) -> Report {
        let message = format!("automatic synchronization is {}", self.mode);
        let mut text = Text::default();
        text.good(sentence(&message));
        self.describe(&mut text);
        text.next(self.next_step());
        Report::of(Exit::Done, &Said { done: Done::new(EVENT, message), automatic: self }, text)
    }

    pub(super) fn of(session: &Session) -> Result<Self, LocalStateFailure> {
        let schedule = session.store.schedule()?;
        Ok(Self {
            mode: schedule.mode,
            next_at: session.next_automatic(&schedule),
            serving: Serving::is_under_way(session.store.path()),
            retries: schedule.retries,
            last: session.store.last_automatic()?,
        })
    }

    pub(super) fn describe(&self, text: &mut Text) {
        if let Some(next_at) = self.next_at {
            text.value("next automatic", next_at);
        }
        if let Some(last) = &self.last {
            text.value("last automatic", format_args!("{}, {}: {}", last.at, last.code, last.message));
        }
    }

    pub(super) fn note(&self) -> Option<String> {
        let idle = self.mode != Mode::Off && !self.serving;
        idle.then(|| format!("automatic synchronization is {}, but `license-server serve` does not run", self.mode))
    }

    pub(crate) fn next_step(&self) -> String {
        match (self.mode, self.serving) {
            (Mode::Off, _) => "run `license-server synchronize` yourself, at least every 366 days.".to_owned(),
            (_, false) => "start `license-server serve` and keep it running.".to_owned(),
            (_, true) => "`license-server status` shows the result.".to_owned(),
        }
    }
}

//! `automatic-synchronization`: off, each day or each week, as in the menu of the License Server Manager.

use serde_json::{Value, json};

use super::Context;
use super::session::{Ending, Session};
use crate::core::{Mode, Schedule};
use crate::output::{Exit, Report, Text, Trouble, sentence};
use crate::store::{LastAutomatic, LocalStateError, Serving};

const EVENT: &str = "automatic-synchronization";

pub(super) fn run(context: &Context, mode: Option<Mode>) -> Result<Report, Trouble> {
    let mut session = Session::open(context, EVENT)?;
    let mut schedule = session.store.schedule()?;
    if let Some(mode) = mode.filter(|mode| *mode != schedule.mode) {
        schedule = Schedule { mode, retries: 0, ..schedule };
        session.store.save_schedule(&schedule)?;
        let message = format!("automatic synchronization is {mode}");
        session.note(EVENT, Ending { outcome: "done", code: mode.as_str(), message: &message })?;
    }
    let automatic = Automatic::of(&session)?;
    let message = match automatic.schedule.mode {
        Mode::Off => "automatic synchronization is off".to_owned(),
        mode => format!("automatic synchronization is {mode}"),
    };
    let mut text = Text::default();
    text.good(sentence(&message));
    automatic.describe(&mut text);
    text.next(automatic.next_step());
    let mut json = automatic.to_json();
    let said = json!({ "outcome": "done", "code": EVENT, "message": message, "cure": null });
    for (key, value) in said.as_object().into_iter().flatten() {
        json[key] = value.clone();
    }
    Ok(Report::new(Exit::Done, json, text))
}

/// What is known about automatic synchronization, here and in `status`.
pub(super) struct Automatic {
    pub(super) schedule: Schedule,
    next_at: Option<solme_sync_protocol::UtcTime>,
    last: Option<LastAutomatic>,
    /// Whether `serve` runs, which does it.
    serving: bool,
}

impl Automatic {
    pub(super) fn of(session: &Session) -> Result<Self, LocalStateError> {
        let schedule = session.store.schedule()?;
        Ok(Self {
            next_at: session.next_automatic(&schedule),
            schedule,
            last: session.store.last_automatic()?,
            serving: Serving::is_under_way(session.store.path()),
        })
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "mode": self.schedule.mode.as_str(),
            "next_at": self.next_at.map(|time| time.to_string()),
            "serving": self.serving,
            "retries": self.schedule.retries,
            "last": self.last.as_ref().map(|last| json!({
                "at": last.at.to_string(),
                "outcome": last.outcome,
                "code": last.code,
                "message": last.message,
            })),
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

    /// What is wrong with it.
    pub(super) fn note(&self) -> Option<String> {
        let idle = self.schedule.mode != Mode::Off && !self.serving;
        idle.then(|| {
            format!("automatic synchronization is {}, but `license-server serve` does not run", self.schedule.mode)
        })
    }

    fn next_step(&self) -> String {
        match (self.schedule.mode, self.serving) {
            (Mode::Off, _) => "run `license-server synchronize` yourself, at least every 366 days.".to_owned(),
            (_, false) => "start `license-server serve`, which does it, and keep it running.".to_owned(),
            (_, true) => "`license-server status` shows what came of it.".to_owned(),
        }
    }
}

//! `serve` on paper: what `command/serve.rs` does around the core, with a value in the place of the database.

use super::{Around, Ended, OnPaper, Run};
use crate::core::{Due, Mode, Schedule, Warning};

/// What a License Server keeps about automatic synchronization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AutomaticOnPaper(Schedule);

impl AutomaticOnPaper {
    /// Nothing was synchronized yet.
    pub const fn new(mode: Mode) -> Self {
        Self(Schedule { mode, ..Schedule::NEW })
    }

    /// What is due.
    pub fn due(&self, paper: &OnPaper, around: &Around<'_>) -> Due {
        let session = paper.open(around, 0);
        session.server.due(&session.times, &self.0, &session.identity.key_thumbprint)
    }

    /// A synchronization came to its end: an automatic one, or one by hand or by file. `paper` is what it left.
    #[must_use]
    pub fn after(self, run: &Run, automatic: bool, paper: &OnPaper, around: &Around<'_>) -> Self {
        let schedule = if run.applied { self.0.succeeded(around.clock) } else { self.0 };
        if !automatic || matches!(run.ended, Ended::Synchronized | Ended::Killed) {
            return Self(schedule);
        }
        let session = paper.open(around, 0);
        let left = session.server.time_left(&session.times);
        Self(schedule.failed(around.clock, left, run.transient, run.retry_after))
    }

    /// A warning was given.
    #[must_use]
    pub fn warned(self, warning: Warning) -> Self {
        Self(Schedule { warned: Some((warning.synchronize_by, warning.reached)), ..self.0 })
    }
}

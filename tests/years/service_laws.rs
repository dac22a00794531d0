//! What holds of a License Server over time, beside the laws that hold after each step.

use license_server::{Mode, State};

use crate::parts::{At, DAY, Parts, Shown};

/// A synchronization that failed for a while comes within this time once nothing is in its way: tries again are at most an
/// hour and a quarter apart, and a main server in trouble may have asked to wait for half an hour.
const AT_LAST: At = 150 * 60;
/// What P 17.4 allows: 24 hours behind the mark, and 24 hours set back.
const ALLOWED: At = 2 * DAY;

/// Since when nothing has kept a server from synchronizing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Unimpeded {
    since: At,
}

impl Unimpeded {
    pub(crate) const fn impeded(&mut self, now: At) {
        self.since = now;
    }

    pub(crate) fn broken(&self, mode: Mode, now: At, shown: &Shown) -> Option<&'static str> {
        let interval = match mode {
            Mode::Off => return None,
            Mode::Daily => DAY,
            Mode::Weekly => 7 * DAY,
        };
        let for_so_long = now - self.since;
        if for_so_long > AT_LAST && shown.state != State::Synchronized {
            return Some("with a working network and clock, automatic synchronization never leaves a server overdue");
        }
        let age = Parts::now(now).since(shown.synchronize_by.offset(-(366 * DAY).cast_signed()));
        let late = for_so_long > interval + AT_LAST && age > interval + AT_LAST;
        late.then_some("with a working network and clock, there is a synchronization each day or each week")
    }
}

/// For how long licenses were issued on one receipt.
#[derive(Debug, Clone, Default)]
pub(crate) struct Issued {
    sequence: u64,
    /// In true time.
    seconds: At,
    /// Of these, what the local clock did not show: it was slow, stood still, or was set back before it was looked at again.
    unseen: At,
    /// Time and clock of the last look, and whether licenses could be issued then.
    last: Option<(At, u64, bool)>,
}

impl Issued {
    /// The server was looked at. Whatever its clock does, it issues for 366 days at most on one receipt, but for what no
    /// program can see (P 17.9) and what P 17.4 allows.
    pub(crate) fn look(&mut self, now: At, clock: u64, shown: &Shown) -> Option<&'static str> {
        if shown.sequence != self.sequence {
            *self = Self { sequence: shown.sequence, ..Self::default() };
        }
        if let Some((before, clock_before, true)) = self.last
            && shown.may_issue
        {
            let passed = now - before;
            self.seconds += passed;
            self.unseen += passed.saturating_sub(clock.saturating_sub(clock_before));
        }
        self.last = Some((now, clock, shown.may_issue));
        (self.seconds > 366 * DAY + ALLOWED + self.unseen).then_some("no clock makes 366 days longer than P 17 allows")
    }
}

//! What `serve` has due: an automatic synchronization, a warning, or nothing for a while.

use solme_sync_protocol::{KeyThumbprint, UtcTime};

use super::{LocalServer, Schedule, TimeLeft, Times, next_warning_at};

/// It looks at the state so often at least: the latest time seen is stored then (P 17.3).
const LOOK_AGAIN: u64 = 86_400;

/// What `serve` has due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// An automatic synchronization.
    Synchronize,
    /// A warning: the required synchronization comes near.
    Warn(Warning),
    /// Nothing, until then by the local clock.
    Nothing {
        /// That time.
        until: UtcTime,
    },
}

/// The required synchronization comes near.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Warning {
    /// Days until the required synchronization, rounded up (P 17.6).
    pub days_left: u64,
    /// The number of days that is reached: 90, 30, 7, 1, or 0.
    pub reached: u64,
    /// The required synchronization.
    pub synchronize_by: UtcTime,
}

impl LocalServer {
    fn synchronize_by(&self) -> Option<UtcTime> {
        self.applied().map(|applied| applied.receipt().synchronize_by)
    }

    /// What is left until the required synchronization.
    pub(crate) fn time_left(&self, times: &Times) -> TimeLeft {
        let left = |by: UtcTime| TimeLeft::Seconds(by.since(times.effective()));
        self.synchronize_by().map_or(TimeLeft::Nothing, left)
    }

    /// When the next automatic synchronization is due. A cleared key pair has nothing to ask (P 16.4).
    pub(crate) fn next_automatic(&self, times: &Times, schedule: &Schedule, key: &KeyThumbprint) -> Option<UtcTime> {
        match self {
            Self::Cleared(_) => None,
            _ => schedule.next_at(times.local_clock, self.time_left(times), key),
        }
    }

    pub(crate) fn due(&self, times: &Times, schedule: &Schedule, key: &KeyThumbprint) -> Due {
        let now = times.local_clock;
        let next = self.next_automatic(times, schedule, key);
        if next.is_some_and(|next| next <= now) {
            return Due::Synchronize;
        }
        let by = self.synchronize_by();
        if let Some(synchronize_by) = by {
            let days_left = times.days_left(synchronize_by);
            if let Some(reached) = schedule.warning(days_left, synchronize_by) {
                return Due::Warn(Warning { days_left, reached, synchronize_by });
            }
        }
        let warning = by.and_then(|by| next_warning_at(now, by));
        Due::Nothing { until: [next, warning].into_iter().flatten().fold(now.plus(LOOK_AGAIN), UtcTime::min) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::Mode;
    use crate::tests::world::{MAIN_TIME, World};

    const DAY: u64 = 86_400;

    #[test]
    fn a_synchronization_comes_before_a_warning_and_both_before_the_next_look() {
        let world = World::new();
        let key = &world.identity.key_thumbprint;
        let at = |days: u64| Times::starting_at(MAIN_TIME.plus(days * DAY));
        let due = |times: Times, schedule: &Schedule| world.synchronized(&times).due(&times, schedule, key);
        let daily = Schedule { mode: Mode::Daily, since: Some(MAIN_TIME), ..Schedule::NEW };
        assert_eq!(due(at(0), &Schedule::NEW), Due::Nothing { until: MAIN_TIME.plus(DAY) }, "a look each day");
        let Due::Nothing { until } = due(at(0), &daily) else { panic!("it is due too early") };
        assert!((MAIN_TIME.plus(DAY - 3_600)..=MAIN_TIME.plus(DAY)).contains(&until), "{until}");
        assert_eq!(due(at(300), &daily), Due::Synchronize, "before the warning of 90 days");
        let by = MAIN_TIME.synchronize_by();
        let warning = Warning { days_left: 66, reached: 90, synchronize_by: by };
        assert_eq!(due(at(300), &Schedule::NEW), Due::Warn(warning));
        let warned = Schedule { warned: Some((by, 90)), ..Schedule::NEW };
        assert!(matches!(due(at(300), &warned), Due::Nothing { .. }));
        let never = world.unsynchronized().due(&at(400), &Schedule::NEW, key);
        assert_eq!(never, Due::Nothing { until: MAIN_TIME.plus(401 * DAY) }, "no deadline, no warning");
    }
}

//! Automatic synchronization: when the next one is due, and when a warning is. [manual] each day or each week, off at first.
//!
//! Waits count from the last attempt, or the last success by any carrier, in the local clock; what is left until the
//! required synchronization counts in effective time (P 17.2). Jitter comes out of the key pair's name, so that local
//! servers that were started together do not ask together, and the same facts give the same answer.

use std::fmt::{Display, Formatter};
use std::str::FromStr;

use serde::Serialize;
use solme_sync_protocol::{Digest, KeyThumbprint, UtcTime};

const MINUTE: u64 = 60;
const HOUR: u64 = 3_600;
const DAY: u64 = 86_400;

/// So many tries again, with growing delay, before the next regular synchronization is waited for.
const RETRIES: u32 = 8;
/// The longest delay of a try again, and of a server that may issue nothing.
const LONGEST_RETRY: u64 = HOUR;
/// A `Retry-After` is honoured up to here (P 13.7).
const LONGEST_RETRY_AFTER: u64 = DAY;
/// No wait is longer than this part of the time that is left, or than a minute: then an outage that ends more than a
/// few minutes before the required synchronization costs nothing.
const PART_OF_TIME_LEFT: u64 = 8;
/// A clock that is set back by less than this is being kept right.
const SLACK: u64 = MINUTE;
/// Days before the required synchronization on which the first warning is due.
pub(crate) const FIRST_WARNING: u64 = 90;
/// Days on which one is due. 0: it is overdue.
const WARNINGS: [u64; 5] = [0, 1, 7, 30, FIRST_WARNING];

/// How often to synchronize.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Never by itself.
    Off,
    /// Each day.
    Daily,
    /// Each week.
    Weekly,
}

impl Mode {
    pub(crate) const ALL: [Self; 3] = [Self::Off, Self::Daily, Self::Weekly];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Daily => "daily",
            Self::Weekly => "weekly",
        }
    }

    const fn interval(self) -> Option<u64> {
        match self {
            Self::Off => None,
            Self::Daily => Some(DAY),
            Self::Weekly => Some(7 * DAY),
        }
    }
}

impl Display for Mode {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Mode {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|mode| mode.as_str() == text);
        found.ok_or_else(|| format!("{text:?} is not a mode; choose off, daily or weekly"))
    }
}

/// What automatic synchronization goes by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Schedule {
    pub(crate) mode: Mode,
    /// From when the next wait counts. `None`: there was no attempt yet, so one is due at once.
    pub(crate) since: Option<UtcTime>,
    /// Tries again since the last regular synchronization.
    pub(crate) retries: u32,
    /// The main server asked not to be asked before.
    pub(crate) not_before: Option<UtcTime>,
    /// The deadline that was warned of last, and the number of days of that warning.
    pub(crate) warned: Option<(UtcTime, u64)>,
}

/// What is left until the required synchronization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimeLeft {
    /// There was no synchronization, or none that counts.
    Nothing,
    /// Seconds until the required synchronization; 0 when it is overdue.
    Seconds(u64),
}

impl Schedule {
    /// The schedule of a new local server.
    pub(crate) const NEW: Self = Self { mode: Mode::Off, since: None, retries: 0, not_before: None, warned: None };

    /// When the next automatic synchronization is due; now or earlier: at once. `None`: never.
    pub(crate) fn next_at(&self, now: UtcTime, left: TimeLeft, key: &KeyThumbprint) -> Option<UtcTime> {
        let interval = self.mode.interval()?;
        // The clock was set back since, or there was no attempt: nobody knows how long ago the last one is.
        let Some(since) = self.since.filter(|since| *since <= now.plus(SLACK)) else { return Some(now) };
        let regular = match self.retries {
            0 => interval - jitter(key, since, interval / 24),
            n => {
                let delay = (MINUTE << (n - 1).min(16)).min(LONGEST_RETRY);
                delay + jitter(key, since, delay / 4)
            }
        };
        let longest = match left {
            TimeLeft::Nothing | TimeLeft::Seconds(0) => LONGEST_RETRY,
            // What is left now, and not what was left at `since`: behind the high-water mark the clock runs and nothing
            // is used up (P 17.2), so that the two cannot be told from each other.
            TimeLeft::Seconds(left) => (left / PART_OF_TIME_LEFT).max(MINUTE),
        };
        let due = since.plus(regular.min(longest));
        Some(self.not_before.map_or(due, |time| due.max(time)))
    }

    /// A synchronization succeeded, by whichever carrier.
    #[must_use]
    pub(crate) const fn succeeded(self, now: UtcTime) -> Self {
        Self { since: Some(now), retries: 0, not_before: None, ..self }
    }

    /// An automatic synchronization did not succeed. `transient`: trying again may help without anyone changing
    /// anything. `retry_after`: seconds that the main server asked for, over 443 (P 13.7); at least half of the time that
    /// is left remains.
    #[must_use]
    pub(crate) fn failed(self, now: UtcTime, left: TimeLeft, transient: bool, retry_after: Option<u64>) -> Self {
        let retries = if transient && self.retries < RETRIES { self.retries + 1 } else { 0 };
        let longest = match left {
            TimeLeft::Seconds(left) if left > 0 => LONGEST_RETRY_AFTER.min(left / 2),
            _ => LONGEST_RETRY_AFTER,
        };
        let not_before = retry_after.map(|seconds| now.plus(seconds.min(longest)));
        Self { since: Some(now), retries, not_before, ..self }
    }

    /// The warning that is due: the number of days of [`WARNINGS`] that are reached. Each is due once for a deadline.
    pub(crate) fn warning(&self, days_left: u64, synchronize_by: UtcTime) -> Option<u64> {
        let reached = WARNINGS.into_iter().find(|days| days_left <= *days)?;
        match self.warned {
            Some((by, days)) if by == synchronize_by && days <= reached => None,
            _ => Some(reached),
        }
    }
}

/// When the next warning before `synchronize_by` is reached.
pub(crate) fn next_warning_at(now: UtcTime, synchronize_by: UtcTime) -> Option<UtcTime> {
    let times = WARNINGS.map(|days| synchronize_by.offset(-(days * DAY).cast_signed()));
    times.into_iter().filter(|time| *time > now).min()
}

/// A number below `bound` that is spread evenly over key pairs and times.
fn jitter(key: &KeyThumbprint, since: UtcTime, bound: u64) -> u64 {
    let digest = Digest::of(format!("{key} {}", since.as_secs()));
    let [a, b, c, d, ..] = digest.as_bytes();
    (u64::from(u32::from_be_bytes([*a, *b, *c, *d])) * bound) >> 32
}

#[cfg(test)]
mod tests;

//! What happened in each second: the numbers of the report and its plots.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

/// Latencies: microseconds, in no order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Latencies(Vec<u32>);

/// Percentiles in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Percentiles {
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
}

impl Latencies {
    pub(crate) fn add(&mut self, took: Duration) {
        self.0.push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
    }

    pub(crate) const fn count(&self) -> usize {
        self.0.len()
    }

    /// None without any.
    pub(crate) fn percentiles(&self) -> Option<Percentiles> {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let last = sorted.len().checked_sub(1)?;
        let at = |part: usize| f64::from(sorted[last * part / 100]) / 1_000.0;
        Some(Percentiles { p50: at(50), p90: at(90), p99: at(99), max: at(100) })
    }
}

/// How a try to synchronize ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It synchronized.
    Done,
    /// The main server had too much to do, and asked to come again later.
    Shed,
    /// A refusal that was to come, or was not: its code.
    Refused(String),
    /// A failure: its code.
    Failed(String),
    /// The License Server was killed in it.
    Killed,
}

/// What happened in one second.
#[derive(Debug, Clone, Default)]
pub(crate) struct Second {
    pub(crate) latencies: Latencies,
    pub(crate) shed: u64,
    pub(crate) refused: u64,
    pub(crate) failed: u64,
    /// Thieves that were refused or shed.
    pub(crate) thieves: u64,
    /// Bytes that the main server has in memory; none while it does not run.
    pub(crate) main_server: Option<u64>,
    /// Bytes that this program has in memory, with all License Servers.
    pub(crate) fleet: Option<u64>,
}

/// All seconds, and the sums.
#[derive(Debug, Default)]
pub(crate) struct Seconds {
    pub(crate) seconds: Vec<Second>,
    pub(crate) refusals: BTreeMap<String, u64>,
    pub(crate) failures: BTreeMap<String, u64>,
    pub(crate) shed: u64,
    pub(crate) kills: u64,
    /// What thieves were told, by code.
    pub(crate) thieves: BTreeMap<String, u64>,
    /// From due to done, with all that was tried again between.
    pub(crate) from_due: Latencies,
}

impl Seconds {
    /// The second of this time.
    pub(crate) fn at(&mut self, time: Duration) -> &mut Second {
        let second = usize::try_from(time.as_secs()).unwrap_or(usize::MAX);
        if self.seconds.len() <= second {
            self.seconds.resize(second + 1, Second::default());
        }
        &mut self.seconds[second]
    }

    /// A try that took so long has ended.
    pub(crate) fn ended(&mut self, time: Duration, took: Duration, ended: &Ended) {
        let second = self.at(time);
        match ended {
            Ended::Done => second.latencies.add(took),
            Ended::Shed => second.shed += 1,
            Ended::Refused(_) => second.refused += 1,
            Ended::Failed(_) => second.failed += 1,
            Ended::Killed => {}
        }
        match ended {
            Ended::Done => {}
            Ended::Shed => self.shed += 1,
            Ended::Refused(code) => *self.refusals.entry(code.clone()).or_default() += 1,
            Ended::Failed(code) => *self.failures.entry(code.clone()).or_default() += 1,
            Ended::Killed => self.kills += 1,
        }
    }

    /// A thief was told this.
    pub(crate) fn thief(&mut self, time: Duration, code: &str, times: u64) {
        self.at(time).thieves += times;
        *self.thieves.entry(code.to_owned()).or_default() += times;
    }

    /// How often a License Server has synchronized.
    pub(crate) fn done(&self) -> usize {
        self.seconds.iter().map(|second| second.latencies.count()).sum()
    }

    /// Those that ended between the two.
    pub(crate) fn between(&self, from: Duration, to: Duration) -> Latencies {
        let bound = |time: Duration| usize::try_from(time.as_secs()).unwrap_or(usize::MAX).min(self.seconds.len());
        let seconds = &self.seconds[bound(from)..bound(to).max(bound(from))];
        Latencies(seconds.iter().flat_map(|second| second.latencies.0.iter().copied()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_what_was_measured() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.percentiles(), None);
        (0..=100).rev().for_each(|ms| latencies.add(Duration::from_millis(ms)));
        let wanted = Percentiles { p50: 50.0, p90: 90.0, p99: 99.0, max: 100.0 };
        assert_eq!(latencies.percentiles(), Some(wanted));
    }

    #[test]
    fn each_try_is_counted_in_its_second_and_in_the_sums() {
        let mut seconds = Seconds::default();
        let at = Duration::from_millis;
        seconds.ended(at(2_500), at(7), &Ended::Done);
        seconds.ended(at(2_600), at(7), &Ended::Failed("reset".to_owned()));
        seconds.ended(at(100), at(7), &Ended::Shed);
        assert_eq!((seconds.seconds.len(), seconds.seconds[2].latencies.count(), seconds.seconds[2].failed), (3, 1, 1));
        assert_eq!((seconds.shed, seconds.failures["reset"]), (1, 1));
        assert_eq!(seconds.between(at(2_000), at(9_000)).count(), 1);
        assert_eq!(seconds.between(at(0), at(2_000)).count(), 0);
    }
}

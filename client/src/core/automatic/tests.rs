//! Automatic synchronization in virtual time: a year takes milliseconds.

use proptest::prelude::*;

use super::*;
use crate::core::Times;

const START: UtcTime = UtcTime::from_secs(1_800_000_000);
const YEAR: u64 = 366 * DAY;

fn key() -> KeyThumbprint {
    crate::tests::world::World::new().identity.key_thumbprint
}

fn daily() -> Schedule {
    Schedule { mode: Mode::Daily, ..Schedule::NEW }.succeeded(START)
}

/// Seconds from now to the next attempt.
fn wait(schedule: &Schedule, now: UtcTime, left: TimeLeft) -> u64 {
    schedule.next_at(now, left, &key()).unwrap().since(now)
}

#[test]
fn it_is_off_until_someone_switches_it_on_and_then_due_at_once() {
    assert_eq!(Schedule::NEW.next_at(START, TimeLeft::Nothing, &key()), None);
    let on = Schedule { mode: Mode::Weekly, ..Schedule::NEW };
    assert_eq!(on.next_at(START, TimeLeft::Nothing, &key()), Some(START));
}

#[test]
fn each_day_is_at_most_a_day_and_each_week_at_most_a_week() {
    for (mode, days) in [(Mode::Daily, 1), (Mode::Weekly, 7)] {
        for second in 0..200 {
            let since = START.plus(second);
            let schedule = Schedule { mode, ..Schedule::NEW }.succeeded(since);
            let wait = wait(&schedule, since, TimeLeft::Seconds(YEAR));
            assert!((days * DAY * 23 / 24..=days * DAY).contains(&wait), "{mode}: {wait}");
        }
    }
}

#[test]
fn a_failure_is_tried_again_with_growing_delay_and_not_for_ever() {
    let (mut schedule, mut now, mut waits) = (daily(), START, Vec::new());
    for _ in 0..10 {
        schedule = schedule.failed(now, TimeLeft::Seconds(YEAR), true, None);
        let wait = wait(&schedule, now, TimeLeft::Seconds(YEAR));
        waits.push(wait / MINUTE);
        now = now.plus(wait);
    }
    let at_least = [1, 2, 4, 8, 16, 32, 60, 60, 23 * 60, 1];
    for (n, (wait, least)) in waits.iter().zip(at_least).enumerate() {
        assert!((least..=least + least / 4).contains(wait), "wait {n}: {waits:?}");
    }
}

#[test]
fn a_success_ends_the_retries_and_the_wait_that_was_asked_for() {
    let failed = daily().failed(START, TimeLeft::Nothing, true, Some(HOUR));
    assert_eq!((failed.retries, failed.not_before), (1, Some(START.plus(HOUR))));
    assert_eq!(failed.succeeded(START), daily());
}

#[test]
fn license_servers_that_synchronized_or_failed_at_once_spread() {
    let failed = daily().failed(START, TimeLeft::Seconds(YEAR), true, None);
    for (schedule, waits) in [(daily(), 23 * HOUR..=DAY), (failed, MINUTE..=MINUTE * 5 / 4)] {
        let wait = |_| {
            let key = solme_sync_protocol::SigningKey::generate().thumbprint();
            schedule.next_at(START, TimeLeft::Seconds(YEAR), &key).unwrap().since(START)
        };
        let spread: std::collections::BTreeSet<u64> = (0..40).map(wait).collect();
        assert!(spread.iter().all(|wait| waits.contains(wait)), "{spread:?}");
        assert!(spread.len() > 8, "{spread:?}");
    }
}

#[test]
fn what_only_a_person_can_mend_waits_for_the_next_regular_time() {
    let refused = daily().failed(START, TimeLeft::Seconds(YEAR), false, None);
    assert!(wait(&refused, START, TimeLeft::Seconds(YEAR)) > 22 * HOUR);
    let never_synchronized = daily().failed(START, TimeLeft::Nothing, false, None);
    assert_eq!(wait(&never_synchronized, START, TimeLeft::Nothing), HOUR, "it can issue nothing: each hour counts");
}

#[test]
fn a_retry_after_is_honoured_up_to_a_day_and_up_to_half_of_the_time_left() {
    let asked = |left, seconds| wait(&daily().failed(START, left, true, Some(seconds)), START, left);
    let far = TimeLeft::Seconds(YEAR);
    assert_eq!(asked(far, 7_200), 7_200);
    assert_eq!(asked(far, 30 * DAY), DAY);
    assert_eq!(asked(TimeLeft::Seconds(4 * HOUR), 30 * DAY), 2 * HOUR);
    assert_eq!(asked(TimeLeft::Seconds(0), 30 * DAY), DAY);
    assert!((60..=75).contains(&asked(far, 1)), "it makes no wait shorter");
}

#[test]
fn a_clock_that_was_set_back_does_not_put_the_next_time_off() {
    let kept_right = START.offset(-30);
    assert!(wait(&daily(), kept_right, TimeLeft::Seconds(YEAR)) > 22 * HOUR);
    let month_ago = START.offset(-30 * 86_400);
    assert_eq!(daily().next_at(month_ago, TimeLeft::Seconds(YEAR), &key()), Some(month_ago));
    let told = daily().failed(START, TimeLeft::Seconds(YEAR), true, Some(DAY));
    assert_eq!(told.next_at(month_ago, TimeLeft::Seconds(YEAR), &key()), Some(month_ago));
}

#[test]
fn a_warning_is_due_once_for_each_number_of_days_and_again_for_the_next_deadline() {
    let (by, mut schedule, mut given) = (START, Schedule::NEW, Vec::new());
    for days_left in (0..=366).rev().chain([0, 0]) {
        if let Some(days) = schedule.warning(days_left, by) {
            given.push((days_left, days));
            schedule.warned = Some((by, days));
        }
    }
    let mut now = by.offset(-100 * 86_400);
    let reached = std::iter::from_fn(|| {
        now = next_warning_at(now, by)?;
        Some(by.since(now) / DAY)
    });
    assert_eq!(reached.collect::<Vec<_>>(), [90, 30, 7, 1, 0]);
    assert_eq!(given, [(90, 90), (30, 30), (7, 7), (1, 1), (0, 0)]);
    assert_eq!(schedule.warning(20, by.plus(1)), Some(30), "another deadline, and the server was off for a while");
    assert_eq!(schedule.warning(366, by.plus(YEAR)), None);
}

/// Three years in the life of a local server.
#[derive(Debug, Clone)]
struct Life {
    mode: Mode,
    /// When the main server cannot be reached: hours from the start, and hours.
    outages: Vec<(u64, u64)>,
    /// When the clock is set by so many minutes: hours from the start.
    steps: Vec<(u64, i64)>,
    /// When `serve` does not run: hours from the start, and minutes.
    stops: Vec<(u64, u64)>,
    /// Whether an outage looks like one that passes, and what the main server asks for in it.
    transient: bool,
    retry_after: Option<u64>,
}

const HOURS: u64 = 3 * 366 * 24;

prop_compose! {
    fn life()(
        mode in prop_oneof![Just(Mode::Daily), Just(Mode::Weekly)],
        outages in prop::collection::vec((0..HOURS, prop_oneof![4 => 1..100u64, 1 => 8_700..8_800u64]), 0..12),
        steps in prop::collection::vec((0..HOURS, -90 * 24 * 60..90 * 24 * 60i64), 0..6),
        stops in prop::collection::vec((0..HOURS, 0..3_000u64), 0..12),
        transient in any::<bool>(),
        retry_after in prop::option::of(0..100_000u64),
    ) -> Life {
        Life { mode, outages, steps, stops, transient, retry_after }
    }
}

/// What came of it.
#[derive(Debug, Default)]
struct Told {
    attempts: usize,
    synchronizations: usize,
    overdue: usize,
    /// Times in a row without a synchronization, although `serve` ran, the main server could be reached and the clock was
    /// left alone; with the longest that each may be.
    chances: Vec<(u64, u64)>,
}

impl Life {
    fn is_open(&self, second: u64) -> bool {
        let out = self.outages.iter().any(|(at, hours)| (at * HOUR..(at + hours) * HOUR).contains(&second));
        !out && self.is_running(second)
    }

    fn is_running(&self, second: u64) -> bool {
        !self.stops.iter().any(|(at, minutes)| (at * HOUR..at * HOUR + minutes * MINUTE).contains(&second))
    }

    fn clock(&self, second: u64) -> UtcTime {
        let steps = self.steps.iter().filter(|(at, _)| at * HOUR <= second);
        START.plus(second).offset(steps.map(|(_, minutes)| minutes * 60).sum())
    }

    /// The next moment at which the world changes.
    fn next_event(&self, second: u64) -> u64 {
        let outages = self.outages.iter().flat_map(|(at, hours)| [at * HOUR, (at + hours) * HOUR]);
        let stops = self.stops.iter().flat_map(|(at, minutes)| [at * HOUR, at * HOUR + minutes * MINUTE]);
        let steps = self.steps.iter().map(|(at, _)| at * HOUR);
        outages.chain(stops).chain(steps).filter(|at| *at > second).min().unwrap_or(u64::MAX)
    }

    /// The longest time without a synchronization when nothing is in the way, and so much is left.
    fn longest(&self, left: TimeLeft) -> u64 {
        let part = if self.retry_after.is_some() { 2 } else { PART_OF_TIME_LEFT };
        let near = match left {
            TimeLeft::Seconds(left) if left > 0 => (left / part).max(MINUTE),
            _ if self.retry_after.is_some() => DAY,
            _ => HOUR,
        };
        near.min(self.mode.interval().unwrap()) + SLACK + 2
    }

    /// Lives it. The local server knows its clock and what it stored; of the world it learns when it tries.
    fn live(&self, key: &KeyThumbprint) -> Told {
        let mut told = Told::default();
        let mut schedule = Schedule { mode: self.mode, ..Schedule::NEW };
        let (mut second, mut times, mut by) = (0, Times::starting_at(self.clock(0)), None::<UtcTime>);
        let (mut open_since, mut was_overdue) = (None::<(u64, u64)>, false);
        let mut changes_at = self.next_event(0);
        while second < HOURS * HOUR {
            times = times.observe(self.clock(second));
            let left = by.map_or(TimeLeft::Nothing, |by| TimeLeft::Seconds(by.since(times.effective())));
            told.overdue += usize::from(left == TimeLeft::Seconds(0) && !was_overdue);
            was_overdue = left == TimeLeft::Seconds(0);
            if second >= changes_at {
                told.chances.extend(open_since.take().map(|(began, longest)| (second - began, longest)));
                changes_at = self.next_event(second);
            }
            if open_since.is_none() && self.is_open(second) {
                open_since = Some((second, self.longest(left)));
            }
            let next = schedule.next_at(times.local_clock, left, key).unwrap();
            if next > times.local_clock || !self.is_running(second) {
                let due = if self.is_running(second) { next.since(times.local_clock) } else { u64::MAX };
                let overdue = match left {
                    TimeLeft::Seconds(left) if left > 0 => left,
                    _ => u64::MAX,
                };
                second = second.saturating_add(due.min(overdue)).min(changes_at);
                continue;
            }
            told.attempts += 1;
            if self.is_open(second) {
                told.synchronizations += 1;
                told.chances.extend(open_since.take().map(|(began, longest)| (second - began, longest)));
                times = times.asking().settle(times.local_clock, times.high_water_mark, START.plus(second));
                by = Some(START.plus(second).synchronize_by());
                schedule = schedule.succeeded(times.local_clock);
            } else {
                schedule = schedule.failed(times.local_clock, left, self.transient, self.retry_after);
            }
            second += 1;
        }
        told
    }
}

proptest! {
    /// So a deadline is missed only if the chances before it were all shorter than that.
    #[test]
    fn no_chance_to_synchronize_is_left_longer_than_it_may_be(life in life()) {
        let told = life.live(&key());
        prop_assert!(told.synchronizations > 0);
        for (lasted, longest) in told.chances {
            prop_assert!(lasted <= longest, "{lasted} s, of at most {longest} s");
        }
    }
}

#[test]
fn a_clock_that_runs_behind_the_mark_puts_nothing_off() {
    let schedule = Schedule { mode: Mode::Weekly, since: Some(START), ..Schedule::NEW };
    let left = 8 * DAY;
    let due = |now: UtcTime| schedule.next_at(now, TimeLeft::Seconds(left), &key()).unwrap();
    assert_eq!(due(START.plus(left / 10)), due(START), "nothing of what is left has been used up");
}

#[test]
fn a_year_of_daily_synchronizations_with_outages_restarts_and_clock_steps_misses_no_deadline() {
    let week = 7 * 24;
    let life = Life {
        mode: Mode::Daily,
        // A day in each week, and once a year less an hour: then an hour is left, if the last one was a day before.
        outages: (0..52).map(|n| (n * week, 24)).chain([(53 * week, 365 * 24 - 1)]).collect(),
        steps: vec![(100, 40), (900, -3 * 60), (2_000, 45 * 24 * 60), (2_030, -45 * 24 * 60), (5_000, -20)],
        stops: (0..60).map(|n| (n * 97, 50)).collect(),
        transient: true,
        retry_after: None,
    };
    let told = life.live(&key());
    assert_eq!(told.overdue, 0, "{} attempts, {} synchronizations", told.attempts, told.synchronizations);
    assert!(told.synchronizations > 600, "{} synchronizations", told.synchronizations);
}

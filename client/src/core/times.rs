//! The three times (P 17): main server time, the high-water mark, the local clock.

use solme_sync_protocol::UtcTime;

/// By how much the local clock may be set back in sum, and run behind the mark: 24 hours (P 17.4).
const TOLERANCE: u64 = 86_400;

/// A local clock that is this many seconds off is worth a word: 5 minutes.
pub(crate) const SKEW_WORTH_SAYING: u64 = 300;

/// What a local server knows about time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Times {
    /// The latest time seen, from the local clock or from a receipt (P 17.3).
    pub high_water_mark: UtcTime,
    /// The local clock when it was last looked at.
    pub local_clock: UtcTime,
    /// Seconds by which the local clock was set back since the last synchronization, in sum (P 17.4).
    pub set_back: u64,
    /// Seconds by which the local clock has advanced since the newest request was made, in sum (P 17.5).
    pub advanced: u64,
}

/// The local clock is behind the mark by more than P 17.4 allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockError {
    /// Seconds from the local clock to the mark.
    pub behind: u64,
    /// Seconds that the local clock was set back since the last synchronization.
    pub set_back: u64,
}

impl Times {
    /// The times of a local server that has seen nothing but this clock.
    pub const fn starting_at(clock: UtcTime) -> Self {
        Self { high_water_mark: clock, local_clock: clock, set_back: 0, advanced: 0 }
    }

    /// The local clock shows `clock`.
    #[must_use]
    pub fn observe(self, clock: UtcTime) -> Self {
        Self {
            high_water_mark: self.high_water_mark.max(clock),
            local_clock: clock,
            // What a receipt has shown to be too fast may be set right (P 17.5).
            set_back: self.set_back.saturating_add(self.local_clock.min(self.high_water_mark).since(clock)),
            advanced: self.advanced.saturating_add(clock.since(self.local_clock)),
        }
    }

    #[must_use]
    pub(crate) const fn asking(self) -> Self {
        Self { advanced: 0, ..self }
    }

    /// A receipt of `main_server_time` was applied. The request that it answers was made at `made_at` by the local
    /// clock, and stated `stated_mark` (P 17.5): a mark that was too high when the request was made is lowered, but not
    /// below what has passed since, so that holding a response back buys nothing.
    #[must_use]
    pub fn settle(self, made_at: UtcTime, stated_mark: UtcTime, main_server_time: UtcTime) -> Self {
        let mark = self.high_water_mark.max(main_server_time);
        let passed = made_at.min(main_server_time).plus(self.advanced).max(main_server_time);
        let high_water_mark = if stated_mark > main_server_time { mark.min(passed) } else { mark };
        Self { high_water_mark, set_back: 0, ..self }
    }

    /// The effective time (P 17.2).
    pub fn effective(&self) -> UtcTime {
        self.high_water_mark.max(self.local_clock)
    }

    /// Whether the local clock may be relied on (P 17.4).
    pub(crate) fn check_clock(&self) -> Result<(), ClockError> {
        let behind = self.high_water_mark.since(self.local_clock);
        if behind == 0 || (behind <= TOLERANCE && self.set_back <= TOLERANCE) {
            Ok(())
        } else {
            Err(ClockError { behind, set_back: self.set_back })
        }
    }

    /// Days until the required synchronization, rounded up; 0 when overdue (P 17.6).
    pub(crate) fn days_left(&self, synchronize_by: UtcTime) -> u64 {
        synchronize_by.since(self.effective()).div_ceil(86_400)
    }
}

/// Seconds by which the local clock is fast (slow, if negative), as far as a receipt tells. The answer to a request that
/// was made just now tells it both ways. An older one only proves that the clock was fast: no receipt is older than the
/// request that it answers.
pub(crate) fn skew(clock: UtcTime, made_at: UtcTime, main_server_time: UtcTime, just_now: bool) -> Option<i64> {
    let difference = |time: UtcTime| time.as_secs().cast_signed() - main_server_time.as_secs().cast_signed();
    if just_now { Some(difference(clock)) } else { Some(difference(made_at)).filter(|fast| *fast > 0) }
}

/// A number of seconds for people: `2 days 3 h`, `14 min`, `5 s`.
pub(crate) fn in_words(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    let plural = if days == 1 { "" } else { "s" };
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, _) => format!("{hours} h {minutes} min"),
        (_, 0, _) => format!("{days} day{plural}"),
        (_, _, _) => format!("{days} day{plural} {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: u64 = 86_400;
    const START: UtcTime = UtcTime::from_secs(1_800_000_000);

    fn seen(clocks: &[i64]) -> Times {
        clocks.iter().fold(Times::starting_at(START), |times, seconds| times.observe(START.offset(*seconds)))
    }

    #[test]
    fn the_clock_may_be_set_back_by_24_hours_in_sum_and_no_more() {
        let day = DAY as i64;
        let wrong = |behind, set_back| Err(ClockError { behind, set_back });
        let cases: [(&[i64], Result<(), ClockError>); 7] = [
            (&[0, 100], Ok(())),
            (&[-day], Ok(())),
            (&[-day - 1], wrong(DAY + 1, DAY + 1)),
            (&[-day / 2, 0, -day / 2], Ok(())),
            (&[-day / 2, 0, -day / 2 - 1], wrong(DAY / 2 + 1, DAY + 1)),
            (&[-10 * day, 0], Ok(())), // the clock is right again
            (&[-10 * day, 0, -1], wrong(1, 10 * DAY + 1)),
        ];
        for (clocks, wanted) in cases {
            assert_eq!(seen(clocks).check_clock(), wanted, "{clocks:?}");
        }
    }

    #[test]
    fn a_receipt_forgets_how_often_the_clock_was_set_back() {
        let set_back = seen(&[-100, 0, -100]);
        assert_eq!((set_back.set_back, set_back.settle(START, START, START).set_back), (200, 0));
    }

    #[test]
    fn a_clock_is_compared_both_ways_with_a_fresh_answer_and_one_way_with_an_older_one() {
        let at = |seconds| START.offset(seconds);
        assert_eq!([-5, 0, 5].map(|off| skew(at(off), at(-100), START, true)), [Some(-5), Some(0), Some(5)]);
        assert_eq!([-5, 0, 5].map(|off| skew(at(-100), at(off), START, false)), [None, None, Some(5)]);
    }

    #[test]
    fn a_receipt_lowers_the_mark_only_if_the_request_stated_a_later_one() {
        let fast = seen(&[400 * DAY as i64]);
        assert_eq!(fast.asking().settle(START, fast.high_water_mark, START).high_water_mark, START);
        assert_eq!(fast.settle(START, fast.high_water_mark, START), Times { set_back: 0, ..fast }, "it ran on since");
        assert_eq!(fast.settle(START, START, START), Times { set_back: 0, ..fast }, "held back since START");
        let later = START.plus(500 * DAY);
        assert_eq!(fast.settle(START, START, later).high_water_mark, later);
    }

    #[test]
    fn a_clock_that_was_fast_can_be_set_right_whenever_and_however_long_the_answer_takes() {
        const YEARS: i64 = 800 * DAY as i64;
        for (carried, imported) in [(2, 0), (5 * DAY, 0), (0, 5 * DAY), (3 * DAY, 3 * DAY)] {
            let asked = seen(&[YEARS, 0]).asking();
            let (answered, now) = (START.plus(carried), START.plus(carried + imported));
            let times = asked.observe(now).settle(START, asked.high_water_mark, answered);
            assert_eq!((times.effective(), times.check_clock()), (now, Ok(())), "set right before the request");
        }
        for carried in [0, 2, DAY] {
            let asked = seen(&[YEARS]).asking();
            let now = START.plus(carried);
            let fast = asked.observe(now.offset(YEARS));
            let times = fast.settle(asked.local_clock, asked.high_water_mark, now).observe(now);
            assert_eq!(times.check_clock(), Ok(()), "set right after a response that took {carried} s");
            assert!(times.effective() <= now.plus(carried));
        }
    }

    #[test]
    fn days_left_round_up_and_0_means_overdue() {
        let times = Times::starting_at(START);
        let left = |seconds| times.days_left(START.plus(seconds));
        assert_eq!([0, 1, DAY, DAY + 1, 366 * DAY].map(left), [0, 1, 1, 2, 366]);
        assert_eq!(times.observe(START.plus(DAY)).days_left(START), 0);
    }

    #[test]
    fn durations_are_readable() {
        let found = [0, 59, 60, 3_600, 7_260, DAY, 2 * DAY + 3_600].map(in_words);
        assert_eq!(found, ["0 s", "59 s", "1 min", "1 h 0 min", "2 h 1 min", "1 day", "2 days 1 h"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        /// However the clock is moved, the time that passes while it counts as right is used up, but for 24 hours.
        #[test]
        fn setting_the_clock_back_gains_24_hours_at_most(steps in prop::collection::vec(-3 * DAY as i64..3 * DAY as i64, 1..60)) {
            let mut times = Times::starting_at(START);
            let mut used = 0;
            for step in steps {
                let before = times;
                times = before.observe(before.local_clock.offset(step));
                prop_assert!(times.effective() >= before.effective());
                if before.check_clock().is_ok() && times.check_clock().is_ok() {
                    used += times.local_clock.since(before.local_clock);
                }
            }
            prop_assert!(used <= times.effective().since(START) + TOLERANCE);
        }

        /// A receipt that was made after the mark that its request stated, and then held back, gains nothing: also not
        /// with a clock that was set back.
        #[test]
        fn a_receipt_held_back_gains_nothing(
            (stated, made, imported) in (0..400 * DAY, 0..400 * DAY, 0..400 * DAY),
            set_back in 0..500 * DAY,
        ) {
            let [stated, made, imported] = [stated, stated + made, stated + imported].map(|seconds| START.plus(seconds));
            let times = Times::starting_at(stated).observe(imported);
            let times = times.observe(times.local_clock.offset(-set_back.cast_signed()));
            prop_assert!(times.settle(stated, stated, made).effective() >= times.effective());
        }

        /// Whenever the response is imported, and however the clock goes: from the request on, licenses can be issued
        /// for 366 days, but for 24 hours before the import and 24 hours after it. More only if the request was
        /// answered later than the latest time that it knew of, and by no more than that.
        #[test]
        fn a_response_held_back_gives_no_more_than_366_days(life in life()) {
            life.live()?;
        }
    }

    /// Seconds that pass, and by how much the clock is set after that.
    type Moves = Vec<(u64, i64)>;

    fn moves(most: usize) -> impl Strategy<Value = Moves> {
        let span = || prop_oneof![0..10u64, 0..2 * DAY, 0..400 * DAY];
        let step = prop_oneof![3 => Just(0), 2 => (span(), any::<bool>()).prop_map(|(s, back)| {
            if back { -s.cast_signed() } else { s.cast_signed() }
        })];
        prop::collection::vec((span(), step), 0..most)
    }

    /// A local server whose clock is set at will, and whose response is held back.
    #[derive(Debug)]
    struct Life {
        before: Moves,
        until_answered: Moves,
        held_back: Moves,
        after: Moves,
    }

    fn life() -> impl Strategy<Value = Life> {
        let answered_at_once = prop_oneof![2 => Just(Moves::new()), 1 => moves(3)];
        (moves(4), answered_at_once, moves(4), moves(6)).prop_map(|(before, until_answered, held_back, after)| Life {
            before,
            until_answered,
            held_back,
            after,
        })
    }

    impl Life {
        fn live(&self) -> Result<(), TestCaseError> {
            let mut world = World { now: START, times: Times::starting_at(START), deadline: START, used: 0 };
            world.passes(&self.before);
            world.times = world.times.asking();
            let asked = world.times;
            // The latest that a receipt of before can have.
            world.deadline = world.now.synchronize_by();
            world.used = 0;
            world.passes(&self.until_answered);
            let answered = world.now;
            world.passes(&self.held_back);
            world.times = world.times.settle(asked.local_clock, asked.high_water_mark, answered);
            world.deadline = answered.synchronize_by();
            let bound = 366 * DAY + 2 * TOLERANCE + answered.since(asked.high_water_mark);
            for moved in std::iter::once((0, 0)).chain(self.after.iter().copied()) {
                world.passes(&[moved]);
                let left = if world.issues() { world.deadline.since(world.times.effective()) } else { 0 };
                prop_assert!(world.used + left <= bound, "{} s used, {left} s left, at most {bound} s", world.used);
            }
            Ok(())
        }
    }

    struct World {
        now: UtcTime,
        times: Times,
        deadline: UtcTime,
        /// Seconds in which licenses could be issued.
        used: u64,
    }

    impl World {
        fn issues(&self) -> bool {
            self.times.check_clock().is_ok() && self.times.effective() < self.deadline
        }

        fn passes(&mut self, moves: &[(u64, i64)]) {
            for (seconds, step) in moves {
                let issued = self.issues();
                self.now = self.now.plus(*seconds);
                self.times = self.times.observe(self.times.local_clock.plus(*seconds));
                self.used += if issued && self.issues() { *seconds } else { 0 };
                self.times = self.times.observe(self.times.local_clock.offset(*step));
            }
        }
    }
}

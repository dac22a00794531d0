//! Which License Server is due when. It decides by times that are arguments; nothing here waits.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

/// Who synchronizes next, and when.
#[derive(Debug)]
pub(crate) struct Timetable {
    members: Vec<Standing>,
    /// Who is due, and since when; the earliest first.
    due: BinaryHeap<Reverse<(Duration, usize)>>,
    /// The order in which members are asked to synchronize, again and again.
    order: Vec<usize>,
    turn: usize,
    per_second: f64,
    arrivals: u64,
    /// No more arrivals from here on.
    until: Duration,
    /// In the last round: those who still have to synchronize.
    left: Option<usize>,
    asked: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Idle,
    Due,
    Away,
    /// It has synchronized in the last round.
    Home,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// This one synchronizes; since when it is due.
    Go(usize, Duration),
    /// Nobody before this time.
    Wait(Duration),
    /// Nobody but those who are away.
    Nobody,
}

impl Timetable {
    /// For as many members as `order` has. One arrives `per_second` times a second, until then.
    pub(crate) fn new(order: Vec<usize>, per_second: f64, until: Duration) -> Self {
        Self {
            members: vec![Standing::Idle; order.len()],
            due: BinaryHeap::new(),
            order,
            turn: 0,
            per_second,
            arrivals: 0,
            until,
            left: None,
            asked: 0,
        }
    }

    /// Synchronizations that were asked for, arrivals and storms.
    pub(crate) const fn asked(&self) -> u64 {
        self.asked
    }

    /// What comes next.
    pub(crate) fn next(&mut self, now: Duration) -> Next {
        self.arrive(now);
        if let Some(Reverse((at, member))) = self.due.peek().copied().filter(|Reverse((at, _))| *at <= now) {
            self.due.pop();
            self.members[member] = Standing::Away;
            return Next::Go(member, at);
        }
        let arrival = self.arrival().filter(|_| self.left.is_none());
        let due = self.due.peek().map(|Reverse((at, _))| *at);
        arrival.into_iter().chain(due).min().map_or(Next::Nobody, Next::Wait)
    }

    /// Everybody who is idle is due.
    pub(crate) fn storm(&mut self, now: Duration) {
        for member in 0..self.members.len() {
            if self.members[member] == Standing::Idle {
                self.asked += 1;
                self.is_due(member, now);
            }
        }
    }

    /// A member is back. `again`: it has not synchronized, and tries again then.
    pub(crate) fn back(&mut self, member: usize, again: Option<Duration>) {
        match (again, &mut self.left) {
            (Some(again), _) => self.is_due(member, again),
            (None, Some(left)) => {
                *left -= 1;
                self.members[member] = Standing::Home;
            }
            (None, None) => self.members[member] = Standing::Idle,
        }
    }

    /// Everybody synchronizes once more, and then no more. Nobody may be away.
    pub(crate) fn last_round(&mut self, now: Duration) {
        self.left = Some(self.members.len());
        self.due.clear();
        (0..self.members.len()).for_each(|member| self.is_due(member, now));
    }

    /// Whether all have come home from the last round.
    pub(crate) fn is_over(&self) -> bool {
        self.left == Some(0)
    }

    /// Those who have not come home from the last round.
    pub(crate) fn not_home(&self) -> impl Iterator<Item = usize> {
        (0..self.members.len()).filter(|member| self.members[*member] != Standing::Home)
    }

    fn is_due(&mut self, member: usize, at: Duration) {
        self.members[member] = Standing::Due;
        self.due.push(Reverse((at, member)));
    }

    /// When the next one arrives.
    fn arrival(&self) -> Option<Duration> {
        let at = Duration::from_secs_f64(self.arrivals as f64 / self.per_second);
        Some(at).filter(|at| *at < self.until)
    }

    fn arrive(&mut self, now: Duration) {
        while self.left.is_none()
            && let Some(at) = self.arrival().filter(|at| *at <= now)
        {
            self.arrivals += 1;
            self.asked += 1;
            let members = self.order.len();
            let idle = (0..members).map(|step| (self.turn + step) % members);
            let mut idle = idle.filter(|turn| self.members[self.order[*turn]] == Standing::Idle);
            // Where everybody is busy nobody else can come: what was asked for is not reached.
            if let Some(turn) = idle.next() {
                self.turn = turn + 1;
                self.is_due(self.order[turn], at);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn timetable() -> Timetable {
        Timetable::new(vec![2, 0, 1], 10.0, ms(1_000))
    }

    #[test]
    fn members_arrive_in_their_order_at_the_rate_until_the_end() {
        let mut table = timetable();
        assert_eq!(table.next(ms(0)), Next::Go(2, ms(0)));
        assert_eq!(table.next(ms(0)), Next::Wait(ms(100)));
        assert_eq!([table.next(ms(250)), table.next(ms(250))], [Next::Go(0, ms(100)), Next::Go(1, ms(200))]);
        [2, 0, 1].into_iter().for_each(|member| table.back(member, None));
        assert_eq!(table.next(ms(300)), Next::Go(2, ms(300)));
        assert_eq!(table.next(ms(5_000)), Next::Go(0, ms(400)));
        assert_eq!((table.asked(), table.next(ms(5_000))), (10, Next::Go(1, ms(500))));
        assert_eq!(table.next(ms(5_000)), Next::Nobody, "all are away");
    }

    #[test]
    fn whoever_has_failed_tries_again_at_its_time_and_does_not_arrive_meanwhile() {
        let mut table = timetable();
        assert_eq!(table.next(ms(0)), Next::Go(2, ms(0)));
        table.back(2, Some(ms(950)));
        let went: Vec<Next> = (1..9).map(|step| table.next(ms(100 * step))).collect();
        assert_eq!(went[..2], [Next::Go(0, ms(100)), Next::Go(1, ms(200))]);
        assert!(went[2..].iter().all(|next| matches!(next, Next::Wait(_))), "{went:?}");
        assert_eq!(table.next(ms(950)), Next::Go(2, ms(950)));
    }

    #[test]
    fn in_a_storm_everybody_who_is_idle_is_due() {
        let mut table = timetable();
        table.next(ms(0));
        table.storm(ms(50));
        assert_eq!([table.next(ms(50)), table.next(ms(50))], [Next::Go(0, ms(50)), Next::Go(1, ms(50))]);
        assert_eq!(table.asked(), 3);
    }

    #[test]
    fn the_last_round_ends_when_everybody_has_synchronized_once_more() {
        let mut table = timetable();
        table.next(ms(0));
        table.back(2, Some(ms(9_000)));
        table.last_round(ms(1_000));
        for _ in 0..3 {
            let Next::Go(member, _) = table.next(ms(1_000)) else { panic!("nobody goes") };
            table.back(member, (member == 1).then_some(ms(1_500)));
        }
        assert_eq!((table.is_over(), table.next(ms(1_000))), (false, Next::Wait(ms(1_500))));
        assert_eq!(table.not_home().collect::<Vec<_>>(), [1]);
        assert_eq!(table.next(ms(1_500)), Next::Go(1, ms(1_500)));
        table.back(1, None);
        assert!(table.is_over() && table.next(ms(2_000)) == Next::Nobody);
    }
}

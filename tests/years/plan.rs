//! What happens to one license server id in a run of virtual years: drawn from a seed, and a list, so that it can shrink.

use license_server::Mode;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

use crate::parts::{At, DAY, Fault};
use crate::world::Step;

const HOUR: At = 3_600;

/// Everything that a run does not decide by itself.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    /// Seconds that are lived through.
    pub(crate) length: At,
    /// How the first server synchronizes by itself; its copy does the same.
    pub(crate) mode: Mode,
    /// In the order of time.
    pub(crate) events: Vec<(At, Event)>,
}

/// Something that happens, to a server where a number is given.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Event {
    /// What people and machines do, and what the network delivers late.
    Take(Step),
    /// The administrator does what the last answer says.
    FollowCure(usize),
    /// Every exchange has this fault for so many seconds.
    Weather(usize, Fault, At),
    /// The next exchange has this fault.
    Once(usize, Fault),
    /// The computer is off for so many seconds.
    Off(usize, At),
    /// The clock is moved by so many seconds.
    MoveClock(usize, i64),
    /// The clock is fast by so many seconds in a million; slow, if negative.
    Drift(usize, i64),
    /// The clock stands still for so many seconds.
    Stop(usize, At),
    /// The clock is set right, and keeps right.
    SetRight(usize),
}

impl Event {
    /// What is counted.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Take(step) => match step {
                Step::Synchronize(..) => "by hand",
                Step::Export(_) => "export",
                Step::Process(_) => "process",
                Step::Import(..) => "import",
                Step::NewKeyPair(_) => "new key pair",
                Step::Copy => "copy",
                Step::BackUp | Step::MainBackUp => "backup",
                Step::Restore => "restore",
                Step::MainRestore => "restore of the main server",
                Step::Clear(_) => "clear",
                Step::Reserve(_) => "reserve",
                Step::Disable => "disable",
                Step::Enable => "enable",
                Step::Allocate | Step::Reduce => "change of licenses",
                Step::Look(_) | Step::Pass(_) | Step::Clock(..) => "time",
            },
            Self::FollowCure(_) => "cure",
            Self::Weather(..) => "weather",
            Self::Once(..) => "fault",
            Self::Off(..) => "off",
            Self::MoveClock(..) => "clock moves",
            Self::Drift(..) => "clock drifts",
            Self::Stop(..) => "clock stops",
            Self::SetRight(_) => "clock set right",
        }
    }
}

/// What happens to sites, each of which is to happen in some.
pub(crate) const HAPPENS: &[&str] = &[
    "by hand",
    "export",
    "process",
    "import",
    "new key pair",
    "copy",
    "backup",
    "restore",
    "restore of the main server",
    "clear",
    "reserve",
    "disable",
    "enable",
    "change of licenses",
    "cure",
    "weather",
    "fault",
    "off",
    "clock moves",
    "clock drifts",
    "clock stops",
    "clock set right",
];

/// Draws numbers; the same seed draws the same ones.
pub(crate) struct Dice(ChaCha8Rng);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }
    fn below(&mut self, bound: u64) -> u64 {
        self.0.next_u64() % bound
    }
    fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most - least + 1)
    }
    fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }
    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::try_from(self.below(all.len() as u64)).unwrap()]
    }
    /// Minutes, hours, days, or months.
    fn span(&mut self) -> At {
        let scale = self.of(&[60, HOUR, HOUR, DAY, DAY, 7 * DAY, 30 * DAY]);
        scale * self.between(1, 12)
    }
    fn either_way(&mut self, seconds: At) -> i64 {
        if self.one_in(2) { seconds.cast_signed() } else { -seconds.cast_signed() }
    }
}

/// What a site goes through.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    /// Network, computers and clocks alone: nothing here may keep an honest server from its licenses for good.
    Weather,
    /// Besides, an operator, and somebody else who knows the id.
    Operator,
    /// Besides, copies, backups and restores.
    Lost,
}

impl Plan {
    /// The plan of site `number` in the run of `seed`. Outages of the main server are the same for all sites of a run.
    pub(crate) fn draw(seed: u64, number: u64) -> Self {
        let mut shared = Dice::new(seed);
        let length = shared.between(30, 60) * DAY * if shared.one_in(8) { 14 } else { 1 };
        let mut dice = Dice::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(number + 1));
        let mode = dice.of(&[Mode::Daily, Mode::Weekly, Mode::Weekly, Mode::Weekly, Mode::Off]);
        let mode = if mode == Mode::Daily && length > 100 * DAY { Mode::Weekly } else { mode };
        let mut events = Vec::new();
        for _ in 0..shared.below(3) {
            let (at, fault, span) = (shared.below(length), shared.of(&OUTAGES), shared.span());
            events.extend([0, 1, 2].map(|server| (at, Event::Weather(server, fault, span))));
        }
        let kind = dice.of(&[Kind::Weather, Kind::Operator, Kind::Lost]);
        for _ in 0..dice.between(1, 10) {
            draw_event(&mut dice, kind, length, &mut events);
        }
        if mode == Mode::Off {
            let each = dice.between(10, 400) * DAY;
            let times = (0..length / each).map(|number| number * each + HOUR);
            events.extend(times.map(|at| (at, Event::Take(Step::Synchronize(0, Fault::None)))));
        }
        events.sort_by_key(|(at, _)| *at);
        Self { length, mode, events }
    }
}

const OUTAGES: [Fault; 5] =
    [Fault::Unreachable, Fault::PayloadUnreachable, Fault::Trouble, Fault::Busy, Fault::PayloadNotFound];

pub(crate) const ONCE: [Fault; 14] = [
    Fault::ReplyLost,
    Fault::SecondReplyLost,
    Fault::PayloadNotFound,
    Fault::KilledAfter(1),
    Fault::KilledAfter(2),
    Fault::KilledAfter(3),
    Fault::Busy,
    Fault::Trouble,
    Fault::Damaged,
    Fault::UnknownId,
    Fault::Unreachable,
    Fault::PayloadUnreachable,
    Fault::Doubled,
    Fault::HeldBack,
];

fn draw_event(dice: &mut Dice, kind: Kind, length: At, events: &mut Vec<(At, Event)>) {
    let at = dice.below(length);
    let server = usize::from(dice.one_in(4));
    let take = |step| (at, Event::Take(step));
    let later = |dice: &mut Dice| at + dice.span();
    match dice.below(if kind == Kind::Weather { 8 } else { 14 }) {
        0 => events.push((at, Event::Weather(server, dice.of(&OUTAGES), dice.span()))),
        1 => events.push((at, Event::Off(server, dice.span()))),
        2 => events.push((
            at,
            Event::MoveClock(server, {
                let span = dice.span();
                dice.either_way(span)
            }),
        )),
        3 => events.push((
            at,
            Event::Drift(server, {
                let rate = dice.below(300);
                dice.either_way(rate)
            }),
        )),
        4 => events.push((at, Event::Stop(server, dice.span()))),
        5 => events.push((at, Event::SetRight(server))),
        6 => {
            // What is held back comes late: after minutes or months, once or twice.
            events.push((at, Event::Once(server, Fault::HeldBack)));
            events.extend((0..dice.between(1, 2)).map(|_| (later(dice), Event::Take(Step::Process(server)))));
        }
        7 => events.push((at, Event::Once(server, dice.of(&ONCE)))),
        8 => {
            // A file each way, as slowly as files go, and perhaps twice.
            events.push(take(Step::Export(server)));
            events.push((later(dice), Event::Take(Step::Process(server))));
            let reader = if dice.one_in(4) { 1 - server } else { server };
            events.extend((0..dice.between(1, 2)).map(|_| (later(dice), Event::Take(Step::Import(reader, server)))));
        }
        9 => events.push(take(Step::Synchronize(1, dice.of(&ONCE)))),
        10 | 11 => {
            let clear = [Step::Clear(None), Step::Clear(Some(0)), Step::Clear(Some(1))];
            let reserve = [Step::Reserve(None), Step::Reserve(Some(0)), Step::Reserve(Some(1))];
            let others = [Step::Disable, Step::Enable, Step::Allocate, Step::Reduce, Step::NewKeyPair(server)];
            events.push(take(dice.of(&[&clear[..], &reserve, &others].concat())));
        }
        12 => events.push((at, Event::FollowCure(server))),
        _ if kind == Kind::Lost => {
            let step = dice.of(&[Step::Copy, Step::Restore, Step::MainRestore]);
            let before = at - dice.span().min(at);
            match step {
                Step::Restore => events.push((before, Event::Take(Step::BackUp))),
                Step::MainRestore => events.push((before, Event::Take(Step::MainBackUp))),
                _ => {}
            }
            events.push(take(step));
        }
        _ => events.push(take(Step::Synchronize(server, Fault::None))),
    }
}

//! A state of everything, and the steps that lead on from it.

use std::rc::Rc;

use license_server::testing::{Ended, Run};

use super::parts::{At, DAY, Fault, Given, Id, Operation, Parts, Who};
use super::stand_in::KEYS_EACH;

/// How far the search goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Disturbances on one path.
    pub(crate) disturbances: u8,
    /// Requests that the main server accepts on one path.
    pub(crate) synchronizations: u8,
}

/// Two servers with the same id, and the copy of the first.
pub(crate) const NAMES: [&str; 3] = ["first", "second", "copy"];
pub(crate) const COPY: usize = 2;
const NONE: Id = Id::MAX;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Server {
    pub(crate) paper: Id,
    pub(crate) who: Who,
    /// Its newest request and its newest answer that are still on their way. Over TLS nothing is held back.
    request: Id,
    answer: Id,
    backup: (Id, u8),
    /// Key pairs that it has had.
    pub(crate) key_pairs: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) main: Id,
    main_backup: Id,
    pub(crate) servers: [Option<Server>; 3],
    pub(crate) now: At,
    /// Disturbances that are left.
    left: u8,
    /// There were two states of one key pair, or the main server has forgotten something.
    pub(crate) state_was_lost: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Synchronize(usize, Fault),
    /// It looks at its clock, and is asked whether it may issue.
    Look(usize),
    Export(usize),
    /// The main server gets the newest request of a server.
    Process(usize),
    /// The first server imports the newest answer to the second.
    Import(usize, usize),
    NewKeyPair(usize),
    Copy,
    BackUp,
    Restore,
    MainBackUp,
    MainRestore,
    /// With a reservation for this server's key pair, or without.
    Clear(Option<usize>),
    Reserve(Option<usize>),
    Disable,
    Enable,
    Allocate,
    Reduce,
    /// Seconds pass.
    Pass(At),
    /// The clock of a server is off by so many seconds.
    Clock(usize, i64),
}

/// What a step led to.
pub(crate) struct Led {
    pub(crate) step: Step,
    pub(crate) to: World,
    pub(crate) ended: Option<Ended>,
    /// How a direct synchronization ended.
    pub(crate) run: Option<Run>,
    pub(crate) given: Rc<[Given]>,
}

impl World {
    pub(crate) fn first(parts: &Parts, bounds: Bounds) -> Self {
        let server = |server: u8| {
            let who = Who { server, key: server * KEYS_EACH, restored: 0, clock: 0 };
            let paper = parts.fresh_paper(who, 0);
            Some(Server { paper, who, request: NONE, answer: NONE, backup: (paper, who.key), key_pairs: 1 })
        };
        // Everybody has a backup of the first day.
        let main = parts.first_main();
        Self {
            main,
            main_backup: main,
            servers: [server(0), server(1), None],
            now: 0,
            left: bounds.disturbances,
            state_was_lost: false,
        }
    }

    pub(crate) fn present(&self) -> impl Iterator<Item = (usize, Server)> {
        self.servers.into_iter().enumerate().filter_map(|(number, server)| Some((number, server?)))
    }

    /// Whether the search goes on from here.
    pub(crate) fn is_within(&self, bounds: Bounds, parts: &Parts) -> bool {
        parts.main(self.main).record.sequence <= u64::from(bounds.synchronizations)
    }

    /// Every step from here.
    pub(crate) fn steps(&self, parts: &Parts) -> Vec<Led> {
        let mut steps = Vec::new();
        for (number, _) in self.present() {
            steps.extend(self.own_steps(number));
        }
        steps.push(Step::Enable);
        let mut led: Vec<_> = steps.into_iter().filter_map(|step| self.take(step, parts)).collect();
        if self.left > 0 {
            let disturbed = disturbances().into_iter().filter_map(|step| {
                let led = self.take(step, parts)?;
                Some(Led { to: Self { left: self.left - 1, ..led.to }, ..led })
            });
            led.extend(disturbed);
        }
        led
    }

    fn own_steps(&self, number: usize) -> impl Iterator<Item = Step> {
        let plain = [Fault::None, Fault::ReplyLost, Fault::SecondReplyLost, Fault::PayloadNotFound]
            .into_iter()
            .chain([1, 2, 3].map(Fault::KilledAfter));
        let weather = [Fault::Busy, Fault::Trouble, Fault::Damaged, Fault::UnknownId];
        let faults = plain.chain(weather.into_iter().filter(move |_| number == 0));
        let synchronize = faults.map(move |fault| Step::Synchronize(number, fault));
        let import = self.present().map(move |(from, _)| Step::Import(number, from));
        synchronize.chain([Step::Export(number), Step::Process(number)]).chain(import)
    }

    /// Where `step` leads; `None` if it leads nowhere.
    pub(crate) fn take(&self, step: Step, parts: &Parts) -> Option<Led> {
        let quiet = |to| Led { step, to, ended: None, run: None, given: Rc::default() };
        match step {
            Step::Synchronize(number, fault) => self.synchronize(number, fault, parts),
            Step::Look(number) => {
                let server = self.servers[number]?;
                let paper = parts.observe(server.paper, server.who, self.now);
                Some(quiet(self.with(number, Server { paper, ..server })))
            }
            Step::Export(number) => {
                let server = self.servers[number]?;
                let (paper, request) = parts.export(server.paper, server.who, self.now);
                Some(quiet(self.with(number, Server { paper, request: request?, ..server })))
            }
            Step::Process(number) => {
                let server = self.servers[number].filter(|server| server.request != NONE)?;
                let given = parts.process(self.main, server.request, self.now, Fault::None);
                let to = self.with(number, Server { answer: given.answer, ..server });
                Some(Led { given: Rc::new([given]), ..quiet(Self { main: given.after, ..to }) })
            }
            Step::Import(number, from) => {
                let (server, other) = (self.servers[number]?, self.servers[from]?);
                let answer = Some(other.answer).filter(|answer| *answer != NONE)?;
                let (paper, ended) = parts.import(server.paper, server.who, self.now, answer);
                Some(Led { ended: Some(ended), ..quiet(self.with(number, Server { paper, ..server })) })
            }
            _ => self.disturb(step, parts).map(quiet),
        }
    }

    fn synchronize(&self, number: usize, fault: Fault, parts: &Parts) -> Option<Led> {
        let server = self.servers[number]?;
        let done = parts.synchronize(server.paper, server.who, self.now, self.main, fault);
        let request = done.held_back.unwrap_or(server.request);
        let to = Self { main: done.main, ..self.with(number, Server { paper: done.paper, request, ..server }) };
        let ended = Some(done.run.ended.clone());
        Some(Led { step: Step::Synchronize(number, fault), to, ended, run: Some(done.run), given: done.given })
    }

    fn disturb(&self, step: Step, parts: &Parts) -> Option<Self> {
        let key = |server: usize| self.servers[server].unwrap().who.key;
        let operate = |operation| parts.operate(self.main, operation, self.now).map(|main| Self { main, ..*self });
        match step {
            Step::NewKeyPair(number) => {
                let server = self.servers[number].filter(|server| server.key_pairs < KEYS_EACH)?;
                let who = Who { key: number as u8 * KEYS_EACH + server.key_pairs, ..server.who };
                let paper = parts.fresh_paper(who, self.now);
                Some(self.with(number, Server { paper, who, key_pairs: server.key_pairs + 1, ..server }))
            }
            Step::Copy if self.servers[COPY].is_none() => {
                let original = self.servers[0]?;
                let who = Who { server: COPY as u8, ..original.who };
                let copied = self.with(COPY, Server { who, ..original });
                Some(Self { state_was_lost: true, ..copied })
            }
            Step::BackUp => {
                let server = self.servers[0]?;
                Some(self.with(0, Server { backup: (server.paper, server.who.key), ..server }))
            }
            Step::Restore => {
                let server = self.servers[0]?;
                let (paper, key) = Some(server.backup).filter(|backup| *backup != (server.paper, server.who.key))?;
                let who = Who { key, restored: server.who.restored + 1, ..server.who };
                Some(Self { state_was_lost: true, ..self.with(0, Server { paper, who, ..server }) })
            }
            Step::MainBackUp => Some(Self { main_backup: self.main, ..*self }),
            Step::MainRestore => {
                let backup = Some(self.main_backup).filter(|backup| *backup != self.main)?;
                Some(Self { main: parts.restore(backup, self.main), state_was_lost: true, ..*self })
            }
            Step::Clear(reserve) => operate(Operation::Clear(reserve.map(key))),
            Step::Reserve(reserve) => operate(Operation::Reserve(reserve.map(key))),
            Step::Disable => operate(Operation::Disable),
            Step::Enable => operate(Operation::Enable),
            Step::Allocate => operate(Operation::Allocate),
            Step::Reduce => operate(Operation::Reduce),
            Step::Pass(seconds) => Some(Self { now: self.now + seconds, ..*self }),
            Step::Clock(number, seconds) => {
                let server = self.servers[number].filter(|server| server.who.clock != seconds)?;
                Some(self.with(number, Server { who: Who { clock: seconds, ..server.who }, ..server }))
            }
            _ => None,
        }
    }

    fn with(&self, number: usize, server: Server) -> Self {
        let mut servers = self.servers;
        servers[number] = Some(server);
        Self { servers, ..*self }
    }
}

fn disturbances() -> Vec<Step> {
    use Step::*;
    const DAYS: i64 = DAY.cast_signed();
    let mut steps = vec![Copy, BackUp, Restore, MainBackUp, MainRestore, Disable, Allocate];
    steps.extend([Clear(None), Clear(Some(0)), Clear(Some(1)), Reserve(None), Reserve(Some(0)), Reserve(Some(1))]);
    steps.extend([NewKeyPair(0), NewKeyPair(1), Pass(366 * DAY), Clock(0, 400 * DAYS), Clock(0, -30 * DAYS)]);
    steps
}

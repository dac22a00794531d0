//! A state of everything, and the steps that lead on from it.

use std::rc::Rc;

use license_server::testing::Ended;

use super::parts::{Fault, Given, Id, KEYS_EACH, Operation, Parts, Who};

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
const COPY: usize = 2;
/// Files of each server that are still on their way, each way. Over TLS nothing is held back.
const HELD: usize = 1;
const NONE: Id = Id::MAX;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Server {
    pub(crate) paper: Id,
    pub(crate) who: Who,
    /// The newest first.
    requests: [Id; HELD],
    answers: [Id; HELD],
    backup: (Id, u8),
    /// Key pairs that it has had.
    key_pairs: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) main: Id,
    main_backup: Id,
    pub(crate) servers: [Option<Server>; 3],
    pub(crate) day: u16,
    /// Disturbances that are left.
    left: u8,
    /// There were two states of one key pair, or the main server has forgotten something.
    pub(crate) state_was_lost: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Synchronize(usize, Fault),
    Export(usize),
    /// The main server gets the request of a server: the newest (0), or the one before.
    Process(usize, usize),
    /// The first server imports an answer to the second: the newest (0), or the one before.
    Import(usize, usize, usize),
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
    Days(u16),
    /// The clock of the first server is off by so many days.
    Clock(i16),
}

/// What a step led to.
pub(crate) struct Led {
    pub(crate) step: Step,
    pub(crate) to: World,
    pub(crate) ended: Option<Ended>,
    pub(crate) given: Rc<[Given]>,
}

impl World {
    pub(crate) fn first(parts: &Parts, bounds: Bounds) -> Self {
        let server = |server: u8| {
            let who = Who { server, key: server * KEYS_EACH, restored: 0, clock: 0 };
            let paper = parts.fresh_paper(who, 0);
            Some(Server {
                paper,
                who,
                requests: [NONE; HELD],
                answers: [NONE; HELD],
                backup: (paper, who.key),
                key_pairs: 1,
            })
        };
        // Everybody has a backup of the first day.
        let main = parts.first_main();
        Self {
            main,
            main_backup: main,
            servers: [server(0), server(1), None],
            day: 0,
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
        let mut led = Vec::new();
        for (number, server) in self.present() {
            self.own_steps(number, server, parts, &mut led);
        }
        led.extend(self.enable(parts));
        if self.left > 0 {
            let disturbed = self.disturbances().into_iter().filter_map(|step| {
                let to = self.disturb(step, parts)?;
                Some(Led { step, to: Self { left: self.left - 1, ..to }, ended: None, given: Rc::default() })
            });
            led.extend(disturbed);
        }
        led
    }

    fn own_steps(&self, number: usize, server: Server, parts: &Parts, led: &mut Vec<Led>) {
        let plain = [Fault::None, Fault::ReplyLost, Fault::SecondReplyLost, Fault::PayloadNotFound]
            .into_iter()
            .chain([1, 2, 3].map(Fault::KilledAfter));
        let weather = [Fault::Busy, Fault::Trouble, Fault::Damaged, Fault::UnknownId];
        let faults = plain.chain(weather.into_iter().filter(|_| number == 0));
        led.extend(faults.map(|fault| self.synchronize(number, server, fault, parts)));

        let (paper, request) = parts.export(server.paper, server.who, self.day);
        if let Some(request) = request {
            let to = self.with(number, Server { paper, requests: [request], ..server });
            led.push(Led { step: Step::Export(number), to, ended: None, given: Rc::default() });
        }
        for (which, request) in on_their_way(server.requests) {
            let given = parts.process(self.main, request, self.day, Fault::None);
            let to = self.with(number, Server { answers: [given.answer], ..server });
            let to = Self { main: given.after, ..to };
            led.push(Led { step: Step::Process(number, which), to, ended: None, given: Rc::new([given]) });
        }
        for (from, other) in self.present() {
            for (which, answer) in on_their_way(other.answers) {
                let (paper, ended) = parts.import(server.paper, server.who, self.day, answer);
                let to = self.with(number, Server { paper, ..server });
                led.push(Led { step: Step::Import(number, from, which), to, ended: Some(ended), given: Rc::default() });
            }
        }
    }

    fn synchronize(&self, number: usize, server: Server, fault: Fault, parts: &Parts) -> Led {
        let done = parts.synchronize(server.paper, server.who, self.day, self.main, fault);
        let to = self.after(number, done.paper, done.main);
        Led { step: Step::Synchronize(number, fault), to, ended: Some(done.ended), given: done.given }
    }

    fn enable(&self, parts: &Parts) -> Option<Led> {
        let main = parts.operate(self.main, Operation::Enable, self.day)?;
        Some(Led { step: Step::Enable, to: Self { main, ..*self }, ended: None, given: Rc::default() })
    }

    fn disturbances(&self) -> Vec<Step> {
        use Step::*;
        let mut steps = vec![Copy, BackUp, Restore, MainBackUp, MainRestore, Disable, Allocate];
        steps.extend([Clear(None), Clear(Some(0)), Clear(Some(1)), Reserve(None), Reserve(Some(0)), Reserve(Some(1))]);
        steps.extend([NewKeyPair(0), NewKeyPair(1), Days(366), Clock(400), Clock(-30)]);
        steps
    }

    /// Where `step` leads; `None` if it leads nowhere.
    fn disturb(&self, step: Step, parts: &Parts) -> Option<Self> {
        let key = |server: usize| self.servers[server].unwrap().who.key;
        let operate = |operation| parts.operate(self.main, operation, self.day).map(|main| Self { main, ..*self });
        match step {
            Step::NewKeyPair(number) => Some(self.new_key_pair(number, parts)),
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
            Step::Allocate => operate(Operation::Allocate),
            Step::Days(days) => Some(Self { day: self.day + days, ..*self }),
            Step::Clock(days) => {
                let server = self.servers[0].filter(|server| server.who.clock != days)?;
                Some(self.with(0, Server { who: Who { clock: days, ..server.who }, ..server }))
            }
            _ => None,
        }
    }

    /// A new key pair (P 3.3).
    pub(crate) fn new_key_pair(&self, number: usize, parts: &Parts) -> Self {
        let server = self.servers[number].unwrap();
        let who = Who { key: number as u8 * KEYS_EACH + server.key_pairs, ..server.who };
        let paper = parts.fresh_paper(who, self.day);
        self.with(number, Server { paper, who, key_pairs: server.key_pairs + 1, ..server })
    }

    /// A server synchronized.
    pub(crate) fn after(&self, number: usize, paper: Id, main: Id) -> Self {
        Self { main, ..self.with(number, Server { paper, ..self.servers[number].unwrap() }) }
    }

    pub(crate) fn clock_set_right(&self, number: usize) -> Self {
        let server = self.servers[number].unwrap();
        self.with(number, Server { who: Who { clock: 0, ..server.who }, ..server })
    }

    fn with(&self, number: usize, server: Server) -> Self {
        let mut servers = self.servers;
        servers[number] = Some(server);
        Self { servers, ..*self }
    }
}

fn on_their_way(held: [Id; HELD]) -> impl Iterator<Item = (usize, Id)> {
    held.into_iter().enumerate().filter(|(_, message)| *message != NONE)
}

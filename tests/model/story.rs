//! A path through the model as a scenario (`fixtures/scenarios/README.md`), which plays on the real programs.

use std::fmt::Write as _;

use license_server::testing::Ended;
use mock_solme::testing::Protocol;

use super::parts::{DAY, Fault, Parts};
use super::stand_in::Honest;
use super::world::{Bounds, Led, NAMES, Step, World};

/// Steps, and the law that the last one breaks where a rule is broken.
pub(crate) struct Story {
    law: &'static str,
    steps: Vec<Step>,
    bounds: Bounds,
}

impl Story {
    pub(crate) fn new(law: &'static str, mut steps: Vec<Step>, last: Option<Step>, bounds: Bounds) -> Self {
        steps.extend(last);
        Self { law, steps, bounds }
    }

    /// The law, and the steps in words.
    pub(crate) fn title(&self) -> String {
        let steps: Vec<_> = self.steps.iter().map(|step| format!("  {}", in_words(*step))).collect();
        format!("broken: {}\n{}", self.law, steps.join("\n"))
    }

    /// The scenario, if each step can be said in one. What it expects is what the rules of the protocol come to.
    pub(crate) fn to_toml(&self) -> Option<String> {
        let parts = Parts::new(&Honest, &Protocol);
        let mut world = World::first(&parts, self.bounds);
        let mut toml = format!(
            "title = \"{}\"\nabout = \"Found by the model.\"\n\n[[step]]\ndo = \"add-license\"\nlicense = \"first\"\n",
            self.law
        );
        if self.steps.contains(&Step::Restore) {
            toml.push_str("\n[[step]]\ndo = \"back-up\"\nserver = \"first\"\n");
        }
        for step in &self.steps {
            let led = world.take(*step, &parts)?;
            toml.push_str(&step_to_toml(&led, &parts)?);
            world = led.to;
        }
        let first = world.servers[0].unwrap();
        let may_issue = parts.look(first.paper, first.who, world.now).may_issue;
        let _ = write!(
            toml,
            "\n[[step]]\ntell = \"In the end\"\ndo = \"may-issue\"\nserver = \"first\"\nexpect = {{ may_issue = {may_issue} }}\n"
        );
        Some(toml)
    }
}

fn step_to_toml(led: &Led, parts: &Parts) -> Option<String> {
    let server = |number: usize| format!("server = \"{}\"\n", NAMES[number]);
    let mut before = match led.step {
        Step::Synchronize(_, Fault::ReplyLost) => arm("drop-reply", "synchronize", 1),
        Step::Synchronize(_, Fault::PayloadNotFound) => arm("payload-not-found", "payload", 2),
        _ => String::new(),
    };
    let (action, members) = match led.step {
        Step::Synchronize(number, _) => ("synchronize", server(number)),
        Step::Export(number) => ("export-request", server(number)),
        Step::Process(number) => ("process-request", server(number)),
        Step::Import(number, from) if number == from => ("import-response", server(number)),
        Step::NewKeyPair(number) => ("new-key-pair", server(number)),
        Step::Copy => ("copy", format!("{}to = \"copy\"\n", server(0))),
        Step::BackUp => ("back-up", server(0)),
        Step::Restore => ("restore", server(0)),
        Step::Clear(None) => ("clear-key-pair", "even_so = true\nreason = \"a step of the model\"\n".to_owned()),
        Step::Clear(Some(number)) => {
            let mail = format!("\n[[step]]\ndo = \"request-clear\"\n{}", server(number));
            before.push_str(&mail);
            ("approve", "reserve = true\neven_so = true\nreason = \"a step of the model\"\n".to_owned())
        }
        Step::Disable => ("disable", String::new()),
        Step::Enable => ("enable", String::new()),
        Step::Allocate => ("add-license", "license = \"second\"\n".to_owned()),
        Step::Pass(seconds) if seconds % DAY == 0 => ("days-pass", format!("days = {}\n", seconds / DAY)),
        Step::Clock(number, seconds) if led.to.now.is_multiple_of(DAY) && seconds % DAY.cast_signed() == 0 => {
            // It is set from real time on, and `days-pass` moves it as it moves the main server's.
            let days = seconds / DAY.cast_signed() + (led.to.now / DAY).cast_signed();
            ("set-clock", format!("{}days = {days}\n", server(number)))
        }
        Step::Look(number) => {
            let shown = led.to.servers[number].map(|server| parts.look(server.paper, server.who, led.to.now))?;
            let expected = format!("expect = {{ may_issue = {} }}\n", shown.may_issue);
            ("may-issue", format!("{}{expected}", server(number)))
        }
        _ => return None,
    };
    let expected = led.ended.as_ref().map_or(String::new(), |ended| {
        let expected = match ended {
            Ended::Synchronized => "outcome = \"synchronized\"".to_owned(),
            Ended::Refused(code) => format!("outcome = \"refused\", code = \"{code}\""),
            Ended::Failed(_) | Ended::Killed => "outcome = \"failed\"".to_owned(),
        };
        format!("tell = \"{}\"\nexpect = {{ {expected} }}\n", in_words(led.step))
    });
    Some(format!("{before}\n[[step]]\ndo = \"{action}\"\n{members}{expected}"))
}

fn arm(quirk: &str, operation: &str, next: u8) -> String {
    format!("\n[[step]]\ndo = \"arm\"\nquirk = \"{quirk}\"\noperation = \"{operation}\"\nnext = {next}\n")
}

fn in_words(step: Step) -> String {
    let name = |number: usize| NAMES[number];
    match step {
        Step::Synchronize(number, fault) => {
            let fault = match fault {
                Fault::None => String::new(),
                Fault::ReplyLost => ", and the reply is lost".to_owned(),
                Fault::SecondReplyLost => ", and the second reply is lost".to_owned(),
                Fault::PayloadNotFound => ", and the payload is not found".to_owned(),
                Fault::KilledAfter(steps) => format!(", and is killed after {steps} durable steps"),
                Fault::Busy => ", and the main server is busy".to_owned(),
                Fault::Trouble => ", and the main server is in trouble".to_owned(),
                Fault::Damaged => ", and the request is damaged on its way".to_owned(),
                Fault::UnknownId => ", and the main server does not know the id".to_owned(),
                Fault::Unreachable => ", and port 443 cannot be reached".to_owned(),
                Fault::PayloadUnreachable => ", and port 8080 cannot be reached".to_owned(),
                Fault::Doubled => ", and the request comes twice".to_owned(),
                Fault::HeldBack => ", and the request is held back on its way".to_owned(),
            };
            format!("{} synchronizes{fault}", name(number))
        }
        Step::Export(number) => format!("{} exports a request", name(number)),
        Step::Look(number) => format!("{} looks at its clock", name(number)),
        Step::Process(number) => format!("the main server gets the newest request of {}", name(number)),
        Step::Import(number, from) => format!("{} imports the newest answer to {}", name(number), name(from)),
        Step::NewKeyPair(number) => format!("{} gets a new key pair", name(number)),
        Step::Copy => "first is copied".to_owned(),
        Step::BackUp => "first is backed up".to_owned(),
        Step::Restore => "first is restored".to_owned(),
        Step::MainBackUp => "the main server is backed up".to_owned(),
        Step::MainRestore => "the main server is restored".to_owned(),
        Step::Clear(None) => "the key pair is cleared".to_owned(),
        Step::Clear(Some(number)) => format!("the key pair is cleared, and the id reserved for {}", name(number)),
        Step::Reserve(None) => "the reservation is lifted".to_owned(),
        Step::Reserve(Some(number)) => format!("the id is reserved for {}", name(number)),
        Step::Disable => "the id is disabled".to_owned(),
        Step::Enable => "the id is enabled".to_owned(),
        Step::Allocate => "a license is allocated".to_owned(),
        Step::Reduce => "a license is removed".to_owned(),
        Step::Pass(seconds) => format!("{} pass", span(seconds)),
        Step::Clock(number, seconds) => {
            let side = if seconds < 0 { "behind" } else { "ahead" };
            format!("the clock of {} is {} {side}", name(number), span(seconds.unsigned_abs()))
        }
    }
}

fn span(seconds: u64) -> String {
    match (seconds / DAY, seconds % DAY) {
        (0, seconds) => format!("{seconds} s"),
        (days, 0) => format!("{days} days"),
        (days, seconds) => format!("{days} days {seconds} s"),
    }
}

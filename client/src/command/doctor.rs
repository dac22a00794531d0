//! `doctor`: checks everything that a synchronization needs. It changes nothing, and never synchronizes.

use serde::Serialize;
use solme_sync_protocol::{PayloadName, RefusalCode};

use super::Context;
use crate::core::{
    Carrier, Check, Checked, Failure, Identity, LocalServer, Network, PortAnswer, ProxyFailure, Role, Times, cure_of,
    interpret_health, interpret_no_payload, may_issue, no_network,
};
use crate::output::{BAD, Exit, GOOD, PLAIN, Report, Text, sentence};
use crate::store::{Loaded, LocalStateFailure, Store};
use crate::transport::Transport;

const EVENT: &str = "doctor";

/// Everything that a synchronization needs, check by check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnosis {
    /// `done`, or `failed`.
    outcome: &'static str,
    /// That of the first check that failed, or `all-well`.
    pub code: String,
    /// The first thing that is wrong, for people.
    pub message: String,
    /// What to do about it, for people.
    pub cure: Option<String>,
    /// All checks, in the order in which one blocks the next.
    pub checks: Vec<Checked>,
}

/// Goes through all checks. It changes nothing, and never synchronizes.
pub(crate) fn diagnosis(context: &Context, transport: &dyn Transport) -> Diagnosis {
    let looked = Store::open(&context.place, EVENT).and_then(|store| diagnose(context, transport, store));
    Diagnosis::of(looked.unwrap_or_else(|error| without_state(&error)))
}

/// All checks. The state is free again while the network is waited for.
fn diagnose(context: &Context, transport: &dyn Transport, store: Store) -> Result<Vec<Checked>, LocalStateFailure> {
    let identity = store.identity()?;
    let times = store.times()?.observe(context.now());
    let last_answer = last_answer(&store, &identity)?;
    let loaded = store.load(context.now(), context.proved());
    let (room, exposed) = (store.has_room(), store.exposed());
    drop(store);
    let (clock, network) = match ask(transport, &identity) {
        Ok(network) => {
            // Asking may have taken long.
            let clock = network.clock(&Times { local_clock: context.now(), ..times });
            (clock, network.checks())
        }
        Err(failure) => (Checked::skipped(Check::Clock, Check::of(&failure)), no_network(&failure)),
    };
    let mut checks = vec![
        unless(state(&loaded), [room.as_ref().err(), exposed.as_ref()]),
        unless(key_pair(&loaded, &identity), [None, exposed.as_ref()]),
        clock,
    ];
    checks.extend(network);
    checks.extend([last_answer, deadline(&loaded)]);
    Ok(checks)
}

/// Without a state nothing is known: neither the main server nor this server's key pair.
fn without_state(error: &LocalStateFailure) -> Vec<Checked> {
    let rest = Check::ALL.into_iter().skip(1).map(|check| Checked::skipped(check, Check::State));
    [broken(Check::State, error)].into_iter().chain(rest).collect()
}

fn broken(check: Check, error: &LocalStateFailure) -> Checked {
    Checked::wrong(check, error.code(), error.to_string(), error.cure())
}

/// One question to each port, as near as can be to those of a synchronization, and without an effect.
fn ask(transport: &dyn Transport, identity: &Identity) -> Result<Network, Failure> {
    let transport = transport.connect(&identity.trust)?;
    let asked =
        |role, address: &str, answer| PortAnswer { address: address.to_owned(), proxy: transport.proxy(role), answer };
    let health = transport.get_health().and_then(|answer| interpret_health(answer, identity));
    let mut bits = [0; 16];
    getrandom::fill(&mut bits).expect("the operating system gives random numbers");
    let no_payload = match &health {
        // The other port has the same proxy: a wrong password is not sent a second time.
        Err(failure @ Failure::Proxy(ProxyFailure::WrongPassword { .. })) => Err(failure.clone()),
        _ => transport.get_payload(&PayloadName::from_random(bits), 0).and_then(interpret_no_payload),
    };
    Ok(Network {
        https: asked(Role::Https, &identity.trust.https, health),
        http: asked(Role::Http, &identity.trust.http, no_payload),
        issuer: transport.issuer(),
    })
}

fn state(loaded: &Result<Loaded, LocalStateFailure>) -> Checked {
    match loaded {
        Ok(loaded @ Loaded { server: LocalServer::Tampered(_), .. }) => verdict(Check::State, loaded),
        Ok(loaded) => Checked::well(Check::State, format!("intact, {}", loaded.server.name())),
        Err(error) if error.is_about_the_key() => Checked::skipped(Check::State, Check::KeyPair),
        Err(error) => broken(Check::State, error),
    }
}

fn key_pair(loaded: &Result<Loaded, LocalStateFailure>, identity: &Identity) -> Checked {
    match loaded {
        Ok(loaded @ Loaded { server: LocalServer::Cleared(_), .. }) => verdict(Check::KeyPair, loaded),
        Ok(_) => Checked::well(Check::KeyPair, format!("{} present", identity.key_thumbprint)),
        Err(error) if error.is_about_the_key() => broken(Check::KeyPair, error),
        Err(_) => Checked::skipped(Check::KeyPair, Check::State),
    }
}

/// What is well is not, if one of these says so. Each is about the key pair or about the state.
fn unless(checked: Checked, errors: [Option<&LocalStateFailure>; 2]) -> Checked {
    let is_about = |error: &&LocalStateFailure| error.is_about_the_key() == (checked.name == Check::KeyPair);
    match errors.into_iter().flatten().find(is_about) {
        Some(error) if checked.ok => broken(checked.name, error),
        _ => checked,
    }
}

fn deadline(loaded: &Result<Loaded, LocalStateFailure>) -> Checked {
    let Ok(loaded) = loaded else { return Checked::skipped(Check::Deadline, Check::State) };
    match &loaded.server {
        LocalServer::Tampered(_) => Checked::skipped(Check::Deadline, Check::State),
        LocalServer::Cleared(_) => Checked::skipped(Check::Deadline, Check::KeyPair),
        LocalServer::Unsynchronized(_) | LocalServer::Overdue(_) => verdict(Check::Deadline, loaded),
        LocalServer::Synchronized(synchronized) => {
            let by = synchronized.applied.receipt().synchronize_by;
            Checked::well(Check::Deadline, format!("{} days left, until {by}", loaded.times.days_left(by)))
        }
    }
}

/// Why no license may be issued.
fn verdict(check: Check, loaded: &Loaded) -> Checked {
    let verdict = may_issue(&loaded.server, &loaded.times, None);
    Checked::wrong(check, verdict.code(), verdict.message(), verdict.cure().unwrap_or_default())
}

/// What the main server last said about this id and this key pair.
fn last_answer(store: &Store, identity: &Identity) -> Result<Checked, LocalStateFailure> {
    const CHECK: Check = Check::LastAnswer;
    let key = identity.key_thumbprint.to_string();
    let answers = store.history()?.into_iter().rev().find(|event| {
        matches!(&*event.event, "synchronize" | "import-response")
            && matches!(&*event.outcome, "synchronized" | "refused")
            && event.key_thumbprint == key
    });
    Ok(match answers {
        None => Checked::well(CHECK, "no answer about this key pair yet"),
        Some(event) if event.outcome == "synchronized" => Checked::well(CHECK, format!("accepted at {}", event.at)),
        Some(event) => {
            let carrier = if event.event == "synchronize" { Carrier::Direct } else { Carrier::File };
            let code = RefusalCode::ALL.iter().find(|code| code.as_str() == event.code);
            let cure = code.map(|code| cure_of(*code, None, carrier)).unwrap_or_default();
            Checked::wrong(CHECK, &event.code, format!("at {}: {}", event.at, event.message), cure)
        }
    })
}

impl Diagnosis {
    fn of(checks: Vec<Checked>) -> Self {
        let wrong = checks.iter().find(|check| check.is_wrong());
        let (outcome, code, message, cure) = match wrong {
            None => ("done", "all-well".to_owned(), "nothing blocks a synchronization".to_owned(), None),
            Some(wrong) => ("failed", wrong.code.clone(), wrong.message.clone(), wrong.cure.clone()),
        };
        Self { outcome, code, message, cure, checks }
    }

    pub(super) fn report(&self) -> Report {
        const INDENT: usize = 20;
        let mut text = Text::default();
        for check in &self.checks {
            let Checked { name, ok, code, message, cure } = check;
            let name = name.as_str();
            match cure {
                _ if *ok => text.row(INDENT, GOOD, format_args!("ok     {name:<12} {message}"), ""),
                Some(cure) if check.is_wrong() => {
                    let wrong = format!("wrong  {name:<12} {} [{code}]", sentence(message));
                    text.row(INDENT, BAD, wrong, "");
                    text.row(INDENT, PLAIN, "", format_args!("{:<INDENT$}{cure}", ""));
                }
                _ => text.row(INDENT, PLAIN, "", format_args!("  ?    {name:<12} {message}")),
            }
        }
        match &self.cure {
            None => text.next("run `license-server synchronize` whenever you like."),
            Some(cure) => text.next(cure),
        }
        let exit = self.checks.iter().find(|check| check.is_wrong()).map_or(Exit::Done, |check| exit_of(check.name));
        Report { is_the_answer: true, ..Report::of(exit, self, text) }
    }
}

/// What another command that fails for this reason ends with.
const fn exit_of(check: Check) -> Exit {
    match check {
        Check::State | Check::KeyPair | Check::Clock => Exit::LocalState,
        Check::LastAnswer => Exit::Refused,
        Check::Deadline => Exit::MayNotIssue,
        Check::NameLookup | Check::Proxy | Check::Port443 | Check::Tls | Check::Port8080 | Check::MainServer => {
            Exit::NotReached
        }
    }
}

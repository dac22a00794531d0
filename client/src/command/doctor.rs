//! `doctor`: checks everything that a synchronization needs. It changes nothing, and never synchronizes.

use serde::Serialize;
use solme_sync_protocol::{PayloadName, RefusalCode};

use super::Context;
use crate::core::{
    Carrier, Check, Failure, Finding, Found, Identity, LocalServer, Network, PortAnswer, ProxyFailure, Role, Times,
    cure_of, interpret_health, interpret_no_payload, may_issue, no_network,
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

/// What came of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// Which one.
    pub name: Check,
    /// Whether all is well.
    pub ok: bool,
    /// `ok`, `not-checked`, or what is wrong.
    pub code: String,
    /// The same, for people.
    pub message: String,
    /// What to do about it, for people.
    pub cure: Option<String>,
}

/// Goes through all checks. It changes nothing, and never synchronizes.
pub(crate) fn diagnosis(context: &Context, transport: &dyn Transport) -> Diagnosis {
    let looked = Store::open(&context.place, EVENT).and_then(|store| diagnose(context, transport, store));
    Diagnosis::of(&looked.unwrap_or_else(|error| without_state(&error)))
}

/// All checks. The state is free again while the network is waited for.
fn diagnose(context: &Context, transport: &dyn Transport, store: Store) -> Result<Vec<Finding>, LocalStateFailure> {
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
            (clock, network.findings())
        }
        Err(failure) => (Found::NotChecked { because: Check::of(&failure) }, no_network(&failure)),
    };
    let mut findings = vec![
        Finding { check: Check::State, found: unless(state(&loaded), [room.as_ref().err(), exposed.as_ref()], false) },
        Finding { check: Check::KeyPair, found: unless(key_pair(&loaded, &identity), [None, exposed.as_ref()], true) },
        Finding { check: Check::Clock, found: clock },
    ];
    findings.extend(network);
    findings.push(Finding { check: Check::LastAnswer, found: last_answer });
    findings.push(Finding { check: Check::Deadline, found: deadline(&loaded) });
    Ok(findings)
}

/// Without a state nothing is known: neither the main server nor this server's key pair.
fn without_state(error: &LocalStateFailure) -> Vec<Finding> {
    let rest = |check| Finding { check, found: Found::NotChecked { because: Check::State } };
    let state = Finding { check: Check::State, found: broken(error) };
    [state].into_iter().chain(Check::ALL.into_iter().skip(1).map(rest)).collect()
}

fn broken(error: &LocalStateFailure) -> Found {
    Found::Wrong { code: error.code().to_owned(), message: error.to_string(), cure: error.cure().to_owned() }
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

fn state(loaded: &Result<Loaded, LocalStateFailure>) -> Found {
    match loaded {
        Ok(Loaded { server: LocalServer::Tampered(_), .. }) => verdict(loaded),
        Ok(loaded) => Found::well(format!("intact, {}", loaded.server.name())),
        Err(error) if error.is_about_the_key() => Found::NotChecked { because: Check::KeyPair },
        Err(error) => broken(error),
    }
}

fn key_pair(loaded: &Result<Loaded, LocalStateFailure>, identity: &Identity) -> Found {
    match loaded {
        Ok(Loaded { server: LocalServer::Cleared(_), .. }) => verdict(loaded),
        Ok(_) => Found::well(format!("{} present", identity.key_thumbprint)),
        Err(error) if error.is_about_the_key() => broken(error),
        Err(_) => Found::NotChecked { because: Check::State },
    }
}

/// What is well is not, if one of these says so. Each is about the key pair or about the state.
fn unless(found: Found, errors: [Option<&LocalStateFailure>; 2], about_the_key: bool) -> Found {
    let error = errors.into_iter().flatten().find(|error| error.is_about_the_key() == about_the_key);
    match (&found, error) {
        (Found::Well { .. }, Some(error)) => broken(error),
        _ => found,
    }
}

fn deadline(loaded: &Result<Loaded, LocalStateFailure>) -> Found {
    let Ok(Loaded { server, times, .. }) = loaded else { return Found::NotChecked { because: Check::State } };
    match server {
        LocalServer::Tampered(_) => Found::NotChecked { because: Check::State },
        LocalServer::Cleared(_) => Found::NotChecked { because: Check::KeyPair },
        LocalServer::Unsynchronized(_) | LocalServer::Overdue(_) => verdict(loaded),
        LocalServer::Synchronized(synchronized) => {
            let by = synchronized.applied.receipt().synchronize_by;
            Found::well(format!("{} days left, until {by}", times.days_left(by)))
        }
    }
}

/// Why no license may be issued.
fn verdict(loaded: &Result<Loaded, LocalStateFailure>) -> Found {
    match loaded {
        Ok(loaded) => {
            let verdict = may_issue(&loaded.server, &loaded.times, None);
            let cure = verdict.cure().unwrap_or_default();
            Found::Wrong { code: verdict.code().to_owned(), message: verdict.message(), cure }
        }
        Err(error) => broken(error),
    }
}

/// What the main server last said about this id and this key pair.
fn last_answer(store: &Store, identity: &Identity) -> Result<Found, LocalStateFailure> {
    let key = identity.key_thumbprint.to_string();
    let answers = store.history()?.into_iter().rev().find(|event| {
        matches!(&*event.event, "synchronize" | "import-response")
            && matches!(&*event.outcome, "synchronized" | "refused")
            && event.key_thumbprint == key
    });
    Ok(match answers {
        None => Found::well("no answer about this key pair yet"),
        Some(event) if event.outcome == "synchronized" => Found::well(format!("accepted at {}", event.at)),
        Some(event) => {
            let carrier = if event.event == "synchronize" { Carrier::Direct } else { Carrier::File };
            let code = RefusalCode::ALL.iter().find(|code| code.as_str() == event.code);
            let cure = code.map(|code| cure_of(*code, None, carrier)).unwrap_or_default();
            Found::Wrong { code: event.code, message: format!("at {}: {}", event.at, event.message), cure }
        }
    })
}

const NOT_CHECKED: &str = "not-checked";

impl Diagnosis {
    fn of(findings: &[Finding]) -> Self {
        let checks: Vec<Checked> = findings.iter().map(Checked::from).collect();
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
        for Checked { name, ok, code, message, cure } in &self.checks {
            let name = name.as_str();
            match cure {
                _ if *ok => text.row(INDENT, GOOD, format_args!("ok     {name:<12} {message}"), ""),
                Some(cure) if code != NOT_CHECKED => {
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

impl Checked {
    pub(crate) fn is_wrong(&self) -> bool {
        !self.ok && self.code != NOT_CHECKED
    }
}

impl From<&Finding> for Checked {
    fn from(finding: &Finding) -> Self {
        let checked = |ok, code: &str, message: String, cure| Self {
            name: finding.check,
            ok,
            code: code.to_owned(),
            message,
            cure,
        };
        match &finding.found {
            Found::Well { message } => checked(true, "ok", message.clone(), None),
            Found::Wrong { code, message, cure } => checked(false, code, message.clone(), Some(cure.clone())),
            Found::NotChecked { because } => {
                let because = because.as_str();
                let message = format!("skipped until {because} is fixed");
                checked(false, NOT_CHECKED, message, Some(format!("Fix {because} first.")))
            }
        }
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

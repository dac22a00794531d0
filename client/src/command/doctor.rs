//! `doctor`: goes through what can be in the way of a synchronization. It changes nothing, and never synchronizes.

use serde_json::{Value, json};
use solme_sync_protocol::{PayloadName, RefusalCode};

use super::Context;
use crate::core::{
    Carrier, Check, Failure, Finding, Found, Identity, LocalServer, Network, PortAnswer, Role, Times, cure_of,
    interpret_health, interpret_no_payload, may_issue, no_network,
};
use crate::output::{Exit, Report, Text, Trouble, sentence};
use crate::store::{Loaded, LocalStateError, Store};

const EVENT: &str = "doctor";

pub(super) fn run(context: &Context) -> Result<Report, Trouble> {
    let findings = match Store::open(&context.place, EVENT).and_then(|store| diagnose(context, store)) {
        Ok(findings) => findings,
        Err(error) => without_state(&error),
    };
    Ok(report(&findings))
}

/// All checks. The state is free again while the network is waited for.
fn diagnose(context: &Context, store: Store) -> Result<Vec<Finding>, LocalStateError> {
    let identity = store.identity()?;
    let times = store.times()?.observe(context.now());
    let last_answer = last_answer(&store, &identity)?;
    let loaded = store.load(context.now());
    let (room, exposed) = (store.has_room(), store.exposed());
    drop(store);
    let (clock, network) = match ask(context, &identity) {
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
fn without_state(error: &LocalStateError) -> Vec<Finding> {
    let rest = |check| Finding { check, found: Found::NotChecked { because: Check::State } };
    let state = Finding { check: Check::State, found: broken(error) };
    [state].into_iter().chain(Check::ALL.into_iter().skip(1).map(rest)).collect()
}

fn broken(error: &LocalStateError) -> Found {
    Found::Wrong { code: error.code().to_owned(), message: error.to_string(), cure: error.cure().to_owned() }
}

/// One question to each port, as near as can be to those of a synchronization, and without an effect.
fn ask(context: &Context, identity: &Identity) -> Result<Network, Failure> {
    let transport = context.transport(&identity.trust)?;
    let asked =
        |role, address: &str, answer| PortAnswer { address: address.to_owned(), proxy: transport.proxy(role), answer };
    let health = transport.get_health().and_then(|answer| interpret_health(answer, identity));
    let mut bits = [0; 16];
    getrandom::fill(&mut bits).expect("the operating system gives random numbers");
    let no_payload = transport.get_payload(&PayloadName::from_random(bits), 0).and_then(interpret_no_payload);
    Ok(Network {
        https: asked(Role::Https, &identity.trust.https, health),
        http: asked(Role::Http, &identity.trust.http, no_payload),
        issuer: transport.issuer(),
    })
}

fn state(loaded: &Result<Loaded, LocalStateError>) -> Found {
    match loaded {
        Ok(Loaded { server: LocalServer::Tampered(_), .. }) => verdict(loaded),
        Ok(loaded) => Found::well(format!("it is whole, and {}", loaded.server.name())),
        Err(error) if error.is_about_the_key() => Found::NotChecked { because: Check::KeyPair },
        Err(error) => broken(error),
    }
}

fn key_pair(loaded: &Result<Loaded, LocalStateError>, identity: &Identity) -> Found {
    match loaded {
        Ok(Loaded { server: LocalServer::Cleared(_), .. }) => verdict(loaded),
        Ok(_) => Found::well(format!("{} is there", identity.key_thumbprint)),
        Err(error) if error.is_about_the_key() => broken(error),
        Err(_) => Found::NotChecked { because: Check::State },
    }
}

/// What is well is not, if one of these says so. Each is about the key pair or about the state.
fn unless(found: Found, errors: [Option<&LocalStateError>; 2], about_the_key: bool) -> Found {
    let error = errors.into_iter().flatten().find(|error| error.is_about_the_key() == about_the_key);
    match (&found, error) {
        (Found::Well { .. }, Some(error)) => broken(error),
        _ => found,
    }
}

fn deadline(loaded: &Result<Loaded, LocalStateError>) -> Found {
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
fn verdict(loaded: &Result<Loaded, LocalStateError>) -> Found {
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
fn last_answer(store: &Store, identity: &Identity) -> Result<Found, LocalStateError> {
    let key = identity.key_thumbprint.to_string();
    let answers = store.history()?.into_iter().rev().find(|event| {
        matches!(&*event.event, "synchronize" | "import-response")
            && matches!(&*event.outcome, "synchronized" | "refused")
            && event.key_thumbprint == key
    });
    Ok(match answers {
        None => Found::well("the main server has not said anything about this key pair yet"),
        Some(event) if event.outcome == "synchronized" => Found::well(format!("accepted at {}", event.at)),
        Some(event) => {
            let carrier = if event.event == "synchronize" { Carrier::Direct } else { Carrier::File };
            let code = RefusalCode::ALL.iter().find(|code| code.as_str() == event.code);
            let cure = code.map(|code| cure_of(*code, None, carrier)).unwrap_or_default();
            Found::Wrong { code: event.code, message: format!("at {}: {}", event.at, event.message), cure }
        }
    })
}

fn report(findings: &[Finding]) -> Report {
    let mut text = Text::default();
    for Finding { check, found } in findings {
        let name = check.as_str();
        match found {
            Found::Well { message } => text.good(format_args!("ok     {name:<12} {message}")),
            Found::Wrong { code, message, cure } => {
                text.bad(format_args!("wrong  {name:<12} {} [{code}]", sentence(message)));
                text.line(format_args!("       {:<12} {cure}", ""));
            }
            Found::NotChecked { because } => {
                text.line(format_args!("  ?    {name:<12} not checked: {} is in the way", because.as_str()));
            }
        }
    }
    let wrong = findings.iter().find_map(|finding| match &finding.found {
        Found::Wrong { code, message, cure } => Some((finding.check, code, message, cure)),
        _ => None,
    });
    let (exit, said) = match wrong {
        None => {
            text.next("nothing is in the way; `license-server synchronize` whenever you like.");
            let message = "nothing is in the way of a synchronization";
            (Exit::Done, json!({ "outcome": "done", "code": "all-well", "message": message, "cure": null }))
        }
        Some((check, code, message, cure)) => {
            text.next(cure);
            (exit_of(check), json!({ "outcome": "failed", "code": code, "message": message, "cure": cure }))
        }
    };
    let mut json = said;
    json["checks"] = findings.iter().map(to_json).collect();
    Report { is_the_answer: true, ..Report::new(exit, json, text) }
}

fn to_json(finding: &Finding) -> Value {
    let name = finding.check.as_str();
    match &finding.found {
        Found::Well { message } => json!({ "name": name, "ok": true, "code": "ok", "message": message, "cure": null }),
        Found::Wrong { code, message, cure } => {
            json!({ "name": name, "ok": false, "code": code, "message": message, "cure": cure })
        }
        Found::NotChecked { because } => {
            let because = because.as_str();
            let message = format!("not checked: {because} is in the way");
            let cure = format!("Mend {because} first.");
            json!({ "name": name, "ok": false, "code": "not-checked", "message": message, "cure": cure })
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

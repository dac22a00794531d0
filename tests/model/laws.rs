//! What holds after every step, and what has to be seen at least once.

use std::collections::{BTreeMap, HashMap};

use license_server::State;
use license_server::testing::Ended;
use solme_sync_protocol::RefusalCode;

use super::parts::{At, Fault, Given, Id, Parts, Verdict, Who};
use super::stand_in::thumbprint;
use super::world::{Led, Server, Step, World};

/// Refusal codes, states and answers, each of which some path leads to.
///
/// Two codes are missing: no honest License Server makes a request of another version, or one that is invalid in itself.
/// The state `tampered` is: nobody edits a database here.
pub(crate) const SOMETIMES: &[&str] = &[
    "unsynchronized",
    "synchronized",
    "overdue",
    "cleared",
    "accepted",
    "again",
    "invalid-signature",
    "unknown-license-server-id",
    "rate-limited",
    "license-server-id-disabled",
    "key-pair-cleared",
    "request-already-answered",
    "key-pair-in-use",
    "main-server-behind",
    "state-diverged",
    "temporarily-unavailable",
    "may issue",
    "killed",
    "other-request",
    "other-key-pair",
    "response-older",
    "the request stays",
    "the request ends",
];

/// How often each of them was seen.
pub(crate) type Seen = BTreeMap<&'static str, u64>;

pub(crate) fn note(seen: &mut Seen, from: &World, led: &Led, parts: &Parts) {
    let mut see = |name| *seen.entry(name).or_default() += 1;
    for given in led.given.iter() {
        see(match given.verdict {
            Verdict::Accepted => "accepted",
            Verdict::Again => "again",
            Verdict::Refused(code) => code.as_str(),
        });
    }
    match led.ended {
        Some(Ended::Failed(code)) => see(code),
        Some(Ended::Killed) => see("killed"),
        Some(Ended::Synchronized | Ended::Refused(_)) | None => {}
    }
    for (number, server) in touched(from, led) {
        let shown = parts.look(server.paper, server.who, led.to.now);
        see(shown.state.as_str());
        if shown.may_issue {
            see("may issue");
        }
        if let Step::Synchronize(by, _) | Step::Import(by, _) = led.step
            && by == number
            && !matches!(led.ended, Some(Ended::Synchronized))
        {
            see(if shown.is_outstanding { "the request stays" } else { "the request ends" });
        }
    }
}

/// The law that a step breaks, if it breaks one.
pub(crate) fn broken(from: &World, led: &Led, parts: &Parts) -> Option<&'static str> {
    led.given
        .iter()
        .find_map(|given| of_an_answer(from, given, parts))
        .or_else(|| of_the_main_server(from, led, parts))
        .or_else(|| of_an_end(from, led, parts))
        .or_else(|| touched(from, led).find_map(|(_, server)| of_a_server(&led.to, &server, parts)))
        .or_else(|| changed(from, led).find_map(|(before, after)| of_a_change(led, before, after, parts)))
        .or_else(|| changed(from, led).next().and_then(|_| no_fork(&led.to, parts)))
}

/// Servers that show something else than before the step, perhaps: the others were judged then.
fn touched<'a>(from: &'a World, led: &'a Led) -> impl Iterator<Item = (usize, Server)> + 'a {
    let looks = |number| led.step == Step::Look(number) || from.now != led.to.now;
    let same = |number: usize, server: &Server| {
        from.servers[number].is_some_and(|before| (before.paper, before.who) == (server.paper, server.who))
    };
    led.to.present().filter(move |(number, server)| looks(*number) || !same(*number, server))
}

/// P 9.9 to 9.12, as seen from outside.
fn of_an_answer(from: &World, given: &Given, parts: &Parts) -> Option<&'static str> {
    if given.verdict != Verdict::Accepted {
        return (given.before != given.after).then_some("only an acceptance changes the record (P 9.15)");
    }
    let (before, after, asked) = (parts.main(given.before), parts.main(given.after), parts.asked(given.request));
    let (before, after) = (&before.record, &after.record);
    let bound = before.bound_thumbprint();
    let reserved = before.reserved_for.filter(|_| bound.is_none());
    if bound.or(reserved).is_some_and(|only| only != asked.thumbprint) {
        return Some("while a key pair is in use, or the id reserved for one, no other is served (P 9.9)");
    }
    if before.cleared(&asked.thumbprint).is_some() {
        return Some("a cleared key pair is dead for ever (P 16.4)");
    }
    if before.disabled.is_some() {
        return Some("a disabled id gets nothing (P 9.5)");
    }
    if after.sequence != before.sequence + 1 || after.bound_thumbprint() != Some(asked.thumbprint) {
        return Some("an acceptance binds, and raises the sequence by one (P 9.10, 9.11)");
    }
    if parts.main(given.before).restored > 0 {
        return None; // it has forgotten what it gave
    }
    let mut others = from.present().filter(|(_, server)| thumbprint(server.who.key) == asked.thumbprint);
    let newer = others.any(|(_, server)| parts.newest(server.paper, server.who).sequence > asked.claimed);
    newer.then_some("a copy or restored server is found out at its first synchronization after the split (P 9.12)")
}

fn of_the_main_server(from: &World, led: &Led, parts: &Parts) -> Option<&'static str> {
    if led.step == Step::MainRestore {
        return None;
    }
    let (before, after) = (parts.main(from.main), parts.main(led.to.main));
    let (before, after) = (&before.record, &after.record);
    if after.sequence < before.sequence || after.key_generation < before.key_generation {
        return Some("sequence and generation only grow (P 6.3)");
    }
    let replaced = before.bound_thumbprint().zip(after.bound_thumbprint()).is_some_and(|(old, new)| old != new);
    replaced.then_some("one key pair an id: the next one only after a clear (P 1.2)")
}

/// A server whose state is whole, and whose key pair is in use, is refused for no lost message.
fn of_an_end(from: &World, led: &Led, parts: &Parts) -> Option<&'static str> {
    let Step::Synchronize(number, fault) = led.step else { return None };
    if fault.is_at_the_main_server() || matches!(fault, Fault::KilledAfter(_)) {
        return None;
    }
    let main = parts.main(from.main);
    let record = &main.record;
    let own = from.servers[number].map(|server| thumbprint(server.who.key));
    let whole = !from.state_was_lost && record.disabled.is_none() && record.bound_thumbprint() == own;
    let refused = matches!(led.ended, Some(Ended::Refused(_)));
    (whole && refused).then_some("a server with its state whole is never refused for a lost message (P 9.7, 12.2)")
}

/// P 17, 11.3.
fn of_a_server(world: &World, server: &Server, parts: &Parts) -> Option<&'static str> {
    let shown = parts.look(server.paper, server.who, world.now);
    if shown.key.is_some_and(|key| key != thumbprint(server.who.key)) {
        return Some("a receipt of another key pair is never applied (P 11.3)");
    }
    if !shown.may_issue {
        return None;
    }
    let real = Parts::now(world.now).offset(server.who.clock.min(0));
    let in_time = real < shown.synchronize_by && shown.effective < shown.synchronize_by;
    (shown.state != State::Synchronized || !in_time).then_some("nothing is issued past the deadline (P 17.1)")
}

fn changed<'a>(from: &'a World, led: &'a Led) -> impl Iterator<Item = (Server, Server)> + 'a {
    from.servers
        .iter()
        .zip(&led.to.servers)
        .filter_map(|(before, after)| Some((before.as_ref()?, after.as_ref()?)))
        .filter(|(before, after)| before.paper != after.paper)
        .map(|(before, after)| (*before, *after))
}

fn of_a_change(led: &Led, before: Server, after: Server, parts: &Parts) -> Option<&'static str> {
    if matches!(led.step, Step::Restore | Step::NewKeyPair(_)) {
        return None;
    }
    let (old, new) = (parts.newest(before.paper, before.who), parts.newest(after.paper, after.who));
    if new.sequence < old.sequence || (old.generation != 0 && new.generation != old.generation) {
        return Some("a server goes on from the receipt that it has (P 11.4)");
    }
    (old.state == State::Cleared && new.state != State::Cleared).then_some("a cleared server stays cleared (P 12.6)")
}

/// Two states of one key pair never hold different answers of one sequence number.
fn no_fork(world: &World, parts: &Parts) -> Option<&'static str> {
    if parts.main(world.main).restored > 0 {
        return None;
    }
    let mut held = HashMap::new();
    let mut forked = world.present().filter(|(_, server)| {
        let shown = parts.newest(server.paper, server.who);
        let (key, sync_id) = (server.who.key, shown.sync_id);
        sync_id.is_some() && held.insert((key, shown.sequence), sync_id).is_some_and(|other| other != sync_id)
    });
    forked.next().map(|_| "one sequence number is one answer, also for copies (P 6.3, 9.11)")
}

pub(crate) const WAY_OUT: &str = "a server that follows the cures is synchronized in the end";

/// Whether the main server has no reason to refuse this server.
pub(crate) fn is_served(world: &World, server: &Server, parts: &Parts) -> bool {
    let main = parts.main(world.main);
    let (record, own) = (&main.record, thumbprint(server.who.key));
    let shown = parts.newest(server.paper, server.who);
    let bound = match record.bound_thumbprint() {
        Some(bound) => bound == own && !world.state_was_lost,
        None => {
            let reserved_for_another = record.reserved_for.is_some_and(|reserved| reserved != own);
            !reserved_for_another && record.cleared(&own).is_none() && shown.sequence == 0
        }
    };
    bound && record.disabled.is_none() && shown.state != State::Cleared
}

/// Whether a server that follows the cures of what it is told is synchronized in the end, wherever it begins.
pub(crate) fn has_a_way_out(
    from: &World,
    number: usize,
    parts: &Parts,
    known: &mut HashMap<(Id, Id, Who, At), bool>,
) -> bool {
    let server = from.servers[number].unwrap();
    let key = (from.main, server.paper, server.who, from.now);
    if let Some(known) = known.get(&key) {
        return *known;
    }
    let way_out = follow_the_cures(*from, number, parts);
    known.insert(key, way_out);
    way_out
}

/// What the cure of an end comes to; `None` if it names none.
pub(crate) fn cures(ended: &Ended, number: usize) -> Option<Vec<Step>> {
    Some(match ended {
        Ended::Synchronized => vec![Step::Clock(number, 0)],
        Ended::Refused(RefusalCode::LicenseServerIdDisabled) => vec![Step::Enable],
        Ended::Refused(RefusalCode::KeyPairCleared) => vec![Step::NewKeyPair(number)],
        // The second is for an id that is free, and reserved for another.
        Ended::Refused(RefusalCode::KeyPairInUse) => vec![Step::Clear(Some(number)), Step::Reserve(Some(number))],
        Ended::Refused(
            RefusalCode::RequestAlreadyAnswered | RefusalCode::StateDiverged | RefusalCode::MainServerBehind,
        ) => vec![Step::Clear(None), Step::NewKeyPair(number)],
        Ended::Refused(_) | Ended::Failed(_) | Ended::Killed => return None,
    })
}

fn follow_the_cures(mut world: World, number: usize, parts: &Parts) -> bool {
    for _ in 0..6 {
        let Some(Led { to, ended: Some(ended), .. }) = world.take(Step::Synchronize(number, Fault::None), parts) else {
            return false;
        };
        world = to;
        let server = world.servers[number].unwrap();
        if ended == Ended::Synchronized && parts.look(server.paper, server.who, world.now).state == State::Synchronized
        {
            return true;
        }
        let Some(cures) = cures(&ended, number) else { return false };
        for step in cures {
            world = world.take(step, parts).map_or(world, |led| led.to);
        }
    }
    false
}

//! What holds after every step, and what has to be seen at least once.

use std::collections::{BTreeSet, HashMap};

use license_server::State;
use license_server::testing::Ended;
use solme_sync_protocol::RefusalCode;

use super::parts::{Fault, Given, Id, Operation, Parts, Verdict, Who, thumbprint};
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
];

pub(crate) fn note(seen: &mut BTreeSet<&'static str>, led: &Led, parts: &Parts) {
    seen.extend(led.given.iter().map(|given| match given.verdict {
        Verdict::Accepted => "accepted",
        Verdict::Again => "again",
        Verdict::Refused(code) => code.as_str(),
    }));
    seen.extend(led.ended.iter().filter_map(|ended| match ended {
        Ended::Failed(code) => Some(*code),
        Ended::Killed => Some("killed"),
        Ended::Synchronized | Ended::Refused(_) => None,
    }));
    for (_, server) in led.to.present() {
        let shown = parts.look(server.paper, server.who, led.to.day);
        seen.insert(shown.state.as_str());
        seen.extend(shown.may_issue.then_some("may issue"));
    }
}

/// The law that a step breaks, if it breaks one.
pub(crate) fn broken(from: &World, led: &Led, parts: &Parts) -> Option<&'static str> {
    led.given
        .iter()
        .find_map(|given| of_an_answer(from, given, parts))
        .or_else(|| of_the_main_server(from, led, parts))
        .or_else(|| of_an_end(from, led, parts))
        .or_else(|| led.to.present().find_map(|(_, server)| of_a_server(&led.to, &server, parts)))
        .or_else(|| changed(from, led).find_map(|(before, after)| of_a_change(from, led, before, after, parts)))
        .or_else(|| no_fork(&led.to, parts))
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
    let newer = others.any(|(_, server)| parts.look(server.paper, server.who, from.day).sequence > asked.claimed);
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
    let Step::Synchronize(number, Fault::None | Fault::ReplyLost | Fault::SecondReplyLost | Fault::PayloadNotFound) =
        led.step
    else {
        return None;
    };
    let main = parts.main(from.main);
    let record = &main.record;
    let own = from.servers[number].map(|server| thumbprint(server.who.key));
    let whole = !from.state_was_lost && record.disabled.is_none() && record.bound_thumbprint() == own;
    let refused = matches!(led.ended, Some(Ended::Refused(_)));
    (whole && refused).then_some("a server with its state whole is never refused for a lost message (P 9.7, 12.2)")
}

/// P 17, 11.3.
fn of_a_server(world: &World, server: &Server, parts: &Parts) -> Option<&'static str> {
    let shown = parts.look(server.paper, server.who, world.day);
    if shown.key.is_some_and(|key| key != thumbprint(server.who.key)) {
        return Some("a receipt of another key pair is never applied (P 11.3)");
    }
    if !shown.may_issue {
        return None;
    }
    let real = Parts::now(world.day).offset(i64::from(server.who.clock.min(0)) * 86_400);
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

fn of_a_change(from: &World, led: &Led, before: Server, after: Server, parts: &Parts) -> Option<&'static str> {
    if matches!(led.step, Step::Restore | Step::NewKeyPair(_)) {
        return None;
    }
    let (old, new) = (parts.look(before.paper, before.who, from.day), parts.look(after.paper, after.who, led.to.day));
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
        let shown = parts.look(server.paper, server.who, world.day);
        let (key, sync_id) = (server.who.key, shown.sync_id);
        sync_id.is_some() && held.insert((key, shown.sequence), sync_id).is_some_and(|other| other != sync_id)
    });
    forked.next().map(|_| "one sequence number is one answer, also for copies (P 6.3, 9.11)")
}

/// Whether a server that follows the cures of what it is told is synchronized in the end, wherever it begins.
pub(crate) fn has_a_way_out(
    from: &World,
    number: usize,
    parts: &Parts,
    known: &mut HashMap<(Id, Id, Who, u16), bool>,
) -> bool {
    let server = from.servers[number].unwrap();
    let key = (from.main, server.paper, server.who, from.day);
    if let Some(known) = known.get(&key) {
        return *known;
    }
    let way_out = follow_the_cures(*from, number, parts);
    known.insert(key, way_out);
    way_out
}

fn follow_the_cures(mut world: World, number: usize, parts: &Parts) -> bool {
    for _ in 0..6 {
        let server = world.servers[number].unwrap();
        let done = parts.synchronize(server.paper, server.who, world.day, world.main, Fault::None);
        world = world.after(number, done.paper, done.main);
        match done.ended {
            Ended::Synchronized => {
                if parts.look(done.paper, server.who, world.day).state == State::Synchronized {
                    return true;
                }
                world = world.clock_set_right(number);
            }
            Ended::Refused(RefusalCode::LicenseServerIdDisabled) => {
                world.main = parts.operate(world.main, Operation::Enable, world.day).unwrap_or(world.main);
            }
            Ended::Refused(RefusalCode::KeyPairCleared) => world = world.new_key_pair(number, parts),
            Ended::Refused(RefusalCode::KeyPairInUse) => {
                let own = Some(server.who.key);
                let cleared = parts.operate(world.main, Operation::Clear(own), world.day);
                let reserve = || parts.operate(world.main, Operation::Reserve(own), world.day);
                world.main = cleared.or_else(reserve).unwrap_or(world.main);
            }
            Ended::Refused(
                RefusalCode::RequestAlreadyAnswered | RefusalCode::StateDiverged | RefusalCode::MainServerBehind,
            ) => {
                world.main = parts.operate(world.main, Operation::Clear(None), world.day).unwrap_or(world.main);
                world = world.new_key_pair(number, parts);
            }
            Ended::Refused(_) | Ended::Failed(_) | Ended::Killed => return false,
        }
    }
    false
}

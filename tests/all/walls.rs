//! Which room of a crate may use which. A room is a file or folder of `src`; what is not named here is free to use all.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// A room, and the rooms of the same crate that it may use.
type Wall = (&'static str, &'static [&'static str]);

const CLIENT: &[Wall] = &[
    ("core", &["conduct"]),
    ("conduct", &["core"]),
    ("clock", &[]),
    ("stop", &[]),
    ("store", &["conduct", "core", "output", "seams"]),
    ("transport", &["clock", "conduct", "core", "output", "stop"]),
    ("output", &["core", "store"]),
    ("settings", &["clock", "output", "store", "transport"]),
    ("seams", &["conduct", "transport"]),
    ("on_paper", &["command", "conduct", "core", "output", "store", "transport"]),
];

const MOCK_SOLME: &[Wall] = &[
    ("registry", &["form", "rfc3339"]),
    ("clock", &[]),
    ("connections", &[]),
    ("crypto", &[]),
    ("mail", &["connections", "form", "rfc3339"]),
    ("seams", &["conduct"]),
    ("store", &["form", "mail", "registry", "rfc3339", "seams"]),
    ("conduct", &["crypto", "main_server", "registry", "store"]),
    ("http", &["main_server", "quirks"]),
    ("identity", &["crypto", "data", "seams"]),
];

/// The code of a room, without its tests and comments.
fn code(path: &Path) -> String {
    if path.is_dir() {
        let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
        return entries
            .filter(|path| !path.ends_with("tests") && !path.ends_with("tests.rs"))
            .map(|path| code(&path))
            .collect();
    }
    let text = fs::read_to_string(path).unwrap_or_default();
    // A module for tests alone has `#[cfg(test)]` before its `mod`, in the room's first file.
    let shipped = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    shipped.lines().filter(|line| !line.trim_start().starts_with("//")).map(|line| format!("{line}\n")).collect()
}

/// The rooms that `code` names: `crate::room` and `crate::{room, room::Thing}`.
fn used(code: &str) -> BTreeSet<String> {
    let name =
        |text: &str| -> String { text.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect() };
    let mut rooms = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            Some(list) => rooms.extend(list.split('}').next().unwrap_or_default().split(',').map(name)),
            None => drop(rooms.insert(name(rest))),
        }
    }
    rooms.retain(|room| room.starts_with(|first: char| first.is_ascii_lowercase()));
    rooms
}

fn trespasses(src: &str, walls: &[Wall]) -> Vec<String> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(src);
    let mut found = Vec::new();
    for (room, may_use) in walls {
        let code = [src.join(room), src.join(room).with_extension("rs")].map(|path| code(&path)).concat();
        assert!(!code.is_empty(), "{}: no room {room}", src.display());
        let others = used(&code).into_iter().filter(|used| used != room && !may_use.contains(&used.as_str()));
        found.extend(others.map(|used| format!("{room} uses {used}")));
    }
    found
}

#[test]
fn a_room_of_the_license_server_uses_no_other_than_it_may() {
    assert_eq!(trespasses("client/src", CLIENT), Vec::<String>::new());
}

#[test]
fn a_room_of_the_simulator_uses_no_other_than_it_may() {
    assert_eq!(trespasses("mock-solme/src", MOCK_SOLME), Vec::<String>::new());
}

#[test]
fn a_trespass_is_seen() {
    assert_eq!(trespasses("client/src", &[("store", &["output", "seams", "conduct"])]), ["store uses core"]);
    let rooms = used("use crate::{store::Store, transport};\nlet x = crate::command::run();");
    assert_eq!(rooms.into_iter().collect::<Vec<_>>(), ["command", "store", "transport"]);
}

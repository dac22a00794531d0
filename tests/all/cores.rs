//! The cores decide, and nothing else: no I/O, no clock, no randomness (ARCHITECTURE.md, "Invariants").

use std::fs;
use std::path::{Path, PathBuf};

const IO_AND_CLOCK: &[&str] = &[
    "std::fs",
    "std::io",
    "std::net",
    "std::process",
    "std::thread",
    "std::env",
    "SystemTime",
    "Instant",
    "Timestamp::now",
    "Zoned::now",
    "tokio",
    "rusqlite",
    "reqwest",
    "axum",
    "println!",
];
const RANDOMNESS: &[&str] = &["getrandom", "generate(", "rand::", "aws_lc_rs", "SysRng", "from_random("];

fn sources(folder: &str) -> Vec<PathBuf> {
    fn walk(folder: &Path, into: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
            let path = entry.unwrap().path();
            match path.extension() {
                _ if path.is_dir() => walk(&path, into),
                Some(extension) if extension == "rs" => into.push(path),
                _ => {}
            }
        }
    }
    let mut files = Vec::new();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder);
    if path.is_file() {
        return vec![path];
    }
    walk(&path, &mut files);
    assert!(!files.is_empty(), "{folder} has no source");
    files
}

/// What stands in the shipped part of the files: tests, and what makes things up for them, may use what they like.
fn offences(folder: &str, forbidden: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    let shipped = |path: &PathBuf| !path.ends_with("tests.rs") && !path.ends_with("players.rs");
    for path in sources(folder).into_iter().filter(shipped) {
        let text = fs::read_to_string(&path).unwrap();
        let shipped = text.split("#[cfg(test)]").next().unwrap_or_default();
        let code = shipped.lines().filter(|line| !line.trim_start().starts_with("//"));
        for (line, word) in code.flat_map(|line| forbidden.iter().map(move |word| (line, word))) {
            if line.contains(word) {
                found.push(format!("{}: {word} in: {}", path.display(), line.trim()));
            }
        }
    }
    found
}

#[test]
fn the_license_servers_core_has_no_io_no_clock_and_no_randomness() {
    assert_eq!(offences("client/src/core", &[IO_AND_CLOCK, RANDOMNESS].concat()), Vec::<String>::new());
}

#[test]
fn the_main_servers_registry_has_no_io_no_clock_and_no_randomness() {
    assert_eq!(offences("mock-solme/src/registry", &[IO_AND_CLOCK, RANDOMNESS].concat()), Vec::<String>::new());
}

/// What acts quirks out is shell: `armed`, `message` and `carrier`.
#[test]
fn the_simulators_plan_of_quirks_has_no_io_no_clock_and_no_randomness() {
    for file in ["catalogue", "fault", "fault_file", "plan", "profile", "variant"] {
        let file = format!("mock-solme/src/quirks/{file}.rs");
        assert_eq!(offences(&file, &[IO_AND_CLOCK, RANDOMNESS].concat()), Vec::<String>::new());
    }
}

#[test]
fn the_protocol_has_no_io_and_no_clock() {
    let allowed = "std::net::Ipv6Addr"; // a type to parse an address with, not a socket
    let offences = offences("protocol/src", IO_AND_CLOCK);
    let rest: Vec<&String> = offences.iter().filter(|offence| !offence.contains(allowed)).collect();
    assert_eq!(rest, Vec::<&String>::new());
}

#[test]
fn what_runs_the_cases_knows_neither_suites_nor_subjects() {
    let rooms =
        ["crate::license_server_", "crate::main_server_", "crate::both_suites", "crate::command", "crate::subject"];
    assert_eq!(offences("harness/src/conformance", &rooms), Vec::<String>::new());
    assert_ne!(offences("harness/src/command", &rooms), Vec::<String>::new(), "the verbs do");
}

#[test]
fn the_search_itself_finds_what_it_looks_for() {
    assert_ne!(offences("client/src", IO_AND_CLOCK), Vec::<String>::new(), "the shell has all of it");
}

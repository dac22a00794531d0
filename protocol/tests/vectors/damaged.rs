//! Every fixture, damaged at random, through every parser: the targets of `fuzz/`, without a nightly compiler.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::{folder, read};

#[path = "../../../fuzz/targets.rs"]
mod targets;

#[derive(Debug, Clone)]
enum Damage {
    Flip(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    Remove(prop::sample::Index, usize),
    Repeat(prop::sample::Index, usize),
    Insert(prop::sample::Index, Vec<u8>),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<prop::sample::Index>;
    let token =
        prop::sample::select(vec!["\"", "\\u0000", "{", "[", "}", ":", ",", ".", "-", "1e999", "null", "\r\n", "="]);
    prop_oneof![
        (at(), 1..=255_u8).prop_map(|(at, bits)| Damage::Flip(at, bits)),
        at().prop_map(Damage::Cut),
        (at(), 1..64_usize).prop_map(|(at, length)| Damage::Remove(at, length)),
        (at(), 1..64_usize).prop_map(|(at, length)| Damage::Repeat(at, length)),
        (at(), token).prop_map(|(at, token)| Damage::Insert(at, token.as_bytes().to_vec())),
    ]
}

fn damaged(mut bytes: Vec<u8>, damage: &[Damage]) -> Vec<u8> {
    for damage in damage {
        if bytes.is_empty() {
            return bytes;
        }
        match damage {
            Damage::Flip(at, bits) => {
                let at = at.index(bytes.len());
                bytes[at] ^= bits;
            }
            Damage::Cut(at) => bytes.truncate(at.index(bytes.len())),
            Damage::Remove(at, length) => {
                let at = at.index(bytes.len());
                bytes.drain(at..(at + length).min(bytes.len()));
            }
            Damage::Repeat(at, length) => {
                let at = at.index(bytes.len());
                let part = bytes[at..(at + length).min(bytes.len())].to_vec();
                bytes.splice(at..at, part);
            }
            Damage::Insert(at, token) => {
                let at = at.index(bytes.len());
                bytes.splice(at..at, token.iter().copied());
            }
        }
    }
    bytes
}

fn fixtures() -> Vec<Vec<u8>> {
    let files = ["golden", "bad"]
        .map(|name| std::fs::read_dir(folder(name)).expect("a folder of fixtures"))
        .into_iter()
        .flatten();
    files.map(|entry| read(entry.expect("a fixture").path())).collect()
}

#[test]
fn no_parser_breaks_a_property_over_whole_and_damaged_fixtures() {
    let fixtures = fixtures();
    assert!(fixtures.len() > 500, "{} fixtures", fixtures.len());
    for (_, target) in targets::ALL {
        fixtures.iter().for_each(|fixture| target(fixture));
    }
    let config = Config { cases: 2_000, failure_persistence: None, ..Config::default() };
    let one = (prop::sample::select(fixtures), prop::collection::vec(damage(), 1..4));
    let tried = TestRunner::new(config).run(&one, |(fixture, damage)| {
        let bytes = damaged(fixture, &damage);
        targets::ALL.iter().for_each(|(_, target)| target(&bytes));
        Ok(())
    });
    if let Err(error) = tried {
        panic!("{error}");
    }
}

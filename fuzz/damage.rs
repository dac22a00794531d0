// For tests that have no fuzzer: where inputs come from, and what happens to bytes on their way.

use std::path::Path;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use solme_sync_protocol::base64url;

#[derive(Debug, Clone)]
pub(crate) enum Damage {
    Flip(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    Remove(prop::sample::Index, usize),
    Repeat(prop::sample::Index, usize),
    Insert(prop::sample::Index, Vec<u8>),
}

pub(crate) fn damage() -> impl Strategy<Value = Damage> {
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

pub(crate) fn damaged(mut bytes: Vec<u8>, damage: &[Damage]) -> Vec<u8> {
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

/// The files in these folders of the repository, and the payload of each message among them. Of a bad file it is what is bad,
/// without the header of `fixtures/README.md`.
pub(crate) fn seeds(folders: &[&str]) -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut paths: Vec<_> = folders
        .iter()
        .flat_map(|folder| std::fs::read_dir(root.join(folder)).expect("a folder of seeds"))
        .map(|entry| entry.expect("a seed").path())
        .collect();
    paths.sort();
    let mut seeds = Vec::new();
    for path in paths {
        let bytes = body(std::fs::read(&path).expect("a seed can be read"));
        seeds.extend(payload(&bytes));
        seeds.push(bytes);
    }
    seeds
}

fn body(bytes: Vec<u8>) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(&bytes) else { return bytes };
    let Some((header, body)) = text.split_once("\n\n").filter(|_| text.starts_with("what: ")) else { return bytes };
    if header.ends_with("body: base64") {
        let urlsafe = body.trim_end_matches('=').replace('+', "-").replace('/', "_");
        return base64url::decode(urlsafe).expect("the body of a bad file is base64");
    }
    body.as_bytes().to_vec()
}

fn payload(message: &[u8]) -> Option<Vec<u8>> {
    let mut parts = message.split(|byte| *byte == b'.');
    let payload = parts.nth(1)?;
    (parts.count() == 1).then(|| base64url::decode(payload).ok()).flatten()
}

/// Every seed through every target, whole and damaged in `cases` ways.
pub(crate) fn try_all(seeds: &[Vec<u8>], all: &[(&str, impl Fn(&[u8]))], cases: u32) {
    for (_, target) in all {
        seeds.iter().for_each(|seed| target(seed));
    }
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let one = (prop::sample::select(seeds.to_vec()), prop::collection::vec(damage(), 1..4));
    let tried = TestRunner::new(config).run(&one, |(seed, damage)| {
        let bytes = damaged(seed, &damage);
        all.iter().for_each(|(_, target)| target(&bytes));
        Ok(())
    });
    if let Err(error) = tried {
        panic!("{error}");
    }
}

//! Writes JSON, whole and damaged, with what the strict reader of the protocol crate takes it for; one line each, for the peer
//! (`tests/peer/readers.py`), whose reader has to take it for the same.

#![allow(clippy::unwrap_used, reason = "an input that cannot be made is the end of it")]

use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use solme_sync_protocol::parse_json;

#[path = "../../fuzz/damage.rs"]
#[allow(dead_code)] // it tries targets as well
mod damage;

const DAMAGED: usize = 6_000;

/// Values that readers of JSON are known to differ in.
const ODD: [&str; 16] = [
    "1e999",
    "-1e999",
    "1e-999",
    "-0",
    "1E2",
    "1.0",
    "0.1",
    "01",
    "+1",
    "123456789012345678901234567890",
    "9007199254740993",
    "NaN",
    r#""\ud83d\ude00""#,
    r#""\ud83d""#,
    r#""\u0000""#,
    "\"\u{7f}\u{2028}\"",
];

fn main() {
    let mut inputs = damage::seeds(&["fixtures/golden", "fixtures/bad", "fuzz/seeds"]);
    inputs.extend(ODD.map(|value| format!(r#"{{"a":{value}}}"#).into_bytes()));
    inputs.push(b"\xef\xbb\xbf{}".to_vec());
    let json: Vec<_> = inputs.iter().filter(|input| input.first() == Some(&b'{')).cloned().collect();
    let mut runner = TestRunner::deterministic();
    let one = (proptest::sample::select(json), proptest::collection::vec(damage::damage(), 1..4));
    for _ in 0..DAMAGED {
        let (bytes, damages) = one.new_tree(&mut runner).unwrap().current();
        inputs.push(damage::damaged(bytes, &damages));
    }
    for input in inputs {
        let hex: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
        println!("{}", json!({ "input": hex, "means": parse_json::<Value>(&input).ok() }));
    }
}

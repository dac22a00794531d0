//! What holds for any bytes and any message.

use proptest::prelude::*;
use solme_sync_protocol::{
    Allocation, MainServerHeader, Message, Problem, PublicJwk, Receipt, Refusal, Request, RustCrypto, Salt, SealingKey,
    SignEs384 as _, Signed, SigningKey, SyncFile, TrustFile, base64url, parse_json, sealing_info,
};

use crate::{arbitrary, golden, golden_text, read_answer, read_request, trusted};

const MESSAGES: [&str; 5] =
    ["request-1.jws", "request-2.jws", "receipt-1.jws", "refusal-of-second-server.jws", "refusal-key-pair-cleared.jws"];

/// Whether these bytes are accepted as the kind of message that golden file is.
fn accepted(name: &str, bytes: &[u8], trusted: &[PublicJwk]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    match name.split('-').next() {
        Some("request") => read_request(text).is_ok(),
        Some("receipt") => read_answer::<Receipt>(text, trusted).is_ok(),
        _ => read_answer::<Refusal>(text, trusted).is_ok(),
    }
}

#[test]
fn any_flipped_bit_of_a_message_is_refused() {
    let trusted = trusted();
    for name in ["request-1.jws", "receipt-1.jws", "refusal-of-second-server.jws"] {
        let mut bytes = golden(name);
        assert!(accepted(name, &bytes, &trusted), "{name}");
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(!accepted(name, &bytes, &trusted), "{name}, bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

fn round_trip<M: Message + PartialEq + std::fmt::Debug>(
    message: &M,
    read: impl Fn(&str) -> Result<M, String>,
    key: &SigningKey,
) -> Result<(), TestCaseError> {
    let signed = Signed::sign(message, key);
    prop_assert_eq!(&read(signed.as_str()).map_err(TestCaseError::fail)?, message);
    let parsed = Signed::<M>::parse(signed.as_str()).expect("read above");
    prop_assert_eq!(parsed.digest(), signed.digest());
    Ok(())
}

fn answer_round_trip<M>(message: &M) -> Result<(), TestCaseError>
where
    M: Message<Header = MainServerHeader> + PartialEq + std::fmt::Debug,
{
    let key = SigningKey::generate();
    let trusted = [*key.public_jwk()];
    round_trip(message, |text| read_answer(text, &trusted), &key)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_changed_bytes_of_a_message_are_refused(
        name in prop::sample::select(&MESSAGES[..]),
        at in any::<prop::sample::Index>(),
        put in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..4),
            "[A-Za-z0-9_.-]{0,4}".prop_map(String::into_bytes),
        ],
        taken in 0..4_usize,
    ) {
        let original = golden_text(name);
        let start = at.index(original.len());
        let end = (start + taken).min(original.len());
        let mut changed = original.clone().into_bytes();
        changed.splice(start..end, put);
        prop_assume!(changed != original.as_bytes());
        prop_assert!(!accepted(name, &changed, &trusted()));
    }

    #[test]
    fn any_changed_byte_of_a_payload_is_refused(at in any::<prop::sample::Index>(), bits in 1..=255_u8) {
        let receipt: Receipt = read_answer(&golden_text("receipt-1.jws"), &trusted()).expect("golden");
        let request = Signed::<Request>::parse(&golden_text("request-1.jws")).expect("golden");
        let info =
            sealing_info(&receipt.main_server_id, &receipt.license_server_id, &request.digest(), &receipt.sync_id);
        let jwk: serde_json::Value = serde_json::from_slice(&golden("sealing-key-1.jwk.json")).expect("golden");
        let key = base64url::decode(jwk["d"].as_str().expect("golden")).expect("golden");
        let key = SealingKey::from_bytes(&key).expect("golden");
        let mut payload = golden("payload-1.bin");
        prop_assert!(key.open(&info, &payload).is_ok());
        let at = at.index(payload.len());
        payload[at] ^= bits;
        prop_assert!(key.open(&info, &payload).is_err());
    }

    #[test]
    fn a_changed_file_carries_the_same_or_nothing_that_verifies(
        at in any::<prop::sample::Index>(), byte in any::<u8>()
    ) {
        let mut changed = golden("response-file.json");
        let at = at.index(changed.len());
        changed[at] = byte;
        let Ok(SyncFile::Response { message, .. }) = SyncFile::parse(&changed) else { return Ok(()) };
        if accepted("receipt-1.jws", message.as_bytes(), &trusted()) {
            prop_assert_eq!(message, golden_text("receipt-1.jws"));
        }
    }

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        read_with_everything(&bytes);
    }

    #[test]
    fn no_text_that_looks_right_makes_a_reader_panic(text in r#"[\{\}\[\]":,.\\ueE0-9a-z-]{0,200}"#) {
        read_with_everything(text.as_bytes());
    }

    #[test]
    fn any_request_survives_its_jws(request in arbitrary::request()) {
        let key = SigningKey::generate();
        let limit = request.last_receipt.as_ref().is_none_or(|receipt| receipt.len() <= solme_sync_protocol::limits::ANSWER);
        prop_assume!(limit && Signed::sign(&request, &key).as_str().len() <= solme_sync_protocol::limits::REQUEST);
        round_trip(&request, read_request, &key)?;
    }

    #[test]
    fn any_receipt_survives_its_jws(receipt in arbitrary::receipt()) {
        answer_round_trip(&receipt)?;
    }

    #[test]
    fn any_refusal_survives_its_jws(refusal in arbitrary::refusal()) {
        answer_round_trip(&refusal)?;
    }

    #[test]
    fn any_allocation_survives_its_json_and_its_seal(allocation in arbitrary::allocation(), salt: [u8; 16]) {
        let json = allocation.to_json(&Salt::from_random(salt));
        prop_assert_eq!(Allocation::from_json(&json), Ok(allocation));
        let key = SealingKey::generate();
        let opened = key.open(b"info", &key.public_jwk().seal(b"info", &json));
        prop_assert_eq!(opened, Ok(json));
    }

    #[test]
    fn any_answer_survives_its_file(
        message in "[A-Za-z0-9_.-]{0,300}",
        payload in prop::option::of(prop::collection::vec(any::<u8>(), 0..300)),
        about in prop::collection::vec(any::<String>(), 0..4),
        request in any::<bool>(),
    ) {
        let file = if request { SyncFile::Request(message) } else { SyncFile::Response { message, payload } };
        prop_assert_eq!(SyncFile::parse(&file.to_bytes(&about)), Ok(file));
    }
}

fn read_with_everything(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    drop(Signed::<Request>::parse(&text).map(|signed| signed.verify(&RustCrypto)));
    drop(Signed::<Receipt>::parse(&text));
    drop(Signed::<Refusal>::parse(&text));
    drop(parse_json::<serde_json::Value>(bytes));
    drop(Allocation::from_json(bytes));
    drop(Problem::parse(bytes));
    drop(SyncFile::parse(bytes));
    drop(TrustFile::parse(bytes));
    drop(base64url::decode(bytes));
}

//! Every golden file is read, verified, opened, and says what the manifest says.

use std::collections::BTreeSet;

use serde_json::Value;
use solme_sync_protocol::{
    Allocation, Digest, InvalidRequestReason, MainServerHeader, Message, Problem, PublicJwk, Receipt, Refusal,
    RefusalCode, Request, RustCrypto, SealingKey, Signed, SigningKey, SyncFile, TrustFile, base64url, parse_json,
    sealing_info,
};

use crate::{folder, golden, golden_text, read_answer, read_request, trusted};

/// The entries of the manifest.
fn manifest() -> Vec<Value> {
    let manifest: Value = serde_json::from_slice(&golden("manifest.json")).expect("the manifest is JSON");
    manifest["files"].as_array().expect("a list of files").clone()
}

fn text<'a>(entry: &'a Value, member: &str) -> &'a str {
    entry[member].as_str().unwrap_or_else(|| panic!("{member} of {entry}"))
}

/// Runs `check` on every entry of a kind. That there are some is part of the test.
fn each(kind: &str, check: impl Fn(&Value, &str)) {
    let entries: Vec<Value> = manifest().into_iter().filter(|entry| entry["kind"] == kind).collect();
    assert!(!entries.is_empty(), "the manifest has no {kind}");
    for entry in &entries {
        check(entry, text(entry, "file"));
    }
}

#[test]
fn the_manifest_names_every_file_and_only_those() {
    let named: BTreeSet<String> = manifest().iter().map(|entry| text(entry, "file").to_owned()).collect();
    let mut found: BTreeSet<String> = std::fs::read_dir(folder("golden"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    assert!(found.remove("manifest.json"));
    assert_eq!(found, named);
    let known =
        ["private-jwk", "trust-file", "request", "receipt", "refusal", "allocation", "payload", "problem", "sync-file"];
    for entry in manifest() {
        assert!(known.contains(&text(&entry, "kind")), "no test reads {entry}");
    }
}

#[test]
fn keys_have_the_thumbprint_of_the_manifest() {
    each("private-jwk", |entry, file| {
        let mut jwk: Value = serde_json::from_slice(&golden(file)).unwrap();
        let members = jwk.as_object_mut().unwrap();
        assert!(members["kid"].as_str().unwrap().starts_with("PUBLIC TEST KEY"), "{file}");
        let secret = SealingKey::from_bytes(&base64url::decode(members["d"].as_str().unwrap()).unwrap()).unwrap();
        members.retain(|name, _| !matches!(name.as_str(), "d" | "kid"));
        let public: PublicJwk = parse_json(jwk.to_string().as_bytes()).unwrap();
        assert_eq!(public, secret.public_jwk(), "{file}");
        let thumbprint = text(entry, "thumbprint");
        assert_eq!(public.thumbprint().to_string(), thumbprint, "{file}");
        assert_eq!(format!("{public:?}"), format!("PublicJwk({thumbprint})"));
        assert_eq!(format!("{:?}", public.thumbprint()), format!("KeyThumbprint({thumbprint})"));
    });
}

#[test]
fn the_trust_file_is_of_the_main_server() {
    each("trust-file", |entry, file| {
        let trust = TrustFile::parse(&golden(file)).unwrap();
        assert_eq!(trust.main_server_id.as_str(), text(entry, "main_server_id"));
        let thumbprints: Vec<String> = trust.key_thumbprints().iter().map(ToString::to_string).collect();
        assert_eq!(serde_json::to_value(thumbprints).unwrap(), entry["thumbprints"]);
        assert_eq!(TrustFile::parse(&trust.to_json()), Ok(trust));
    });
}

#[test]
fn a_main_server_is_its_id_and_its_keys_whatever_its_address() {
    let trust = TrustFile::parse(&golden("trust.json")).unwrap();
    let moved = TrustFile { https: "https://elsewhere.example:443".to_owned(), ..trust.clone() };
    assert!(trust.same_identity(&moved));
    let renamed = TrustFile { main_server_id: "another-main-server".parse().unwrap(), ..trust.clone() };
    assert!(!trust.same_identity(&renamed));
    let other_keys = TrustFile { signing_jwks: vec![SealingKey::generate().public_jwk()], ..trust.clone() };
    assert!(!trust.same_identity(&other_keys));
}

#[test]
fn requests_verify_with_the_key_they_carry() {
    each("request", |entry, file| {
        let jws = golden_text(file);
        let signed = Signed::<Request>::parse(&jws).unwrap();
        assert_eq!(signed.digest().to_string(), text(entry, "digest"), "{file}");
        let verified = signed.verify(&RustCrypto).unwrap();
        assert_eq!(verified.thumbprint().to_string(), text(entry, "signed_by"), "{file}");
        assert_eq!(serde_json::to_value(read_request(&jws).unwrap()).unwrap(), entry["claims"], "{file}");
    });
    let request = read_request(&golden_text("request-2.jws")).unwrap();
    assert_eq!(request.last_receipt, Some(golden_text("receipt-1.jws")));
}

#[test]
fn receipts_and_refusals_verify_with_a_trusted_key() {
    fn answers<M: Message<Header = MainServerHeader>>(kind: &str) {
        each(kind, |entry, file| {
            let jws = golden_text(file);
            let signed = Signed::<M>::parse(&jws).unwrap();
            assert_eq!(signed.digest().to_string(), text(entry, "digest"), "{file}");
            assert_eq!(signed.header().kid.to_string(), text(entry, "signed_by"), "{file}");
            let claims = read_answer::<M>(&jws, &trusted()).unwrap();
            assert_eq!(serde_json::to_value(claims).unwrap(), entry["claims"], "{file}");
        });
    }
    answers::<Receipt>("receipt");
    answers::<Refusal>("refusal");
}

#[test]
fn there_is_a_refusal_of_every_code_and_reason() {
    let mut found = BTreeSet::new();
    each("refusal", |_, _| {});
    for entry in manifest().iter().filter(|entry| entry["kind"] == "refusal") {
        let refusal: Refusal = read_answer(&golden_text(text(entry, "file")), &trusted()).unwrap();
        found.insert((refusal.code, refusal.reason));
    }
    let codes = RefusalCode::ALL.iter().filter(|code| **code != RefusalCode::InvalidRequest).map(|code| (*code, None));
    let reasons = InvalidRequestReason::ALL.iter().map(|reason| (RefusalCode::InvalidRequest, Some(*reason)));
    assert_eq!(found, codes.chain(reasons).collect());
}

#[test]
fn payloads_open_and_fit_their_receipts() {
    each("payload", |entry, file| {
        let number = file.trim_start_matches("payload-").trim_end_matches(".bin");
        let request = Signed::<Request>::parse(&golden_text(&format!("request-{number}.jws"))).unwrap();
        let receipt: Receipt = read_answer(&golden_text(&format!("receipt-{number}.jws")), &trusted()).unwrap();
        let payload = golden(file);
        assert_eq!(receipt.request_digest, request.digest());
        assert_eq!(receipt.synchronize_by, receipt.main_server_time.synchronize_by());
        assert_eq!(entry["size"], payload.len());
        assert_eq!(receipt.payload_size, payload.len() as u64);
        assert_eq!(text(entry, "digest"), receipt.payload_digest.to_string());
        assert_eq!(Digest::of(&payload), receipt.payload_digest);

        let key: Value = serde_json::from_slice(&golden(text(entry, "opens_with"))).unwrap();
        let key = SealingKey::from_bytes(&base64url::decode(text(&key, "d")).unwrap()).unwrap();
        let info = sealing_info(
            &receipt.main_server_id,
            &receipt.license_server_id,
            &receipt.request_digest,
            &receipt.sync_id,
        );
        let hex: String = info.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, text(entry, "info_hex"));
        let clear = key.open(&info, &payload).unwrap();
        assert_eq!(clear, golden(text(entry, "allocation")));
        assert_eq!(Digest::of(&clear), receipt.allocation_digest);
        assert_eq!(Allocation::from_json(&clear).unwrap().revision, receipt.allocation_revision);
    });
}

#[test]
fn allocations_are_read_and_written_byte_for_byte() {
    each("allocation", |entry, file| {
        let bytes = golden(file);
        let digest = Digest::of(&bytes);
        assert_eq!(digest.to_string(), text(entry, "digest"));
        assert_eq!(base64url::encode(digest.as_bytes()), digest.to_string());
        assert_eq!(format!("{digest:?}"), format!("Digest({digest})"));
        let salt = parse_json::<Value>(&bytes).unwrap()["salt"].as_str().unwrap().parse().unwrap();
        assert_eq!(Allocation::from_json(&bytes).unwrap().to_json(&salt), bytes, "{file}");
    });
}

#[test]
fn problems_are_read_and_carry_what_the_manifest_says() {
    each("problem", |entry, file| {
        let problem = Problem::parse(&golden(file)).unwrap();
        assert_eq!(problem.refusal, entry.get("carries").map(|file| golden_text(file.as_str().unwrap())), "{file}");
        assert_eq!(problem.kind, format!("urn:solme-sync:problem:{}", problem.code), "{file}");
        assert_eq!(problem.title, problem.code.replace('-', " "), "{file}");
        if let Some(refusal) = problem.refusal {
            let refusal: Refusal = read_answer(&refusal, &trusted()).unwrap();
            assert_eq!(problem.status, refusal.code.http_status(), "{file}");
        }
    });
}

#[test]
fn files_carry_what_the_manifest_says() {
    each("sync-file", |entry, file| {
        let message = golden_text(text(entry, "carries"));
        let payload = entry.get("payload").map(|file| golden(file.as_str().unwrap()));
        let expected = match message.starts_with(golden_text("request-1.jws").as_str()) {
            true => SyncFile::Request(message),
            false => SyncFile::Response { message, payload },
        };
        let found = SyncFile::parse(&golden(file)).unwrap();
        assert_eq!(found, expected, "{file}");
        assert_eq!(SyncFile::parse(&found.to_bytes(&[])), Ok(found), "{file}");
    });
}

#[test]
fn a_file_is_written_as_the_golden_one_is() {
    let file = golden("request-file.json");
    let about =
        ["Synchronization request of License Server DEMO-4711.", "Have the main license server process this file."];
    assert_eq!(SyncFile::parse(&file).unwrap().to_bytes(&about.map(str::to_owned)), file);
}

#[test]
fn a_message_that_is_read_and_signed_again_has_the_same_content() {
    let key = SigningKey::generate();
    for file in ["request-1.jws", "request-2.jws"] {
        let request = read_request(&golden_text(file)).unwrap();
        let again = Signed::sign(&request, &key);
        assert_eq!(read_request(again.as_str()), Ok(request), "{file}");
    }
}

#[test]
fn a_rewritten_signature_is_the_same_message() {
    let jws = golden_text("request-1.jws");
    let (input, signature) = jws.rsplit_once('.').unwrap();
    let signature = p384::ecdsa::Signature::from_slice(&base64url::decode(signature).unwrap()).unwrap();
    let other = p384::ecdsa::Signature::from_scalars(*signature.r(), -*signature.s()).unwrap();
    assert_ne!(signature, other);
    let rewritten = format!("{input}.{}", base64url::encode(other.to_bytes()));
    assert_eq!(read_request(&rewritten), read_request(&jws));
    let digest = |jws: &str| Signed::<Request>::parse(jws).unwrap().digest();
    assert_eq!(digest(&rewritten), digest(&jws));
}

#[test]
fn signatures_are_those_of_rfc_6979() {
    let jwk: Value = serde_json::from_slice(&golden("local-server-key.jwk.json")).unwrap();
    let secret = p384::SecretKey::from_slice(&base64url::decode(text(&jwk, "d")).unwrap()).unwrap();
    let pem = p384::pkcs8::EncodePrivateKey::to_pkcs8_pem(&secret, p384::pkcs8::LineEnding::LF).unwrap();
    let key = SigningKey::from_pem(&pem).unwrap();
    let request = read_request(&golden_text("request-1.jws")).unwrap();
    assert_eq!(Signed::sign(&request, &key).as_str(), golden_text("request-1.jws"));
}

//! Section 4: signed messages.

use solme_sync_protocol::{Digest, RefusalCode, base64url};

use super::super::answer::same_bytes;
use super::super::draft::string;
use super::super::keys::with_other_signature;
use super::super::stage::Stage;
use super::{all_unreadable, cases};
use crate::conformance::{Finding, Outcome};

cases! {
    "4.1" "what-is-no-compact-jws-is-unreadable" Must no_compact_jws;
    "4.2" "another-alg-is-unreadable" Must other_algorithms;
    "4.2" "a-signature-has-96-bytes" Must length_of_a_signature;
    "4.3" "the-header-of-a-request-has-exactly-its-members" Must header_of_a_request;
    "4.3" "the-header-of-an-answer-has-exactly-its-members" Must header_of_an_answer;
    "4.4" "another-typ-is-unreadable" Must other_types;
    "4.5" "what-is-signed-is-the-text-as-received" Must spaces_in_json;
    "4.6" "a-request-with-the-other-signature-is-the-same-request" Must other_signature;
    "4.6" "a-last-receipt-with-the-other-signature-is-the-same-receipt" Must other_signature_of_a_receipt;
    "4.7" "version-is-read-before-all-other-members" Must version_first;
    "4.8" "the-request-digest-is-over-the-signing-input" Must request_digest;
}

async fn no_compact_jws(stage: &Stage) -> Outcome {
    let server = stage.site().await?.license_server();
    let good = server.request().jws;
    let parts: Vec<&str> = good.split('.').collect();
    let json = format!(r#"{{"protected":"{}","payload":"{}","signature":"{}"}}"#, parts[0], parts[1], parts[2]);
    all_unreadable(
        &server.site,
        [
            ("nothing", String::new()),
            ("no signature part", format!("{}.{}", parts[0], parts[1])),
            ("a fourth part", format!("{good}.{}", parts[2])),
            ("a space before", format!(" {good}")),
            ("a line break after", format!("{good}\n")),
            ("a line break inside", format!("{}.\n{}.{}", parts[0], parts[1], parts[2])),
            ("the JSON serialization", json),
            ("an empty signature", format!("{}.{}.", parts[0], parts[1])),
        ],
    )
    .await
}

async fn other_algorithms(stage: &Stage) -> Outcome {
    let server = stage.site().await?.license_server();
    let with = |alg: &str| server.request_with_header(|header| header.set("alg", alg)).jws;
    let none = with("\"none\"");
    let unsigned = format!("{}.", none.rsplit_once('.').map_or("", |(signing_input, _)| signing_input));
    all_unreadable(
        &server.site,
        [
            ("none, and no signature", unsigned),
            ("none, and a signature", none),
            ("HS384", with("\"HS384\"")),
            ("ES256", with("\"ES256\"")),
            ("es384", with("\"es384\"")),
            ("a number", with("384")),
        ],
    )
    .await
}

async fn length_of_a_signature(stage: &Stage) -> Outcome {
    let server = stage.site().await?.license_server();
    let request = server.request();
    let signing_input = request.signing_input();
    let signature = server.key.sign(signing_input);
    let with = |signature: &[u8]| format!("{signing_input}.{}", base64url::encode(signature));
    all_unreadable(
        &server.site,
        [
            ("DER", with(&server.key.sign_der(signing_input))),
            ("95 bytes", with(&signature[..95])),
            ("97 bytes", with(&[&signature[..], &[0]].concat())),
        ],
    )
    .await
}

async fn header_of_a_request(stage: &Stage) -> Outcome {
    let server = stage.site().await?.license_server();
    let without = |name: &str| server.request_with_header(|header| header.remove(name)).jws;
    let with = |name: &str, value: &str| server.request_with_header(|header| header.set(name, value)).jws;
    all_unreadable(
        &server.site,
        [
            ("no alg", without("alg")),
            ("no typ", without("typ")),
            ("no jwk", without("jwk")),
            ("crit", with("crit", "[\"b64\"]")),
            ("b64", with("b64", "true")),
            ("cty", with("cty", "\"json\"")),
            ("jku", with("jku", "\"https://127.0.0.1:1/keys\"")),
        ],
    )
    .await
}

async fn header_of_an_answer(stage: &Stage) -> Outcome {
    let site = stage.site().await?;
    let receipt = site.license_server().synchronize().await?.text;
    let refusal = site.license_server().ask().await?;
    for (jws, typ) in [(receipt.as_str(), "solme-sync-receipt+jwt"), (refusal.text(), "solme-sync-refusal+jwt")] {
        let header = base64url::decode(jws.split('.').next().unwrap_or_default()).unwrap_or_default();
        let header: serde_json::Value = serde_json::from_slice(&header).unwrap_or_default();
        let kids: Vec<String> = site.trusted().iter().map(|key| key.thumbprint().to_string()).collect();
        let kid = kids.into_iter().find(|kid| header["kid"] == kid.as_str()).unwrap_or_default();
        Finding::unless_equal(&serde_json::json!({ "alg": "ES384", "typ": typ, "kid": kid }), &header)?;
    }
    Ok(())
}

async fn other_types(stage: &Stage) -> Outcome {
    let server = stage.site().await?.license_server();
    let with = |typ: &str| server.request_with_header(|header| header.set("typ", string(typ))).jws;
    all_unreadable(
        &server.site,
        [
            ("JWT", with("JWT")),
            ("that of a receipt", with("solme-sync-receipt+jwt")),
            ("in upper case", with("SOLME-SYNC-REQUEST+JWT")),
        ],
    )
    .await
}

async fn spaces_in_json(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    let draft = server.draft();
    let header = draft.header.json().replace("\"typ\":", "\r\n\t\"typ\" : ");
    let payload = draft.payload.json().replace("\"aud\":", " \"\\u0061ud\" :\n");
    let request = draft.sign_texts(&header, payload.as_bytes());
    let synchronized = server.synchronize_with(request).await?;
    Finding::unless_equal(&synchronized.request.digest, &synchronized.receipt.request_digest)
}

async fn other_signature(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    let first = server.synchronize().await?;
    let (again, _) = server.site.send(with_other_signature(&first.request.jws)).await?.accepted()?;
    same_bytes("the same receipt again", first.text.as_bytes(), again.as_bytes())
}

async fn other_signature_of_a_receipt(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    let first = server.synchronize().await?;
    server.last_receipt = Some(with_other_signature(&first.text));
    server.synchronize().await.map(drop)
}

async fn version_first(stage: &Stage) -> Outcome {
    let server = stage.site().await?.license_server();
    let request = server.request_with(|payload| {
        payload.set("version", "2");
        payload.remove("jti");
        payload.set("sealing_jwk", "{\"kty\":\"OKP\"}");
    });
    server.send(&request).await?.refused(RefusalCode::UnsupportedVersion).map(drop)
}

async fn request_digest(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    let synchronized = server.synchronize().await?;
    let wanted = Digest::of(synchronized.request.signing_input());
    Finding::unless_equal(&wanted, &synchronized.receipt.request_digest)
}

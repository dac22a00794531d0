//! Section 4: signed messages.

use solme_sync_protocol::{Digest, RefusalCode, base64url};

use super::super::answer::same_bytes;
use super::super::draft::string;
use super::super::keys::with_other_signature;
use super::super::stage::Stage;
use super::all_unreadable;
use crate::conformance::{Case, Finding, Outcome, cases};

pub(super) fn cases() -> Vec<Case<Stage>> {
    cases! {
        "4.1" Must what_is_no_compact_jws_is_unreadable;
        "4.2" Must another_alg_is_unreadable;
        "4.2" Must a_signature_has_96_bytes;
        "4.3" Must the_header_of_a_request_has_exactly_its_members;
        "4.3" Must the_header_of_an_answer_has_exactly_its_members;
        "4.4" Must another_typ_is_unreadable;
        "4.5" Must what_is_signed_is_the_text_as_received;
        "4.6" Must a_request_with_the_other_signature_is_the_same_request;
        "4.6" Must a_last_receipt_with_the_other_signature_is_the_same_receipt;
        "4.7" Must version_is_read_before_all_other_members;
        "4.8" Must the_request_digest_is_over_the_signing_input;
    }
}

async fn what_is_no_compact_jws_is_unreadable(stage: &Stage) -> Outcome {
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

async fn another_alg_is_unreadable(stage: &Stage) -> Outcome {
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

async fn a_signature_has_96_bytes(stage: &Stage) -> Outcome {
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

async fn the_header_of_a_request_has_exactly_its_members(stage: &Stage) -> Outcome {
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

async fn the_header_of_an_answer_has_exactly_its_members(stage: &Stage) -> Outcome {
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

async fn another_typ_is_unreadable(stage: &Stage) -> Outcome {
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

async fn what_is_signed_is_the_text_as_received(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    let draft = server.draft();
    let header = draft.header.json().replace("\"typ\":", "\r\n\t\"typ\" : ");
    let payload = draft.payload.json().replace("\"aud\":", " \"\\u0061ud\" :\n");
    let request = draft.sign_texts(&header, payload.as_bytes());
    let synchronized = server.synchronize_with(request).await?;
    Finding::unless_equal(&synchronized.request.digest, &synchronized.receipt.request_digest)
}

async fn a_request_with_the_other_signature_is_the_same_request(stage: &Stage) -> Outcome {
    let (server, first) = stage.synchronized().await?;
    let (again, _) = server.site.send(with_other_signature(&first.request.jws)).await?.accepted()?;
    same_bytes("the same receipt again", first.text.as_bytes(), again.as_bytes())
}

async fn a_last_receipt_with_the_other_signature_is_the_same_receipt(stage: &Stage) -> Outcome {
    let (mut server, first) = stage.synchronized().await?;
    server.last_receipt = Some(with_other_signature(&first.text));
    server.synchronize().await.map(drop)
}

async fn version_is_read_before_all_other_members(stage: &Stage) -> Outcome {
    let server = stage.site().await?.license_server();
    let request = server.request_with(|payload| {
        payload.set("version", "2");
        payload.remove("jti");
        payload.set("sealing_jwk", "{\"kty\":\"OKP\"}");
    });
    server.send(&request).await?.refused(RefusalCode::UnsupportedVersion).map(drop)
}

async fn the_request_digest_is_over_the_signing_input(stage: &Stage) -> Outcome {
    let (_, synchronized) = stage.synchronized().await?;
    let wanted = Digest::of(synchronized.request.signing_input());
    Finding::unless_equal(&wanted, &synchronized.receipt.request_digest)
}

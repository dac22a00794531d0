//! Section 5: the request.

use solme_sync_protocol::{InvalidRequestReason, RefusalCode};

use super::super::draft::{Object, string};
use super::super::stage::Stage;
use super::{Change, all_malformed, of};
use crate::conformance::{Case, Outcome, cases};

pub(super) fn cases() -> Vec<Case<Stage>> {
    cases! {
        "5.1" Must a_request_without_one_of_its_members_is_malformed;
        "5.1" Must a_member_of_another_type_is_malformed;
        "5.1" Must product_and_its_version_are_1_to_64_printable_ascii_characters;
        "5.2" Must neither_iat_nor_high_water_mark_is_judged;
        "5.3" Must the_sealing_key_is_not_the_signing_key;
        "5.4" Must a_request_id_is_not_used_twice;
    }
}

async fn a_request_without_one_of_its_members_is_malformed(stage: &Stage) -> Outcome {
    let server = stage.site().await?.license_server();
    // without version or iss it is unreadable (9.1)
    for name in server.draft().payload.names().iter().filter(|name| !matches!(name.as_str(), "version" | "iss")) {
        let request = server.request_with(|payload| payload.remove(name));
        of(name, server.send(&request).await?.invalid(InvalidRequestReason::MalformedClaims))?;
    }
    Ok(())
}

async fn a_member_of_another_type_is_malformed(stage: &Stage) -> Outcome {
    let server = stage.site().await?.license_server();
    for name in server.draft().payload.names().iter().filter(|name| !matches!(name.as_str(), "version" | "iss")) {
        let request = server.request_with(|payload| payload.set(name, "[]"));
        of(name, server.send(&request).await?.invalid(InvalidRequestReason::MalformedClaims))?;
    }
    let null: [(&str, Change); 2] = [
        ("aud null", |payload| payload.set("aud", "null")),
        ("product null", |payload| payload.set("product", "null")),
    ];
    all_malformed(&server, null).await
}

async fn product_and_its_version_are_1_to_64_printable_ascii_characters(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    all_malformed(
        &server,
        [
            ("empty", (|payload| payload.set("product", "\"\"")) as Change),
            ("65 characters", |payload| payload.set("product_version", string(&"x".repeat(65)))),
            ("not ASCII", |payload| payload.set("product", "\"Stämpel\"")),
            ("a control character", |payload| payload.set("product", r#""a\u0007""#)),
        ],
    )
    .await?;
    let longest = server.request_with(|payload| payload.set("product", string(&"~".repeat(64))));
    server.synchronize_with(longest).await.map(drop)
}

async fn neither_iat_nor_high_water_mark_is_judged(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    for (variant, iat, mark) in [
        ("1970", "0", "0"),
        ("a far future", "9007199254740991", "9007199254740991"),
        ("a mark that goes back", "1", "1"),
    ] {
        let request = server.request_with(|payload| {
            payload.set("iat", iat);
            payload.set("high_water_mark", mark);
        });
        of(variant, server.synchronize_with(request).await)?;
    }
    Ok(())
}

async fn the_sealing_key_is_not_the_signing_key(stage: &Stage) -> Outcome {
    let server = stage.site().await?.license_server();
    let jwk = Object::jwk(&server.key.jwk).json();
    let request = server.request_with(|payload| payload.set("sealing_jwk", jwk));
    server.send(&request).await?.invalid(InvalidRequestReason::SealingKeyIsSigningKey)
}

async fn a_request_id_is_not_used_twice(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    let (first, second) = (server.synchronize().await?.request, server.synchronize().await?.request);
    for used in [first, second] {
        let request = server.request_with(|payload| payload.set("jti", string(&used.member("jti"))));
        server.send(&request).await?.invalid(InvalidRequestReason::RequestIdReused)?;
    }
    // refused for its id alone: the next one is served
    server.ask().await?.accepted().map(drop)?;
    let stranger = server.with_new_key_pair();
    stranger.ask().await?.refused(RefusalCode::KeyPairInUse).map(drop)
}

//! Section 5: the request.

use solme_sync_protocol::{InvalidRequestReason, RefusalCode};

use super::super::draft::{Object, string};
use super::super::stage::Stage;
use super::{Change, all_malformed, cases, of};
use crate::conformance::Outcome;

cases! {
    "5.1" "a-request-without-one-of-its-members-is-malformed" Must missing_members;
    "5.1" "a-member-of-another-type-is-malformed" Must wrong_types;
    "5.1" "product-and-its-version-are-1-to-64-printable-ascii-characters" Must product;
    "5.2" "neither-iat-nor-high-water-mark-is-judged" Must times_are_not_judged;
    "5.3" "the-sealing-key-is-not-the-signing-key" Must sealing_key_is_signing_key;
    "5.4" "a-request-id-is-not-used-twice" Must request_id_twice;
}

async fn missing_members(stage: &Stage) -> Outcome {
    let server = stage.site().await?.license_server();
    // without version or iss it is unreadable (9.1)
    for name in server.draft().payload.names().iter().filter(|name| !matches!(name.as_str(), "version" | "iss")) {
        let request = server.request_with(|payload| payload.remove(name));
        of(name, server.send(&request).await?.invalid(InvalidRequestReason::MalformedClaims))?;
    }
    Ok(())
}

async fn wrong_types(stage: &Stage) -> Outcome {
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

async fn product(stage: &Stage) -> Outcome {
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

async fn times_are_not_judged(stage: &Stage) -> Outcome {
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

async fn sealing_key_is_signing_key(stage: &Stage) -> Outcome {
    let server = stage.site().await?.license_server();
    let jwk = Object::jwk(&server.key.jwk).json();
    let request = server.request_with(|payload| payload.set("sealing_jwk", jwk));
    server.send(&request).await?.invalid(InvalidRequestReason::SealingKeyIsSigningKey)
}

async fn request_id_twice(stage: &Stage) -> Outcome {
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

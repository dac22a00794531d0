//! Section 3: keys.

use solme_sync_protocol::{InvalidRequestReason, RefusalCode, base64url};

use super::super::draft::{Object, string};
use super::super::stage::{LicenseServer, Stage};
use super::{all_unreadable, of};
use crate::conformance::{Case, Finding, Outcome, cases};

pub(super) fn cases() -> Vec<Case<Stage>> {
    cases! {
        "3.1" Must a_signing_jwk_that_is_no_p_384_key_is_unreadable;
        "3.1" Must a_sealing_jwk_that_is_no_p_384_key_is_malformed;
        "3.2" Must a_key_pair_is_named_by_its_jwk_thumbprint;
        "3.5" Must the_main_server_signs_all_answers_with_one_key_pair;
        "3.6" Must the_first_synchronization_binds_the_key_pair;
    }
}

/// The point with x = 0, its x written as p: one number modulo p, and not below it.
fn set_beyond_p(jwk: &mut Object) {
    jwk.set("x", string("__________________________________________7_____AAAAAAAAAAD_____"));
    jwk.set("y", string("wwZhD7CuWhWc9FwGBp8ipsXrNkHGAtQt6ixLT3VVB5NAbYDSuRrVT5BIvUh68a3h"));
}

/// Keys that are none, each with one defect.
fn wrong_keys(server: &LicenseServer) -> Vec<(&'static str, String)> {
    let with = |change: fn(&mut Object)| {
        let mut jwk = Object::jwk(&server.site.random.sealing_key().public_jwk());
        change(&mut jwk);
        jwk.json()
    };
    let ones = base64url::encode([1; 48]);
    let mut off_the_curve = Object::jwk(&server.key.jwk);
    off_the_curve.set("x", string(&ones));
    off_the_curve.set("y", string(&ones));
    vec![
        ("a point that is not on the curve", off_the_curve.json()),
        ("x of a point that is on the curve, and p more", with(set_beyond_p)),
        ("kty RSA", with(|jwk| jwk.set("kty", "\"RSA\""))),
        ("crv P-256", with(|jwk| jwk.set("crv", "\"P-256\""))),
        ("crv in lower case", with(|jwk| jwk.set("crv", "\"p-384\""))),
        ("x of 32 bytes", with(|jwk| jwk.set("x", string(&base64url::encode([1; 32]))))),
        ("no y", with(|jwk| jwk.remove("y"))),
        ("null", "null".to_owned()),
    ]
}

async fn a_signing_jwk_that_is_no_p_384_key_is_unreadable(stage: &Stage) -> Outcome {
    let server = stage.site().await?.license_server();
    let with = |jwk: String| server.request_with_header(|header| header.set("jwk", jwk)).jws;
    let variants: Vec<(&str, String)> =
        wrong_keys(&server).into_iter().map(|(variant, jwk)| (variant, with(jwk))).collect();
    all_unreadable(&server.site, variants).await
}

async fn a_sealing_jwk_that_is_no_p_384_key_is_malformed(stage: &Stage) -> Outcome {
    let server = stage.site().await?.license_server();
    for (variant, jwk) in wrong_keys(&server) {
        let request = server.request_with(|payload| payload.set("sealing_jwk", jwk));
        of(variant, server.send(&request).await?.invalid(InvalidRequestReason::MalformedClaims))?;
    }
    Ok(())
}

async fn a_key_pair_is_named_by_its_jwk_thumbprint(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    let receipt = server.synchronize().await?.receipt;
    Finding::unless_equal(&server.key.thumbprint(), &receipt.key_thumbprint)
}

async fn the_main_server_signs_all_answers_with_one_key_pair(stage: &Stage) -> Outcome {
    let site = stage.site().await?;
    let mut server = site.license_server();
    let (receipt, refusal) = (server.synchronize().await?.text, site.license_server().ask().await?);
    let header = |jws: &str| jws.split('.').next().and_then(|part| base64url::decode(part).ok()).unwrap_or_default();
    let kid = |jws: &str| serde_json::from_slice::<serde_json::Value>(&header(jws)).unwrap_or_default()["kid"].clone();
    Finding::unless_equal(&kid(&receipt), &kid(refusal.text()))
}

async fn the_first_synchronization_binds_the_key_pair(stage: &Stage) -> Outcome {
    let site = stage.site().await?;
    site.license_server().synchronize().await?;
    site.license_server().ask().await?.refused(RefusalCode::KeyPairInUse).map(drop)
}

//! Sections 2, 4 and 5: the request, as it comes in.

use serde_json::Value;
use solme_sync_protocol::PublicJwk;

use super::stage::{DAY, ID, Stage};
use crate::conformance::{Case, Finding, Outcome, cases};

/// The members of the table in section 5.
const MEMBERS: [&str; 10] = [
    "version",
    "iss",
    "aud",
    "jti",
    "iat",
    "sealing_jwk",
    "last_receipt",
    "high_water_mark",
    "product",
    "product_version",
];

pub(super) fn cases() -> Vec<Case<Stage>> {
    cases! {
        "2.5" Must integers_have_no_fraction_and_no_exponent;
        "2.8" Must the_request_id_has_128_bits;
        "3.1" Must both_keys_are_on_p_384;
        "4.1" Must the_request_is_a_compact_jws = readable();
        "4.2" Must the_request_is_signed_with_es384 = readable();
        "4.3" Must the_header_has_exactly_three_members;
        "4.4" Must the_typ_is_that_of_a_request;
        "4.7" Must the_version_is_1;
        "5.1" Must the_request_has_all_members;
        "5.1" Must the_first_request_claims_no_receipt;
        "5.1" Must the_next_request_claims_the_last_receipt;
        "5.1" Must a_receipt_that_came_by_file_is_claimed_too;
        "5.1" Must the_request_names_both_sides;
        "5.2" Must a_clock_that_is_wrong_does_not_keep_it_from_asking;
        "5.3" Must the_sealing_key_is_not_the_signing_key;
        "5.4" Must every_new_request_has_a_fresh_request_id;
    }
}

async fn integers_have_no_fraction_and_no_exponent(stage: &Stage) -> Outcome {
    stage.synchronized_server("a").await?;
    let (_, payload) = stage.newest_request()?;
    for member in ["version", "iat", "high_water_mark"] {
        if !payload[member].is_u64() {
            return Err(Finding::deviates(format!("{member} is an integer"), payload[member].to_string()));
        }
    }
    Ok(())
}

async fn the_request_id_has_128_bits(stage: &Stage) -> Outcome {
    stage.synchronized_server("a").await?;
    let (_, payload) = stage.newest_request()?;
    let text = payload["jti"].as_str().unwrap_or_default();
    match solme_sync_protocol::base64url::decode(text) {
        Ok(bits) if bits.len() == 16 => Ok(()),
        _ => Err(Finding::deviates("22 characters of base64url", text)),
    }
}

async fn both_keys_are_on_p_384(stage: &Stage) -> Outcome {
    stage.synchronized_server("a").await?;
    let (header, payload) = stage.newest_request()?;
    for jwk in [&header["jwk"], &payload["sealing_jwk"]] {
        exactly(jwk, &["crv", "kty", "x", "y"])?;
        let read = serde_json::from_value::<PublicJwk>(jwk.clone());
        read.map_err(|error| Finding::deviates("a public key of P-384", format!("{error}: {jwk}")))?;
    }
    Ok(())
}

async fn readable(stage: &Stage) -> Outcome {
    stage.synchronized_server("a").await?;
    stage.requests().map(drop)
}

async fn the_header_has_exactly_three_members(stage: &Stage) -> Outcome {
    stage.synchronized_server("a").await?;
    exactly(&stage.newest_request()?.0, &["alg", "jwk", "typ"])
}

async fn the_typ_is_that_of_a_request(stage: &Stage) -> Outcome {
    stage.synchronized_server("a").await?;
    Finding::unless_equal(&Value::from("solme-sync-request+jwt"), &stage.newest_request()?.0["typ"])
}

async fn the_version_is_1(stage: &Stage) -> Outcome {
    stage.synchronized_server("a").await?;
    Finding::unless_equal(&Value::from(1), &stage.newest_request()?.1["version"])
}

async fn the_request_has_all_members(stage: &Stage) -> Outcome {
    stage.synchronized_server("a").await?;
    let (_, payload) = stage.newest_request()?;
    match MEMBERS.iter().find(|member| payload.get(member).is_none()) {
        Some(missing) => Err(Finding::deviates(format!("the member {missing}"), payload.to_string())),
        None => stage.requests().map(drop),
    }
}

async fn the_first_request_claims_no_receipt(stage: &Stage) -> Outcome {
    stage.synchronized_server("a").await?;
    Finding::unless_equal(&Value::Null, &stage.newest_request()?.1["last_receipt"])
}

async fn the_next_request_claims_the_last_receipt(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    let receipt = stage.exchanges().pop().map(|entry| entry.answer);
    server.synchronize().await?.expect_synchronized()?;
    let requests = stage.requests()?;
    Finding::unless_equal(&receipt, &requests.last().and_then(|request| request.last_receipt.clone()))
}

async fn a_receipt_that_came_by_file_is_claimed_too(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    let response = stage.process(&server.export("1").await?)?;
    let receipt = stage.exchanges().pop().map(|entry| entry.answer);
    server.import(&response).await?.expect_synchronized()?;
    server.synchronize().await?.expect_synchronized()?;
    let requests = stage.requests()?;
    Finding::unless_equal(&receipt, &requests.last().and_then(|request| request.last_receipt.clone()))
}

async fn the_request_names_both_sides(stage: &Stage) -> Outcome {
    stage.synchronized_server("a").await?;
    let (_, payload) = stage.newest_request()?;
    Finding::unless_equal(&Value::from(ID), &payload["iss"])?;
    Finding::unless_equal(&Value::from(stage.main.main_server_id().as_str()), &payload["aud"])
}

async fn a_clock_that_is_wrong_does_not_keep_it_from_asking(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    for offset in [-1_000 * DAY, 1_000 * DAY] {
        server.set_clock(offset).await?;
        server.synchronize().await?.expect_synchronized()?;
    }
    Ok(())
}

async fn the_sealing_key_is_not_the_signing_key(stage: &Stage) -> Outcome {
    stage.synchronized_server("a").await?;
    let (header, payload) = stage.newest_request()?;
    if header["jwk"]["x"] == payload["sealing_jwk"]["x"] {
        return Err(Finding::deviates("two keys", "one key for signing and sealing"));
    }
    Ok(())
}

async fn every_new_request_has_a_fresh_request_id(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    server.synchronize().await?.expect_synchronized()?;
    let requests = stage.requests()?;
    match &requests[..] {
        [one, two] if one.request_id != two.request_id => Ok(()),
        _ => Err(Finding::deviates("two requests with different request ids", format!("{requests:?}"))),
    }
}

/// The names of an object's members, in order.
fn exactly(object: &Value, wanted: &[&str]) -> Outcome {
    let mut found: Vec<&str> =
        object.as_object().into_iter().flat_map(|object| object.keys().map(String::as_str)).collect();
    found.sort_unstable();
    Finding::unless_equal(&wanted, &&found[..])
}

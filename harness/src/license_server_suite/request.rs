//! Sections 2, 4 and 5: the request, as it comes in.

use serde_json::Value;
use solme_sync_protocol::PublicJwk;

use super::must;
use super::stage::{DAY, ID, Stage};
use crate::conformance::{Case, Finding, Outcome};

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
    vec![
        must("2.5", "integers-have-no-fraction-and-no-exponent", |s| Box::pin(integers(s))),
        must("2.8", "the-request-id-has-128-bits", |s| Box::pin(request_id(s))),
        must("3.1", "both-keys-are-on-p-384", |s| Box::pin(keys(s))),
        must("4.1", "the-request-is-a-compact-jws", |s| Box::pin(readable(s))),
        must("4.2", "the-request-is-signed-with-es384", |s| Box::pin(readable(s))),
        must("4.3", "the-header-has-exactly-three-members", |s| Box::pin(header(s))),
        must("4.4", "the-typ-is-that-of-a-request", |s| Box::pin(typ(s))),
        must("4.7", "the-version-is-1", |s| Box::pin(version(s))),
        must("5.1", "the-request-has-all-members", |s| Box::pin(members(s))),
        must("5.1", "the-first-request-claims-no-receipt", |s| Box::pin(no_receipt(s))),
        must("5.1", "the-next-request-claims-the-last-receipt", |s| Box::pin(last_receipt(s))),
        must("5.1", "a-receipt-that-came-by-file-is-claimed-too", |s| Box::pin(receipt_by_file(s))),
        must("5.1", "the-request-names-both-sides", |s| Box::pin(both_sides(s))),
        must("5.2", "a-clock-that-is-wrong-does-not-keep-it-from-asking", |s| Box::pin(wrong_clock(s))),
        must("5.3", "the-sealing-key-is-not-the-signing-key", |s| Box::pin(two_keys(s))),
        must("5.4", "every-new-request-has-a-fresh-request-id", |s| Box::pin(fresh_request_id(s))),
    ]
}

async fn integers(stage: &Stage) -> Outcome {
    stage.synchronized_server("a").await?;
    let (_, payload) = stage.newest_request()?;
    for member in ["version", "iat", "high_water_mark"] {
        if !payload[member].is_u64() {
            return Err(Finding::deviates(format!("{member} is an integer"), payload[member].to_string()));
        }
    }
    Ok(())
}

async fn request_id(stage: &Stage) -> Outcome {
    stage.synchronized_server("a").await?;
    let (_, payload) = stage.newest_request()?;
    let text = payload["jti"].as_str().unwrap_or_default();
    match solme_sync_protocol::base64url::decode(text) {
        Ok(bits) if bits.len() == 16 => Ok(()),
        _ => Err(Finding::deviates("22 characters of base64url", text)),
    }
}

async fn keys(stage: &Stage) -> Outcome {
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

async fn header(stage: &Stage) -> Outcome {
    stage.synchronized_server("a").await?;
    exactly(&stage.newest_request()?.0, &["alg", "jwk", "typ"])
}

async fn typ(stage: &Stage) -> Outcome {
    stage.synchronized_server("a").await?;
    Finding::unless_equal(&Value::from("solme-sync-request+jwt"), &stage.newest_request()?.0["typ"])
}

async fn version(stage: &Stage) -> Outcome {
    stage.synchronized_server("a").await?;
    Finding::unless_equal(&Value::from(1), &stage.newest_request()?.1["version"])
}

async fn members(stage: &Stage) -> Outcome {
    stage.synchronized_server("a").await?;
    let (_, payload) = stage.newest_request()?;
    match MEMBERS.iter().find(|member| payload.get(member).is_none()) {
        Some(missing) => Err(Finding::deviates(format!("the member {missing}"), payload.to_string())),
        None => stage.requests().map(drop),
    }
}

async fn no_receipt(stage: &Stage) -> Outcome {
    stage.synchronized_server("a").await?;
    Finding::unless_equal(&Value::Null, &stage.newest_request()?.1["last_receipt"])
}

async fn last_receipt(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    let receipt = stage.exchanges().pop().map(|entry| entry.answer);
    server.synchronize().await?.expect_synchronized()?;
    let requests = stage.requests()?;
    Finding::unless_equal(&receipt, &requests.last().and_then(|request| request.last_receipt.clone()))
}

async fn receipt_by_file(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    let response = stage.process(&server.export("1").await?)?;
    let receipt = stage.exchanges().pop().map(|entry| entry.answer);
    server.import(&response).await?.expect_synchronized()?;
    server.synchronize().await?.expect_synchronized()?;
    let requests = stage.requests()?;
    Finding::unless_equal(&receipt, &requests.last().and_then(|request| request.last_receipt.clone()))
}

async fn both_sides(stage: &Stage) -> Outcome {
    stage.synchronized_server("a").await?;
    let (_, payload) = stage.newest_request()?;
    Finding::unless_equal(&Value::from(ID), &payload["iss"])?;
    Finding::unless_equal(&Value::from(stage.main.main_server_id().as_str()), &payload["aud"])
}

async fn wrong_clock(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    for offset in [-1_000 * DAY, 1_000 * DAY] {
        server.set_clock(offset).await?;
        server.synchronize().await?.expect_synchronized()?;
    }
    Ok(())
}

async fn two_keys(stage: &Stage) -> Outcome {
    stage.synchronized_server("a").await?;
    let (header, payload) = stage.newest_request()?;
    if header["jwk"]["x"] == payload["sealing_jwk"]["x"] {
        return Err(Finding::deviates("two keys", "one key, for signing and for sealing"));
    }
    Ok(())
}

async fn fresh_request_id(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    server.synchronize().await?.expect_synchronized()?;
    let requests = stage.requests()?;
    match &requests[..] {
        [one, two] if one.request_id != two.request_id => Ok(()),
        _ => Err(Finding::deviates("two requests with two request ids", format!("{requests:?}"))),
    }
}

/// The names of an object's members, in order.
fn exactly(object: &Value, wanted: &[&str]) -> Outcome {
    let mut found: Vec<&str> =
        object.as_object().into_iter().flat_map(|object| object.keys().map(String::as_str)).collect();
    found.sort_unstable();
    Finding::unless_equal(&wanted, &&found[..])
}

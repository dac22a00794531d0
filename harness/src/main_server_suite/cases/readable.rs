//! Section 9.1 and 9.2: what can be read, and whose it is.

use solme_sync_protocol::{InvalidRequestReason, ProblemCode, RefusalCode, limits};

use super::super::answer::Answer;
use super::super::draft::{Request, string};
use super::super::stage::{LicenseServer, Stage};
use super::{all_unreadable, of};
use crate::conformance::{Case, Finding, Outcome, cases};

pub(super) fn cases() -> Vec<Case<Stage>> {
    cases! {
        "9.1" Must a_request_of_16384_bytes_is_served_a_longer_one_is_too_large;
        "9.1" Must a_header_of_1024_bytes_is_read_a_longer_one_is_not;
        "9.1" Must json_of_depth_32_is_read_deeper_json_is_not;
        "9.1" Must without_an_integer_version_it_is_unreadable;
        "9.1" Must without_iss_it_is_unreadable;
        "9.2" Must a_signature_that_does_not_fit_is_refused;
        "9.2" Must the_signature_of_a_request_that_was_answered_is_verified_too;
        "9.2" Must somebody_elses_signature_does_not_bind;
        "9.2" Must the_signature_comes_before_the_id;
    }
}

/// A request that is exactly so long, by an unknown member.
pub(super) fn of_length(server: &LicenseServer, bytes: usize) -> Request {
    let with = |padding: usize| server.request_with(|payload| payload.set("padding", string(&"x".repeat(padding))));
    let mut padding = (bytes - with(0).jws.len()) * 3 / 4 - 3;
    // three bytes become four characters: one of three lengths is there
    while with(padding).jws.len() < bytes {
        padding += 1;
    }
    with(padding)
}

/// A request that is as long as one may be.
pub(super) fn longest(server: &LicenseServer) -> Request {
    // base64url has no text of 4n + 1 characters, so one may have to be shorter
    let one_of_two = [0, 1].map(|shorter| of_length(server, limits::REQUEST - shorter));
    let longest = one_of_two.into_iter().find(|request| request.jws.len() <= limits::REQUEST);
    longest.expect("of two lengths in a row base64url has one")
}

async fn a_request_of_16384_bytes_is_served_a_longer_one_is_too_large(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    let longest = longest(&server);
    server.synchronize_with(longest).await?;
    let too_long = of_length(&server, limits::REQUEST + 1);
    too_large(server.send(&too_long).await?)?;
    // Of a flood it need not read the end, so the answer may be lost on the way; what matters is that it goes on.
    let _ = server.site.send("x".repeat(1 << 20)).await;
    server.synchronize().await.map(drop)
}

fn too_large(answer: Answer) -> Outcome {
    let (status, _) = answer.problem(ProblemCode::RequestTooLarge)?;
    Finding::unless_equal(&413, &status)
}

async fn a_header_of_1024_bytes_is_read_a_longer_one_is_not(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    let with = |bytes: usize| {
        let draft = server.draft();
        let (header, payload) = (draft.header.json(), draft.payload.json());
        let header = format!("{}{}}}", &header[..header.len() - 1], " ".repeat(bytes - header.len()));
        draft.sign_texts(&header, payload.as_bytes())
    };
    let (longest, too_long) = (with(limits::HEADER), with(limits::HEADER + 1));
    server.synchronize_with(longest).await?;
    all_unreadable(&server.site, [("1,025 bytes", too_long.jws)]).await
}

async fn json_of_depth_32_is_read_deeper_json_is_not(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    let with = |arrays: usize| {
        let nested = format!("{}{}", "[".repeat(arrays), "]".repeat(arrays));
        server.request_with(|payload| payload.add("new", nested))
    };
    // the payload itself is the first of them
    let (deepest, too_deep, bomb) = (with(limits::JSON_DEPTH - 1), with(limits::JSON_DEPTH), with(4_000));
    server.synchronize_with(deepest).await?;
    for (variant, request) in [("33 deep", too_deep), ("4,001 deep", bomb)] {
        // section 18: refused as unreadable or malformed
        let answer = of(variant, server.send(&request).await)?;
        match answer {
            Answer::Problem { .. } => of(variant, answer.problem(ProblemCode::UnreadableRequest)).map(drop)?,
            answer => of(variant, answer.invalid(InvalidRequestReason::MalformedClaims))?,
        }
    }
    Ok(())
}

async fn without_an_integer_version_it_is_unreadable(stage: &Stage) -> Outcome {
    let server = stage.site().await?.license_server();
    let with = |version: &str| server.request_with(|payload| payload.set("version", version)).jws;
    let without = server.request_with(|payload| payload.remove("version")).jws;
    let variants = [("none", without), ("a string", with("\"1\"")), ("1.0", with("1.0")), ("null", with("null"))];
    all_unreadable(&server.site, variants).await
}

async fn without_iss_it_is_unreadable(stage: &Stage) -> Outcome {
    let server = stage.site().await?.license_server();
    let with = |iss: &str| server.request_with(|payload| payload.set("iss", iss)).jws;
    let without = server.request_with(|payload| payload.remove("iss")).jws;
    all_unreadable(&server.site, [("none", without), ("null", with("null")), ("a number", with("4711"))]).await
}

async fn a_signature_that_does_not_fit_is_refused(stage: &Stage) -> Outcome {
    let server = stage.site().await?.license_server();
    let (one, other) = (server.request(), server.request());
    let signature = |jws: &str| jws.rsplit('.').next().unwrap_or_default().to_owned();
    let stranger = server.with_new_key_pair();
    let foreign = solme_sync_protocol::base64url::encode(stranger.key.sign(one.signing_input()));
    let zeros = solme_sync_protocol::base64url::encode([0; 96]);
    let mut flipped = server.key.sign(one.signing_input());
    flipped[95] ^= 1;
    for (variant, signature) in [
        ("of another request", signature(&other.jws)),
        ("of another key pair", foreign),
        ("zeros", zeros),
        ("one bit changed", solme_sync_protocol::base64url::encode(flipped)),
    ] {
        let text = format!("{}.{signature}", one.signing_input());
        of(variant, server.site.send(&text).await?.refused(RefusalCode::InvalidSignature))?;
    }
    Ok(())
}

async fn the_signature_of_a_request_that_was_answered_is_verified_too(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    let (older, newest) = (server.synchronize().await?.request, server.synchronize().await?.request);
    let swapped = |one: &Request, other: &Request| {
        format!("{}.{}", one.signing_input(), other.jws.rsplit('.').next().unwrap_or_default())
    };
    for (variant, text) in [("the newest", swapped(&newest, &older)), ("an older one", swapped(&older, &newest))] {
        of(variant, server.site.send(&text).await?.refused(RefusalCode::InvalidSignature))?;
    }
    Ok(())
}

async fn somebody_elses_signature_does_not_bind(stage: &Stage) -> Outcome {
    let site = stage.site().await?;
    let (mut owner, thief) = (site.license_server(), site.license_server());
    // the owner's request and key, signed by somebody else: were it accepted, the owner would be bound by it
    let mut draft = thief.draft();
    draft.header = owner.draft().header;
    thief.send(&draft.sign()).await?.refused(RefusalCode::InvalidSignature)?;
    Finding::unless_equal(&1, &owner.synchronize().await?.receipt.sequence)
}

async fn the_signature_comes_before_the_id(stage: &Stage) -> Outcome {
    let unknown = stage.site().await?.unknown();
    let server = unknown.license_server();
    let (one, other) = (server.request(), server.request());
    let signature = other.jws.rsplit('.').next().unwrap_or_default();
    let text = format!("{}.{signature}", one.signing_input());
    unknown.send(&text).await?.refused(RefusalCode::InvalidSignature).map(drop)
}

//! Section 8: the refusal.

use solme_sync_protocol::{ProblemCode, RefusalCode, SYNCHRONIZE_WITHIN};

use super::super::stage::Stage;
use super::file::file_of;
use super::{cases, near, of};
use crate::conformance::{Finding, Outcome};

cases! {
    "8.1" "a-refusal-says-what-was-refused" Must members;
    "8.1" "its-iat-is-main-server-time-by-both-carriers" Must time;
    "8.1" "a-refusal-names-the-id-of-the-request-even-if-it-is-unknown" Must unknown_id;
    "8.1" "text-and-cure-say-something-to-people" Should words;
    "8.2" "what-cannot-be-read-gets-no-signed-refusal" Must unreadable;
}

async fn members(stage: &Stage) -> Outcome {
    let site = stage.site().await?;
    let receipt = site.license_server().synchronize().await?.receipt;
    let thief = site.license_server();
    let request = thief.request();
    let refusal = thief.send(&request).await?.refused(RefusalCode::KeyPairInUse)?;
    for (member, wanted, found) in [
        ("iss", site.main_server.trust.main_server_id.to_string(), refusal.main_server_id.to_string()),
        ("aud", site.id.clone(), refusal.license_server_id.to_string()),
        ("key_thumbprint", thief.key.thumbprint().to_string(), refusal.key_thumbprint.to_string()),
        ("request_digest", request.digest.to_string(), refusal.request_digest.to_string()),
    ] {
        Finding::unless_equal(&format!("{member} {wanted}"), &format!("{member} {found}"))?;
    }
    near(receipt.main_server_time, refusal.main_server_time)
}

async fn time(stage: &Stage) -> Outcome {
    let site = stage.site_of_its_own().await?;
    site.advance_clock(SYNCHRONIZE_WITHIN).await?;
    let receipt = site.license_server().synchronize().await?.receipt;
    let thief = site.license_server();
    let refusal = thief.ask().await?.refused(RefusalCode::KeyPairInUse)?;
    of("over 443", near(receipt.main_server_time, refusal.main_server_time))?;
    let (answer, _) = site.answer_file(&file_of(&thief.request())).await?;
    let refusal = answer.refused(RefusalCode::KeyPairInUse)?;
    of("by file", near(receipt.main_server_time, refusal.main_server_time))
}

async fn unknown_id(stage: &Stage) -> Outcome {
    let unknown = stage.site().await?.unknown();
    let refusal = unknown.license_server().ask().await?.refused(RefusalCode::UnknownLicenseServerId)?;
    Finding::unless_equal(&unknown.id, &refusal.license_server_id.to_string())
}

async fn words(stage: &Stage) -> Outcome {
    let unknown = stage.site().await?.unknown();
    let refusal = unknown.license_server().ask().await?.refused(RefusalCode::UnknownLicenseServerId)?;
    if refusal.text.trim().is_empty() || refusal.cure.trim().is_empty() {
        return Err(Finding::deviates("a text and a cure", format!("{:?} and {:?}", refusal.text, refusal.cure)));
    }
    Ok(())
}

async fn unreadable(stage: &Stage) -> Outcome {
    let (_, problem) = stage.site().await?.send("hello").await?.problem(ProblemCode::UnreadableRequest)?;
    Finding::unless_equal(&None, &problem.refusal)
}

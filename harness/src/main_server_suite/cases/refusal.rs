//! Section 8: the refusal.

use solme_sync_protocol::{ProblemCode, RefusalCode, SYNCHRONIZE_WITHIN};

use super::super::stage::Stage;
use super::file::file_of;
use super::{near, of};
use crate::conformance::{Case, Finding, Outcome, cases};

pub(super) fn cases() -> Vec<Case<Stage>> {
    cases! {
        "8.1" Must a_refusal_says_what_was_refused;
        "8.1" Must its_iat_is_main_server_time_by_both_carriers;
        "8.1" Must a_refusal_names_the_id_of_the_request_even_if_it_is_unknown;
        "8.1" Should text_and_cure_say_something_to_people;
        "8.2" Must what_cannot_be_read_gets_no_signed_refusal;
    }
}

async fn a_refusal_says_what_was_refused(stage: &Stage) -> Outcome {
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

async fn its_iat_is_main_server_time_by_both_carriers(stage: &Stage) -> Outcome {
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

async fn a_refusal_names_the_id_of_the_request_even_if_it_is_unknown(stage: &Stage) -> Outcome {
    let unknown = stage.site().await?.unknown();
    let refusal = unknown.license_server().ask().await?.refused(RefusalCode::UnknownLicenseServerId)?;
    Finding::unless_equal(&unknown.id, &refusal.license_server_id.to_string())
}

async fn text_and_cure_say_something_to_people(stage: &Stage) -> Outcome {
    let unknown = stage.site().await?.unknown();
    let refusal = unknown.license_server().ask().await?.refused(RefusalCode::UnknownLicenseServerId)?;
    if refusal.text.trim().is_empty() || refusal.cure.trim().is_empty() {
        return Err(Finding::deviates("a text and a cure", format!("{:?} and {:?}", refusal.text, refusal.cure)));
    }
    Ok(())
}

async fn what_cannot_be_read_gets_no_signed_refusal(stage: &Stage) -> Outcome {
    let (_, problem) = stage.site().await?.send("hello").await?.problem(ProblemCode::UnreadableRequest)?;
    Finding::unless_equal(&None, &problem.refusal)
}

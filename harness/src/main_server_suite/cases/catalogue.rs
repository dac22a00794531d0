//! Section 10: the catalogue of refusals.

use solme_sync_protocol::{ProblemCode, RefusalCode, limits};

use super::super::answer::Answer;
use super::super::draft::string;
use super::super::stage::{LicenseServer, Stage};
use super::of;
use crate::conformance::{Case, Finding, Outcome, cases};

pub(super) fn cases() -> Vec<Case<Stage>> {
    cases! {
        "10.1" Must every_refusal_and_problem_has_its_http_status;
        "10.1" Must invalid_request_alone_has_a_reason;
    }
}

/// One refusal of each code that one main server can be brought to give.
async fn refusals(stage: &Stage) -> Result<Vec<(RefusalCode, Answer)>, Finding> {
    let site = stage.site().await?;
    let mut server = site.license_server();
    let first = server.synchronize().await?.request;
    let copy = server.clone();
    server.synchronize().await?;
    let mut refusals = vec![
        (RefusalCode::UnknownLicenseServerId, site.unknown().license_server().ask().await?),
        (RefusalCode::InvalidSignature, wrongly_signed(&server).await?),
        (RefusalCode::RequestAlreadyAnswered, server.send(&first).await?),
        (RefusalCode::StateDiverged, copy.ask().await?),
        (RefusalCode::KeyPairInUse, site.license_server().ask().await?),
        (RefusalCode::UnsupportedVersion, changed(&server, "version", "2").await?),
        (RefusalCode::InvalidRequest, changed(&server, "aud", &string("another")).await?),
    ];
    site.clear().await?;
    refusals.push((RefusalCode::KeyPairCleared, server.ask().await?));
    site.disable().await?;
    refusals.push((RefusalCode::LicenseServerIdDisabled, server.ask().await?));
    Ok(refusals)
}

async fn wrongly_signed(server: &LicenseServer) -> Result<Answer, Finding> {
    let (one, other) = (server.request(), server.request());
    let signature = other.jws.rsplit('.').next().unwrap_or_default();
    server.site.send(format!("{}.{signature}", one.signing_input())).await
}

async fn changed(server: &LicenseServer, member: &str, value: &str) -> Result<Answer, Finding> {
    server.send(&server.request_with(|payload| payload.set(member, value))).await
}

async fn every_refusal_and_problem_has_its_http_status(stage: &Stage) -> Outcome {
    for (code, answer) in refusals(stage).await? {
        let status = match &answer {
            Answer::Refusal { status, .. } => *status,
            _ => None,
        };
        answer.refused(code)?;
        of(code.as_str(), Finding::unless_equal(&Some(code.http_status()), &status))?;
    }
    let site = stage.site().await?;
    let (unreadable, _) = site.send("hello").await?.problem(ProblemCode::UnreadableRequest)?;
    let (too_large, _) = site.send("x".repeat(limits::REQUEST + 1)).await?.problem(ProblemCode::RequestTooLarge)?;
    Finding::unless_equal(&(400, 413), &(unreadable, too_large))
}

async fn invalid_request_alone_has_a_reason(stage: &Stage) -> Outcome {
    for (code, answer) in refusals(stage).await? {
        let refusal = answer.refused(code)?;
        let (wanted, found) = (code == RefusalCode::InvalidRequest, refusal.reason.is_some());
        of(code.as_str(), Finding::unless_equal(&format!("reason: {wanted}"), &format!("reason: {found}")))?;
    }
    Ok(())
}

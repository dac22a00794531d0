//! Section 12: at most one outstanding request, the same bytes until it ends.

use mock_solme::quirks::{Fault, Operation, Quirk};
use solme_sync_protocol::RefusalCode;

use super::dishonest::{all_have_happened, arm};
use super::license_server::Server;
use super::stage::{ID, Stage, id, operated};
use crate::conformance::{Case, Finding, Outcome, cases};

pub(super) fn cases() -> Vec<Case<Stage>> {
    cases! {
        "12.1" Must one_request_is_outstanding_whatever_carries_it;
        "12.2" Must exporting_again_gives_the_same_request;
        "12.2" Must a_refused_request_is_sent_again_as_it_was;
        "12.3" Must a_receipt_ends_it;
        "12.3" Must a_refusal_that_the_catalogue_marks_ends_it;
        "12.3" Must every_other_refusal_leaves_it;
        "12.3" Must a_failure_leaves_it;
        "12.4" Must a_damaged_copy_does_not_end_it;
        "12.5" Should one_more_request_after_an_old_answer;
        "12.5" Must the_old_answer_stays_applied_where_the_request_after_it_fails;
        "12.5" Must the_old_answer_stays_applied_where_the_request_after_it_is_refused;
        "12.6" Must key_pair_cleared_makes_it_cleared;
        "12.6" Must key_pair_cleared_by_file_makes_it_cleared;
        "12.6" Must no_other_refusal_makes_it_cleared;
    }
}

async fn one_request_is_outstanding_whatever_carries_it(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    let exported = stage.message(&server.export("a").await?)?;
    server.synchronize().await?.expect_synchronized()?;
    Finding::unless_equal(&Some(&exported), &stage.sent().first())
}

async fn exporting_again_gives_the_same_request(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    let first = stage.message(&server.export("1").await?)?;
    Finding::unless_equal(&first, &stage.message(&server.export("2").await?)?)
}

async fn a_refused_request_is_sent_again_as_it_was(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    disable(stage)?;
    server.synchronize().await?.is_refused("license-server-id-disabled")?;
    server.synchronize().await?.is_refused("license-server-id-disabled")?;
    stage.main.enable(&id(ID)).map_err(operated)?;
    server.synchronize().await?.expect_synchronized()?;
    let sent = stage.sent();
    Finding::unless_equal(&vec![&sent[1]; 2], &sent.iter().skip(2).take(2).collect())
}

async fn a_receipt_ends_it(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    let first = stage.message(&server.export("1").await?)?;
    server.import(&stage.process(&stage.path("1.request"))?).await?.expect_synchronized()?;
    differ(&first, &stage.message(&server.export("2").await?)?)
}

async fn a_refusal_that_the_catalogue_marks_ends_it(stage: &Stage) -> Outcome {
    let server = stage.server_with_two_keys("a").await?;
    for code in [RefusalCode::UnsupportedVersion, RefusalCode::InvalidRequest] {
        let request = server.export("a").await?;
        let before = stage.message(&request)?;
        server.import(&stage.refuse(&request, code)?).await?.is_refused(code.as_str())?;
        differ(&before, &stage.message(&server.export("a").await?)?)?;
    }
    Ok(())
}

async fn every_other_refusal_leaves_it(stage: &Stage) -> Outcome {
    let server = stage.server_with_two_keys("a").await?;
    let ends = [RefusalCode::UnsupportedVersion, RefusalCode::InvalidRequest, RefusalCode::KeyPairCleared];
    let request = server.export("a").await?;
    let before = stage.message(&request)?;
    for code in RefusalCode::ALL.iter().filter(|code| !ends.contains(code)) {
        server.import(&stage.refuse(&request, *code)?).await?.is_refused(code.as_str())?;
        Finding::unless_equal(&before, &stage.message(&server.export("b").await?)?)?;
    }
    Ok(())
}

async fn a_failure_leaves_it(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    let request = server.export("a").await?;
    let before = stage.message(&request)?;
    server.import(&request).await?.is_failed("file-not-usable")?;
    Finding::unless_equal(&before, &stage.message(&server.export("b").await?)?)
}

async fn a_damaged_copy_does_not_end_it(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    let request = server.export("a").await?;
    let damaged = stage.with_another_signature(&request)?;
    server.import(&stage.process(&damaged)?).await?.is_refused("invalid-signature")?;
    Finding::unless_equal(&stage.message(&request)?, &stage.message(&server.export("b").await?)?)
}

async fn one_more_request_after_an_old_answer(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    stage.process(&server.export("a").await?)?;
    let new = stage.allocate(mock_solme::NewLicense::default())?;
    server.synchronize().await?.expect_synchronized()?;
    // The answer of before the change is the one that was waiting.
    let status = server.status().await?;
    Finding::unless_equal(&(Some(2), true), &(status.sequence, status.licenses.contains(&new.to_string())))
}

async fn the_old_answer_stays_applied_where_the_request_after_it_fails(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    stage.process(&server.export("a").await?)?;
    arm(stage, Fault::new(Quirk::Status503).operation(Operation::Synchronize).after(1).next(1))?;
    server.synchronize().await?.expect_synchronized()?;
    applied_once(&server).await?;
    // One that makes no second request, as the SHOULD allows, meets the fault now.
    server.synchronize().await?;
    stage.main.disarm_all();
    server.synchronize().await?.expect_synchronized().map(drop)
}

async fn the_old_answer_stays_applied_where_the_request_after_it_is_refused(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    stage.process(&server.export("a").await?)?;
    arm(stage, Fault::new(Quirk::ProblemOfAnotherCode).operation(Operation::Synchronize).after(1).next(1))?;
    let said = server.synchronize().await?;
    // One that makes no second request, as the SHOULD allows, is not refused.
    match all_have_happened(stage) {
        Ok(()) => said.is_refused("temporarily-unavailable")?,
        Err(_) => drop(said.expect_synchronized()?),
    }
    applied_once(&server).await
}

/// The first answer is there, and nothing came after it.
async fn applied_once(server: &Server<'_>) -> Outcome {
    let status = server.status().await?;
    Finding::unless_equal(&("synchronized", Some(1)), &(status.state.as_str(), status.sequence))?;
    server.issues().await
}

async fn key_pair_cleared_makes_it_cleared(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    stage.clear_key_pair()?;
    server.synchronize().await?.is_refused("key-pair-cleared")?;
    server.is("cleared").await?;
    server.does_not_issue().await
}

async fn key_pair_cleared_by_file_makes_it_cleared(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    let request = server.export("a").await?;
    stage.clear_key_pair()?;
    server.import(&stage.process(&request)?).await?.is_refused("key-pair-cleared")?;
    server.is("cleared").await?;
    server.does_not_issue().await
}

async fn no_other_refusal_makes_it_cleared(stage: &Stage) -> Outcome {
    let server = stage.server_with_two_keys("a").await?;
    stage.synchronize(&server).await?;
    for code in RefusalCode::ALL.iter().filter(|code| **code != RefusalCode::KeyPairCleared) {
        let request = server.export("a").await?;
        server.import(&stage.refuse(&request, *code)?).await?.is_refused(code.as_str())?;
    }
    // Once cleared, it would be so for ever.
    server.is("synchronized").await?;
    server.issues().await
}

fn disable(stage: &Stage) -> Outcome {
    stage.main.disable(&id(ID)).map(drop).map_err(operated)
}

fn differ(before: &str, after: &str) -> Outcome {
    if before == after { Err(Finding::deviates("a new request", "the same request")) } else { Ok(()) }
}

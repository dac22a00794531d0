//! Section 12: at most one outstanding request, the same bytes until it ends.

use solme_sync_protocol::RefusalCode;

use super::stage::{ID, Stage, id, operated};
use super::{must, should};
use crate::conformance::{Case, Finding, Outcome};

pub(super) fn cases() -> Vec<Case<Stage>> {
    vec![
        must("12.1", "one-request-is-outstanding-whatever-carries-it", |s| Box::pin(one_request(s))),
        must("12.2", "exporting-again-gives-the-same-request", |s| Box::pin(exported_again(s))),
        must("12.2", "a-refused-request-is-sent-again-as-it-was", |s| Box::pin(sent_again(s))),
        must("12.3", "a-receipt-ends-it", |s| Box::pin(ends_with_its_receipt(s))),
        must("12.3", "a-refusal-that-the-catalogue-marks-ends-it", |s| Box::pin(ends(s))),
        must("12.3", "every-other-refusal-leaves-it", |s| Box::pin(stays(s))),
        must("12.3", "a-failure-leaves-it", |s| Box::pin(stays_after_a_failure(s))),
        must("12.4", "a-damaged-copy-does-not-end-it", |s| Box::pin(damaged_copy(s))),
        should("12.5", "one-more-request-after-an-old-answer", |s| Box::pin(one_more(s))),
        must("12.6", "key-pair-cleared-makes-it-cleared", |s| Box::pin(cleared(s))),
        must("12.6", "key-pair-cleared-by-file-makes-it-cleared", |s| Box::pin(cleared_by_file(s))),
        must("12.6", "no-other-refusal-makes-it-cleared", |s| Box::pin(nothing_else_clears(s))),
    ]
}

async fn one_request(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    let exported = stage.message(&server.export("a").await?)?;
    server.synchronize().await?.expect_synchronized()?;
    Finding::unless_equal(&Some(&exported), &stage.sent().first())
}

async fn exported_again(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    let first = stage.message(&server.export("1").await?)?;
    Finding::unless_equal(&first, &stage.message(&server.export("2").await?)?)
}

async fn sent_again(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    disable(stage)?;
    server.synchronize().await?.is_refused("license-server-id-disabled")?;
    server.synchronize().await?.is_refused("license-server-id-disabled")?;
    stage.main.enable(&id(ID)).map_err(operated)?;
    server.synchronize().await?.expect_synchronized()?;
    let sent = stage.sent();
    Finding::unless_equal(&vec![&sent[1]; 2], &sent.iter().skip(2).take(2).collect())
}

async fn ends_with_its_receipt(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    let first = stage.message(&server.export("1").await?)?;
    server.import(&stage.process(&stage.path("1.request"))?).await?.expect_synchronized()?;
    differ(&first, &stage.message(&server.export("2").await?)?)
}

async fn ends(stage: &Stage) -> Outcome {
    let server = stage.server_with_two_keys("a").await?;
    for code in [RefusalCode::UnsupportedVersion, RefusalCode::InvalidRequest] {
        let request = server.export("a").await?;
        let before = stage.message(&request)?;
        server.import(&stage.refuse(&request, code)?).await?.is_refused(code.as_str())?;
        differ(&before, &stage.message(&server.export("a").await?)?)?;
    }
    Ok(())
}

async fn stays(stage: &Stage) -> Outcome {
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

async fn stays_after_a_failure(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    let request = server.export("a").await?;
    let before = stage.message(&request)?;
    server.import(&request).await?.is_failed("file-not-usable")?;
    Finding::unless_equal(&before, &stage.message(&server.export("b").await?)?)
}

async fn damaged_copy(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    let request = server.export("a").await?;
    let damaged = stage.with_another_signature(&request)?;
    server.import(&stage.process(&damaged)?).await?.is_refused("invalid-signature")?;
    Finding::unless_equal(&stage.message(&request)?, &stage.message(&server.export("b").await?)?)
}

async fn one_more(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    stage.process(&server.export("a").await?)?;
    let new = stage.allocate(mock_solme::NewLicense::default())?;
    server.synchronize().await?.expect_synchronized()?;
    // The answer of before the change is the one that was waiting.
    let status = server.status().await?;
    Finding::unless_equal(&(Some(2), true), &(status.sequence, status.licenses.contains(&new.to_string())))
}

async fn cleared(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    stage.clear_key_pair()?;
    server.synchronize().await?.is_refused("key-pair-cleared")?;
    server.is("cleared").await?;
    server.does_not_issue().await
}

async fn cleared_by_file(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    let request = server.export("a").await?;
    stage.clear_key_pair()?;
    server.import(&stage.process(&request)?).await?.is_refused("key-pair-cleared")?;
    server.is("cleared").await?;
    server.does_not_issue().await
}

async fn nothing_else_clears(stage: &Stage) -> Outcome {
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

//! Sections 8, 10 and the main server's rules, as the License Server hears them: a refusal is an answer, with its code.

use std::fs;

use mock_solme::MockSolme;
use solme_sync_protocol::RefusalCode;

use super::license_server::Server;
use super::must;
use super::stage::{ID, Stage, broken, id, operated};
use crate::conformance::{Case, Finding, Outcome};

pub(super) fn cases() -> Vec<Case<Stage>> {
    vec![
        must("1.4", "a-refusal-is-an-answer-and-no-failure", |s| Box::pin(by_file_too(s))),
        must("9.2", "invalid-signature-is-heard", |s| Box::pin(invalid_signature(s))),
        must("9.3", "unknown-license-server-id-is-heard", |s| Box::pin(unknown_id(s))),
        must("9.4", "rate-limited-is-heard", |s| Box::pin(rate_limited(s))),
        must("9.5", "license-server-id-disabled-is-heard-and-changes-nothing", |s| Box::pin(disabled(s))),
        must("9.6", "key-pair-cleared-is-heard", |s| Box::pin(cleared(s))),
        must("9.7", "request-already-answered-is-heard-by-a-restored-server", |s| Box::pin(already_answered(s))),
        must("9.9", "key-pair-in-use-is-heard-by-a-reinstalled-server", |s| Box::pin(reinstalled(s))),
        must("9.12", "state-diverged-is-heard-by-a-copied-server", |s| Box::pin(diverged(s))),
        must("9.12", "main-server-behind-is-heard", |s| Box::pin(main_server_behind(s))),
        must("10.1", "every-code-of-the-catalogue-is-known", |s| Box::pin(every_code(s))),
    ]
}

async fn by_file_too(stage: &Stage) -> Outcome {
    stage.synchronized_server("a").await?;
    let thief = stage.server("b").await?;
    thief.synchronize().await?.is_refused("key-pair-in-use")?;
    let response = stage.process(&thief.export("b").await?)?;
    thief.import(&response).await?.is_refused("key-pair-in-use")
}

async fn invalid_signature(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    let request = server.export("a").await?;
    let damaged = stage.with_another_signature(&request)?;
    server.import(&stage.process(&damaged)?).await?.is_refused("invalid-signature")
}

async fn unknown_id(stage: &Stage) -> Outcome {
    let server = stage.bare_server("a");
    server.init("NOBODY-KNOWS", stage.main.trust_file()).await?.is_done()?;
    server.synchronize().await?.is_refused("unknown-license-server-id")?;
    server.is("unsynchronized").await
}

async fn rate_limited(stage: &Stage) -> Outcome {
    let main = MockSolme::builder().empty().rate_limit(1).try_start();
    let main = main.map_err(|error| Finding::deviates("a second main server", error.to_string()))?;
    main.add_id(&id(ID), &[]).map_err(operated)?;
    let server = stage.bare_server("a");
    server.init(ID, main.trust_file()).await?.is_done()?;
    // One from the bucket of everyone, and one from that of the key pair in use.
    server.synchronize().await?.expect_synchronized()?;
    server.synchronize().await?.expect_synchronized()?;
    let before = server.status().await?;
    server.synchronize().await?.is_refused("rate-limited")?;
    Finding::unless_equal(&before, &server.status().await?)
}

async fn disabled(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    let before = server.status().await?;
    stage.main.disable(&id(ID)).map_err(operated)?;
    server.synchronize().await?.is_refused("license-server-id-disabled")?;
    Finding::unless_equal(&before, &server.status().await?)?;
    server.issues().await?;
    stage.main.enable(&id(ID)).map_err(operated)?;
    server.synchronize().await?.expect_synchronized().map(drop)
}

async fn cleared(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    stage.clear_key_pair()?;
    server.synchronize().await?.is_refused("key-pair-cleared")
}

async fn already_answered(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    server.export("a").await?;
    let copy = stage.copy_of(&server, "copy")?;
    server.synchronize().await?.expect_synchronized()?;
    server.synchronize().await?.expect_synchronized()?;
    copy.synchronize().await?.is_refused("request-already-answered")?;
    copy.issues().await
}

async fn reinstalled(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    fs::remove_dir_all(&server.state).map_err(broken)?;
    let reinstalled = stage.server("a").await?;
    reinstalled.synchronize().await?.is_refused("key-pair-in-use")?;
    reinstalled.does_not_issue().await
}

async fn diverged(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    let copy = stage.copy_of(&server, "copy")?;
    server.synchronize().await?.expect_synchronized()?;
    let before = copy.status().await?;
    copy.synchronize().await?.is_refused("state-diverged")?;
    Finding::unless_equal(&before, &copy.status().await?)?;
    copy.issues().await
}

/// A main server that was restored from a backup: the data of before the second synchronization is put back.
async fn main_server_behind(stage: &Stage) -> Outcome {
    let (data, backup) = (stage.path("main"), stage.path("backup"));
    let server = stage.bare_server("a");
    let main = main_server_in(&data)?;
    main.add_id(&id(ID), &[]).map_err(operated)?;
    synchronize_at(&main, &server).await?.expect_synchronized()?;
    drop(main);
    super::stage::copy(&data, &backup).map_err(broken)?;
    synchronize_at(&main_server_in(&data)?, &server).await?.expect_synchronized()?;
    let before = server.status().await?;
    synchronize_at(&main_server_in(&backup)?, &server).await?.is_refused("main-server-behind")?;
    Finding::unless_equal(&before, &server.status().await?)
}

fn main_server_in(data: &std::path::Path) -> Result<MockSolme, Finding> {
    let started = MockSolme::builder().empty().data(data).try_start();
    started.map_err(|error| Finding::deviates("a main server that starts", error.to_string()))
}

/// It listens on other ports each time, so the trust file is given again.
async fn synchronize_at(main: &MockSolme, server: &Server<'_>) -> Result<super::license_server::Said, Finding> {
    server.init(ID, main.trust_file()).await?.is_done()?;
    server.synchronize().await
}

async fn every_code(stage: &Stage) -> Outcome {
    let server = stage.server_with_two_keys("a").await?;
    for code in RefusalCode::ALL.iter().filter(|code| **code != RefusalCode::KeyPairCleared) {
        let request = server.export("a").await?;
        server.import(&stage.refuse(&request, *code)?).await?.is_refused(code.as_str())?;
    }
    server.is("unsynchronized").await
}

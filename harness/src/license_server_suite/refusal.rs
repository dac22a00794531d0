//! Sections 8, 10 and the main server's rules, as the License Server hears them: a refusal is an answer, with its code.

use std::fs;

use mock_solme::MockSolme;
use solme_sync_protocol::RefusalCode;

use super::license_server::Server;
use super::stage::{ID, Stage, broken, id, operated, second_main_server};
use crate::conformance::{Case, Finding, Outcome, cases};
use crate::subject::answers::Said;

pub(super) fn cases() -> Vec<Case<Stage>> {
    cases! {
        "1.4" Must a_refusal_is_an_answer_and_no_failure;
        "9.2" Must invalid_signature_is_heard;
        "9.3" Must unknown_license_server_id_is_heard;
        "9.4" Must rate_limited_is_heard;
        "9.5" Must license_server_id_disabled_is_heard_and_changes_nothing;
        "9.6" Must key_pair_cleared_is_heard;
        "9.7" Must request_already_answered_is_heard_by_a_restored_server;
        "9.9" Must key_pair_in_use_is_heard_by_a_reinstalled_server;
        "9.12" Must state_diverged_is_heard_by_a_copied_server;
        "9.12" Must main_server_behind_is_heard;
        "10.1" Must every_code_of_the_catalogue_is_known;
    }
}

async fn a_refusal_is_an_answer_and_no_failure(stage: &Stage) -> Outcome {
    stage.synchronized_server("a").await?;
    let thief = stage.server("b").await?;
    thief.synchronize().await?.is_refused("key-pair-in-use")?;
    let response = stage.process(&thief.export("b").await?)?;
    thief.import(&response).await?.is_refused("key-pair-in-use")
}

async fn invalid_signature_is_heard(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    let request = server.export("a").await?;
    let damaged = stage.with_another_signature(&request)?;
    server.import(&stage.process(&damaged)?).await?.is_refused("invalid-signature")
}

async fn unknown_license_server_id_is_heard(stage: &Stage) -> Outcome {
    let server = stage.bare_server("a");
    server.init("NOBODY-KNOWS", stage.main.trust_file()).await?.is_done()?;
    server.synchronize().await?.is_refused("unknown-license-server-id")?;
    server.is("unsynchronized").await
}

async fn rate_limited_is_heard(stage: &Stage) -> Outcome {
    let main = second_main_server(MockSolme::builder().rate_limit(1))?;
    let server = stage.bare_server("a");
    server.init(ID, main.trust_file()).await?.is_done()?;
    // One from the bucket of everyone, and one from that of the key pair in use.
    server.synchronize().await?.expect_synchronized()?;
    server.synchronize().await?.expect_synchronized()?;
    let before = server.status().await?;
    server.synchronize().await?.is_refused("rate-limited")?;
    Finding::unless_equal(&before, &server.status().await?)
}

async fn license_server_id_disabled_is_heard_and_changes_nothing(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    let before = server.status().await?;
    stage.main.disable(&id(ID)).map_err(operated)?;
    server.synchronize().await?.is_refused("license-server-id-disabled")?;
    Finding::unless_equal(&before, &server.status().await?)?;
    server.issues().await?;
    stage.main.enable(&id(ID)).map_err(operated)?;
    server.synchronize().await?.expect_synchronized().map(drop)
}

async fn key_pair_cleared_is_heard(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    stage.clear_key_pair()?;
    server.synchronize().await?.is_refused("key-pair-cleared")
}

async fn request_already_answered_is_heard_by_a_restored_server(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    server.export("a").await?;
    let copy = stage.copy_of(&server, "copy")?;
    server.synchronize().await?.expect_synchronized()?;
    server.synchronize().await?.expect_synchronized()?;
    copy.synchronize().await?.is_refused("request-already-answered")?;
    copy.issues().await
}

async fn key_pair_in_use_is_heard_by_a_reinstalled_server(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    fs::remove_dir_all(&server.state).map_err(broken)?;
    let reinstalled = stage.server("a").await?;
    reinstalled.synchronize().await?.is_refused("key-pair-in-use")?;
    reinstalled.is("unsynchronized").await?;
    reinstalled.does_not_issue().await
}

async fn state_diverged_is_heard_by_a_copied_server(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    let copy = stage.copy_of(&server, "copy")?;
    server.synchronize().await?.expect_synchronized()?;
    let before = copy.status().await?;
    copy.synchronize().await?.is_refused("state-diverged")?;
    Finding::unless_equal(&before, &copy.status().await?)?;
    copy.issues().await
}

/// A main server that was restored from a backup: the data of before the second synchronization is put back.
async fn main_server_behind_is_heard(stage: &Stage) -> Outcome {
    let (data, backup) = (stage.path("main"), stage.path("backup"));
    let server = stage.bare_server("a");
    let main = main_server_in(&data)?;
    main.add_id(&id(ID), &[]).map_err(operated)?;
    synchronize_at(&main, &server).await?.expect_synchronized()?;
    drop(main);
    crate::work_folders::copy_folder(&data, &backup).map_err(broken)?;
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
async fn synchronize_at(main: &MockSolme, server: &Server<'_>) -> Result<Said, Finding> {
    server.init(ID, main.trust_file()).await?.is_done()?;
    server.synchronize().await
}

async fn every_code_of_the_catalogue_is_known(stage: &Stage) -> Outcome {
    let server = stage.server_with_two_keys("a").await?;
    for code in RefusalCode::ALL.iter().filter(|code| **code != RefusalCode::KeyPairCleared) {
        let request = server.export("a").await?;
        server.import(&stage.refuse(&request, *code)?).await?.is_refused(code.as_str())?;
    }
    server.is("unsynchronized").await
}

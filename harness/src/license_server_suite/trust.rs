//! Section 15: the trust file.

use mock_solme::MockSolme;

use super::stage::{ID, Stage, second_main_server};
use crate::conformance::{Case, Finding, Outcome, cases};

pub(super) fn cases() -> Vec<Case<Stage>> {
    cases! {
        "15.1" Must a_trust_file_may_have_several_keys;
        "15.1" Must what_is_no_trust_file_sets_nothing_up;
        "15.1" Must before_it_is_set_up_nothing_is_asked;
        "15.2" Must unknown_members_are_ignored;
        "15.2" Must two_members_of_one_name_are_refused;
        "15.3" Must the_trust_file_of_another_main_server_is_refused;
        "15.3" Must the_same_id_with_another_key_is_another_main_server;
        "15.3" Must a_trust_file_with_one_key_more_is_of_another_main_server;
        "15.3" Must a_trust_file_with_one_key_less_is_of_another_main_server;
        "15.3" Must the_same_keys_in_another_order_are_the_same_main_server;
        "15.3" Must the_same_identity_updates_the_addresses;
        "3.6" Must only_a_key_of_the_trust_file_counts;
    }
}

async fn a_trust_file_may_have_several_keys(stage: &Stage) -> Outcome {
    let server = stage.server_with_two_keys("a").await?;
    server.synchronize().await?.expect_synchronized()?;
    let request = server.export("a").await?;
    let refusal = stage.refuse(&request, solme_sync_protocol::RefusalCode::TemporarilyUnavailable)?;
    server.import(&refusal).await?.is_refused("temporarily-unavailable")
}

async fn what_is_no_trust_file_sets_nothing_up(stage: &Stage) -> Outcome {
    for (n, text) in ["", "{}", "[]", "{\"solme_sync_trust\": 2}"].iter().enumerate() {
        let server = stage.bare_server(&format!("a{n}"));
        let trust = stage.write("bad.json", text)?;
        server.init(ID, &trust).await?.is_failed_with_one_of(&["file-not-usable", "local-state"])?;
        server.init(ID, stage.main.trust_file()).await?.is_done()?;
    }
    Ok(())
}

async fn before_it_is_set_up_nothing_is_asked(stage: &Stage) -> Outcome {
    let server = stage.bare_server("a");
    server.synchronize().await?.is_failed("local-state")?;
    server.export_to(&stage.path("a.request")).await?.is_failed("local-state")?;
    Finding::unless_equal(&0, &stage.main.journal().len())
}

async fn unknown_members_are_ignored(stage: &Stage) -> Outcome {
    let text = String::from_utf8_lossy(&stage.main.trust().to_json()).replacen('{', r#"{"of_next_year": [1],"#, 1);
    let server = stage.bare_server("a");
    server.init(ID, &stage.write("trust.json", text)?).await?.is_done()?;
    server.synchronize().await?.expect_synchronized().map(drop)
}

async fn two_members_of_one_name_are_refused(stage: &Stage) -> Outcome {
    let text = String::from_utf8_lossy(&stage.main.trust().to_json()).replacen('{', r#"{"a": 1, "a": 1,"#, 1);
    let server = stage.bare_server("a");
    server.init(ID, &stage.write("trust.json", text)?).await?.is_failed_with_one_of(&["file-not-usable", "local-state"])
}

async fn the_trust_file_of_another_main_server_is_refused(stage: &Stage) -> Outcome {
    let main = second_main_server(MockSolme::builder())?;
    let server = stage.synchronized_server("a").await?;
    let before = server.status().await?;
    server.init(ID, main.trust_file()).await?.is_failed("local-state")?;
    Finding::unless_equal(&before, &server.status().await?)?;
    server.synchronize().await?.expect_synchronized()?;
    Finding::unless_equal(&0, &main.journal().len())
}

async fn the_same_id_with_another_key_is_another_main_server(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    let mut trust = stage.main.trust().clone();
    trust.signing_jwks = vec![stage.second_key()];
    let trust = stage.write("other.json", trust.to_json())?;
    server.init(ID, &trust).await?.is_failed("local-state")?;
    server.synchronize().await?.expect_synchronized().map(drop)
}

async fn a_trust_file_with_one_key_more_is_of_another_main_server(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    let before = server.status().await?;
    let mut trust = stage.main.trust().clone();
    trust.signing_jwks.push(stage.second_key());
    server.init(ID, &stage.write("more.json", trust.to_json())?).await?.is_failed("local-state")?;
    Finding::unless_equal(&before, &server.status().await?)?;
    // What the key more signs is still nobody's.
    let request = server.export("a").await?;
    let refusal = stage.refuse(&request, solme_sync_protocol::RefusalCode::TemporarilyUnavailable)?;
    server.import(&refusal).await?.is_failed("file-not-usable")
}

async fn a_trust_file_with_one_key_less_is_of_another_main_server(stage: &Stage) -> Outcome {
    let server = stage.server_with_two_keys("a").await?;
    server.init(ID, stage.main.trust_file()).await?.is_failed("local-state")?;
    stage.synchronize(&server).await.map(drop)
}

async fn the_same_keys_in_another_order_are_the_same_main_server(stage: &Stage) -> Outcome {
    let server = stage.server_with_two_keys("a").await?;
    let mut trust = stage.main.trust().clone();
    trust.signing_jwks.insert(0, stage.second_key());
    server.init(ID, &stage.write("turned.json", trust.to_json())?).await?.is_done()?;
    stage.synchronize(&server).await.map(drop)
}

async fn the_same_identity_updates_the_addresses(stage: &Stage) -> Outcome {
    let mut trust = stage.main.trust().clone();
    // Nothing listens on port 1.
    (trust.https, trust.http) = ("https://127.0.0.1:1".to_owned(), "http://127.0.0.1:1".to_owned());
    let server = stage.bare_server("a");
    server.init(ID, &stage.write("old.json", trust.to_json())?).await?.is_done()?;
    server.synchronize().await?.is_failed("not-reached")?;
    let before = server.status().await?.key_thumbprint;
    server.init(ID, stage.main.trust_file()).await?.is_done()?;
    server.synchronize().await?.expect_synchronized()?;
    Finding::unless_equal(&before, &server.status().await?.key_thumbprint)
}

async fn only_a_key_of_the_trust_file_counts(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    let request = server.export("a").await?;
    let before = server.status().await?;
    let refusal = stage.refuse(&request, solme_sync_protocol::RefusalCode::KeyPairCleared)?;
    server.import(&refusal).await?.is_failed("file-not-usable")?;
    Finding::unless_equal(&before, &server.status().await?)
}

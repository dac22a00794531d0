//! Section 15: the trust file.

use mock_solme::MockSolme;

use super::must;
use super::stage::{ID, Stage, id, operated};
use crate::conformance::{Case, Finding, Outcome};

pub(super) fn cases() -> Vec<Case<Stage>> {
    vec![
        must("15.1", "a-trust-file-may-have-several-keys", |s| Box::pin(several_keys(s))),
        must("15.1", "what-is-no-trust-file-sets-nothing-up", |s| Box::pin(no_trust_file(s))),
        must("15.1", "before-it-is-set-up-nothing-is-asked", |s| Box::pin(not_set_up(s))),
        must("15.2", "unknown-members-are-ignored", |s| Box::pin(unknown_members(s))),
        must("15.2", "two-members-of-one-name-are-refused", |s| Box::pin(duplicate_members(s))),
        must("15.3", "the-trust-file-of-another-main-server-is-refused", |s| Box::pin(another_main_server(s))),
        must("15.3", "the-same-id-with-another-key-is-another-main-server", |s| Box::pin(another_key(s))),
        must("15.3", "a-trust-file-with-one-key-more-is-of-another-main-server", |s| Box::pin(one_key_more(s))),
        must("15.3", "a-trust-file-with-one-key-less-is-of-another-main-server", |s| Box::pin(one_key_less(s))),
        must("15.3", "the-same-identity-updates-the-addresses", |s| Box::pin(moved(s))),
        must("3.6", "only-a-key-of-the-trust-file-counts", |s| Box::pin(pinned(s))),
    ]
}

async fn several_keys(stage: &Stage) -> Outcome {
    let server = stage.server_with_two_keys("a").await?;
    server.synchronize().await?.expect_synchronized()?;
    let request = server.export("a").await?;
    let refusal = stage.refuse(&request, solme_sync_protocol::RefusalCode::TemporarilyUnavailable)?;
    server.import(&refusal).await?.is_refused("temporarily-unavailable")
}

async fn no_trust_file(stage: &Stage) -> Outcome {
    for (n, text) in ["", "{}", "[]", "{\"solme_sync_trust\": 2}"].iter().enumerate() {
        let server = stage.bare_server(&format!("a{n}"));
        let trust = stage.write("bad.json", text)?;
        server.init(ID, &trust).await?.is_failed_with_one_of(&["file-not-usable", "local-state"])?;
        server.init(ID, stage.main.trust_file()).await?.is_done()?;
    }
    Ok(())
}

async fn not_set_up(stage: &Stage) -> Outcome {
    let server = stage.bare_server("a");
    server.synchronize().await?.is_failed("local-state")?;
    server.export_to(&stage.path("a.request")).await?.is_failed("local-state")?;
    Finding::unless_equal(&0, &stage.main.journal().len())
}

async fn unknown_members(stage: &Stage) -> Outcome {
    let text = String::from_utf8_lossy(&stage.main.trust().to_json()).replacen('{', r#"{"of_next_year": [1],"#, 1);
    let server = stage.bare_server("a");
    server.init(ID, &stage.write("trust.json", text)?).await?.is_done()?;
    server.synchronize().await?.expect_synchronized().map(drop)
}

async fn duplicate_members(stage: &Stage) -> Outcome {
    let text = String::from_utf8_lossy(&stage.main.trust().to_json()).replacen('{', r#"{"a": 1, "a": 1,"#, 1);
    let server = stage.bare_server("a");
    server.init(ID, &stage.write("trust.json", text)?).await?.is_failed_with_one_of(&["file-not-usable", "local-state"])
}

async fn another_main_server(stage: &Stage) -> Outcome {
    let main = MockSolme::builder().empty().try_start();
    let main = main.map_err(|error| Finding::deviates("a second main server", error.to_string()))?;
    main.add_id(&id(ID), &[]).map_err(operated)?;
    let server = stage.synchronized_server("a").await?;
    let before = server.status().await?;
    server.init(ID, main.trust_file()).await?.is_failed("local-state")?;
    Finding::unless_equal(&before, &server.status().await?)?;
    server.synchronize().await?.expect_synchronized()?;
    Finding::unless_equal(&0, &main.journal().len())
}

async fn another_key(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    let mut trust = stage.main.trust().clone();
    trust.signing_jwks = vec![stage.second_key()];
    let trust = stage.write("other.json", trust.to_json())?;
    server.init(ID, &trust).await?.is_failed("local-state")?;
    server.synchronize().await?.expect_synchronized().map(drop)
}

async fn one_key_more(stage: &Stage) -> Outcome {
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

async fn one_key_less(stage: &Stage) -> Outcome {
    let server = stage.server_with_two_keys("a").await?;
    server.init(ID, stage.main.trust_file()).await?.is_failed("local-state")?;
    stage.synchronize(&server).await.map(drop)
}

async fn moved(stage: &Stage) -> Outcome {
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

async fn pinned(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    let request = server.export("a").await?;
    let before = server.status().await?;
    let refusal = stage.refuse(&request, solme_sync_protocol::RefusalCode::KeyPairCleared)?;
    server.import(&refusal).await?.is_failed("file-not-usable")?;
    Finding::unless_equal(&before, &server.status().await?)
}

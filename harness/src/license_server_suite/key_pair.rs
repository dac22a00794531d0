//! Sections 1, 3 and 16: the key pair, and who may use a license server id.

use super::must;
use super::stage::{ID, Stage};
use crate::conformance::{Case, Finding, Outcome};

pub(super) fn cases() -> Vec<Case<Stage>> {
    vec![
        must("1.1", "the-first-synchronization-makes-licenses-known", |s| Box::pin(first_synchronization(s))),
        must("1.2", "a-second-server-with-the-id-is-refused", |s| Box::pin(second_server(s))),
        must("1.3", "carriers-may-be-changed-at-any-time", |s| Box::pin(mixed_carriers(s))),
        must("3.2", "the-key-pair-is-named-by-its-thumbprint", |s| Box::pin(thumbprint(s))),
        must("3.3", "the-key-pair-is-there-before-the-first-request", |s| Box::pin(made_by_init(s))),
        must("3.3", "the-key-pair-stays-over-runs", |s| Box::pin(stays_over_runs(s))),
        must("3.3", "init-once-more-keeps-the-key-pair", |s| Box::pin(init_once_more(s))),
        must("3.3", "init-with-another-id-keeps-the-key-pair", |s| Box::pin(init_with_another_id(s))),
        must("3.3", "the-key-pair-stays-after-a-refusal", |s| Box::pin(stays_after_a_refusal(s))),
        must("3.3", "a-new-key-pair-comes-on-command", |s| Box::pin(new_on_command(s))),
        must("3.3", "two-servers-have-two-key-pairs", |s| Box::pin(two_servers(s))),
        must("3.4", "every-new-request-has-a-fresh-sealing-key", |s| Box::pin(fresh_sealing_key(s))),
        must("16.3", "a-new-key-pair-has-the-next-generation", |s| Box::pin(next_generation(s))),
        must("16.4", "a-cleared-key-pair-never-comes-back", |s| Box::pin(never_comes_back(s))),
        must("16.5", "the-old-server-goes-on-until-it-hears-of-the-clear", |s| Box::pin(goes_on(s))),
    ]
}

async fn first_synchronization(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    server.is("unsynchronized").await?;
    let changes = server.synchronize().await?.expect_synchronized()?;
    Finding::unless_equal(&vec![stage.license.to_string()], &changes.added)?;
    let status = server.status().await?;
    Finding::unless_equal(&"synchronized".to_owned(), &status.state)?;
    Finding::unless_equal(&vec![stage.license.to_string()], &status.licenses)?;
    Finding::unless_equal(&(Some(1), Some(1)), &(status.sequence, status.key_generation))
}

async fn second_server(stage: &Stage) -> Outcome {
    stage.synchronized_server("a").await?;
    let thief = stage.server("b").await?;
    thief.synchronize().await?.is_refused("key-pair-in-use")?;
    thief.is("unsynchronized").await?;
    thief.does_not_issue().await
}

async fn mixed_carriers(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    server.synchronize().await?.expect_synchronized()?;
    stage.synchronize_by_file(&server).await?;
    server.synchronize().await?.expect_synchronized()?;
    Finding::unless_equal(&Some(3), &server.status().await?.sequence)
}

async fn thumbprint(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    let bound = stage.exchanges().iter().find_map(|entry| entry.thumbprint).map(|thumbprint| thumbprint.to_string());
    Finding::unless_equal(&bound, &Some(server.status().await?.key_thumbprint))
}

async fn made_by_init(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    let before = server.status().await?.key_thumbprint;
    server.synchronize().await?.expect_synchronized()?;
    let sent: Vec<String> = stage.exchanges().iter().filter_map(|entry| Some(entry.thumbprint?.to_string())).collect();
    Finding::unless_equal(&vec![before], &sent)
}

async fn stays_over_runs(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    let before = server.status().await?.key_thumbprint;
    for _ in 0..3 {
        server.synchronize().await?.expect_synchronized()?;
        Finding::unless_equal(&before, &server.status().await?.key_thumbprint)?;
    }
    Ok(())
}

async fn init_once_more(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    let before = server.status().await?;
    server.init(ID, stage.main.trust_file()).await?.is_done()?;
    Finding::unless_equal(&before, &server.status().await?)?;
    server.synchronize().await?.expect_synchronized().map(drop)
}

async fn init_with_another_id(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    let before = server.status().await?;
    server.init("SITE-2", stage.main.trust_file()).await?.is_failed("local-state")?;
    Finding::unless_equal(&before, &server.status().await?)
}

async fn stays_after_a_refusal(stage: &Stage) -> Outcome {
    stage.synchronized_server("a").await?;
    let server = stage.server("b").await?;
    let before = server.status().await?.key_thumbprint;
    server.synchronize().await?.is_refused("key-pair-in-use")?;
    stage.clear_key_pair()?;
    server.synchronize().await?.expect_synchronized()?;
    Finding::unless_equal(&before, &server.status().await?.key_thumbprint)
}

async fn new_on_command(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    let before = server.status().await?;
    server.new_key_pair().await?.is_done()?;
    let after = server.status().await?;
    if before.key_thumbprint == after.key_thumbprint {
        return Err(Finding::deviates("another key pair", "the same key pair"));
    }
    Finding::unless_equal(&("unsynchronized".to_owned(), Vec::new()), &(after.state, after.licenses))?;
    server.does_not_issue().await?;
    server.synchronize().await?.is_refused("key-pair-in-use")
}

async fn two_servers(stage: &Stage) -> Outcome {
    let (one, two) = (stage.server("a").await?, stage.server("b").await?);
    if one.status().await?.key_thumbprint == two.status().await?.key_thumbprint {
        return Err(Finding::deviates("two key pairs", "one key pair in two state directories"));
    }
    Ok(())
}

async fn fresh_sealing_key(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    server.synchronize().await?.expect_synchronized()?;
    server.synchronize().await?.expect_synchronized()?;
    Finding::unless_equal(&Vec::<String>::new(), &stage.judgements())?;
    let requests = stage.requests()?;
    let distinct = |n: usize, m: usize| requests[n].sealing_jwk != requests[m].sealing_jwk;
    let fresh = requests.len() == 3 && distinct(0, 1) && distinct(1, 2) && distinct(0, 2);
    if fresh { Ok(()) } else { Err(Finding::deviates("three sealing keys", "a sealing key that was used before")) }
}

async fn next_generation(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    stage.clear_key_pair()?;
    server.new_key_pair().await?.is_done()?;
    server.synchronize().await?.expect_synchronized()?;
    let status = server.status().await?;
    Finding::unless_equal(&(Some(2), Some(2)), &(status.key_generation, status.sequence))?;
    server.issues().await
}

async fn never_comes_back(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    stage.clear_key_pair()?;
    server.synchronize().await?.is_refused("key-pair-cleared")?;
    let sent = stage.sent().len();
    server.synchronize().await?.is_refused("key-pair-cleared")?;
    server.is("cleared").await?;
    server.does_not_issue().await?;
    // Asking again is allowed, and vain.
    let accepted = stage.exchanges().iter().skip(sent).filter(|entry| entry.verdict == "accepted").count();
    Finding::unless_equal(&0, &accepted)
}

async fn goes_on(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    stage.clear_key_pair()?;
    server.is("synchronized").await?;
    server.issues().await
}

//! Sections 1, 3 and 16: the key pair, and who may use a license server id.

use super::stage::{ID, Stage};
use crate::conformance::{Case, Finding, Outcome, cases};

pub(super) fn cases() -> Vec<Case<Stage>> {
    cases! {
        "1.1" Must the_first_synchronization_makes_licenses_known;
        "1.2" Must a_second_server_with_the_id_is_refused;
        "1.3" Must carriers_may_be_changed_at_any_time;
        "3.2" Must the_key_pair_is_named_by_its_thumbprint;
        "3.3" Must the_key_pair_is_there_before_the_first_request;
        "3.3" Must the_key_pair_stays_over_runs;
        "3.3" Must init_once_more_keeps_the_key_pair;
        "3.3" Must init_with_another_id_keeps_the_key_pair;
        "3.3" Must the_key_pair_stays_after_a_refusal;
        "3.3" Must a_new_key_pair_comes_on_command;
        "3.3" Must two_servers_have_two_key_pairs;
        "3.4" Must every_new_request_has_a_fresh_sealing_key;
        "16.3" Must a_new_key_pair_has_the_next_generation;
        "16.4" Must a_cleared_key_pair_never_comes_back;
        "16.5" Must the_old_server_goes_on_until_it_hears_of_the_clear;
    }
}

async fn the_first_synchronization_makes_licenses_known(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    server.is("unsynchronized").await?;
    let changes = server.synchronize().await?.expect_synchronized()?;
    Finding::unless_equal(&vec![stage.license.to_string()], &changes.added)?;
    let status = server.status().await?;
    Finding::unless_equal(&"synchronized".to_owned(), &status.state)?;
    Finding::unless_equal(&vec![stage.license.to_string()], &status.licenses)?;
    Finding::unless_equal(&(Some(1), Some(1)), &(status.sequence, status.key_generation))
}

async fn a_second_server_with_the_id_is_refused(stage: &Stage) -> Outcome {
    stage.synchronized_server("a").await?;
    let thief = stage.server("b").await?;
    thief.synchronize().await?.is_refused("key-pair-in-use")?;
    thief.is("unsynchronized").await?;
    thief.does_not_issue().await
}

async fn carriers_may_be_changed_at_any_time(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    server.synchronize().await?.expect_synchronized()?;
    stage.synchronize_by_file(&server).await?;
    server.synchronize().await?.expect_synchronized()?;
    Finding::unless_equal(&Some(3), &server.status().await?.sequence)
}

async fn the_key_pair_is_named_by_its_thumbprint(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    let bound = stage.exchanges().iter().find_map(|entry| entry.thumbprint).map(|thumbprint| thumbprint.to_string());
    Finding::unless_equal(&bound, &Some(server.status().await?.key_thumbprint))
}

async fn the_key_pair_is_there_before_the_first_request(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    let before = server.status().await?.key_thumbprint;
    server.synchronize().await?.expect_synchronized()?;
    let sent: Vec<String> = stage.exchanges().iter().filter_map(|entry| Some(entry.thumbprint?.to_string())).collect();
    Finding::unless_equal(&vec![before], &sent)
}

async fn the_key_pair_stays_over_runs(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    let before = server.status().await?.key_thumbprint;
    for _ in 0..3 {
        server.synchronize().await?.expect_synchronized()?;
        Finding::unless_equal(&before, &server.status().await?.key_thumbprint)?;
    }
    Ok(())
}

async fn init_once_more_keeps_the_key_pair(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    let before = server.status().await?;
    server.init(ID, stage.main.trust_file()).await?.is_done()?;
    Finding::unless_equal(&before, &server.status().await?)?;
    server.synchronize().await?.expect_synchronized().map(drop)
}

async fn init_with_another_id_keeps_the_key_pair(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    let before = server.status().await?;
    server.init("SITE-2", stage.main.trust_file()).await?.is_failed("local-state")?;
    Finding::unless_equal(&before, &server.status().await?)
}

async fn the_key_pair_stays_after_a_refusal(stage: &Stage) -> Outcome {
    stage.synchronized_server("a").await?;
    let server = stage.server("b").await?;
    let before = server.status().await?.key_thumbprint;
    server.synchronize().await?.is_refused("key-pair-in-use")?;
    stage.clear_key_pair()?;
    server.synchronize().await?.expect_synchronized()?;
    Finding::unless_equal(&before, &server.status().await?.key_thumbprint)
}

async fn a_new_key_pair_comes_on_command(stage: &Stage) -> Outcome {
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

async fn two_servers_have_two_key_pairs(stage: &Stage) -> Outcome {
    let (one, two) = (stage.server("a").await?, stage.server("b").await?);
    if one.status().await?.key_thumbprint == two.status().await?.key_thumbprint {
        return Err(Finding::deviates("two key pairs", "the same key pair in both state directories"));
    }
    Ok(())
}

async fn every_new_request_has_a_fresh_sealing_key(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    server.synchronize().await?.expect_synchronized()?;
    server.synchronize().await?.expect_synchronized()?;
    Finding::unless_equal(&Vec::<String>::new(), &stage.judgements())?;
    let requests = stage.requests()?;
    let distinct = |n: usize, m: usize| requests[n].sealing_jwk != requests[m].sealing_jwk;
    let fresh = requests.len() == 3 && distinct(0, 1) && distinct(1, 2) && distinct(0, 2);
    if fresh {
        Ok(())
    } else {
        Err(Finding::deviates("three different sealing keys", "a sealing key that was used before"))
    }
}

async fn a_new_key_pair_has_the_next_generation(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    stage.clear_key_pair()?;
    server.new_key_pair().await?.is_done()?;
    server.synchronize().await?.expect_synchronized()?;
    let status = server.status().await?;
    Finding::unless_equal(&(Some(2), Some(2)), &(status.key_generation, status.sequence))?;
    server.issues().await
}

async fn a_cleared_key_pair_never_comes_back(stage: &Stage) -> Outcome {
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

async fn the_old_server_goes_on_until_it_hears_of_the_clear(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    stage.clear_key_pair()?;
    server.is("synchronized").await?;
    server.issues().await
}

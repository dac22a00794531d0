//! Sections 15 and 16: the trust file, and clearing the key pair.

use solme_sync_protocol::RefusalCode;

use super::super::stage::{FIRST_LICENSE, Stage, numbers};
use crate::conformance::{Case, Finding, Outcome, cases};

pub(super) fn cases() -> Vec<Case<Stage>> {
    cases! {
        "15.1" Must the_trust_file_names_addresses_ca_and_keys_that_hold;
        "16.1" Must the_key_pair_in_use_can_be_cleared;
        "16.2" Must a_clear_that_names_the_key_pair_in_use_clears_it;
        "16.2" Must a_clear_that_names_another_key_pair_is_already_done;
        "16.2" Must a_clear_of_a_free_id_is_already_done;
        "16.3" Must a_clear_raises_the_key_generation_by_one;
        "16.3" Must a_clear_leaves_allocation_and_sequence_as_they_are;
        "16.4" Must a_cleared_key_pair_is_dead_for_that_id_for_ever;
        "16.4" Must a_cleared_key_pair_is_dead_after_a_power_failure_too;
        "16.4" Must a_cleared_key_pair_may_live_under_another_id;
        "16.6" Must a_clear_can_reserve_the_id_for_one_new_key_pair;
        "16.7" Must an_id_can_be_reserved_before_its_first_synchronization;
        "16.7" Must a_reservation_can_be_changed_and_lifted_and_ends_with_the_bind;
    }
}

async fn the_trust_file_names_addresses_ca_and_keys_that_hold(stage: &Stage) -> Outcome {
    // it was read strictly when the main server started, and nothing else is trusted here
    let (server, synchronized) = stage.synchronized().await?;
    server.allocation(&synchronized).await?;
    let trusted = &server.site.main_server.trust.main_server_id;
    Finding::unless_equal(trusted, &synchronized.receipt.main_server_id)
}

async fn the_key_pair_in_use_can_be_cleared(stage: &Stage) -> Outcome {
    let site = stage.site().await?;
    site.license_server().synchronize().await?;
    let mut reinstalled = site.license_server();
    reinstalled.ask().await?.refused(RefusalCode::KeyPairInUse)?;
    site.clear().await?;
    reinstalled.synchronize().await.map(drop)
}

async fn a_clear_that_names_the_key_pair_in_use_clears_it(stage: &Stage) -> Outcome {
    let (server, _) = stage.synchronized().await?;
    Finding::unless_equal(&"done".to_owned(), &server.site.clear_that_of(&server).await?)?;
    server.ask().await?.refused(RefusalCode::KeyPairCleared).map(drop)
}

async fn a_clear_that_names_another_key_pair_is_already_done(stage: &Stage) -> Outcome {
    let (old, mut next) = stage.replaced().await?;
    // the second of two mails about one reinstalled server: it must not hit the new key pair
    Finding::unless_equal(&"already-done".to_owned(), &old.site.clear_that_of(&old).await?)?;
    let receipt = next.synchronize().await?.receipt;
    Finding::unless_equal(&(2, 3), &(receipt.key_generation, receipt.sequence))
}

async fn a_clear_of_a_free_id_is_already_done(stage: &Stage) -> Outcome {
    let (server, _) = stage.synchronized().await?;
    server.site.clear().await?;
    Finding::unless_equal(&"already-done".to_owned(), &server.site.clear_that_of(&server).await?)?;
    let generation = server.with_new_key_pair().synchronize().await?.receipt.key_generation;
    Finding::unless_equal(&2, &generation)
}

async fn a_clear_raises_the_key_generation_by_one(stage: &Stage) -> Outcome {
    let site = stage.site().await?;
    for wanted in 1..=3 {
        let mut server = site.license_server();
        Finding::unless_equal(&wanted, &server.synchronize().await?.receipt.key_generation)?;
        Finding::unless_equal(&wanted, &server.synchronize().await?.receipt.key_generation)?;
        site.clear().await?;
    }
    Ok(())
}

async fn a_clear_leaves_allocation_and_sequence_as_they_are(stage: &Stage) -> Outcome {
    let site = stage.site().await?;
    let mut old = site.license_server();
    old.synchronize().await?;
    let before = old.synchronize().await?.receipt;
    site.clear().await?;
    let mut next = site.license_server();
    let after = next.synchronize().await?;
    Finding::unless_equal(&vec![FIRST_LICENSE], &numbers(&next.allocation(&after).await?))?;
    let found = (after.receipt.sequence, after.receipt.allocation_revision);
    Finding::unless_equal(&(before.sequence + 1, before.allocation_revision), &found)
}

async fn a_cleared_key_pair_is_dead_for_that_id_for_ever(stage: &Stage) -> Outcome {
    let (mut first, mut second) = stage.replaced().await?;
    second.site.clear().await?;
    // both are dead, also without their receipts, and while the id is free
    for dead in [&mut first, &mut second] {
        dead.ask().await?.refused(RefusalCode::KeyPairCleared)?;
        dead.last_receipt = None;
        dead.ask().await?.refused(RefusalCode::KeyPairCleared)?;
    }
    Ok(())
}

async fn a_cleared_key_pair_is_dead_after_a_power_failure_too(stage: &Stage) -> Outcome {
    let mut server = stage.site_of_its_own().await?.license_server();
    server.synchronize().await?;
    server.site.clear().await?;
    let mut server = server.over_a_power_failure().await?;
    server.ask().await?.refused(RefusalCode::KeyPairCleared)?;
    server.last_receipt = None;
    server.ask().await?.refused(RefusalCode::KeyPairCleared)?;
    let next = server.with_new_key_pair().synchronize().await?.receipt;
    Finding::unless_equal(&(2, 2), &(next.key_generation, next.sequence))
}

async fn a_cleared_key_pair_may_live_under_another_id(stage: &Stage) -> Outcome {
    let (server, _) = stage.synchronized().await?;
    server.site.clear().await?;
    server.at(&server.site.another().await?).synchronize().await.map(drop)
}

async fn a_clear_can_reserve_the_id_for_one_new_key_pair(stage: &Stage) -> Outcome {
    let site = stage.site().await?;
    let mut old = site.license_server();
    old.synchronize().await?;
    let mut awaited = site.license_server();
    site.clear_for(&awaited).await?;
    site.license_server().ask().await?.refused(RefusalCode::KeyPairInUse)?;
    old.ask().await?.refused(RefusalCode::KeyPairCleared)?;
    let receipt = awaited.synchronize().await?.receipt;
    Finding::unless_equal(&(2, 2), &(receipt.key_generation, receipt.sequence))
}

async fn an_id_can_be_reserved_before_its_first_synchronization(stage: &Stage) -> Outcome {
    let site = stage.site().await?;
    let (mut awaited, other) = (site.license_server(), site.license_server());
    site.reserve(Some(&awaited)).await?;
    other.ask().await?.refused(RefusalCode::KeyPairInUse)?;
    Finding::unless_equal(&1, &awaited.synchronize().await?.receipt.sequence)
}

async fn a_reservation_can_be_changed_and_lifted_and_ends_with_the_bind(stage: &Stage) -> Outcome {
    let site = stage.site().await?;
    let (lost, mut next, mut last) = (site.license_server(), site.license_server(), site.license_server());
    site.reserve(Some(&lost)).await?;
    site.reserve(Some(&next)).await?;
    lost.ask().await?.refused(RefusalCode::KeyPairInUse)?;
    site.reserve(None).await?;
    next.synchronize().await?;
    site.clear().await?;
    last.synchronize().await.map(drop)
}

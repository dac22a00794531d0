//! Sections 15 and 16: the trust file, and clearing the key pair.

use solme_sync_protocol::RefusalCode;

use super::super::stage::{FIRST_LICENSE, Stage, numbers};
use super::cases;
use crate::conformance::{Finding, Outcome};

cases! {
    "15.1" "the-trust-file-names-addresses-ca-and-keys-that-hold" Must trust_file;
    "16.1" "the-key-pair-in-use-can-be-cleared" Must cleared;
    "16.2" "a-clear-that-names-the-key-pair-in-use-clears-it" Must named;
    "16.2" "a-clear-that-names-another-key-pair-is-already-done" Must another_is_in_use;
    "16.2" "a-clear-of-a-free-id-is-already-done" Must none_is_in_use;
    "16.3" "a-clear-raises-the-key-generation-by-one" Must generation;
    "16.3" "a-clear-leaves-allocation-and-sequence-as-they-are" Must allocation_and_sequence;
    "16.4" "a-cleared-key-pair-is-dead-for-that-id-for-ever" Must dead_for_ever;
    "16.4" "a-cleared-key-pair-is-dead-after-a-power-failure-too" Must dead_after_a_power_failure;
    "16.4" "a-cleared-key-pair-may-live-under-another-id" Must lives_elsewhere;
    "16.6" "a-clear-can-reserve-the-id-for-one-new-key-pair" Must reserves;
    "16.7" "an-id-can-be-reserved-before-its-first-synchronization" Must reserved_from_the_beginning;
    "16.7" "a-reservation-can-be-changed-and-lifted-and-ends-with-the-bind" Must reservation_changes;
}

async fn trust_file(stage: &Stage) -> Outcome {
    // it was read strictly when the main server started, and nothing else is trusted here
    let mut server = stage.site().await?.license_server();
    let synchronized = server.synchronize().await?;
    server.allocation(&synchronized).await?;
    let trusted = &server.site.main_server.trust.main_server_id;
    Finding::unless_equal(trusted, &synchronized.receipt.main_server_id)
}

async fn cleared(stage: &Stage) -> Outcome {
    let site = stage.site().await?;
    site.license_server().synchronize().await?;
    let mut reinstalled = site.license_server();
    reinstalled.ask().await?.refused(RefusalCode::KeyPairInUse)?;
    site.clear().await?;
    reinstalled.synchronize().await.map(drop)
}

async fn named(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    server.synchronize().await?;
    Finding::unless_equal(&"done".to_owned(), &server.site.clear_that_of(&server).await?)?;
    server.ask().await?.refused(RefusalCode::KeyPairCleared).map(drop)
}

async fn another_is_in_use(stage: &Stage) -> Outcome {
    let site = stage.site().await?;
    let mut old = site.license_server();
    old.synchronize().await?;
    site.clear().await?;
    let mut next = site.license_server();
    next.synchronize().await?;
    // the second of two mails about one reinstalled server: it must not hit the new key pair
    Finding::unless_equal(&"already-done".to_owned(), &site.clear_that_of(&old).await?)?;
    let receipt = next.synchronize().await?.receipt;
    Finding::unless_equal(&(2, 3), &(receipt.key_generation, receipt.sequence))
}

async fn none_is_in_use(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    server.synchronize().await?;
    server.site.clear().await?;
    Finding::unless_equal(&"already-done".to_owned(), &server.site.clear_that_of(&server).await?)?;
    let generation = server.with_new_key_pair().synchronize().await?.receipt.key_generation;
    Finding::unless_equal(&2, &generation)
}

async fn generation(stage: &Stage) -> Outcome {
    let site = stage.site().await?;
    for wanted in 1..=3 {
        let mut server = site.license_server();
        Finding::unless_equal(&wanted, &server.synchronize().await?.receipt.key_generation)?;
        Finding::unless_equal(&wanted, &server.synchronize().await?.receipt.key_generation)?;
        site.clear().await?;
    }
    Ok(())
}

async fn allocation_and_sequence(stage: &Stage) -> Outcome {
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

async fn dead_for_ever(stage: &Stage) -> Outcome {
    let site = stage.site().await?;
    let mut first = site.license_server();
    first.synchronize().await?;
    site.clear().await?;
    let mut second = site.license_server();
    second.synchronize().await?;
    site.clear().await?;
    // both are dead, also without their receipts, and while the id is free
    for dead in [&mut first, &mut second] {
        dead.ask().await?.refused(RefusalCode::KeyPairCleared)?;
        dead.last_receipt = None;
        dead.ask().await?.refused(RefusalCode::KeyPairCleared)?;
    }
    Ok(())
}

async fn dead_after_a_power_failure(stage: &Stage) -> Outcome {
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

async fn lives_elsewhere(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    server.synchronize().await?;
    server.site.clear().await?;
    server.at(&server.site.another().await?).synchronize().await.map(drop)
}

async fn reserves(stage: &Stage) -> Outcome {
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

async fn reserved_from_the_beginning(stage: &Stage) -> Outcome {
    let site = stage.site().await?;
    let (mut awaited, other) = (site.license_server(), site.license_server());
    site.reserve(Some(&awaited)).await?;
    other.ask().await?.refused(RefusalCode::KeyPairInUse)?;
    Finding::unless_equal(&1, &awaited.synchronize().await?.receipt.sequence)
}

async fn reservation_changes(stage: &Stage) -> Outcome {
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

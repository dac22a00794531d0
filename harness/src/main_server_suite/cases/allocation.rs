//! Section 7: allocation and payload.

use solme_sync_protocol::{BASE, Digest, SEALING_OVERHEAD};

use super::super::stage::{FIRST_LICENSE, SECOND_LICENSE, Stage, numbers};
use crate::conformance::{Case, Finding, Outcome, cases};

/// Ten years, whichever way somebody counts them.
const TEN_YEARS: std::ops::RangeInclusive<u64> = 3_640 * 86_400..=3_660 * 86_400;

pub(super) fn cases() -> Vec<Case<Stage>> {
    cases! {
        "1.1" Must a_synchronization_tells_which_licenses_are_allocated;
        "7.1" Must the_allocation_is_a_full_snapshot;
        "7.1" Must a_license_that_was_removed_is_in_no_allocation_any_more;
        "7.1" Must every_change_raises_the_revision;
        "7.2" Must the_allocation_is_well_formed;
        "7.3" Must the_payload_opens_with_the_one_time_key_alone;
        "7.3" Must the_payload_is_enc_ciphertext_and_tag;
        "7.4" Must info_names_main_server_id_license_server_id_request_digest_and_sync_id;
        "7.5" Must each_receipt_has_a_salt_of_its_own;
        "7.5" Must the_digests_of_payload_and_allocation_are_right;
    }
}

async fn a_synchronization_tells_which_licenses_are_allocated(stage: &Stage) -> Outcome {
    let (server, synchronized) = stage.synchronized().await?;
    let allocation = server.allocation(&synchronized).await?;
    Finding::unless_equal(&vec![FIRST_LICENSE], &numbers(&allocation))?;
    let license = &allocation.licenses[0];
    let users: Vec<(&str, u64)> = license.components.iter().map(|c| (c.id.as_str(), c.max_users)).collect();
    Finding::unless_equal(&vec![(BASE, 5)], &users)?;
    let validity = license.expires_at.map(|end| end.since(license.valid_from));
    if validity.is_some_and(|validity| TEN_YEARS.contains(&validity)) {
        return Ok(());
    }
    Err(Finding::deviates("a license valid for ten years", format!("{validity:?} s")))
}

async fn the_allocation_is_a_full_snapshot(stage: &Stage) -> Outcome {
    let (mut server, _) = stage.synchronized().await?;
    server.site.allocate(SECOND_LICENSE).await?;
    let synchronized = server.synchronize().await?;
    Finding::unless_equal(&vec![FIRST_LICENSE, SECOND_LICENSE], &numbers(&server.allocation(&synchronized).await?))
}

async fn a_license_that_was_removed_is_in_no_allocation_any_more(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    server.site.allocate(SECOND_LICENSE).await?;
    server.synchronize().await?;
    server.site.remove_license(FIRST_LICENSE).await?;
    let synchronized = server.synchronize().await?;
    Finding::unless_equal(&vec![SECOND_LICENSE], &numbers(&server.allocation(&synchronized).await?))
}

async fn every_change_raises_the_revision(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    let first = server.synchronize().await?.receipt.allocation_revision;
    server.site.allocate(SECOND_LICENSE).await?;
    let second = server.synchronize().await?.receipt.allocation_revision;
    server.site.remove_license(SECOND_LICENSE).await?;
    let third = server.synchronize().await?.receipt.allocation_revision;
    let fourth = server.synchronize().await?.receipt.allocation_revision;
    if first < second && second < third && third == fourth {
        return Ok(());
    }
    let got = format!("{first}, {second} with a license added, {third} with one removed, {fourth} with no change");
    Err(Finding::deviates("a revision that rises with each change and only then", got))
}

async fn the_allocation_is_well_formed(stage: &Stage) -> Outcome {
    let (mut server, synchronized) = stage.synchronized().await?;
    let allocation = server.allocation(&synchronized).await?;
    Finding::unless_equal(&synchronized.receipt.allocation_revision, &allocation.revision)?;
    server.site.remove_license(FIRST_LICENSE).await?;
    let empty = server.synchronize().await?;
    Finding::unless_equal(&Vec::<&str>::new(), &numbers(&server.allocation(&empty).await?))
}

async fn the_payload_opens_with_the_one_time_key_alone(stage: &Stage) -> Outcome {
    let (mut server, first) = stage.synchronized().await?;
    server.allocation(&first).await?;
    let second = server.synchronize().await?;
    let payload = server.payload(&second).await?;
    match server.open(&first.request.sealing, &second, &payload) {
        Ok(_) => Err(Finding::deviates("a payload that only its own one-time key opens", "an older one opens it")),
        Err(_) => server.open(&second.request.sealing, &second, &payload).map(drop),
    }
}

async fn the_payload_is_enc_ciphertext_and_tag(stage: &Stage) -> Outcome {
    let (server, synchronized) = stage.synchronized().await?;
    let payload = server.payload(&synchronized).await?;
    Finding::unless_equal(&synchronized.receipt.payload_size, &(payload.len() as u64))?;
    let clear = server.open(&synchronized.request.sealing, &synchronized, &payload)?;
    Finding::unless_equal(&(clear.len() + SEALING_OVERHEAD), &payload.len())
}

async fn info_names_main_server_id_license_server_id_request_digest_and_sync_id(stage: &Stage) -> Outcome {
    let (server, synchronized) = stage.synchronized().await?;
    let payload = server.payload(&synchronized).await?;
    if synchronized.request.sealing.open(b"", &payload).is_ok() {
        return Err(Finding::deviates("a payload sealed under the info of 7.4", "one sealed under an empty info"));
    }
    server.open(&synchronized.request.sealing, &synchronized, &payload).map(drop)
}

/// An allocation that nobody has changed: its salts and its digests tell nothing about that.
async fn each_receipt_has_a_salt_of_its_own(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    let mut seen = Vec::new();
    for _ in 0..3 {
        let synchronized = server.synchronize().await?;
        server.allocation(&synchronized).await?;
        let payload = server.payload(&synchronized).await?;
        let clear = server.open(&synchronized.request.sealing, &synchronized, &payload)?;
        let salt = serde_json::from_slice::<serde_json::Value>(&clear).unwrap_or_default()["salt"].to_string();
        let digest = synchronized.receipt.allocation_digest;
        if seen.iter().any(|(other, its_digest)| *other == salt || *its_digest == digest) {
            return Err(Finding::deviates(
                "a salt and a digest that differ from those of every other receipt",
                format!("{salt}, {digest}"),
            ));
        }
        seen.push((salt, digest));
    }
    Ok(())
}

async fn the_digests_of_payload_and_allocation_are_right(stage: &Stage) -> Outcome {
    let (server, synchronized) = stage.synchronized().await?;
    let payload = server.payload(&synchronized).await?;
    Finding::unless_equal(&Digest::of(&payload), &synchronized.receipt.payload_digest)?;
    let clear = server.open(&synchronized.request.sealing, &synchronized, &payload)?;
    Finding::unless_equal(&Digest::of(&clear), &synchronized.receipt.allocation_digest)
}

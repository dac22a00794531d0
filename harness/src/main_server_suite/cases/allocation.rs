//! Section 7: allocation and payload.

use solme_sync_protocol::{BASE, Digest, SEALING_OVERHEAD};

use super::super::stage::{FIRST_LICENSE, SECOND_LICENSE, Stage, numbers};
use super::cases;
use crate::conformance::{Finding, Outcome};

/// Ten years, whichever way somebody counts them.
const TEN_YEARS: std::ops::RangeInclusive<u64> = 3_640 * 86_400..=3_660 * 86_400;

cases! {
    "1.1" "a-synchronization-tells-which-licenses-are-allocated" Must as_allocated;
    "7.1" "the-allocation-is-a-full-snapshot" Must snapshot;
    "7.1" "a-license-that-was-removed-is-in-no-allocation-any-more" Must removed;
    "7.1" "every-change-raises-the-revision" Must revision;
    "7.2" "the-allocation-is-well-formed" Must well_formed;
    "7.3" "the-payload-opens-with-the-one-time-key-alone" Must one_time_key;
    "7.3" "the-payload-is-enc-ciphertext-and-tag" Must size;
    "7.4" "info-names-main-server-id-license-server-id-request-digest-and-sync-id" Must info;
    "7.5" "each-receipt-has-a-salt-of-its-own" Must salted;
    "7.5" "the-digests-of-payload-and-allocation-are-right" Must digests;
}

async fn as_allocated(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    let synchronized = server.synchronize().await?;
    let allocation = server.allocation(&synchronized).await?;
    Finding::unless_equal(&vec![FIRST_LICENSE], &numbers(&allocation))?;
    let license = &allocation.licenses[0];
    let users: Vec<(&str, u64)> = license.components.iter().map(|c| (c.id.as_str(), c.max_users)).collect();
    Finding::unless_equal(&vec![(BASE, 5)], &users)?;
    let validity = license.expires_at.map(|end| end.since(license.valid_from));
    if validity.is_some_and(|validity| TEN_YEARS.contains(&validity)) {
        return Ok(());
    }
    Err(Finding::deviates("a license that is valid for ten years", format!("{validity:?} s")))
}

async fn snapshot(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    server.synchronize().await?;
    server.site.allocate(SECOND_LICENSE).await?;
    let synchronized = server.synchronize().await?;
    Finding::unless_equal(&vec![FIRST_LICENSE, SECOND_LICENSE], &numbers(&server.allocation(&synchronized).await?))
}

async fn removed(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    server.site.allocate(SECOND_LICENSE).await?;
    server.synchronize().await?;
    server.site.remove_license(FIRST_LICENSE).await?;
    let synchronized = server.synchronize().await?;
    Finding::unless_equal(&vec![SECOND_LICENSE], &numbers(&server.allocation(&synchronized).await?))
}

async fn revision(stage: &Stage) -> Outcome {
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
    let got = format!("{first}, {second} after a license more, {third} after one less, {fourth} after no change");
    Err(Finding::deviates("a revision that each change raises, and nothing else", got))
}

async fn well_formed(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    let synchronized = server.synchronize().await?;
    let allocation = server.allocation(&synchronized).await?;
    Finding::unless_equal(&synchronized.receipt.allocation_revision, &allocation.revision)?;
    server.site.remove_license(FIRST_LICENSE).await?;
    let empty = server.synchronize().await?;
    Finding::unless_equal(&Vec::<&str>::new(), &numbers(&server.allocation(&empty).await?))
}

async fn one_time_key(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    let first = server.synchronize().await?;
    server.allocation(&first).await?;
    let second = server.synchronize().await?;
    let payload = server.payload(&second).await?;
    match server.open(&first.request.sealing, &second, &payload) {
        Ok(_) => {
            Err(Finding::deviates("a payload that opens with its own one-time key alone", "an older one opens it"))
        }
        Err(_) => server.open(&second.request.sealing, &second, &payload).map(drop),
    }
}

async fn size(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    let synchronized = server.synchronize().await?;
    let payload = server.payload(&synchronized).await?;
    Finding::unless_equal(&synchronized.receipt.payload_size, &(payload.len() as u64))?;
    let clear = server.open(&synchronized.request.sealing, &synchronized, &payload)?;
    Finding::unless_equal(&(clear.len() + SEALING_OVERHEAD), &payload.len())
}

async fn info(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    let synchronized = server.synchronize().await?;
    let payload = server.payload(&synchronized).await?;
    if synchronized.request.sealing.open(b"", &payload).is_ok() {
        return Err(Finding::deviates("a payload sealed under the info of 7.4", "one sealed under an empty info"));
    }
    server.open(&synchronized.request.sealing, &synchronized, &payload).map(drop)
}

/// An allocation that nobody has changed: its salts and its digests tell nothing about that.
async fn salted(stage: &Stage) -> Outcome {
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
                "a salt and a digest that no other receipt has",
                format!("{salt}, {digest}"),
            ));
        }
        seen.push((salt, digest));
    }
    Ok(())
}

async fn digests(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    let synchronized = server.synchronize().await?;
    let payload = server.payload(&synchronized).await?;
    Finding::unless_equal(&Digest::of(&payload), &synchronized.receipt.payload_digest)?;
    let clear = server.open(&synchronized.request.sealing, &synchronized, &payload)?;
    Finding::unless_equal(&Digest::of(&clear), &synchronized.receipt.allocation_digest)
}

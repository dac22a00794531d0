//! Section 6: the receipt.

use solme_sync_protocol::SYNCHRONIZE_WITHIN;

use super::super::stage::{Stage, Synchronized};
use super::file::file_of;
use super::{cases, near, of};
use crate::conformance::{Finding, Outcome};

cases! {
    "6.1" "a-receipt-says-what-was-asked-and-by-whom" Must members;
    "6.2" "synchronize-by-is-366-days-after-iat" Must deadline;
    "6.2" "the-deadline-moves-with-main-server-time" Must deadline_moves;
    "6.3" "the-sequence-is-exactly-one-more-each-time" Must sequence;
    "6.3" "the-sequence-goes-on-over-all-key-pairs-of-the-id" Must sequence_over_key_pairs;
    "6.3" "each-license-server-id-has-a-sequence-of-its-own" Must sequence_of_each_id;
}

async fn members(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    let Synchronized { request, receipt, .. } = server.synchronize().await?;
    let asked = [
        ("iss", server.site.main_server.trust.main_server_id.to_string(), receipt.main_server_id.to_string()),
        ("aud", server.site.id.clone(), receipt.license_server_id.to_string()),
        ("request_id", request.member("jti"), receipt.request_id.to_string()),
        ("request_digest", request.digest.to_string(), receipt.request_digest.to_string()),
        ("key_thumbprint", request.thumbprint.to_string(), receipt.key_thumbprint.to_string()),
        ("key_generation", "1".to_owned(), receipt.key_generation.to_string()),
        ("sequence", "1".to_owned(), receipt.sequence.to_string()),
    ];
    for (member, wanted, found) in asked {
        Finding::unless_equal(&format!("{member} {wanted}"), &format!("{member} {found}"))?;
    }
    Ok(())
}

async fn deadline(stage: &Stage) -> Outcome {
    let receipt = stage.site().await?.license_server().synchronize().await?.receipt;
    Finding::unless_equal(&(receipt.main_server_time.as_secs() + SYNCHRONIZE_WITHIN), &receipt.synchronize_by.as_secs())
}

async fn deadline_moves(stage: &Stage) -> Outcome {
    let site = stage.site_of_its_own().await?;
    let mut server = site.license_server();
    let first = server.synchronize().await?.receipt;
    site.advance_clock(SYNCHRONIZE_WITHIN).await?;
    let second = server.synchronize().await?.receipt;
    if second.main_server_time < first.synchronize_by {
        let expected = format!("an iat of {} or later, 366 days on", first.synchronize_by.as_secs());
        return Err(Finding::deviates(expected, second.main_server_time.as_secs().to_string()));
    }
    Finding::unless_equal(&second.main_server_time.synchronize_by(), &second.synchronize_by)?;
    let (answer, _) = site.answer_file(&file_of(&server.request())).await?;
    let (_, by_file) = answer.accepted()?;
    of("by file", near(second.main_server_time, by_file.main_server_time))?;
    of("by file", Finding::unless_equal(&by_file.main_server_time.synchronize_by(), &by_file.synchronize_by))
}

async fn sequence(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    for wanted in 1..=4 {
        Finding::unless_equal(&wanted, &server.synchronize().await?.receipt.sequence)?;
    }
    Ok(())
}

async fn sequence_over_key_pairs(stage: &Stage) -> Outcome {
    let site = stage.site().await?;
    for wanted in 1..=3 {
        Finding::unless_equal(&wanted, &site.license_server().synchronize().await?.receipt.sequence)?;
        site.clear().await?;
    }
    Ok(())
}

async fn sequence_of_each_id(stage: &Stage) -> Outcome {
    let site = stage.site().await?;
    let mut server = site.license_server();
    server.synchronize().await?;
    let elsewhere = site.another().await?.license_server().synchronize().await?.receipt.sequence;
    let here = server.synchronize().await?.receipt.sequence;
    Finding::unless_equal(&(1, 2), &(elsewhere, here))
}

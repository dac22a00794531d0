//! Section 6: the receipt.

use solme_sync_protocol::SYNCHRONIZE_WITHIN;

use super::super::stage::{Stage, Synchronized};
use super::file::file_of;
use super::{near, of};
use crate::conformance::{Case, Finding, Outcome, cases};

pub(super) fn cases() -> Vec<Case<Stage>> {
    cases! {
        "6.1" Must a_receipt_says_what_was_asked_and_by_whom;
        "6.2" Must synchronize_by_is_366_days_after_iat;
        "6.2" Must the_deadline_moves_with_main_server_time;
        "6.3" Must the_sequence_is_exactly_one_more_each_time;
        "6.3" Must the_sequence_goes_on_over_all_key_pairs_of_the_id;
        "6.3" Must each_license_server_id_has_a_sequence_of_its_own;
    }
}

async fn a_receipt_says_what_was_asked_and_by_whom(stage: &Stage) -> Outcome {
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

async fn synchronize_by_is_366_days_after_iat(stage: &Stage) -> Outcome {
    let receipt = stage.site().await?.license_server().synchronize().await?.receipt;
    Finding::unless_equal(&(receipt.main_server_time.as_secs() + SYNCHRONIZE_WITHIN), &receipt.synchronize_by.as_secs())
}

async fn the_deadline_moves_with_main_server_time(stage: &Stage) -> Outcome {
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

async fn the_sequence_is_exactly_one_more_each_time(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    for wanted in 1..=4 {
        Finding::unless_equal(&wanted, &server.synchronize().await?.receipt.sequence)?;
    }
    Ok(())
}

async fn the_sequence_goes_on_over_all_key_pairs_of_the_id(stage: &Stage) -> Outcome {
    let site = stage.site().await?;
    for wanted in 1..=3 {
        Finding::unless_equal(&wanted, &site.license_server().synchronize().await?.receipt.sequence)?;
        site.clear().await?;
    }
    Ok(())
}

async fn each_license_server_id_has_a_sequence_of_its_own(stage: &Stage) -> Outcome {
    let site = stage.site().await?;
    let mut server = site.license_server();
    server.synchronize().await?;
    let elsewhere = site.another().await?.license_server().synchronize().await?.receipt.sequence;
    let here = server.synchronize().await?.receipt.sequence;
    Finding::unless_equal(&(1, 2), &(elsewhere, here))
}

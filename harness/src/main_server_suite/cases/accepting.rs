//! Section 9.9 to 9.15: binding, accepting, and what the claimed receipt tells.

use solme_sync_protocol::{InvalidRequestReason, RefusalCode};

use super::super::answer::{Answer, same_bytes};
use super::super::draft::string;
use super::super::stage::{LicenseServer, Stage};
use super::of;
use crate::conformance::{Case, Finding, Outcome, cases};

pub(super) fn cases() -> Vec<Case<Stage>> {
    cases! {
        "9.9" Must an_id_that_is_reserved_refuses_every_other_key_pair;
        "9.10" Must a_free_id_is_bound_by_the_first_request_without_a_receipt;
        "9.10" Must a_free_id_is_not_bound_by_a_request_that_claims_a_receipt;
        "9.11" Must the_key_pair_in_use_is_served_with_its_newest_receipt;
        "9.11" Must the_newest_receipt_is_told_by_its_bytes_not_its_sequence;
        "9.12" Must a_receipt_that_nobody_gave_is_not_ours;
        "9.12" Must a_receipt_of_another_main_server_is_not_ours;
        "9.12" Must a_receipt_for_another_id_is_not_ours;
        "9.12" Must a_receipt_for_another_key_pair_is_not_ours;
        "9.12" Must a_receipt_with_a_changed_signature_is_not_ours;
        "9.12" Must a_copied_local_server_has_diverged;
        "9.12" Must a_local_server_without_its_receipt_has_diverged;
        "9.12" Must a_restored_main_server_knows_that_it_is_behind;
        "9.12" Must a_restored_main_server_is_behind_where_no_key_pair_is_bound_too;
        "9.12" Must a_restored_main_server_serves_whom_it_has_not_forgotten;
        "9.13" Must copies_of_one_request_in_flight_get_one_answer;
        "9.13" Must of_two_key_pairs_in_flight_one_is_bound;
        "9.13" Must what_was_answered_survives_a_power_failure;
        "9.13" Must what_was_accepted_earlier_survives_a_power_failure;
        "9.15" Must a_refusal_changes_nothing;
    }
}

async fn an_id_that_is_reserved_refuses_every_other_key_pair(stage: &Stage) -> Outcome {
    let site = stage.site().await?;
    let mut old = site.license_server();
    old.synchronize().await?;
    let (mut awaited, thief) = (site.license_server(), site.license_server());
    site.clear_for(&awaited).await?;
    thief.ask().await?.refused(RefusalCode::KeyPairInUse)?;
    awaited.synchronize().await?;
    thief.ask().await?.refused(RefusalCode::KeyPairInUse).map(drop)
}

async fn a_free_id_is_bound_by_the_first_request_without_a_receipt(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    let receipt = server.synchronize().await?.receipt;
    let found = (receipt.key_thumbprint, receipt.key_generation, receipt.sequence);
    Finding::unless_equal(&(server.key.thumbprint(), 1, 1), &found)
}

async fn the_newest_receipt_is_told_by_its_bytes_not_its_sequence(stage: &Stage) -> Outcome {
    let mut server = stage.site_of_its_own().await?.license_server();
    server.synchronize().await?;
    server.site.snapshot().await?;
    let mut copy = server.clone();
    server.synchronize().await?;
    server.site.restore().await?;
    // of the two receipts with sequence 2 the main server knows that of the copy
    Finding::unless_equal(&2, &copy.synchronize().await?.receipt.sequence)?;
    server.ask().await?.refused(RefusalCode::StateDiverged)?;
    Finding::unless_equal(&3, &copy.synchronize().await?.receipt.sequence)
}

async fn a_free_id_is_not_bound_by_a_request_that_claims_a_receipt(stage: &Stage) -> Outcome {
    let site = stage.site().await?;
    let mut old = site.license_server();
    old.synchronize().await?;
    site.clear().await?;
    let mut next = site.license_server();
    next.last_receipt = old.last_receipt;
    next.ask().await?.invalid(InvalidRequestReason::LastReceiptNotOurs)?;
    next.last_receipt = None;
    next.synchronize().await.map(drop)
}

async fn the_key_pair_in_use_is_served_with_its_newest_receipt(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    for wanted in 1..=3 {
        let receipt = server.synchronize().await?.receipt;
        Finding::unless_equal(&(server.key.thumbprint(), wanted), &(receipt.key_thumbprint, receipt.sequence))?;
    }
    Ok(())
}

async fn a_receipt_that_nobody_gave_is_not_ours(stage: &Stage) -> Outcome {
    let (mut server, newest) = stage.synchronized().await?;
    for (variant, claimed) in [
        ("no JWS", "receipt".to_owned()),
        ("an empty text", String::new()),
        ("a request", newest.request.jws.clone()),
        // the main server has signed it, and it is no receipt
        ("a refusal", signed_refusal(&server).await?),
        ("half of the newest receipt", newest.text[..newest.text.len() / 2].to_owned()),
    ] {
        server.last_receipt = Some(claimed);
        of(variant, server.ask().await?.invalid(InvalidRequestReason::LastReceiptNotOurs))?;
    }
    Ok(())
}

/// What the main server signs when it refuses a request of this License Server.
async fn signed_refusal(server: &LicenseServer) -> Result<String, Finding> {
    let malformed = server.request_with(|payload| payload.remove("product"));
    match server.send(&malformed).await? {
        Answer::Refusal { text, .. } => Ok(text),
        other => other.refused(RefusalCode::InvalidRequest).map(|_| String::new()),
    }
}

async fn a_receipt_of_another_main_server_is_not_ours(stage: &Stage) -> Outcome {
    let (mut server, _) = stage.synchronized().await?;
    let elsewhere = stage.site_of_another_main_server().await?;
    server.last_receipt = Some(server.at(&elsewhere).synchronize().await?.text);
    server.ask().await?.invalid(InvalidRequestReason::LastReceiptNotOurs)
}

async fn a_receipt_for_another_id_is_not_ours(stage: &Stage) -> Outcome {
    let site = stage.site().await?;
    let mut server = site.license_server();
    server.synchronize().await?;
    server.last_receipt = Some(server.at(&site.another().await?).synchronize().await?.text);
    server.ask().await?.invalid(InvalidRequestReason::LastReceiptNotOurs)
}

async fn a_receipt_for_another_key_pair_is_not_ours(stage: &Stage) -> Outcome {
    let (old, mut next) = stage.replaced().await?;
    next.last_receipt = old.last_receipt;
    next.ask().await?.invalid(InvalidRequestReason::LastReceiptNotOurs)
}

async fn a_receipt_with_a_changed_signature_is_not_ours(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    let first = server.synchronize().await?.text;
    server.synchronize().await?;
    // an older receipt, so that the signature is looked at; the newest is told by its signing input alone
    let signing_input = first.rsplit_once('.').map_or("", |(signing_input, _)| signing_input);
    let foreign = solme_sync_protocol::base64url::encode(server.key.sign(signing_input));
    server.last_receipt = Some(format!("{signing_input}.{foreign}"));
    server.ask().await?.invalid(InvalidRequestReason::LastReceiptNotOurs)
}

async fn a_copied_local_server_has_diverged(stage: &Stage) -> Outcome {
    let (mut server, _) = stage.synchronized().await?;
    let copy = server.clone();
    server.synchronize().await?;
    copy.ask().await?.refused(RefusalCode::StateDiverged)?;
    Finding::unless_equal(&3, &server.synchronize().await?.receipt.sequence)?;
    copy.ask().await?.refused(RefusalCode::StateDiverged).map(drop)
}

async fn a_local_server_without_its_receipt_has_diverged(stage: &Stage) -> Outcome {
    let (mut server, _) = stage.synchronized().await?;
    server.last_receipt = None;
    server.ask().await?.refused(RefusalCode::StateDiverged).map(drop)
}

async fn a_restored_main_server_knows_that_it_is_behind(stage: &Stage) -> Outcome {
    let mut server = stage.site_of_its_own().await?.license_server();
    server.synchronize().await?;
    server.site.snapshot().await?;
    server.synchronize().await?;
    server.site.restore().await?;
    server.ask().await?.refused(RefusalCode::MainServerBehind)?;
    server.ask().await?.refused(RefusalCode::MainServerBehind).map(drop)
}

async fn a_restored_main_server_is_behind_where_no_key_pair_is_bound_too(stage: &Stage) -> Outcome {
    let mut server = stage.site_of_its_own().await?.license_server();
    server.site.snapshot().await?;
    server.synchronize().await?;
    server.site.restore().await?;
    server.ask().await?.refused(RefusalCode::MainServerBehind).map(drop)
}

async fn a_restored_main_server_serves_whom_it_has_not_forgotten(stage: &Stage) -> Outcome {
    let mut server = stage.site_of_its_own().await?.license_server();
    let newest = server.synchronize().await?;
    server.site.snapshot().await?;
    server.site.another().await?.license_server().synchronize().await?;
    server.site.restore().await?;
    server.gets_again(&newest).await?;
    Finding::unless_equal(&2, &server.synchronize().await?.receipt.sequence)
}

async fn copies_of_one_request_in_flight_get_one_answer(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    for round in 1..=4 {
        let request = server.request();
        let copies = tokio::join!(server.send(&request), server.send(&request), server.send(&request));
        let (first, receipt) = copies.0?.accepted()?;
        for copy in [copies.1, copies.2] {
            let (copy, _) = copy?.accepted()?;
            same_bytes("one receipt", first.as_bytes(), copy.as_bytes())?;
        }
        Finding::unless_equal(&round, &receipt.sequence)?;
        server.last_receipt = Some(first);
    }
    Ok(())
}

async fn of_two_key_pairs_in_flight_one_is_bound(stage: &Stage) -> Outcome {
    let site = stage.site().await?;
    let (one, other) = (site.license_server(), site.license_server());
    let (first, second) = (one.request(), other.request());
    let (first, second) = tokio::join!(one.send(&first), other.send(&second));
    let ((mut bound, receipt), refused) = match (first?.accepted(), second?) {
        (Ok((receipt, _)), answer) => {
            answer.refused(RefusalCode::KeyPairInUse)?;
            ((one, receipt), other)
        }
        (Err(_), answer) => ((other, answer.accepted()?.0), one),
    };
    bound.last_receipt = Some(receipt);
    bound.synchronize().await?;
    refused.ask().await?.refused(RefusalCode::KeyPairInUse).map(drop)
}

async fn what_was_answered_survives_a_power_failure(stage: &Stage) -> Outcome {
    let mut server = stage.site_of_its_own().await?.license_server();
    let newest = server.synchronize().await?;
    let payload = server.payload(&newest).await?;
    let mut server = server.over_a_power_failure().await?;
    server.gets_again(&newest).await?;
    same_bytes("the same payload", &payload, &server.payload(&newest).await?)?;
    Finding::unless_equal(&2, &server.synchronize().await?.receipt.sequence)
}

async fn what_was_accepted_earlier_survives_a_power_failure(stage: &Stage) -> Outcome {
    let mut server = stage.site_of_its_own().await?.license_server();
    let older = server.synchronize().await?.request;
    server.synchronize().await?;
    let mut server = server.over_a_power_failure().await?;
    server.send(&older).await?.refused(RefusalCode::RequestAlreadyAnswered)?;
    let same_id = server.request_with(|payload| payload.set("jti", string(&older.member("jti"))));
    server.send(&same_id).await?.invalid(InvalidRequestReason::RequestIdReused)?;
    server.with_new_key_pair().ask().await?.refused(RefusalCode::KeyPairInUse)?;
    Finding::unless_equal(&3, &server.synchronize().await?.receipt.sequence)
}

async fn a_refusal_changes_nothing(stage: &Stage) -> Outcome {
    let site = stage.site().await?;
    let mut server = site.license_server();
    let first = server.synchronize().await?;
    let copy = server.clone();
    let second = server.synchronize().await?;
    site.license_server().ask().await?.refused(RefusalCode::KeyPairInUse)?;
    copy.ask().await?.refused(RefusalCode::StateDiverged)?;
    server.send(&first.request).await?.refused(RefusalCode::RequestAlreadyAnswered)?;
    let malformed = server.request_with(|payload| payload.remove("product"));
    server.send(&malformed).await?.invalid(InvalidRequestReason::MalformedClaims)?;
    let third = server.synchronize().await?.receipt;
    let before = (second.receipt.key_thumbprint, 2 + 1, second.receipt.allocation_revision);
    Finding::unless_equal(&before, &(third.key_thumbprint, third.sequence, third.allocation_revision))
}

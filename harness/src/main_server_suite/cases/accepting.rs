//! Section 9.9 to 9.15: binding, accepting, and what the claimed receipt tells.

use solme_sync_protocol::{InvalidRequestReason, RefusalCode};

use super::super::answer::{Answer, same_bytes};
use super::super::draft::string;
use super::super::stage::{LicenseServer, Stage};
use super::{cases, of};
use crate::conformance::{Finding, Outcome};

cases! {
    "9.9" "an-id-that-is-reserved-refuses-every-other-key-pair" Must reserved;
    "9.10" "a-free-id-is-bound-by-the-first-request-without-a-receipt" Must binds;
    "9.10" "a-free-id-is-not-bound-by-a-request-that-claims-a-receipt" Must claimed_at_a_free_id;
    "9.11" "the-key-pair-in-use-is-served-with-its-newest-receipt" Must served;
    "9.11" "the-newest-receipt-is-told-by-its-bytes-not-its-sequence" Must told_by_its_bytes;
    "9.12" "a-receipt-that-nobody-gave-is-not-ours" Must garbage;
    "9.12" "a-receipt-of-another-main-server-is-not-ours" Must other_main_server;
    "9.12" "a-receipt-for-another-id-is-not-ours" Must other_id;
    "9.12" "a-receipt-for-another-key-pair-is-not-ours" Must other_key_pair;
    "9.12" "a-receipt-with-a-changed-signature-is-not-ours" Must forged;
    "9.12" "a-copied-local-server-has-diverged" Must copied;
    "9.12" "a-local-server-without-its-receipt-has-diverged" Must forgotten;
    "9.12" "a-restored-main-server-knows-that-it-is-behind" Must restored;
    "9.12" "a-restored-main-server-is-behind-where-no-key-pair-is-bound-too" Must restored_and_free;
    "9.12" "a-restored-main-server-serves-whom-it-has-not-forgotten" Must restored_for_others;
    "9.13" "copies-of-one-request-in-flight-get-one-answer" Must in_flight;
    "9.13" "of-two-key-pairs-in-flight-one-is-bound" Must race;
    "9.13" "what-was-answered-survives-a-power-failure" Must power_failure;
    "9.13" "what-was-accepted-earlier-survives-a-power-failure" Must power_failure_and_older;
    "9.15" "a-refusal-changes-nothing" Must refusals_change_nothing;
}

async fn reserved(stage: &Stage) -> Outcome {
    let site = stage.site().await?;
    let mut old = site.license_server();
    old.synchronize().await?;
    let (mut awaited, thief) = (site.license_server(), site.license_server());
    site.clear_for(&awaited).await?;
    thief.ask().await?.refused(RefusalCode::KeyPairInUse)?;
    awaited.synchronize().await?;
    thief.ask().await?.refused(RefusalCode::KeyPairInUse).map(drop)
}

async fn binds(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    let receipt = server.synchronize().await?.receipt;
    let found = (receipt.key_thumbprint, receipt.key_generation, receipt.sequence);
    Finding::unless_equal(&(server.key.thumbprint(), 1, 1), &found)
}

async fn told_by_its_bytes(stage: &Stage) -> Outcome {
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

async fn claimed_at_a_free_id(stage: &Stage) -> Outcome {
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

async fn served(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    for wanted in 1..=3 {
        let receipt = server.synchronize().await?.receipt;
        Finding::unless_equal(&(server.key.thumbprint(), wanted), &(receipt.key_thumbprint, receipt.sequence))?;
    }
    Ok(())
}

async fn garbage(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    let newest = server.synchronize().await?;
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

async fn other_main_server(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    server.synchronize().await?;
    let elsewhere = stage.site_of_another_main_server().await?;
    server.last_receipt = Some(server.at(&elsewhere).synchronize().await?.text);
    server.ask().await?.invalid(InvalidRequestReason::LastReceiptNotOurs)
}

async fn other_id(stage: &Stage) -> Outcome {
    let site = stage.site().await?;
    let mut server = site.license_server();
    server.synchronize().await?;
    server.last_receipt = Some(server.at(&site.another().await?).synchronize().await?.text);
    server.ask().await?.invalid(InvalidRequestReason::LastReceiptNotOurs)
}

async fn other_key_pair(stage: &Stage) -> Outcome {
    let site = stage.site().await?;
    let mut old = site.license_server();
    old.synchronize().await?;
    site.clear().await?;
    let mut next = site.license_server();
    next.synchronize().await?;
    next.last_receipt = old.last_receipt;
    next.ask().await?.invalid(InvalidRequestReason::LastReceiptNotOurs)
}

async fn forged(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    let first = server.synchronize().await?.text;
    server.synchronize().await?;
    // an older receipt, so that the signature is looked at; the newest is told by its signing input alone
    let signing_input = first.rsplit_once('.').map_or("", |(signing_input, _)| signing_input);
    let foreign = solme_sync_protocol::base64url::encode(server.key.sign(signing_input));
    server.last_receipt = Some(format!("{signing_input}.{foreign}"));
    server.ask().await?.invalid(InvalidRequestReason::LastReceiptNotOurs)
}

async fn copied(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    server.synchronize().await?;
    let copy = server.clone();
    server.synchronize().await?;
    copy.ask().await?.refused(RefusalCode::StateDiverged)?;
    Finding::unless_equal(&3, &server.synchronize().await?.receipt.sequence)?;
    copy.ask().await?.refused(RefusalCode::StateDiverged).map(drop)
}

async fn forgotten(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    server.synchronize().await?;
    server.last_receipt = None;
    server.ask().await?.refused(RefusalCode::StateDiverged).map(drop)
}

async fn restored(stage: &Stage) -> Outcome {
    let mut server = stage.site_of_its_own().await?.license_server();
    server.synchronize().await?;
    server.site.snapshot().await?;
    server.synchronize().await?;
    server.site.restore().await?;
    server.ask().await?.refused(RefusalCode::MainServerBehind)?;
    server.ask().await?.refused(RefusalCode::MainServerBehind).map(drop)
}

async fn restored_and_free(stage: &Stage) -> Outcome {
    let mut server = stage.site_of_its_own().await?.license_server();
    server.site.snapshot().await?;
    server.synchronize().await?;
    server.site.restore().await?;
    server.ask().await?.refused(RefusalCode::MainServerBehind).map(drop)
}

async fn restored_for_others(stage: &Stage) -> Outcome {
    let mut server = stage.site_of_its_own().await?.license_server();
    let newest = server.synchronize().await?;
    server.site.snapshot().await?;
    server.site.another().await?.license_server().synchronize().await?;
    server.site.restore().await?;
    let (again, _) = server.send(&newest.request).await?.accepted()?;
    same_bytes("the same receipt", newest.text.as_bytes(), again.as_bytes())?;
    Finding::unless_equal(&2, &server.synchronize().await?.receipt.sequence)
}

async fn in_flight(stage: &Stage) -> Outcome {
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

async fn race(stage: &Stage) -> Outcome {
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

async fn power_failure(stage: &Stage) -> Outcome {
    let mut server = stage.site_of_its_own().await?.license_server();
    let newest = server.synchronize().await?;
    let payload = server.payload(&newest).await?;
    let mut server = server.over_a_power_failure().await?;
    let (again, _) = server.send(&newest.request).await?.accepted()?;
    same_bytes("the same receipt", newest.text.as_bytes(), again.as_bytes())?;
    same_bytes("the same payload", &payload, &server.payload(&newest).await?)?;
    Finding::unless_equal(&2, &server.synchronize().await?.receipt.sequence)
}

async fn power_failure_and_older(stage: &Stage) -> Outcome {
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

async fn refusals_change_nothing(stage: &Stage) -> Outcome {
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

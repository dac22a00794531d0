//! Section 9.3 to 9.9: who is refused, and the order of the rules.

use solme_sync_protocol::{InvalidRequestReason, RefusalCode};

use super::super::answer::same_bytes;
use super::super::draft::{Object, Request, string};
use super::super::stage::{LicenseServer, SECOND_LICENSE, Stage};
use crate::conformance::{Case, Finding, Outcome, cases};

pub(super) fn cases() -> Vec<Case<Stage>> {
    cases! {
        "1.2" Must while_a_key_pair_is_in_use_every_other_one_is_refused;
        "9.3" Must an_unknown_license_server_id_is_refused;
        "9.3" Must the_id_comes_before_version_and_content;
        "9.5" Must a_disabled_license_server_id_is_refused_until_it_is_enabled;
        "9.5" Must disabled_comes_before_cleared;
        "9.5" Must disabled_comes_before_answered_before;
        "9.5" Must disabled_comes_before_the_key_pair_in_use;
        "9.6" Must a_cleared_key_pair_is_refused;
        "9.6" Must cleared_comes_before_answered_before;
        "9.6" Must cleared_comes_before_version_and_content;
        "9.6" Must cleared_comes_before_the_key_pair_in_use;
        "9.7" Must the_newest_request_gets_receipt_and_payload_again_byte_for_byte;
        "9.7" Must it_gets_them_after_others_and_after_a_change_too;
        "9.7" Must a_first_request_is_answered_again_although_it_claims_no_receipt;
        "9.7" Must an_older_request_was_answered_already;
        "9.7" Must answered_before_comes_before_the_claimed_receipt;
        "9.8" Must another_version_is_not_supported;
        "9.8" Must malformed_comes_before_the_wrong_main_server;
        "9.8" Must the_wrong_main_server_is_named;
        "9.8" Must the_wrong_main_server_comes_before_the_sealing_key;
        "9.8" Must the_sealing_key_comes_before_the_request_id;
        "9.8" Must a_request_id_may_be_used_again_after_a_refusal;
        "9.8" Must a_request_id_may_be_used_again_at_another_id;
        "9.8" Must a_request_id_is_spent_for_every_key_pair_of_the_id;
        "9.8" Must version_and_content_come_before_the_key_pair_in_use;
        "9.9" Must another_key_pair_is_refused_whatever_it_claims;
    }
}

async fn while_a_key_pair_is_in_use_every_other_one_is_refused(stage: &Stage) -> Outcome {
    let site = stage.site().await?;
    let mut owner = site.license_server();
    owner.synchronize().await?;
    for _ in 0..2 {
        site.license_server().ask().await?.refused(RefusalCode::KeyPairInUse)?;
    }
    Finding::unless_equal(&2, &owner.synchronize().await?.receipt.sequence)
}

async fn an_unknown_license_server_id_is_refused(stage: &Stage) -> Outcome {
    let unknown = stage.site().await?.unknown();
    unknown.license_server().ask().await?.refused(RefusalCode::UnknownLicenseServerId).map(drop)
}

/// Version 2, and nothing else right.
fn version_2(server: &LicenseServer) -> Request {
    server.request_with(|payload| {
        payload.set("version", "2");
        payload.remove("jti");
    })
}

async fn the_id_comes_before_version_and_content(stage: &Stage) -> Outcome {
    let server = stage.site().await?.unknown().license_server();
    server.send(&version_2(&server)).await?.refused(RefusalCode::UnknownLicenseServerId).map(drop)
}

async fn a_disabled_license_server_id_is_refused_until_it_is_enabled(stage: &Stage) -> Outcome {
    let (mut server, _) = stage.synchronized().await?;
    server.site.disable().await?;
    server.ask().await?.refused(RefusalCode::LicenseServerIdDisabled)?;
    server.site.enable().await?;
    Finding::unless_equal(&2, &server.synchronize().await?.receipt.sequence)
}

async fn disabled_comes_before_cleared(stage: &Stage) -> Outcome {
    let (server, _) = stage.synchronized().await?;
    server.site.clear().await?;
    server.site.disable().await?;
    server.ask().await?.refused(RefusalCode::LicenseServerIdDisabled).map(drop)
}

async fn disabled_comes_before_answered_before(stage: &Stage) -> Outcome {
    let (server, first) = stage.synchronized().await?;
    server.site.disable().await?;
    server.send(&first.request).await?.refused(RefusalCode::LicenseServerIdDisabled).map(drop)
}

async fn disabled_comes_before_the_key_pair_in_use(stage: &Stage) -> Outcome {
    let (server, _) = stage.synchronized().await?;
    server.site.disable().await?;
    let stranger = server.with_new_key_pair();
    stranger.send(&version_2(&stranger)).await?.refused(RefusalCode::LicenseServerIdDisabled).map(drop)
}

/// A License Server whose key pair was cleared.
async fn cleared_server(stage: &Stage) -> Result<LicenseServer, Finding> {
    let (server, _) = stage.synchronized().await?;
    server.site.clear().await?;
    Ok(server)
}

async fn a_cleared_key_pair_is_refused(stage: &Stage) -> Outcome {
    cleared_server(stage).await?.ask().await?.refused(RefusalCode::KeyPairCleared).map(drop)
}

async fn cleared_comes_before_answered_before(stage: &Stage) -> Outcome {
    let (server, newest) = stage.synchronized().await?;
    server.site.clear().await?;
    server.send(&newest.request).await?.refused(RefusalCode::KeyPairCleared).map(drop)
}

async fn cleared_comes_before_version_and_content(stage: &Stage) -> Outcome {
    let server = cleared_server(stage).await?;
    server.send(&version_2(&server)).await?.refused(RefusalCode::KeyPairCleared).map(drop)
}

async fn cleared_comes_before_the_key_pair_in_use(stage: &Stage) -> Outcome {
    let server = cleared_server(stage).await?;
    server.with_new_key_pair().synchronize().await?;
    server.ask().await?.refused(RefusalCode::KeyPairCleared).map(drop)
}

async fn the_newest_request_gets_receipt_and_payload_again_byte_for_byte(stage: &Stage) -> Outcome {
    let (mut server, _) = stage.synchronized().await?;
    let newest = server.synchronize().await?;
    let payload = server.payload(&newest).await?;
    for _ in 0..3 {
        server.gets_again(&newest).await?;
        same_bytes("the same payload", &payload, &server.payload(&newest).await?)?;
    }
    Finding::unless_equal(&3, &server.synchronize().await?.receipt.sequence)
}

async fn it_gets_them_after_others_and_after_a_change_too(stage: &Stage) -> Outcome {
    let (server, newest) = stage.synchronized().await?;
    let payload = server.payload(&newest).await?;
    for _ in 0..5 {
        server.with_new_key_pair().ask().await?.refused(RefusalCode::KeyPairInUse)?;
    }
    let mut neighbour = server.site.another().await?.license_server();
    neighbour.synchronize().await?;
    server.site.allocate(SECOND_LICENSE).await?;
    server.gets_again(&newest).await?;
    same_bytes("the same payload", &payload, &server.payload(&newest).await?)
}

async fn a_first_request_is_answered_again_although_it_claims_no_receipt(stage: &Stage) -> Outcome {
    let (server, first) = stage.synchronized().await?;
    Finding::unless_equal(&String::new(), &first.request.member("last_receipt"))?;
    server.gets_again(&first).await
}

async fn an_older_request_was_answered_already(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    let (first, second) = (server.synchronize().await?, server.synchronize().await?);
    server.synchronize().await?;
    for older in [first, second] {
        server.send(&older.request).await?.refused(RefusalCode::RequestAlreadyAnswered)?;
    }
    Ok(())
}

async fn answered_before_comes_before_the_claimed_receipt(stage: &Stage) -> Outcome {
    let (mut server, _) = stage.synchronized().await?;
    let copy = server.clone();
    let outstanding = server.synchronize().await?.request;
    server.synchronize().await?;
    // the copy still holds that request, and the receipt which it claims is not the newest any more
    copy.send(&outstanding).await?.refused(RefusalCode::RequestAlreadyAnswered).map(drop)
}

async fn another_version_is_not_supported(stage: &Stage) -> Outcome {
    let server = stage.site().await?.license_server();
    for version in ["0", "2", "9007199254740991"] {
        let request = server.request_with(|payload| payload.set("version", version));
        server.send(&request).await?.refused(RefusalCode::UnsupportedVersion)?;
    }
    Ok(())
}

async fn malformed_comes_before_the_wrong_main_server(stage: &Stage) -> Outcome {
    let server = stage.site().await?.license_server();
    let request = server.request_with(|payload| {
        payload.set("aud", "\"another-main-server\"");
        payload.remove("product");
    });
    server.send(&request).await?.invalid(InvalidRequestReason::MalformedClaims)
}

async fn the_wrong_main_server_is_named(stage: &Stage) -> Outcome {
    let server = stage.site().await?.license_server();
    let request = server.request_with(|payload| payload.set("aud", "\"another-main-server\""));
    server.send(&request).await?.invalid(InvalidRequestReason::WrongMainServer)
}

async fn the_wrong_main_server_comes_before_the_sealing_key(stage: &Stage) -> Outcome {
    let server = stage.site().await?.license_server();
    let jwk = Object::jwk(&server.key.jwk).json();
    let request = server.request_with(|payload| {
        payload.set("aud", "\"another-main-server\"");
        payload.set("sealing_jwk", jwk);
    });
    server.send(&request).await?.invalid(InvalidRequestReason::WrongMainServer)
}

async fn the_sealing_key_comes_before_the_request_id(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    let used = server.synchronize().await?.request.member("jti");
    let jwk = Object::jwk(&server.key.jwk).json();
    let request = server.request_with(|payload| {
        payload.set("jti", string(&used));
        payload.set("sealing_jwk", jwk);
    });
    server.send(&request).await?.invalid(InvalidRequestReason::SealingKeyIsSigningKey)
}

async fn a_request_id_may_be_used_again_after_a_refusal(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    let refused = server.request_with(|payload| payload.set("aud", "\"another-main-server\""));
    server.send(&refused).await?.invalid(InvalidRequestReason::WrongMainServer)?;
    let again = server.request_with(|payload| payload.set("jti", string(&refused.member("jti"))));
    server.synchronize_with(again).await?;
    let thief = server.with_new_key_pair();
    let refused = thief.request();
    thief.send(&refused).await?.refused(RefusalCode::KeyPairInUse)?;
    let again = server.request_with(|payload| payload.set("jti", string(&refused.member("jti"))));
    server.synchronize_with(again).await.map(drop)
}

async fn a_request_id_may_be_used_again_at_another_id(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    let used = server.synchronize().await?.request.member("jti");
    let mut neighbour = server.site.another().await?.license_server();
    let request = neighbour.request_with(|payload| payload.set("jti", string(&used)));
    neighbour.synchronize_with(request).await.map(drop)
}

async fn a_request_id_is_spent_for_every_key_pair_of_the_id(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    let used = server.synchronize().await?.request.member("jti");
    server.site.clear().await?;
    let next = server.with_new_key_pair();
    let request = next.request_with(|payload| payload.set("jti", string(&used)));
    next.send(&request).await?.invalid(InvalidRequestReason::RequestIdReused)
}

async fn version_and_content_come_before_the_key_pair_in_use(stage: &Stage) -> Outcome {
    let site = stage.site().await?;
    site.license_server().synchronize().await?;
    let stranger = site.license_server();
    stranger.send(&version_2(&stranger)).await?.refused(RefusalCode::UnsupportedVersion)?;
    let malformed = stranger.request_with(|payload| payload.remove("product"));
    stranger.send(&malformed).await?.invalid(InvalidRequestReason::MalformedClaims)
}

async fn another_key_pair_is_refused_whatever_it_claims(stage: &Stage) -> Outcome {
    let site = stage.site().await?;
    let mut owner = site.license_server();
    owner.synchronize().await?;
    let mut thief = site.license_server();
    // the newest receipt of the id, as read from a backup
    thief.last_receipt = owner.last_receipt.clone();
    thief.ask().await?.refused(RefusalCode::KeyPairInUse)?;
    thief.last_receipt = Some("no.receipt.at-all".to_owned());
    thief.ask().await?.refused(RefusalCode::KeyPairInUse).map(drop)
}

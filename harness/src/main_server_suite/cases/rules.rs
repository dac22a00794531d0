//! Section 9.3 to 9.9: who is refused, and the order of the rules.

use solme_sync_protocol::{InvalidRequestReason, RefusalCode};

use super::super::answer::same_bytes;
use super::super::draft::{Object, Request, string};
use super::super::stage::{LicenseServer, SECOND_LICENSE, Stage};
use super::cases;
use crate::conformance::{Finding, Outcome};

cases! {
    "1.2" "while-a-key-pair-is-in-use-every-other-one-is-refused" Must in_use;
    "9.3" "an-unknown-license-server-id-is-refused" Must unknown_id;
    "9.3" "the-id-comes-before-version-and-content" Must id_before_content;
    "9.5" "a-disabled-license-server-id-is-refused-until-it-is-enabled" Must disabled;
    "9.5" "disabled-comes-before-cleared" Must disabled_before_cleared;
    "9.5" "disabled-comes-before-answered-before" Must disabled_before_resend;
    "9.5" "disabled-comes-before-the-key-pair-in-use" Must disabled_before_in_use;
    "9.6" "a-cleared-key-pair-is-refused" Must cleared;
    "9.6" "cleared-comes-before-answered-before" Must cleared_before_resend;
    "9.6" "cleared-comes-before-version-and-content" Must cleared_before_content;
    "9.6" "cleared-comes-before-the-key-pair-in-use" Must cleared_before_in_use;
    "9.7" "the-newest-request-gets-receipt-and-payload-again-byte-for-byte" Must resend;
    "9.7" "it-gets-them-after-others-and-after-a-change-too" Must resend_after_others;
    "9.7" "a-first-request-is-answered-again-although-it-claims-no-receipt" Must resend_of_the_first;
    "9.7" "an-older-request-was-answered-already" Must older;
    "9.7" "answered-before-comes-before-the-claimed-receipt" Must older_by_a_copy;
    "9.8" "another-version-is-not-supported" Must other_version;
    "9.8" "malformed-comes-before-the-wrong-main-server" Must malformed_first;
    "9.8" "the-wrong-main-server-is-named" Must wrong_main_server;
    "9.8" "the-wrong-main-server-comes-before-the-sealing-key" Must wrong_main_server_first;
    "9.8" "the-sealing-key-comes-before-the-request-id" Must sealing_key_first;
    "9.8" "a-request-id-may-be-used-again-after-a-refusal" Must request_id_after_a_refusal;
    "9.8" "a-request-id-may-be-used-again-at-another-id" Must request_id_at_another_id;
    "9.8" "a-request-id-is-spent-for-every-key-pair-of-the-id" Must request_id_of_another_key_pair;
    "9.8" "version-and-content-come-before-the-key-pair-in-use" Must content_before_in_use;
    "9.9" "another-key-pair-is-refused-whatever-it-claims" Must in_use_whatever_is_claimed;
}

async fn in_use(stage: &Stage) -> Outcome {
    let site = stage.site().await?;
    let mut owner = site.license_server();
    owner.synchronize().await?;
    for _ in 0..2 {
        site.license_server().ask().await?.refused(RefusalCode::KeyPairInUse)?;
    }
    Finding::unless_equal(&2, &owner.synchronize().await?.receipt.sequence)
}

async fn unknown_id(stage: &Stage) -> Outcome {
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

async fn id_before_content(stage: &Stage) -> Outcome {
    let server = stage.site().await?.unknown().license_server();
    server.send(&version_2(&server)).await?.refused(RefusalCode::UnknownLicenseServerId).map(drop)
}

async fn disabled(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    server.synchronize().await?;
    server.site.disable().await?;
    server.ask().await?.refused(RefusalCode::LicenseServerIdDisabled)?;
    server.site.enable().await?;
    Finding::unless_equal(&2, &server.synchronize().await?.receipt.sequence)
}

async fn disabled_before_cleared(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    server.synchronize().await?;
    server.site.clear().await?;
    server.site.disable().await?;
    server.ask().await?.refused(RefusalCode::LicenseServerIdDisabled).map(drop)
}

async fn disabled_before_resend(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    let first = server.synchronize().await?;
    server.site.disable().await?;
    server.send(&first.request).await?.refused(RefusalCode::LicenseServerIdDisabled).map(drop)
}

async fn disabled_before_in_use(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    server.synchronize().await?;
    server.site.disable().await?;
    let stranger = server.with_new_key_pair();
    stranger.send(&version_2(&stranger)).await?.refused(RefusalCode::LicenseServerIdDisabled).map(drop)
}

/// A License Server whose key pair was cleared.
async fn cleared_server(stage: &Stage) -> Result<LicenseServer, Finding> {
    let mut server = stage.site().await?.license_server();
    server.synchronize().await?;
    server.site.clear().await?;
    Ok(server)
}

async fn cleared(stage: &Stage) -> Outcome {
    cleared_server(stage).await?.ask().await?.refused(RefusalCode::KeyPairCleared).map(drop)
}

async fn cleared_before_resend(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    let newest = server.synchronize().await?;
    server.site.clear().await?;
    server.send(&newest.request).await?.refused(RefusalCode::KeyPairCleared).map(drop)
}

async fn cleared_before_content(stage: &Stage) -> Outcome {
    let server = cleared_server(stage).await?;
    server.send(&version_2(&server)).await?.refused(RefusalCode::KeyPairCleared).map(drop)
}

async fn cleared_before_in_use(stage: &Stage) -> Outcome {
    let server = cleared_server(stage).await?;
    server.with_new_key_pair().synchronize().await?;
    server.ask().await?.refused(RefusalCode::KeyPairCleared).map(drop)
}

async fn resend(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    server.synchronize().await?;
    let newest = server.synchronize().await?;
    let payload = server.payload(&newest).await?;
    for _ in 0..3 {
        let (again, _) = server.send(&newest.request).await?.accepted()?;
        same_bytes("the same receipt", newest.text.as_bytes(), again.as_bytes())?;
        same_bytes("the same payload", &payload, &server.payload(&newest).await?)?;
    }
    Finding::unless_equal(&3, &server.synchronize().await?.receipt.sequence)
}

async fn resend_after_others(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    let newest = server.synchronize().await?;
    let payload = server.payload(&newest).await?;
    for _ in 0..5 {
        server.with_new_key_pair().ask().await?.refused(RefusalCode::KeyPairInUse)?;
    }
    let mut neighbour = server.site.another().await?.license_server();
    neighbour.synchronize().await?;
    server.site.allocate(SECOND_LICENSE).await?;
    let (again, _) = server.send(&newest.request).await?.accepted()?;
    same_bytes("the same receipt", newest.text.as_bytes(), again.as_bytes())?;
    same_bytes("the same payload", &payload, &server.payload(&newest).await?)
}

async fn resend_of_the_first(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    let first = server.synchronize().await?;
    Finding::unless_equal(&String::new(), &first.request.member("last_receipt"))?;
    let (again, _) = server.send(&first.request).await?.accepted()?;
    same_bytes("the same receipt", first.text.as_bytes(), again.as_bytes())
}

async fn older(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    let (first, second) = (server.synchronize().await?, server.synchronize().await?);
    server.synchronize().await?;
    for older in [first, second] {
        server.send(&older.request).await?.refused(RefusalCode::RequestAlreadyAnswered)?;
    }
    Ok(())
}

async fn older_by_a_copy(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    server.synchronize().await?;
    let copy = server.clone();
    let outstanding = server.synchronize().await?.request;
    server.synchronize().await?;
    // the copy still holds that request, and the receipt which it claims is not the newest any more
    copy.send(&outstanding).await?.refused(RefusalCode::RequestAlreadyAnswered).map(drop)
}

async fn other_version(stage: &Stage) -> Outcome {
    let server = stage.site().await?.license_server();
    for version in ["0", "2", "9007199254740991"] {
        let request = server.request_with(|payload| payload.set("version", version));
        server.send(&request).await?.refused(RefusalCode::UnsupportedVersion)?;
    }
    Ok(())
}

async fn malformed_first(stage: &Stage) -> Outcome {
    let server = stage.site().await?.license_server();
    let request = server.request_with(|payload| {
        payload.set("aud", "\"another-main-server\"");
        payload.remove("product");
    });
    server.send(&request).await?.invalid(InvalidRequestReason::MalformedClaims)
}

async fn wrong_main_server(stage: &Stage) -> Outcome {
    let server = stage.site().await?.license_server();
    let request = server.request_with(|payload| payload.set("aud", "\"another-main-server\""));
    server.send(&request).await?.invalid(InvalidRequestReason::WrongMainServer)
}

async fn wrong_main_server_first(stage: &Stage) -> Outcome {
    let server = stage.site().await?.license_server();
    let jwk = Object::jwk(&server.key.jwk).json();
    let request = server.request_with(|payload| {
        payload.set("aud", "\"another-main-server\"");
        payload.set("sealing_jwk", jwk);
    });
    server.send(&request).await?.invalid(InvalidRequestReason::WrongMainServer)
}

async fn sealing_key_first(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    let used = server.synchronize().await?.request.member("jti");
    let jwk = Object::jwk(&server.key.jwk).json();
    let request = server.request_with(|payload| {
        payload.set("jti", string(&used));
        payload.set("sealing_jwk", jwk);
    });
    server.send(&request).await?.invalid(InvalidRequestReason::SealingKeyIsSigningKey)
}

async fn request_id_after_a_refusal(stage: &Stage) -> Outcome {
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

async fn request_id_at_another_id(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    let used = server.synchronize().await?.request.member("jti");
    let mut neighbour = server.site.another().await?.license_server();
    let request = neighbour.request_with(|payload| payload.set("jti", string(&used)));
    neighbour.synchronize_with(request).await.map(drop)
}

async fn request_id_of_another_key_pair(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    let used = server.synchronize().await?.request.member("jti");
    server.site.clear().await?;
    let next = server.with_new_key_pair();
    let request = next.request_with(|payload| payload.set("jti", string(&used)));
    next.send(&request).await?.invalid(InvalidRequestReason::RequestIdReused)
}

async fn content_before_in_use(stage: &Stage) -> Outcome {
    let site = stage.site().await?;
    site.license_server().synchronize().await?;
    let stranger = site.license_server();
    stranger.send(&version_2(&stranger)).await?.refused(RefusalCode::UnsupportedVersion)?;
    let malformed = stranger.request_with(|payload| payload.remove("product"));
    stranger.send(&malformed).await?.invalid(InvalidRequestReason::MalformedClaims)
}

async fn in_use_whatever_is_claimed(stage: &Stage) -> Outcome {
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

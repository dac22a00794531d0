//! Section 13: ports 443 and 8080, and what can go wrong on the way.

use mock_solme::quirks::{Fault, Operation, Quirk};
use solme_sync_protocol::TrustFile;

use super::dishonest::{all_have_happened, arm, once, recovers, recovers_directly};
use super::must;
use super::stage::{ID, Stage, broken, id, operated};
use crate::BlackHole;
use crate::conformance::{Case, Finding, Outcome};

const NOT_REACHED: &[&str] = &["not-reached"];
const FOREIGN: &[&str] = &["not-the-main-server"];
/// Whoever answers that, it is no answer of section 13.
const TROUBLE: &[&str] = &["main-server-trouble", "not-the-main-server"];
/// One bit in a text may make it no text at all.
const DAMAGED: &[&str] = &["receipt-wrong", "not-the-main-server"];
const PAYLOAD: &[&str] = &["payload-wrong"];

/// A case of what happens to one port: it fails with one of these codes, and recovers.
macro_rules! on_443 {
    ($($clause:literal $name:literal $quirk:ident $codes:ident),* $(,)?) => {
        [$(must($clause, concat!($name, "-on-443"), |s| {
            Box::pin(fails(s, Quirk::$quirk, Operation::Synchronize, $codes))
        }),)*]
    };
}

/// As [`on_443!`].
macro_rules! on_8080 {
    ($($clause:literal $name:literal $quirk:ident $codes:ident),* $(,)?) => {
        [$(must($clause, concat!($name, "-on-8080"), |s| {
            Box::pin(fails(s, Quirk::$quirk, Operation::Payload, $codes))
        }),)*]
    };
}

pub(super) fn cases() -> Vec<Case<Stage>> {
    let mut cases = vec![
        must("13.1", "both-ports-are-used", |s| Box::pin(both_ports(s))),
        must("13.1", "a-port-443-where-nothing-listens-is-named", |s| Box::pin(no_443(s))),
        must("13.1", "a-port-8080-where-nothing-listens-is-named", |s| Box::pin(no_8080(s))),
        must("13.1", "a-name-that-nobody-has-is-named", |s| Box::pin(no_name(s))),
        must("13.1", "an-address-to-which-there-is-no-way-is-named", |s| Box::pin(no_way(s))),
        must("13.1", "a-port-8080-to-which-connections-are-swallowed-is-named", |s| Box::pin(swallowed(s))),
        must("13.2", "a-port-443-without-tls-is-named", |s| Box::pin(no_tls(s))),
        must("13.2", "the-request-is-application-jose", |s| Box::pin(nothing_to_say(s))),
        must("13.3", "an-answer-that-is-late-counts", |s| Box::pin(late(s))),
        must("13.4", "a-payload-that-drips-counts", |s| Box::pin(drips(s))),
        must("13.5", "neither-ranges-nor-encodings-are-asked-for", |s| Box::pin(nothing_to_say(s))),
        must("13.5", "a-404-on-the-payload-sends-the-same-request-again", |s| Box::pin(once_not_found(s))),
        must("13.5", "a-second-404-is-a-failure", |s| Box::pin(twice_not_found(s))),
        must("12.1", "a-request-is-stored-before-it-leaves", |s| Box::pin(killed(s))),
        must("13.6", "the-refusal-counts-and-not-the-document-around-it", |s| Box::pin(other_code(s))),
        must("13.8", "a-receipt-under-another-status", |s| Box::pin(receipt_under(s))),
        must("13.8", "a-refusal-under-a-status-of-no-refusal", |s| Box::pin(refusal_under(s))),
        must("12.2", "a-reply-that-was-lost-is-fetched-with-the-same-request", |s| Box::pin(lost_reply(s))),
        must("12.2", "a-first-reply-that-was-lost-leaves-no-one-in-use", |s| Box::pin(lost_first_reply(s))),
    ];
    cases.extend(on_443![
        "12.3" "a-connection-closed-before-the-headers-leaves-the-request" CloseBeforeHeaders NOT_REACHED,
        "12.3" "a-connection-closed-within-the-headers-leaves-the-request" CloseWithinHeaders NOT_REACHED,
        "12.3" "a-connection-closed-after-the-headers-leaves-the-request" CloseAfterHeaders NOT_REACHED,
        "12.3" "a-connection-closed-within-the-body-leaves-the-request" CloseWithinBody NOT_REACHED,
        "11.1" "a-truncated-answer" Truncate DAMAGED,
        "11.1" "a-flipped-bit" FlipByte DAMAGED,
        "13.1" "a-reset" PortClosed NOT_REACHED,
        "13.1" "a-black-hole" PortBlackHoled NOT_REACHED,
        "13.2" "a-certificate-of-another-ca" TlsOtherCa NOT_REACHED,
        "13.2" "an-expired-certificate" TlsExpiredCertificate NOT_REACHED,
        "13.2" "a-certificate-for-another-host" TlsOtherHost NOT_REACHED,
        "13.2" "tls-1-2" TlsOldVersion NOT_REACHED,
        "13.5" "a-redirect-is-not-followed" Redirect FOREIGN,
        "13.5" "a-content-encoding" ContentEncoding FOREIGN,
        "13.8" "a-captive-portal" CaptivePortal FOREIGN,
        "13.8" "another-content-type" WrongContentType FOREIGN,
        "13.8" "status-429-without-a-refusal" Status429 TROUBLE,
        "13.8" "status-500" Status500 TROUBLE,
        "13.8" "status-502" Status502 TROUBLE,
        "13.8" "status-503" Status503 TROUBLE,
    ]);
    cases.extend(on_8080![
        "12.3" "a-connection-closed-before-the-headers-leaves-the-request" CloseBeforeHeaders NOT_REACHED,
        "12.3" "a-connection-closed-within-the-headers-leaves-the-request" CloseWithinHeaders NOT_REACHED,
        "12.3" "a-connection-closed-after-the-headers-leaves-the-request" CloseAfterHeaders NOT_REACHED,
        "12.3" "a-connection-closed-within-the-body-leaves-the-request" CloseWithinBody NOT_REACHED,
        "12.3" "a-payload-that-was-lost-leaves-the-request" DropReply NOT_REACHED,
        "11.6" "a-truncated-payload" Truncate PAYLOAD,
        "11.6" "a-flipped-bit" FlipByte PAYLOAD,
        "13.1" "a-reset" PortClosed NOT_REACHED,
        "13.1" "a-black-hole" PortBlackHoled NOT_REACHED,
        "13.5" "a-redirect-is-not-followed" Redirect FOREIGN,
        "13.5" "a-content-encoding" ContentEncoding FOREIGN,
        "13.8" "a-captive-portal" CaptivePortal FOREIGN,
        "13.8" "another-content-type" WrongContentType FOREIGN,
        "13.8" "status-429" Status429 TROUBLE,
        "13.8" "status-500" Status500 TROUBLE,
        "13.8" "status-503" Status503 TROUBLE,
    ]);
    cases
}

/// It happens until it is disarmed: a client may try twice in one run.
async fn fails(stage: &Stage, quirk: Quirk, operation: Operation, codes: &[&str]) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    let before = server.status().await?;
    arm(stage, Fault::new(quirk).operation(operation))?;
    server.synchronize().await?.is_failed_with_one_of(codes)?;
    recovers(stage, &server, &before).await
}

async fn both_ports(stage: &Stage) -> Outcome {
    stage.server("a").await?.synchronize().await?.expect_synchronized()?;
    let ways: Vec<&str> = stage.main.journal().iter().map(|entry| entry.carrier.as_str()).collect();
    Finding::unless_equal(&vec!["https", "http"], &ways)
}

async fn no_443(stage: &Stage) -> Outcome {
    let trust = stage.main.trust().clone();
    nothing_listens(stage, TrustFile { https: "https://127.0.0.1:1".to_owned(), ..trust }).await
}

async fn no_8080(stage: &Stage) -> Outcome {
    let trust = stage.main.trust().clone();
    nothing_listens(stage, TrustFile { http: "http://127.0.0.1:1".to_owned(), ..trust }).await
}

/// The name is reserved for having no address (RFC 6761).
async fn no_name(stage: &Stage) -> Outcome {
    let trust = stage.main.trust().clone();
    nothing_listens(stage, TrustFile { https: "https://main-server.invalid:443".to_owned(), ..trust }).await
}

/// The broadcast address has no TCP, on any network.
async fn no_way(stage: &Stage) -> Outcome {
    let trust = stage.main.trust().clone();
    nothing_listens(stage, TrustFile { https: "https://255.255.255.255:443".to_owned(), ..trust.clone() }).await?;
    nothing_listens(stage, TrustFile { http: "http://255.255.255.255:8080".to_owned(), ..trust }).await
}

async fn no_tls(stage: &Stage) -> Outcome {
    let trust = stage.main.trust().clone();
    let https = trust.http.replacen("http:", "https:", 1);
    nothing_listens(stage, TrustFile { https, ..trust }).await
}

async fn swallowed(stage: &Stage) -> Outcome {
    let hole = BlackHole::dig().await.map_err(broken)?;
    let trust = stage.main.trust().clone();
    nothing_listens(stage, TrustFile { http: format!("http://{}", hole.address), ..trust }).await
}

/// With the right addresses the same request is sent.
async fn nothing_listens(stage: &Stage, trust: TrustFile) -> Outcome {
    let server = stage.bare_server("a");
    server.init(ID, &stage.write("closed.json", trust.to_json())?).await?.is_done()?;
    let before = server.status().await?;
    server.synchronize().await?.is_failed("not-reached")?;
    server.init(ID, stage.main.trust_file()).await?.is_done()?;
    recovers(stage, &server, &before).await
}

async fn nothing_to_say(stage: &Stage) -> Outcome {
    stage.server("a").await?.synchronize().await?.expect_synchronized()?;
    Finding::unless_equal(&Vec::<String>::new(), &stage.judgements())
}

async fn late(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    arm(stage, Fault::new(Quirk::Delay).operation(Operation::Synchronize).next(1).milliseconds(300))?;
    server.synchronize().await?.expect_synchronized()?;
    all_have_happened(stage)
}

async fn drips(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    arm(stage, Fault::new(Quirk::SlowDrip).operation(Operation::Payload).next(1).milliseconds(5))?;
    server.synchronize().await?.expect_synchronized()?;
    all_have_happened(stage)
}

async fn once_not_found(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    once(stage, Quirk::PayloadNotFound, Operation::Payload)?;
    server.synchronize().await?.expect_synchronized()?;
    all_have_happened(stage)?;
    let sent = stage.sent();
    Finding::unless_equal(&(2, true), &(sent.len(), sent.first() == sent.last()))?;
    Finding::unless_equal(&Some(1), &server.status().await?.sequence)
}

async fn twice_not_found(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    let before = server.status().await?;
    arm(stage, Fault::new(Quirk::PayloadNotFound).operation(Operation::Payload).next(2))?;
    server.synchronize().await?.is_failed("payload-not-found")?;
    Finding::unless_equal(&3, &stage.sent().len())?;
    recovers_directly(stage, &server, &before).await
}

/// The process ends in the middle of the exchange: what it had not stored is gone.
async fn killed(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    let before = stage.sent().len();
    arm(stage, Fault::new(Quirk::Delay).operation(Operation::Synchronize).next(1).milliseconds(600_000))?;
    server.killed_once("synchronize", || stage.sent().len() > before).await?;
    server.synchronize().await?.expect_synchronized()?;
    let sent = stage.sent();
    Finding::unless_equal(&sent.get(before), &sent.get(before + 1))
}

async fn other_code(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    let before = server.status().await?;
    once(stage, Quirk::ProblemOfAnotherCode, Operation::Synchronize)?;
    server.synchronize().await?.is_refused("temporarily-unavailable")?;
    server.issues().await?;
    recovers_directly(stage, &server, &before).await
}

async fn receipt_under(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    let before = server.status().await?;
    for status in [201, 202, 404, 409, 500] {
        arm(stage, Fault::new(Quirk::AnotherStatus).operation(Operation::Synchronize).next(1).status(status))?;
        server.synchronize().await?.is_failed_with_one_of(TROUBLE)?;
        Finding::unless_equal(&before, &server.status().await?)?;
    }
    recovers_directly(stage, &server, &before).await
}

async fn refusal_under(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    let before = server.status().await?;
    stage.main.disable(&id(ID)).map_err(operated)?;
    for status in [200, 202, 401, 418] {
        arm(stage, Fault::new(Quirk::AnotherStatus).operation(Operation::Synchronize).next(1).status(status))?;
        server.synchronize().await?.is_failed_with_one_of(TROUBLE)?;
    }
    all_have_happened(stage)?;
    server.synchronize().await?.is_refused("license-server-id-disabled")?;
    stage.main.enable(&id(ID)).map_err(operated)?;
    recovers_directly(stage, &server, &before).await
}

async fn lost_reply(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    let before = server.status().await?;
    once(stage, Quirk::DropReply, Operation::Synchronize)?;
    server.synchronize().await?.is_failed("not-reached")?;
    recovers_directly(stage, &server, &before).await
}

/// The key pair is bound by then: with another one the server would be refused against itself.
async fn lost_first_reply(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    let before = server.status().await?;
    once(stage, Quirk::DropReply, Operation::Synchronize)?;
    server.synchronize().await?.is_failed("not-reached")?;
    recovers_directly(stage, &server, &before).await?;
    Finding::unless_equal(&before.key_thumbprint, &server.status().await?.key_thumbprint)
}

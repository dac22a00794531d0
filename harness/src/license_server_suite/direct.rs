//! Section 13: ports 443 and 8080, and what can go wrong on the way.

use mock_solme::quirks::{Fault, Operation, Quirk};
use solme_sync_protocol::TrustFile;

use super::dishonest::{all_have_happened, arm, once, recovers, recovers_directly};
use super::stage::{ID, Stage, broken, id, operated};
use crate::BlackHole;
use crate::conformance::{Case, Finding, Outcome, case, cases};

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
        [$(case!($clause, Must, concat!($name, "-on-443"), fails(Quirk::$quirk, Operation::Synchronize, $codes)),)*]
    };
}

/// As [`on_443!`].
macro_rules! on_8080 {
    ($($clause:literal $name:literal $quirk:ident $codes:ident),* $(,)?) => {
        [$(case!($clause, Must, concat!($name, "-on-8080"), fails(Quirk::$quirk, Operation::Payload, $codes)),)*]
    };
}

pub(super) fn cases() -> Vec<Case<Stage>> {
    let mut cases = cases! {
        "13.1" Must both_ports_are_used;
        "13.1" Must a_port_443_where_nothing_listens_is_named;
        "13.1" Must a_port_8080_where_nothing_listens_is_named;
        "13.1" Must a_name_that_nobody_has_is_named;
        "13.1" Must an_address_to_which_there_is_no_way_is_named;
        "13.1" Must a_port_8080_to_which_connections_are_swallowed_is_named;
        "13.2" Must a_port_443_without_tls_is_named;
        "13.2" Must the_request_is_application_jose = nothing_to_say();
        "13.3" Must an_answer_that_is_late_counts;
        "13.4" Must a_payload_that_drips_counts;
        "13.5" Must neither_ranges_nor_encodings_are_asked_for = nothing_to_say();
        "13.5" Must a_404_on_the_payload_sends_the_same_request_again;
        "13.5" Must a_second_404_is_a_failure;
        "12.1" Must a_request_is_stored_before_it_leaves;
        "13.6" Must the_refusal_counts_and_not_the_document_around_it;
        "13.8" Must a_receipt_under_another_status;
        "13.8" Must a_refusal_under_a_status_of_no_refusal;
        "12.2" Must a_reply_that_was_lost_is_fetched_with_the_same_request;
        "12.2" Must a_first_reply_that_was_lost_leaves_no_one_in_use;
    };
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

async fn both_ports_are_used(stage: &Stage) -> Outcome {
    stage.server("a").await?.synchronize().await?.expect_synchronized()?;
    let ways: Vec<&str> = stage.main.journal().iter().map(|entry| entry.carrier.as_str()).collect();
    Finding::unless_equal(&vec!["https", "http"], &ways)
}

async fn a_port_443_where_nothing_listens_is_named(stage: &Stage) -> Outcome {
    let trust = stage.main.trust().clone();
    nothing_listens(stage, TrustFile { https: "https://127.0.0.1:1".to_owned(), ..trust }).await
}

async fn a_port_8080_where_nothing_listens_is_named(stage: &Stage) -> Outcome {
    let trust = stage.main.trust().clone();
    nothing_listens(stage, TrustFile { http: "http://127.0.0.1:1".to_owned(), ..trust }).await
}

/// The name is reserved for having no address (RFC 6761).
async fn a_name_that_nobody_has_is_named(stage: &Stage) -> Outcome {
    let trust = stage.main.trust().clone();
    nothing_listens(stage, TrustFile { https: "https://main-server.invalid:443".to_owned(), ..trust }).await
}

/// The broadcast address has no TCP, on any network.
async fn an_address_to_which_there_is_no_way_is_named(stage: &Stage) -> Outcome {
    let trust = stage.main.trust().clone();
    nothing_listens(stage, TrustFile { https: "https://255.255.255.255:443".to_owned(), ..trust.clone() }).await?;
    nothing_listens(stage, TrustFile { http: "http://255.255.255.255:8080".to_owned(), ..trust }).await
}

async fn a_port_443_without_tls_is_named(stage: &Stage) -> Outcome {
    let trust = stage.main.trust().clone();
    let https = trust.http.replacen("http:", "https:", 1);
    nothing_listens(stage, TrustFile { https, ..trust }).await
}

async fn a_port_8080_to_which_connections_are_swallowed_is_named(stage: &Stage) -> Outcome {
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

async fn an_answer_that_is_late_counts(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    arm(stage, Fault::new(Quirk::Delay).operation(Operation::Synchronize).next(1).milliseconds(300))?;
    server.synchronize().await?.expect_synchronized()?;
    all_have_happened(stage)
}

async fn a_payload_that_drips_counts(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    arm(stage, Fault::new(Quirk::SlowDrip).operation(Operation::Payload).next(1).milliseconds(5))?;
    server.synchronize().await?.expect_synchronized()?;
    all_have_happened(stage)
}

async fn a_404_on_the_payload_sends_the_same_request_again(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    once(stage, Quirk::PayloadNotFound, Operation::Payload)?;
    server.synchronize().await?.expect_synchronized()?;
    all_have_happened(stage)?;
    let sent = stage.sent();
    Finding::unless_equal(&(2, true), &(sent.len(), sent.first() == sent.last()))?;
    Finding::unless_equal(&Some(1), &server.status().await?.sequence)
}

async fn a_second_404_is_a_failure(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    let before = server.status().await?;
    arm(stage, Fault::new(Quirk::PayloadNotFound).operation(Operation::Payload).next(2))?;
    server.synchronize().await?.is_failed("payload-not-found")?;
    Finding::unless_equal(&3, &stage.sent().len())?;
    recovers_directly(stage, &server, &before).await
}

/// The process ends in the middle of the exchange: what it had not stored is gone.
async fn a_request_is_stored_before_it_leaves(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    let before = stage.sent().len();
    arm(stage, Fault::new(Quirk::Delay).operation(Operation::Synchronize).next(1).milliseconds(600_000))?;
    server.killed_once("synchronize", || stage.sent().len() > before).await?;
    server.synchronize().await?.expect_synchronized()?;
    let sent = stage.sent();
    Finding::unless_equal(&sent.get(before), &sent.get(before + 1))
}

async fn the_refusal_counts_and_not_the_document_around_it(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    let before = server.status().await?;
    once(stage, Quirk::ProblemOfAnotherCode, Operation::Synchronize)?;
    server.synchronize().await?.is_refused("temporarily-unavailable")?;
    server.issues().await?;
    recovers_directly(stage, &server, &before).await
}

async fn a_receipt_under_another_status(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    let before = server.status().await?;
    for status in [201, 202, 404, 409, 500] {
        arm(stage, Fault::new(Quirk::AnotherStatus).operation(Operation::Synchronize).next(1).status(status))?;
        server.synchronize().await?.is_failed_with_one_of(TROUBLE)?;
        Finding::unless_equal(&before, &server.status().await?)?;
    }
    recovers_directly(stage, &server, &before).await
}

async fn a_refusal_under_a_status_of_no_refusal(stage: &Stage) -> Outcome {
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

async fn a_reply_that_was_lost_is_fetched_with_the_same_request(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    let before = server.status().await?;
    once(stage, Quirk::DropReply, Operation::Synchronize)?;
    server.synchronize().await?.is_failed("not-reached")?;
    recovers_directly(stage, &server, &before).await
}

/// The key pair is bound by then: with another one the server would be refused against itself.
async fn a_first_reply_that_was_lost_leaves_no_one_in_use(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    let before = server.status().await?;
    once(stage, Quirk::DropReply, Operation::Synchronize)?;
    server.synchronize().await?.is_failed("not-reached")?;
    recovers_directly(stage, &server, &before).await?;
    Finding::unless_equal(&before.key_thumbprint, &server.status().await?.key_thumbprint)
}

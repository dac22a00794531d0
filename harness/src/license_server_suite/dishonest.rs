//! A main server that is dishonest, or broken: mock-solme with its quirks. What it answers then must not be accepted,
//! must change nothing, and must not keep the next honest answer from being accepted.

use mock_solme::quirks::{Fault, Operation, Quirk};

use super::license_server::{Server, Status};
use super::must;
use super::stage::Stage;
use crate::conformance::{Case, Finding, Outcome};

/// Two cases of one quirk: over the network and by file.
macro_rules! both_carriers {
    ($($clause:literal $quirk:literal $code:literal),* $(,)?) => {
        [$(
            must($clause, concat!($quirk, "-is-not-accepted"), |s| Box::pin(over_the_network(s, $quirk, &[$code]))),
            must($clause, concat!($quirk, "-by-file-is-not-accepted"), |s| Box::pin(by_file(s, $quirk))),
        )*]
    };
}

pub(super) fn cases() -> Vec<Case<Stage>> {
    let mut cases = vec![
        must("2.1", "reordered-members-are-accepted", |s| Box::pin(is_good(s, Quirk::ReorderedMembers))),
        must("2.3", "unknown-members-are-ignored", |s| Box::pin(is_good(s, Quirk::UnknownMembers))),
        must("2.3", "unknown-members-of-a-refusal-are-ignored", |s| Box::pin(good_refusal(s))),
        must("8.2", "an-unsigned-refusal-is-none", |s| Box::pin(unsigned(s))),
        must("11.4", "generation-back-is-not-accepted", |s| Box::pin(generation_back(s))),
        must("11.10", "a-refusal-with-a-wrong-signature-is-none", |s| Box::pin(refusal_with_a_wrong_signature(s))),
        must("11.11", "old-receipt-changes-nothing", |s| Box::pin(old_receipt(s))),
        must("11.11", "old-receipt-by-file-is-a-success-that-changes-nothing", |s| Box::pin(old_receipt_by_file(s))),
        must("11.11", "older-receipt-changes-nothing", |s| Box::pin(older_receipt(s))),
        must("11.11", "older-receipt-by-file-is-named-as-older", |s| Box::pin(older_receipt_by_file(s))),
    ];
    cases.extend(both_carriers![
        "2.2" "duplicate-members" "receipt-wrong",
        "4.7" "unknown-version" "receipt-wrong",
        "10.1" "unknown-refusal-code" "refusal-wrong",
        "11.1" "wrong-signature" "receipt-wrong",
        "11.1" "other-key" "receipt-wrong",
        "11.2" "receipt-for-another-id" "receipt-wrong",
        "11.2" "receipt-of-another-main-server" "receipt-wrong",
        "11.3" "receipt-for-another-request" "receipt-wrong",
        "11.3" "receipt-for-another-key-pair" "receipt-wrong",
        "11.4" "sequence-back" "receipt-wrong",
        "11.4" "sequence-skips" "receipt-wrong",
        "11.4" "generation-skips" "receipt-wrong",
        "11.4" "revision-back" "receipt-wrong",
        "11.5" "deadline-too-far" "receipt-wrong",
        "11.5" "deadline-in-the-past" "receipt-wrong",
        "11.6" "wrong-payload-digest" "payload-wrong",
        "11.6" "wrong-payload-size" "payload-wrong",
        "11.6" "payload-of-another-receipt" "payload-wrong",
        "11.7" "sealed-to-another-key" "payload-wrong",
        "11.7" "wrong-info" "payload-wrong",
        "11.7" "wrong-allocation-digest" "payload-wrong",
        "11.8" "malformed-allocation" "payload-wrong",
        "11.8" "revision-mismatch" "payload-wrong",
        "11.10" "refusal-of-another-request" "refusal-wrong",
        "11.10" "refusal-of-another-key-pair" "refusal-wrong",
        "11.10" "refusal-by-another-key" "refusal-wrong",
        "11.10" "refusal-for-another-id" "refusal-wrong",
        "11.10" "refusal-of-another-main-server" "refusal-wrong",
    ]);
    // 8 MiB in a file take longer than all other files together, and are the same bytes.
    cases.push(must("11.6", "huge-payload-is-not-accepted", |s| {
        // The size stands in the receipt: whoever reads that sees it first.
        Box::pin(over_the_network(s, "huge-payload", &["payload-wrong", "receipt-wrong"]))
    }));
    cases
}

/// The quirk happens once, to this operation.
pub(super) fn once(stage: &Stage, quirk: Quirk, operation: Operation) -> Outcome {
    arm(stage, Fault::new(quirk).operation(operation).next(1))
}

pub(super) fn arm(stage: &Stage, fault: Fault) -> Outcome {
    let armed = stage.main.arm(fault);
    armed.map(drop).map_err(|error| Finding::deviates("a case that works", format!("no quirk: {error}")))
}

/// Every quirk that was armed has happened: otherwise nothing was tested.
pub(super) fn all_have_happened(stage: &Stage) -> Outcome {
    match stage.main.quirks_report().iter().find(|report| report.fired == 0) {
        Some(idle) => Err(Finding::deviates("a subject that asks", format!("{} had no occasion", idle.fault.quirk))),
        None => Ok(()),
    }
}

/// Nothing has changed, and the same request gets an honest answer, which is accepted.
pub(super) async fn recovers(stage: &Stage, server: &Server<'_>, before: &Status) -> Outcome {
    all_have_happened(stage)?;
    Finding::unless_equal(before, &server.status().await?)?;
    stage.main.disarm_all();
    let sent = stage.sent();
    stage.synchronize(server).await?;
    server.issues().await?;
    // What broke off before a request came leaves nothing to compare.
    match sent.last().filter(|outstanding| !outstanding.is_empty()) {
        Some(outstanding) => Finding::unless_equal(&Some(outstanding), &stage.sent().get(sent.len())),
        None => Ok(()),
    }
}

/// As [`recovers`], with the next synchronization over the network.
pub(super) async fn recovers_directly(stage: &Stage, server: &Server<'_>, before: &Status) -> Outcome {
    all_have_happened(stage)?;
    Finding::unless_equal(before, &server.status().await?)?;
    stage.main.disarm_all();
    let sent = stage.sent();
    server.synchronize().await?.expect_synchronized()?;
    server.issues().await?;
    Finding::unless_equal(&sent.last(), &stage.sent().get(sent.len()))
}

async fn over_the_network(stage: &Stage, quirk: &str, codes: &[&str]) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    not_accepted(stage, &server, parse(quirk)?, codes).await
}

async fn not_accepted(stage: &Stage, server: &Server<'_>, quirk: Quirk, codes: &[&str]) -> Outcome {
    let before = server.status().await?;
    once(stage, quirk, Operation::Synchronize)?;
    server.synchronize().await?.is_failed_with_one_of(codes)?;
    server.issues().await?;
    recovers(stage, server, &before).await
}

async fn by_file(stage: &Stage, quirk: &str) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    let before = server.status().await?;
    let request = server.export("a").await?;
    once(stage, parse(quirk)?, Operation::File)?;
    let bad = stage.process(&request)?;
    all_have_happened(stage)?;
    server.import(&bad).await?.is_failed("file-not-usable")?;
    Finding::unless_equal(&before, &server.status().await?)?;
    server.issues().await?;
    server.import(&stage.process(&request)?).await?.expect_synchronized()?;
    Finding::unless_equal(&Some(2), &server.status().await?.sequence)
}

async fn is_good(stage: &Stage, quirk: Quirk) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    once(stage, quirk, Operation::Synchronize)?;
    server.synchronize().await?.expect_synchronized()?;
    all_have_happened(stage)?;
    server.issues().await?;
    // A receipt that came in other bytes than the main server remembers cannot be claimed: by file it is the last step.
    Finding::unless_equal(&Some(2), &server.status().await?.sequence)
}

async fn good_refusal(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    stage.clear_key_pair()?;
    once(stage, Quirk::UnknownMembers, Operation::Synchronize)?;
    server.synchronize().await?.is_refused("key-pair-cleared")?;
    all_have_happened(stage)?;
    server.is("cleared").await
}

async fn unsigned(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    let before = server.status().await?;
    once(stage, Quirk::UnsignedRefusal, Operation::Synchronize)?;
    let codes = ["main-server-trouble", "refusal-wrong", "not-the-main-server"];
    server.synchronize().await?.is_failed_with_one_of(&codes)?;
    server.is("synchronized").await?;
    server.issues().await?;
    recovers(stage, &server, &before).await
}

async fn generation_back(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    stage.clear_key_pair()?;
    server.new_key_pair().await?.is_done()?;
    server.synchronize().await?.expect_synchronized()?;
    not_accepted(stage, &server, Quirk::GenerationBack, &["receipt-wrong"]).await
}

async fn refusal_with_a_wrong_signature(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    let before = server.status().await?;
    stage.clear_key_pair()?;
    once(stage, Quirk::WrongSignature, Operation::Synchronize)?;
    server.synchronize().await?.is_failed("refusal-wrong")?;
    all_have_happened(stage)?;
    Finding::unless_equal(&before, &server.status().await?)?;
    server.issues().await?;
    server.synchronize().await?.is_refused("key-pair-cleared")
}

/// The page calls it a success, and it is no answer to what was asked: how it is named is left open here.
async fn old_receipt(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    let before = server.status().await?;
    once(stage, Quirk::OldReceipt, Operation::Synchronize)?;
    server.synchronize().await?;
    recovers(stage, &server, &before).await
}

async fn old_receipt_by_file(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    let before = server.status().await?;
    let request = server.export("a").await?;
    once(stage, Quirk::OldReceipt, Operation::File)?;
    let changes = server.import(&stage.process(&request)?).await?.expect_synchronized()?;
    Finding::unless_equal(&Default::default(), &changes)?;
    recovers(stage, &server, &before).await
}

async fn older_receipt(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    server.synchronize().await?.expect_synchronized()?;
    let before = server.status().await?;
    once(stage, Quirk::OlderReceipt, Operation::Synchronize)?;
    server.synchronize().await?.is_failed_with_one_of(&["response-older", "receipt-wrong"])?;
    recovers(stage, &server, &before).await
}

async fn older_receipt_by_file(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    server.synchronize().await?.expect_synchronized()?;
    let before = server.status().await?;
    let request = server.export("a").await?;
    once(stage, Quirk::OlderReceipt, Operation::File)?;
    server.import(&stage.process(&request)?).await?.is_failed("response-older")?;
    recovers(stage, &server, &before).await
}

fn parse(quirk: &str) -> Result<Quirk, Finding> {
    quirk.parse().map_err(|error| Finding::deviates("a case that works", error))
}

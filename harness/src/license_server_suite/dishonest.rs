//! A main server that is dishonest, or broken: mock-solme with its quirks. What it answers then must not be accepted,
//! must change nothing, and must not keep the next honest answer from being accepted.

use mock_solme::quirks::{Fault, Operation, Quirk};

use super::license_server::Server;
use super::stage::Stage;
use crate::conformance::{Case, Finding, Outcome, case, cases};
use crate::subject::answers::Status;

/// Two cases of one quirk: over the network and by file.
macro_rules! both_carriers {
    ($($clause:literal $quirk:literal $code:literal),* $(,)?) => {
        [$(
            case!($clause, Must, concat!($quirk, "-is-not-accepted"), over_the_network($quirk, &[$code])),
            case!($clause, Must, concat!($quirk, "-by-file-is-not-accepted"), by_file($quirk)),
        )*]
    };
}

pub(super) fn cases() -> Vec<Case<Stage>> {
    let mut cases = cases! {
        "2.1" Must reordered_members_are_accepted = is_good(Quirk::ReorderedMembers);
        "2.3" Must unknown_members_are_ignored = is_good(Quirk::UnknownMembers);
        "2.3" Must unknown_members_of_a_refusal_are_ignored;
        "8.2" Must an_unsigned_refusal_is_none;
        "11.4" Must generation_back_is_not_accepted;
        "11.10" Must a_refusal_with_a_wrong_signature_is_none;
        "11.11" Must old_receipt_changes_nothing;
        "11.11" Must old_receipt_by_file_is_a_success_that_changes_nothing;
        "11.11" Must older_receipt_changes_nothing;
        "11.11" Must older_receipt_by_file_is_named_as_older;
    };
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
    // The size stands in the receipt: a subject may see it there first.
    cases.extend(cases! {
        "11.6" Must huge_payload_is_not_accepted = over_the_network("huge-payload", &["payload-wrong", "receipt-wrong"]);
    });
    cases
}

/// The quirk happens once, to this operation.
pub(super) fn once(stage: &Stage, quirk: Quirk, operation: Operation) -> Outcome {
    arm(stage, Fault::new(quirk).operation(operation).next(1))
}

pub(super) fn arm(stage: &Stage, fault: Fault) -> Outcome {
    let armed = stage.main.arm(fault);
    armed.map(drop).map_err(|error| Finding::deviates("a working case", format!("no quirk: {error}")))
}

/// Every quirk that was armed has happened: otherwise nothing was tested.
pub(super) fn all_have_happened(stage: &Stage) -> Outcome {
    match stage.main.quirks_report().iter().find(|report| report.fired == 0) {
        Some(idle) => Err(Finding::deviates("a request", format!("the quirk {} was never used", idle.fault.quirk))),
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

async fn unknown_members_of_a_refusal_are_ignored(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    stage.clear_key_pair()?;
    once(stage, Quirk::UnknownMembers, Operation::Synchronize)?;
    server.synchronize().await?.is_refused("key-pair-cleared")?;
    all_have_happened(stage)?;
    server.is("cleared").await
}

async fn an_unsigned_refusal_is_none(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    let before = server.status().await?;
    once(stage, Quirk::UnsignedRefusal, Operation::Synchronize)?;
    let codes = ["main-server-trouble", "refusal-wrong", "not-the-main-server"];
    server.synchronize().await?.is_failed_with_one_of(&codes)?;
    server.is("synchronized").await?;
    server.issues().await?;
    recovers(stage, &server, &before).await
}

async fn generation_back_is_not_accepted(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    stage.clear_key_pair()?;
    server.new_key_pair().await?.is_done()?;
    server.synchronize().await?.expect_synchronized()?;
    not_accepted(stage, &server, Quirk::GenerationBack, &["receipt-wrong"]).await
}

async fn a_refusal_with_a_wrong_signature_is_none(stage: &Stage) -> Outcome {
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
async fn old_receipt_changes_nothing(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    let before = server.status().await?;
    once(stage, Quirk::OldReceipt, Operation::Synchronize)?;
    server.synchronize().await?.is_failed_with_one_of(&["response-older", "receipt-wrong"])?;
    recovers(stage, &server, &before).await
}

async fn old_receipt_by_file_is_a_success_that_changes_nothing(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    let before = server.status().await?;
    let request = server.export("a").await?;
    once(stage, Quirk::OldReceipt, Operation::File)?;
    let changes = server.import(&stage.process(&request)?).await?.expect_synchronized()?;
    Finding::unless_equal(&Default::default(), &changes)?;
    recovers(stage, &server, &before).await
}

async fn older_receipt_changes_nothing(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    server.synchronize().await?.expect_synchronized()?;
    let before = server.status().await?;
    once(stage, Quirk::OlderReceipt, Operation::Synchronize)?;
    server.synchronize().await?.is_failed_with_one_of(&["response-older", "receipt-wrong"])?;
    recovers(stage, &server, &before).await
}

async fn older_receipt_by_file_is_named_as_older(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    server.synchronize().await?.expect_synchronized()?;
    let before = server.status().await?;
    let request = server.export("a").await?;
    once(stage, Quirk::OlderReceipt, Operation::File)?;
    server.import(&stage.process(&request)?).await?.is_failed("response-older")?;
    recovers(stage, &server, &before).await
}

fn parse(quirk: &str) -> Result<Quirk, Finding> {
    quirk.parse().map_err(|error| Finding::deviates("a working case", error))
}

//! Section 17: time, and the right to issue.

use mock_solme::NewLicense;
use solme_sync_protocol::UtcTime;

use super::license_server::Server;
use super::must;
use super::stage::{DAY, ID, Stage, operated};
use crate::conformance::{Case, Finding, Outcome};

/// Seconds that a case may take before an edge would be missed.
const SOON: i64 = 120;
const YEAR: i64 = 366 * DAY;

pub(super) fn cases() -> Vec<Case<Stage>> {
    vec![
        must("6.2", "the-deadline-is-366-days-after-main-server-time", |s| Box::pin(deadline(s))),
        must("6.3", "an-earlier-time-with-the-next-sequence-is-accepted", |s| Box::pin(time_does_not_order(s))),
        must("11.5", "a-local-clock-that-is-fast-makes-no-receipt-invalid", |s| {
            Box::pin(receipts_and_clocks(s, 500 * DAY))
        }),
        must("11.5", "a-local-clock-that-is-slow-makes-no-receipt-invalid", |s| {
            Box::pin(receipts_and_clocks(s, -500 * DAY))
        }),
        must("17.1", "nothing-is-issued-before-the-first-synchronization", |s| Box::pin(unsynchronized(s))),
        must("17.1", "licenses-are-issued-until-the-deadline", |s| Box::pin(until_the_deadline(s))),
        must("17.1", "nothing-is-issued-from-the-deadline-on", |s| Box::pin(from_the_deadline_on(s))),
        must("17.1", "a-synchronization-ends-being-overdue", |s| Box::pin(no_longer_overdue(s))),
        must("17.1", "a-file-ends-being-overdue", |s| Box::pin(no_longer_overdue_by_file(s))),
        must("17.1", "the-same-response-again-moves-no-deadline", |s| Box::pin(same_response(s))),
        must("17.1", "a-refusal-moves-no-deadline", |s| Box::pin(refusal_and_deadline(s))),
        must("17.2", "the-mark-counts-when-the-clock-is-behind-it", |s| Box::pin(mark_counts(s))),
        must("17.3", "the-request-states-the-mark", |s| Box::pin(stated_mark(s))),
        must("17.3", "a-second-init-keeps-the-mark", |s| Box::pin(mark_after_init(s))),
        must("17.3", "a-new-key-pair-keeps-the-mark", |s| Box::pin(mark_after_new_key_pair(s))),
        must("17.4", "a-clock-set-back-by-23-hours-is-borne", |s| Box::pin(set_back(s, -23 * 3_600, true))),
        must("17.4", "a-clock-set-back-by-25-hours-is-not", |s| Box::pin(set_back(s, -25 * 3_600, false))),
        must("17.4", "setting-back-adds-up", |s| Box::pin(adds_up(s))),
        must("17.4", "once-the-clock-is-right-again-licenses-are-issued", |s| Box::pin(right_again(s))),
        must("17.5", "a-synchronization-sets-a-fast-clock-straight", |s| Box::pin(fast_clock(s))),
        must("17.5", "a-file-sets-a-fast-clock-straight", |s| Box::pin(fast_clock_by_file(s))),
        must("17.5", "a-receipt-that-was-held-back-lowers-nothing", |s| Box::pin(held_back(s))),
        must("17.5", "a-clock-set-back-before-a-held-back-response-gains-nothing", |s| Box::pin(exploited(s, true))),
        must("17.5", "a-clock-set-back-after-a-held-back-response-gains-nothing", |s| Box::pin(exploited(s, false))),
        must("17.5", "a-later-receipt-raises-the-mark", |s| Box::pin(raised(s))),
        must("17.6", "days-left-are-rounded-up", |s| Box::pin(days_left(s))),
        must("17.7", "a-license-is-not-issued-before-it-is-valid", |s| Box::pin(not_yet_valid(s))),
        must("17.7", "a-license-is-not-issued-after-its-end", |s| Box::pin(expired(s))),
        must("17.7", "the-first-second-counts-and-the-end-does-not", |s| Box::pin(to_the_second(s))),
        must("17.7", "a-license-without-end-is-issued", |s| Box::pin(without_end(s))),
        must("17.7", "what-is-not-allocated-is-not-issued", |s| Box::pin(not_allocated(s))),
        must("17.7", "where-no-license-is-valid-nothing-is-issued", |s| Box::pin(nothing_valid(s))),
        must("17.8", "a-failure-takes-nothing-away", |s| Box::pin(after_a_failure(s))),
        must("17.8", "status-and-may-issue-agree", |s| Box::pin(agree(s))),
    ]
}

async fn deadline(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    let main = stage.main.now().as_secs();
    match server.status().await?.synchronize_by.and_then(|by| by.checked_sub(YEAR.unsigned_abs())) {
        Some(iat) if (main.saturating_sub(SOON.unsigned_abs())..=main).contains(&iat) => Ok(()),
        other => Err(Finding::deviates(format!("366 days from {main}"), format!("366 days from {other:?}"))),
    }
}

async fn time_does_not_order(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    stage.main.advance_clock(-10 * DAY).map_err(operated)?;
    server.synchronize().await?.expect_synchronized()?;
    Finding::unless_equal(&Some(2), &server.status().await?.sequence)
}

async fn receipts_and_clocks(stage: &Stage, offset: i64) -> Outcome {
    let server = stage.server("a").await?;
    server.set_clock(offset).await?;
    server.synchronize().await?.expect_synchronized()?;
    let response = stage.process(&server.export("a").await?)?;
    server.import(&response).await?.expect_synchronized().map(drop)
}

async fn unsynchronized(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    server.does_not_issue().await?;
    Finding::unless_equal(&false, &server.may_issue_license(&stage.license).await?)
}

async fn until_the_deadline(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    for offset in [DAY, 365 * DAY, YEAR - SOON] {
        server.set_clock(offset).await?;
        server.is("synchronized").await?;
        server.issues().await?;
    }
    Ok(())
}

async fn from_the_deadline_on(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    for offset in [YEAR, 2 * YEAR] {
        server.set_clock(offset).await?;
        server.is("overdue").await?;
        server.does_not_issue().await?;
        Finding::unless_equal(&false, &server.may_issue_license(&stage.license).await?)?;
    }
    Ok(())
}

async fn no_longer_overdue(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    server.set_clock(YEAR).await?;
    server.is("overdue").await?;
    stage.main.advance_clock(YEAR).map_err(operated)?;
    server.synchronize().await?.expect_synchronized()?;
    server.is("synchronized").await?;
    server.issues().await
}

async fn no_longer_overdue_by_file(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    server.set_clock(YEAR).await?;
    server.does_not_issue().await?;
    stage.main.advance_clock(YEAR).map_err(operated)?;
    let response = stage.process(&server.export("a").await?)?;
    server.import(&response).await?.expect_synchronized()?;
    server.issues().await
}

async fn same_response(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    let response = stage.process(&server.export("a").await?)?;
    server.import(&response).await?.expect_synchronized()?;
    server.set_clock(YEAR).await?;
    server.import(&response).await?.expect_synchronized()?;
    server.is("overdue").await?;
    server.does_not_issue().await
}

async fn refusal_and_deadline(stage: &Stage) -> Outcome {
    let server = stage.server_with_two_keys("a").await?;
    server.synchronize().await?.expect_synchronized()?;
    let before = server.status().await?.synchronize_by;
    let request = server.export("a").await?;
    stage.main.advance_clock(DAY).map_err(operated)?;
    let refusal = stage.refuse(&request, solme_sync_protocol::RefusalCode::TemporarilyUnavailable)?;
    server.import(&refusal).await?.is_refused("temporarily-unavailable")?;
    Finding::unless_equal(&before, &server.status().await?.synchronize_by)
}

async fn mark_counts(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    server.set_clock(YEAR).await?;
    server.is("overdue").await?;
    // Within the 24 hours of 17.4, so that only the mark is in the way.
    server.set_clock(YEAR - 12 * 3_600).await?;
    server.does_not_issue().await
}

async fn stated_mark(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    server.set_clock(10 * DAY).await?;
    let seen = stage.main.now().plus(10 * DAY.unsigned_abs());
    server.status().await?;
    server.set_clock(0).await?;
    server.synchronize().await?.expect_synchronized()?;
    let requests = stage.requests()?;
    match requests.first() {
        Some(request) if request.high_water_mark >= seen && request.made_at < seen => Ok(()),
        other => Err(Finding::deviates(format!("a mark of {seen} or later, made before it"), format!("{other:?}"))),
    }
}

/// A License Server whose clock was ten days fast when it was looked at.
async fn with_a_late_mark(stage: &Stage) -> Result<Server<'_>, Finding> {
    let server = stage.synchronized_server("a").await?;
    server.set_clock(10 * DAY).await?;
    server.issues().await?;
    server.set_clock(0).await?;
    Ok(server)
}

/// The mark that its next request states is still that one.
async fn states_the_late_mark(stage: &Stage, server: &Server<'_>) -> Outcome {
    let seen = stage.main.now().plus(9 * DAY.unsigned_abs());
    stage.synchronize(server).await?;
    match stage.requests()?.last().map(|request| request.high_water_mark) {
        Some(mark) if mark >= seen => Ok(()),
        mark => Err(Finding::deviates(format!("a mark after {seen}"), format!("{mark:?}"))),
    }
}

async fn mark_after_init(stage: &Stage) -> Outcome {
    let server = with_a_late_mark(stage).await?;
    server.init(ID, stage.main.trust_file()).await?.is_done()?;
    server.does_not_issue().await?;
    states_the_late_mark(stage, &server).await
}

async fn mark_after_new_key_pair(stage: &Stage) -> Outcome {
    let server = with_a_late_mark(stage).await?;
    stage.clear_key_pair()?;
    server.new_key_pair().await?.is_done()?;
    states_the_late_mark(stage, &server).await
}

async fn set_back(stage: &Stage, offset: i64, issues: bool) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    server.set_clock(offset).await?;
    Finding::unless_equal(&issues, &server.may_issue().await?)
}

async fn adds_up(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    for offset in [-13 * 3_600, 0] {
        server.set_clock(offset).await?;
        server.issues().await?;
    }
    server.set_clock(-13 * 3_600).await?;
    server.does_not_issue().await
}

async fn right_again(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    server.set_clock(-10 * DAY).await?;
    server.does_not_issue().await?;
    server.set_clock(0).await?;
    server.issues().await
}

async fn fast_clock(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    server.set_clock(2 * YEAR).await?;
    server.does_not_issue().await?;
    server.set_clock(0).await?;
    server.does_not_issue().await?;
    server.synchronize().await?.expect_synchronized()?;
    server.is("synchronized").await?;
    server.issues().await
}

async fn fast_clock_by_file(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    server.set_clock(2 * YEAR).await?;
    server.does_not_issue().await?;
    server.set_clock(0).await?;
    let response = stage.process(&server.export("a").await?)?;
    server.import(&response).await?.expect_synchronized()?;
    server.issues().await
}

/// The request was made before the mark was raised: a receipt of then says nothing about the time since.
async fn held_back(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    let response = stage.process(&server.export("a").await?)?;
    server.set_clock(YEAR).await?;
    server.does_not_issue().await?;
    server.import(&response).await?.expect_synchronized()?;
    server.set_clock(0).await?;
    server.does_not_issue().await
}

/// The clock is a little fast, so that the request states a mark later than the receipt; 300 days then pass before the
/// response is imported. The clock is set back by them, before that or after it.
async fn exploited(stage: &Stage, before: bool) -> Outcome {
    const PASSED: i64 = 300 * DAY;
    let server = stage.server("a").await?;
    server.set_clock(SOON).await?;
    let response = stage.process(&server.export("a").await?)?;
    for offset in [Some(PASSED), before.then_some(SOON)].into_iter().flatten() {
        server.set_clock(offset).await?;
        server.status().await?;
    }
    server.import(&response).await?.expect_synchronized()?;
    server.set_clock(SOON).await?;
    server.does_not_issue().await?;
    server.set_clock(PASSED).await?;
    Finding::unless_equal(&Some(66), &server.status().await?.days_left)?;
    server.issues().await
}

async fn raised(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    stage.main.advance_clock(30 * DAY).map_err(operated)?;
    server.synchronize().await?.expect_synchronized()?;
    // The local clock has not moved, and is now 30 days behind what is known.
    server.does_not_issue().await?;
    server.set_clock(30 * DAY).await?;
    server.issues().await
}

async fn days_left(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    for (offset, wanted) in [(0, 366), (DAY / 2, 366), (DAY, 365), (365 * DAY, 1), (YEAR, 0), (2 * YEAR, 0)] {
        // A second or two later than the receipt, which days rounded up do not show, but on an edge.
        server.set_clock(offset).await?;
        let found = server.status().await?.days_left;
        if found != Some(wanted) && !(offset == 0 && found == Some(365)) {
            return Err(Finding::deviates(format!("{wanted} days left {offset} s later"), format!("{found:?}")));
        }
    }
    Ok(())
}

async fn not_yet_valid(stage: &Stage) -> Outcome {
    let number = stage.allocate(NewLicense { valid_from: Some(in_days(stage, 10)), ..NewLicense::default() })?;
    let server = stage.synchronized_server("a").await?;
    Finding::unless_equal(&false, &server.may_issue_license(&number).await?)?;
    server.set_clock(11 * DAY).await?;
    Finding::unless_equal(&true, &server.may_issue_license(&number).await?)
}

async fn expired(stage: &Stage) -> Outcome {
    let number = stage.allocate(NewLicense { expires_at: Some(Some(in_days(stage, 10))), ..NewLicense::default() })?;
    let server = stage.synchronized_server("a").await?;
    Finding::unless_equal(&true, &server.may_issue_license(&number).await?)?;
    server.set_clock(10 * DAY).await?;
    Finding::unless_equal(&false, &server.may_issue_license(&number).await?)?;
    Finding::unless_equal(&true, &server.may_issue_license(&stage.license).await?)
}

/// The effective time is that of the receipt for as long as the local clock is an hour behind it: to the second.
async fn to_the_second(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    for _ in 0..5 {
        let edge = stage.main.now().plus(3_600);
        let begin = UtcTime::from_secs(edge.as_secs() - 10 * DAY.unsigned_abs());
        let ending = NewLicense { valid_from: Some(begin), expires_at: Some(Some(edge)), ..NewLicense::default() };
        let ending = stage.allocate(ending)?;
        let beginning = stage.allocate(NewLicense { valid_from: Some(edge), ..NewLicense::default() })?;
        let request = server.export("a").await?;
        stage.main.set_clock(edge).map_err(operated)?;
        server.import(&stage.process(&request)?).await?.expect_synchronized()?;
        let by = server.status().await?.synchronize_by;
        stage.main.advance_clock(-3_600).map_err(operated)?;
        // A second may have begun meanwhile: then it is tried again.
        if by == Some(edge.as_secs() + YEAR.unsigned_abs()) {
            Finding::unless_equal(&false, &server.may_issue_license(&ending).await?)?;
            return Finding::unless_equal(&true, &server.may_issue_license(&beginning).await?);
        }
    }
    Err(Finding::deviates("a case that works", "the clock was never caught at the edge"))
}

async fn without_end(stage: &Stage) -> Outcome {
    let number = stage.allocate(NewLicense { expires_at: Some(None), ..NewLicense::default() })?;
    let server = stage.synchronized_server("a").await?;
    server.set_clock(365 * DAY).await?;
    Finding::unless_equal(&true, &server.may_issue_license(&number).await?)
}

async fn nothing_valid(stage: &Stage) -> Outcome {
    stage.allocate(NewLicense { expires_at: Some(Some(in_days(stage, 10))), ..NewLicense::default() })?;
    stage.remove(&stage.license)?;
    let server = stage.synchronized_server("a").await?;
    server.issues().await?;
    server.set_clock(10 * DAY).await?;
    server.is("synchronized").await?;
    server.does_not_issue().await
}

async fn not_allocated(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    let number = stage.allocate(NewLicense::default())?;
    Finding::unless_equal(&false, &server.may_issue_license(&number).await?)
}

async fn after_a_failure(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    let before = server.status().await?;
    let rubbish = stage.write("rubbish.response", "rubbish")?;
    server.import(&rubbish).await?.is_failed("file-not-usable")?;
    Finding::unless_equal(&before, &server.status().await?)?;
    server.issues().await
}

async fn agree(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    server.does_not_issue().await?;
    server.is("unsynchronized").await?;
    server.synchronize().await?.expect_synchronized()?;
    server.issues().await?;
    server.is("synchronized").await?;
    server.set_clock(YEAR).await?;
    server.does_not_issue().await?;
    server.is("overdue").await
}

fn in_days(stage: &Stage, days: u64) -> UtcTime {
    stage.main.now().plus(days * DAY.unsigned_abs())
}

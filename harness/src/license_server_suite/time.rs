//! Section 17: time, and the right to issue.

use mock_solme::NewLicense;
use solme_sync_protocol::UtcTime;

use super::license_server::Server;
use super::stage::{DAY, ID, Stage, operated};
use crate::conformance::{Case, Finding, Outcome, cases};

/// Seconds that a case may take before an edge would be missed.
const SOON: i64 = 120;
const YEAR: i64 = 366 * DAY;

pub(super) fn cases() -> Vec<Case<Stage>> {
    cases! {
        "6.2" Must the_deadline_is_366_days_after_main_server_time;
        "6.3" Must an_earlier_time_with_the_next_sequence_is_accepted;
        "11.5" Must a_local_clock_that_is_fast_makes_no_receipt_invalid = receipts_and_clocks(500 * DAY);
        "11.5" Must a_local_clock_that_is_slow_makes_no_receipt_invalid = receipts_and_clocks(-500 * DAY);
        "17.1" Must nothing_is_issued_before_the_first_synchronization;
        "17.1" Must licenses_are_issued_until_the_deadline;
        "17.1" Must nothing_is_issued_from_the_deadline_on;
        "17.1" Must a_synchronization_ends_being_overdue;
        "17.1" Must a_file_ends_being_overdue;
        "17.1" Must the_same_response_again_moves_no_deadline;
        "17.1" Must a_refusal_moves_no_deadline;
        "17.2" Must the_mark_counts_when_the_clock_is_behind_it;
        "17.3" Must the_request_states_the_mark;
        "17.3" Must a_second_init_keeps_the_mark;
        "17.3" Must a_new_key_pair_keeps_the_mark;
        "17.4" Must a_clock_set_back_by_23_hours_is_borne = set_back(-23 * 3_600, true);
        "17.4" Must a_clock_set_back_by_25_hours_is_not = set_back(-25 * 3_600, false);
        "17.4" Must setting_back_adds_up;
        "17.4" Must once_the_clock_is_right_again_licenses_are_issued;
        "17.5" Must a_synchronization_sets_a_fast_clock_straight;
        "17.5" Must a_file_sets_a_fast_clock_straight;
        "17.5" Must a_receipt_that_was_held_back_lowers_nothing;
        "17.5" Must a_clock_set_back_before_a_held_back_response_gains_nothing = exploited(true);
        "17.5" Must a_clock_set_back_after_a_held_back_response_gains_nothing = exploited(false);
        "17.5" Must a_later_receipt_raises_the_mark;
        "17.6" Must days_left_are_rounded_up;
        "17.7" Must a_license_is_not_issued_before_it_is_valid;
        "17.7" Must a_license_is_not_issued_after_its_end;
        "17.7" Must the_first_second_counts_and_the_end_does_not;
        "17.7" Must a_license_without_end_is_issued;
        "17.7" Must what_is_not_allocated_is_not_issued;
        "17.7" Must where_no_license_is_valid_nothing_is_issued;
        "17.8" Must a_failure_takes_nothing_away;
        "17.8" Must status_and_may_issue_agree;
    }
}

async fn the_deadline_is_366_days_after_main_server_time(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    let main = stage.main.now().as_secs();
    match server.status().await?.synchronize_by.and_then(|by| by.checked_sub(YEAR.unsigned_abs())) {
        Some(iat) if (main.saturating_sub(SOON.unsigned_abs())..=main).contains(&iat) => Ok(()),
        other => Err(Finding::deviates(format!("366 days from {main}"), format!("366 days from {other:?}"))),
    }
}

async fn an_earlier_time_with_the_next_sequence_is_accepted(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    stage.main.advance_clock(-10 * DAY).map_err(operated)?;
    server.synchronize().await?.expect_synchronized()?;
    Finding::unless_equal(&Some(2), &server.status().await?.sequence)
}

async fn receipts_and_clocks(stage: &Stage, offset: i64) -> Outcome {
    let server = stage.server("a").await?;
    server.set_clock(offset).await?;
    server.synchronize().await?.expect_synchronized()?;
    stage.synchronize_by_file(&server).await.map(drop)
}

async fn nothing_is_issued_before_the_first_synchronization(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    server.does_not_issue().await?;
    Finding::unless_equal(&false, &server.may_issue_license(&stage.license).await?)
}

async fn licenses_are_issued_until_the_deadline(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    for offset in [DAY, 365 * DAY, YEAR - SOON] {
        server.set_clock(offset).await?;
        server.is("synchronized").await?;
        server.issues().await?;
    }
    Ok(())
}

async fn nothing_is_issued_from_the_deadline_on(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    for offset in [YEAR, 2 * YEAR] {
        server.set_clock(offset).await?;
        server.is("overdue").await?;
        server.does_not_issue().await?;
        Finding::unless_equal(&false, &server.may_issue_license(&stage.license).await?)?;
    }
    Ok(())
}

async fn a_synchronization_ends_being_overdue(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    server.set_clock(YEAR).await?;
    server.is("overdue").await?;
    stage.main.advance_clock(YEAR).map_err(operated)?;
    server.synchronize().await?.expect_synchronized()?;
    server.is("synchronized").await?;
    server.issues().await
}

async fn a_file_ends_being_overdue(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    server.set_clock(YEAR).await?;
    server.does_not_issue().await?;
    stage.main.advance_clock(YEAR).map_err(operated)?;
    stage.synchronize_by_file(&server).await?;
    server.issues().await
}

async fn the_same_response_again_moves_no_deadline(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    let response = stage.process(&server.export("a").await?)?;
    server.import(&response).await?.expect_synchronized()?;
    server.set_clock(YEAR).await?;
    server.import(&response).await?.expect_synchronized()?;
    server.is("overdue").await?;
    server.does_not_issue().await
}

async fn a_refusal_moves_no_deadline(stage: &Stage) -> Outcome {
    let server = stage.server_with_two_keys("a").await?;
    server.synchronize().await?.expect_synchronized()?;
    let before = server.status().await?.synchronize_by;
    let request = server.export("a").await?;
    stage.main.advance_clock(DAY).map_err(operated)?;
    let refusal = stage.refuse(&request, solme_sync_protocol::RefusalCode::TemporarilyUnavailable)?;
    server.import(&refusal).await?.is_refused("temporarily-unavailable")?;
    Finding::unless_equal(&before, &server.status().await?.synchronize_by)
}

async fn the_mark_counts_when_the_clock_is_behind_it(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    server.set_clock(YEAR).await?;
    server.is("overdue").await?;
    // Within the 24 hours of 17.4, so that only the mark is in the way.
    server.set_clock(YEAR - 12 * 3_600).await?;
    server.does_not_issue().await
}

async fn the_request_states_the_mark(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    server.set_clock(10 * DAY).await?;
    let seen = stage.main.now().plus(10 * DAY.unsigned_abs());
    server.status().await?;
    server.set_clock(0).await?;
    server.synchronize().await?.expect_synchronized()?;
    let requests = stage.requests()?;
    match requests.first() {
        Some(request) if request.high_water_mark >= seen && request.made_at < seen => Ok(()),
        other => Err(Finding::deviates(
            format!("a high-water mark of {seen} or later, taken before the request"),
            format!("{other:?}"),
        )),
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
        mark => Err(Finding::deviates(format!("a high-water mark after {seen}"), format!("{mark:?}"))),
    }
}

async fn a_second_init_keeps_the_mark(stage: &Stage) -> Outcome {
    let server = with_a_late_mark(stage).await?;
    server.init(ID, stage.main.trust_file()).await?.is_done()?;
    server.does_not_issue().await?;
    states_the_late_mark(stage, &server).await
}

async fn a_new_key_pair_keeps_the_mark(stage: &Stage) -> Outcome {
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

async fn setting_back_adds_up(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    for offset in [-13 * 3_600, 0] {
        server.set_clock(offset).await?;
        server.issues().await?;
    }
    server.set_clock(-13 * 3_600).await?;
    server.does_not_issue().await
}

async fn once_the_clock_is_right_again_licenses_are_issued(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    server.set_clock(-10 * DAY).await?;
    server.does_not_issue().await?;
    server.set_clock(0).await?;
    server.issues().await
}

async fn a_synchronization_sets_a_fast_clock_straight(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    server.set_clock(2 * YEAR).await?;
    server.does_not_issue().await?;
    server.set_clock(0).await?;
    server.does_not_issue().await?;
    server.synchronize().await?.expect_synchronized()?;
    server.is("synchronized").await?;
    server.issues().await
}

async fn a_file_sets_a_fast_clock_straight(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    server.set_clock(2 * YEAR).await?;
    server.does_not_issue().await?;
    server.set_clock(0).await?;
    stage.synchronize_by_file(&server).await?;
    server.issues().await
}

/// The request was made before the mark was raised: a receipt of then says nothing about the time since.
async fn a_receipt_that_was_held_back_lowers_nothing(stage: &Stage) -> Outcome {
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

async fn a_later_receipt_raises_the_mark(stage: &Stage) -> Outcome {
    let server = stage.server("a").await?;
    stage.main.advance_clock(30 * DAY).map_err(operated)?;
    server.synchronize().await?.expect_synchronized()?;
    // The local clock has not moved, and is now 30 days behind what is known.
    server.does_not_issue().await?;
    server.set_clock(30 * DAY).await?;
    server.issues().await
}

async fn days_left_are_rounded_up(stage: &Stage) -> Outcome {
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

async fn a_license_is_not_issued_before_it_is_valid(stage: &Stage) -> Outcome {
    let number = stage.allocate(NewLicense { valid_from: Some(in_days(stage, 10)), ..NewLicense::default() })?;
    let server = stage.synchronized_server("a").await?;
    Finding::unless_equal(&false, &server.may_issue_license(&number).await?)?;
    server.set_clock(11 * DAY).await?;
    Finding::unless_equal(&true, &server.may_issue_license(&number).await?)
}

async fn a_license_is_not_issued_after_its_end(stage: &Stage) -> Outcome {
    let number = stage.allocate(NewLicense { expires_at: Some(Some(in_days(stage, 10))), ..NewLicense::default() })?;
    let server = stage.synchronized_server("a").await?;
    Finding::unless_equal(&true, &server.may_issue_license(&number).await?)?;
    server.set_clock(10 * DAY).await?;
    Finding::unless_equal(&false, &server.may_issue_license(&number).await?)?;
    Finding::unless_equal(&true, &server.may_issue_license(&stage.license).await?)
}

/// The effective time is that of the receipt for as long as the local clock is an hour behind it: to the second.
async fn the_first_second_counts_and_the_end_does_not(stage: &Stage) -> Outcome {
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
    Err(Finding::deviates("a working case", "the clock was never caught at the edge"))
}

async fn a_license_without_end_is_issued(stage: &Stage) -> Outcome {
    let number = stage.allocate(NewLicense { expires_at: Some(None), ..NewLicense::default() })?;
    let server = stage.synchronized_server("a").await?;
    server.set_clock(365 * DAY).await?;
    Finding::unless_equal(&true, &server.may_issue_license(&number).await?)
}

async fn where_no_license_is_valid_nothing_is_issued(stage: &Stage) -> Outcome {
    stage.allocate(NewLicense { expires_at: Some(Some(in_days(stage, 10))), ..NewLicense::default() })?;
    stage.remove(&stage.license)?;
    let server = stage.synchronized_server("a").await?;
    server.issues().await?;
    server.set_clock(10 * DAY).await?;
    server.is("synchronized").await?;
    server.does_not_issue().await
}

async fn what_is_not_allocated_is_not_issued(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    let number = stage.allocate(NewLicense::default())?;
    Finding::unless_equal(&false, &server.may_issue_license(&number).await?)
}

async fn a_failure_takes_nothing_away(stage: &Stage) -> Outcome {
    let server = stage.synchronized_server("a").await?;
    let before = server.status().await?;
    let rubbish = stage.write("rubbish.response", "rubbish")?;
    server.import(&rubbish).await?.is_failed("file-not-usable")?;
    Finding::unless_equal(&before, &server.status().await?)?;
    server.issues().await
}

async fn status_and_may_issue_agree(stage: &Stage) -> Outcome {
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

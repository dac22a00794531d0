//! `may-issue`: yes, or the rule, the clock values and the cure.

use serde_json::json;
use solme_sync_protocol::LicenseNumber;

use super::Context;
use super::session::Session;
use crate::core::{Applied, may_issue};
use crate::output::{Exit, Report, Text, Trouble, sentence};

pub(super) fn run(context: &Context, number: Option<&LicenseNumber>) -> Result<Report, Trouble> {
    let mut session = Session::open(context, "may-issue")?;
    session.store.save_times(&session.times)?;
    let mut verdict = may_issue(&session.server, &session.times, number);
    let allocation = session.server.applied().map(Applied::allocation);
    verdict.rule = session.identity.conduct.rule(verdict.rule, allocation, &session.times, number);
    let mut text = Text::default();
    match verdict.is_yes() {
        true => text.good(sentence(&verdict.message())),
        false => text.bad(sentence(&format!("no: {}", verdict.message()))),
    }
    let times = verdict.times;
    text.value("effective time", times.effective());
    text.value("local clock", times.local_clock);
    text.value("latest time seen", times.high_water_mark);
    if let Some(by) = verdict.synchronize_by {
        text.value("synchronize by", format_args!("{by} ({} days left)", times.days_left(by)));
    }
    match (verdict.cure(), verdict.synchronize_by) {
        (Some(cure), _) => text.next(cure),
        (None, Some(by)) => text.next(format_args!("synchronize again by {by}.")),
        (None, None) => {}
    }
    let json = json!({
        "may_issue": verdict.is_yes(),
        "code": verdict.code(),
        "message": verdict.message(),
        "cure": verdict.cure(),
        "license_number": number,
        "state": session.server.name(),
        "effective_now": times.effective().to_string(),
        "local_clock": times.local_clock.to_string(),
        "high_water_mark": times.high_water_mark.to_string(),
        "clock_set_back_seconds": times.set_back,
        "synchronize_by": verdict.synchronize_by.map(|by| by.to_string()),
    });
    let exit = if verdict.is_yes() { Exit::Done } else { Exit::MayNotIssue };
    Ok(Report::new(exit, json, text))
}

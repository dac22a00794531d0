//! `status`: what the License Server Manager shows of a local server.

use serde_json::{Value, json};
use solme_sync_protocol::{License, UtcTime};

use super::Context;
use super::answered::clock_notes;
use super::automatic::Automatic;
use super::session::Session;
use crate::core::{Applied, FIRST_WARNING, LocalServer, may_issue};
use crate::output::{Exit, Report, Text, Trouble, changes_json};

/// A license that ends within so many seconds is worth a note: 30 days.
const ENDS_SOON: u64 = 30 * 86_400;

pub(super) fn run(context: &Context) -> Result<Report, Trouble> {
    let mut session = Session::open(context, "status")?;
    session.store.save_times(&session.times)?;
    let automatic = Automatic::of(&session)?;
    let mut notes = notes(&session);
    notes.extend(automatic.note());
    notes.extend(session.store.exposed().map(|exposed| exposed.to_string()));
    let mut json = to_json(&session, &notes);
    json["automatic_synchronization"] = automatic.to_json();
    Ok(Report::new(Exit::Done, json, to_text(&session, &automatic, &notes)))
}

/// What is near, or has happened.
fn notes(session: &Session) -> Vec<String> {
    let mut notes = clock_notes(session);
    let verdict = may_issue(&session.server, &session.times, None);
    if !verdict.is_yes() {
        notes.push(format!("no license may be issued: {}", verdict.message()));
    }
    if let (Some(applied), true) = (session.server.applied(), verdict.is_yes()) {
        let days = session.times.days_left(applied.receipt().synchronize_by);
        if days <= FIRST_WARNING {
            notes.push(format!("{days} days left until the required synchronization"));
        }
    }
    if let Some(damaged) = session.dropped {
        notes.push(format!("{damaged}; the next synchronization makes a new request"));
    }
    let now = session.times.effective();
    let ends_soon = |license: &&License| license.expires_at.is_some_and(|end| end > now && end.since(now) <= ENDS_SOON);
    for license in session.server.applied().into_iter().flat_map(licenses).filter(ends_soon) {
        let end = license.expires_at.map(|end| end.to_string()).unwrap_or_default();
        notes.push(format!("license {} expires at {end}", license.number));
    }
    notes
}

fn licenses(applied: &Applied) -> impl Iterator<Item = &License> {
    applied.allocation().licenses.iter()
}

fn to_json(session: &Session, notes: &[String]) -> Value {
    let receipt = session.server.applied().map(Applied::receipt);
    let time = |time: Option<UtcTime>| time.map(|time| time.to_string());
    let by = receipt.map(|receipt| receipt.synchronize_by);
    let (identity, times) = (&session.identity, &session.times);
    let trust = &identity.trust;
    json!({
        "license_server_id": identity.license_server_id,
        "state": session.server.name(),
        "state_detail": state_detail(&session.server),
        "key_thumbprint": identity.key_thumbprint,
        "key_generation": receipt.map(|receipt| receipt.key_generation),
        "sequence": receipt.map(|receipt| receipt.sequence),
        "allocation_revision": receipt.map(|receipt| receipt.allocation_revision),
        "last_synchronized_at": time(receipt.map(|receipt| receipt.main_server_time)),
        "synchronize_by": time(by),
        "days_left": by.map(|by| times.days_left(by)),
        "licenses": session.server.applied().into_iter().flat_map(licenses).map(license_json).collect::<Vec<_>>(),
        "last_changes": session.notes.as_ref().map(|notes| changes_json(&notes.changes)),
        "outstanding_request": session.outstanding.as_ref().map(|outstanding| json!({
            "request_id": outstanding.request.request_id,
            "request_digest": outstanding.digest,
            "made_at": outstanding.request.made_at.to_string(),
        })),
        "main_server": { "id": trust.main_server_id, "name": trust.name, "https": trust.https, "http": trust.http },
        "clock": {
            "effective_now": times.effective().to_string(),
            "local_clock": times.local_clock.to_string(),
            "high_water_mark": times.high_water_mark.to_string(),
            "set_back_seconds": times.set_back,
            "skew_seconds": session.notes.as_ref().and_then(|notes| notes.clock_skew),
            "right": times.check_clock().is_ok(),
        },
        "notes": notes,
    })
}

fn license_json(license: &License) -> Value {
    json!({
        "number": license.number,
        "display": license.display,
        "domain": license.domain,
        "components": license.components,
        "valid_from": license.valid_from.to_string(),
        "expires_at": license.expires_at.map(|end| end.to_string()),
        "properties": license.properties,
    })
}

/// Why the state is what it is, where that is not plain.
fn state_detail(server: &LocalServer) -> Option<String> {
    match server {
        LocalServer::Tampered(tampered) => Some(tampered.found.to_string()),
        LocalServer::Cleared(cleared) => {
            cleared.refusal.as_ref().map(|refusal| format!("cleared, said at {}", refusal.main_server_time))
        }
        _ => None,
    }
}

fn to_text(session: &Session, automatic: &Automatic, notes: &[String]) -> Text {
    let mut text = Text::default();
    let (identity, receipt) = (&session.identity, session.server.applied().map(Applied::receipt));
    text.value("license server id", &identity.license_server_id);
    text.value("state", session.server.name());
    let generation = receipt.map(|receipt| format!(" (generation {})", receipt.key_generation)).unwrap_or_default();
    text.value("key pair", format_args!("{}{generation}", identity.key_thumbprint));
    text.value("main server", format_args!("{} ({})", identity.trust.name, identity.trust.main_server_id));
    if let Some(receipt) = receipt {
        text.value("last synchronized", receipt.main_server_time);
        text.value("synchronize by", receipt.synchronize_by);
        text.value("days left", session.times.days_left(receipt.synchronize_by));
    }
    text.value("automatic", automatic.schedule.mode);
    automatic.describe(&mut text);
    if let Some(outstanding) = &session.outstanding {
        text.value("outstanding request", format_args!("made at {}", outstanding.request.made_at));
    }
    for license in session.server.applied().into_iter().flat_map(licenses) {
        let end = license.expires_at.map_or("without end".to_owned(), |end| format!("until {end}"));
        let shown = license.display.as_deref().map(|display| format!(" {display:?}")).unwrap_or_default();
        let domain = license.domain.as_deref().map(|domain| format!(", domain {domain}")).unwrap_or_default();
        text.line(format_args!("license {}{shown}, from {} {end}{domain}", license.number, license.valid_from));
        for component in &license.components {
            text.line(format_args!("  {:<20} {} users", component.name, component.max_users));
        }
    }
    for note in notes {
        text.warn(note);
    }
    text.next(next_step(session));
    text
}

fn next_step(session: &Session) -> String {
    if let Some(cure) = may_issue(&session.server, &session.times, None).cure() {
        return cure;
    }
    match session.server.applied() {
        Some(applied) => format!("synchronize again by {}.", applied.receipt().synchronize_by),
        None => "run `license-server synchronize`.".to_owned(),
    }
}

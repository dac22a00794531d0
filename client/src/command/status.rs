//! `status`: what the License Server Manager shows of a local server.

use std::collections::BTreeMap;

use serde::Serialize;
use solme_sync_protocol::{
    Component, Digest, KeyThumbprint, License, LicenseNumber, LicenseServerId, RequestId, UtcTime,
};

use super::Context;
use super::automatic::Automatic;
use super::init::MainServer;
use super::outcome::clock_notes;
use super::session::Session;
use crate::core::{Applied, Changes, FIRST_WARNING, LocalServer, State, may_issue};
use crate::output::{Error, Exit, PLAIN, Report, Text, rfc3339};

/// Seconds before its end from which a license is worth a note: 30 days.
const ENDS_SOON: u64 = 30 * 86_400;

/// What the License Server Manager shows of a local server.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Status {
    /// The license server id.
    pub license_server_id: LicenseServerId,
    /// The state.
    pub state: State,
    /// Why it is in that state, if the state alone does not say.
    pub state_detail: Option<String>,
    /// The key pair in use.
    pub key_thumbprint: KeyThumbprint,
    /// How many key pairs the id has had.
    pub key_generation: Option<u64>,
    /// The number of the last synchronization.
    pub sequence: Option<u64>,
    /// The revision of the allocation.
    pub allocation_revision: Option<u64>,
    /// Main server time of the last synchronization.
    #[serde(serialize_with = "rfc3339")]
    pub last_synchronized_at: Option<UtcTime>,
    /// The required synchronization (P 17.1).
    #[serde(serialize_with = "rfc3339")]
    pub synchronize_by: Option<UtcTime>,
    /// Days left until then, rounded up (P 17.6).
    pub days_left: Option<u64>,
    /// The allocated licenses.
    pub licenses: Vec<AllocatedLicense>,
    /// What the last synchronization changed.
    pub last_changes: Option<Changes>,
    /// The request that is not answered yet.
    pub outstanding_request: Option<OutstandingRequest>,
    /// The main server.
    pub main_server: MainServer,
    /// The clocks.
    pub clock: Clock,
    /// What is near, or has happened, for people.
    pub notes: Vec<String>,
    /// Automatic synchronization.
    pub automatic_synchronization: Automatic,
    /// What to do next, for people.
    #[serde(skip)]
    pub next_step: String,
}

/// An allocated license (P 7).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)] // of the members: P 7.2 has them
pub struct AllocatedLicense {
    pub number: LicenseNumber,
    pub display: Option<String>,
    pub domain: Option<String>,
    pub components: Vec<Component>,
    #[serde(serialize_with = "rfc3339")]
    pub valid_from: UtcTime,
    #[serde(serialize_with = "rfc3339")]
    pub expires_at: Option<UtcTime>,
    pub properties: BTreeMap<String, String>,
}

/// A request that is not answered yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OutstandingRequest {
    /// Its id.
    pub request_id: RequestId,
    /// Its digest (P 4.8).
    pub request_digest: Digest,
    /// The local clock when it was made.
    #[serde(serialize_with = "rfc3339")]
    pub made_at: UtcTime,
}

/// The times of a local server (P 17).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Clock {
    /// The effective time (P 17.2).
    #[serde(serialize_with = "rfc3339")]
    pub effective_now: UtcTime,
    /// The local clock.
    #[serde(serialize_with = "rfc3339")]
    pub local_clock: UtcTime,
    /// The latest time seen (P 17.3).
    #[serde(serialize_with = "rfc3339")]
    pub high_water_mark: UtcTime,
    /// Seconds by which the clock was set back since the last synchronization, in sum (P 17.4).
    pub set_back_seconds: u64,
    /// Seconds by which it was fast at the last synchronization, as far as that is known.
    pub skew_seconds: Option<i64>,
    /// Whether it may be relied on (P 17.4).
    pub right: bool,
}

pub(crate) fn status(context: &Context) -> Result<Status, Error> {
    let mut session = Session::open(context, "status")?;
    session.store.save_times(&session.times)?;
    let automatic = Automatic::of(&session)?;
    let mut notes = notes(&session);
    notes.extend(automatic.note());
    notes.extend(session.store.exposed().map(|exposed| exposed.to_string()));
    Ok(Status::of(session, automatic, notes))
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

impl Status {
    fn of(session: Session, automatic_synchronization: Automatic, notes: Vec<String>) -> Self {
        let next_step = next_step(&session);
        let Session { identity, times, server, outstanding, notes: last, .. } = session;
        let receipt = server.applied().map(Applied::receipt);
        let by = receipt.map(|receipt| receipt.synchronize_by);
        Self {
            state: server.state(),
            state_detail: state_detail(&server),
            key_thumbprint: identity.key_thumbprint,
            key_generation: receipt.map(|receipt| receipt.key_generation),
            sequence: receipt.map(|receipt| receipt.sequence),
            allocation_revision: receipt.map(|receipt| receipt.allocation_revision),
            last_synchronized_at: receipt.map(|receipt| receipt.main_server_time),
            synchronize_by: by,
            days_left: by.map(|by| times.days_left(by)),
            licenses: server.applied().into_iter().flat_map(licenses).map(AllocatedLicense::from).collect(),
            outstanding_request: outstanding.map(|outstanding| OutstandingRequest {
                request_id: outstanding.request.request_id,
                request_digest: outstanding.digest,
                made_at: outstanding.request.made_at,
            }),
            main_server: (&identity.trust).into(),
            license_server_id: identity.license_server_id,
            clock: Clock {
                effective_now: times.effective(),
                local_clock: times.local_clock,
                high_water_mark: times.high_water_mark,
                set_back_seconds: times.set_back,
                skew_seconds: last.as_ref().and_then(|notes| notes.clock_skew),
                right: times.check_clock().is_ok(),
            },
            last_changes: last.map(|notes| notes.changes),
            notes,
            automatic_synchronization,
            next_step,
        }
    }
}

impl From<&License> for AllocatedLicense {
    fn from(license: &License) -> Self {
        let License { number, display, domain, components, valid_from, expires_at, properties } = license.clone();
        Self { number, display, domain, components, valid_from, expires_at, properties }
    }
}

/// Why it is in that state, if the state alone does not say.
fn state_detail(server: &LocalServer) -> Option<String> {
    match server {
        LocalServer::Tampered(tampered) => Some(tampered.found.to_string()),
        LocalServer::Cleared(cleared) => {
            cleared.refusal.as_ref().map(|refusal| format!("cleared, said at {}", refusal.main_server_time))
        }
        _ => None,
    }
}

impl Status {
    pub(super) fn report(&self) -> Report {
        let mut text = Text::default();
        text.value("license server id", &self.license_server_id);
        text.value("state", self.state.as_str());
        let generation = self.key_generation.map(|generation| format!(" (generation {generation})"));
        text.value("key pair", format_args!("{}{}", self.key_thumbprint, generation.unwrap_or_default()));
        text.value("main server", format_args!("{} ({})", self.main_server.name, self.main_server.id));
        if let (Some(last), Some(by), Some(left)) = (self.last_synchronized_at, self.synchronize_by, self.days_left) {
            text.value("last synchronized", last);
            text.value("synchronize by", by);
            text.value("days left", left);
        }
        text.value("automatic", self.automatic_synchronization.mode);
        self.automatic_synchronization.describe(&mut text);
        if let Some(outstanding) = &self.outstanding_request {
            text.value("outstanding request", format_args!("made at {}", outstanding.made_at));
        }
        for license in &self.licenses {
            license.describe(&mut text);
        }
        for note in &self.notes {
            text.warn(note);
        }
        text.next(&self.next_step);
        Report::of(Exit::Done, self, text)
    }
}

impl AllocatedLicense {
    fn describe(&self, text: &mut Text) {
        let end = self.expires_at.map_or("without end".to_owned(), |end| format!("until {end}"));
        let shown = self.display.as_deref().map(|display| format!(" {display:?}")).unwrap_or_default();
        let domain = self.domain.as_deref().map(|domain| format!(", domain {domain}")).unwrap_or_default();
        text.row(2, PLAIN, "", format_args!("license {}{shown}", self.number));
        text.row(4, PLAIN, "", format_args!("  from {} {end}{domain}", self.valid_from));
        for component in &self.components {
            text.row(4, PLAIN, "", format_args!("  {:<20} {} users", component.name, component.max_users));
        }
    }
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

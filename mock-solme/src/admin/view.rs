//! What goes out, as JSON. Times are RFC 3339.

use std::collections::BTreeMap;

use serde::Serialize;
use solme_sync_protocol::{Component, KeyThumbprint, License, LicenseNumber, LicenseServerId, UtcTime};

use crate::main_server::NumberedClearRequest;
use crate::registry::{Caution, ClearOutcome, ClearRequestState, ClearedKeyPair, Disabled, FurtherMail, Record};
use crate::store::records::DamagedRecord;

/// A license server id.
#[derive(Serialize)]
pub(super) struct IdView {
    license_server_id: LicenseServerId,
    name: Option<String>,
    contacts: Vec<String>,
    #[serde(with = "crate::rfc3339")]
    added_at: UtcTime,
    disabled: Option<Disabled>,
    allocation_revision: u64,
    licenses: usize,
    key_thumbprint: Option<KeyThumbprint>,
    key_generation: u64,
    sequence: u64,
    #[serde(with = "crate::rfc3339::option")]
    last_synchronized_at: Option<UtcTime>,
    reserved_for: Option<KeyThumbprint>,
}

impl From<Record> for IdView {
    fn from(record: Record) -> Self {
        Self {
            key_thumbprint: record.bound_thumbprint(),
            last_synchronized_at: record.key_pair_in_use.map(|in_use| in_use.last_synchronized_at),
            license_server_id: record.license_server_id,
            name: record.name,
            contacts: record.contacts,
            added_at: record.added_at,
            disabled: record.disabled,
            allocation_revision: record.allocation.revision,
            licenses: record.allocation.licenses.len(),
            key_generation: record.key_generation,
            sequence: record.sequence,
            reserved_for: record.reserved_for,
        }
    }
}

/// An id in the list of all: of a damaged one there is what is wrong with it.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum ListedId {
    Sound(Box<IdView>),
    Damaged { license_server_id: String, damage: String },
}

impl From<Result<Record, DamagedRecord>> for ListedId {
    fn from(record: Result<Record, DamagedRecord>) -> Self {
        match record {
            Ok(record) => Self::Sound(Box::new(record.into())),
            Err(DamagedRecord { id, what }) => Self::Damaged { license_server_id: id, damage: what },
        }
    }
}

/// The key pair of an id, and those that were cleared.
#[derive(Serialize)]
pub(super) struct KeyPairView {
    license_server_id: LicenseServerId,
    key_thumbprint: Option<KeyThumbprint>,
    key_generation: u64,
    #[serde(with = "crate::rfc3339::option")]
    bound_at: Option<UtcTime>,
    #[serde(with = "crate::rfc3339::option")]
    last_synchronized_at: Option<UtcTime>,
    reserved_for: Option<KeyThumbprint>,
    cleared: Vec<ClearedKeyPair>,
}

impl From<Record> for KeyPairView {
    fn from(record: Record) -> Self {
        let in_use = record.key_pair_in_use;
        Self {
            license_server_id: record.license_server_id,
            key_thumbprint: in_use.as_ref().map(|in_use| in_use.thumbprint),
            key_generation: record.key_generation,
            bound_at: in_use.as_ref().map(|in_use| in_use.bound_at),
            last_synchronized_at: in_use.as_ref().map(|in_use| in_use.last_synchronized_at),
            reserved_for: record.reserved_for,
            cleared: record.cleared_key_pairs,
        }
    }
}

/// What a clear came to.
#[derive(Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub(super) enum ClearView {
    Cleared { cleared_thumbprint: KeyThumbprint, key_generation: u64, reserved_for: Option<KeyThumbprint> },
    AlreadyDone { key_thumbprint: Option<KeyThumbprint> },
}

impl From<ClearOutcome> for ClearView {
    fn from(outcome: ClearOutcome) -> Self {
        match outcome {
            ClearOutcome::Cleared { record, cleared } => Self::Cleared {
                cleared_thumbprint: cleared.thumbprint,
                key_generation: record.key_generation,
                reserved_for: record.reserved_for,
            },
            ClearOutcome::AlreadyDone { in_use } => Self::AlreadyDone { key_thumbprint: in_use },
        }
    }
}

/// The licenses of an id.
#[derive(Serialize)]
pub(super) struct AllocationView {
    pub(super) license_server_id: LicenseServerId,
    pub(super) revision: u64,
    pub(super) licenses: Vec<LicenseView>,
}

impl From<Record> for AllocationView {
    fn from(record: Record) -> Self {
        Self {
            license_server_id: record.license_server_id,
            revision: record.allocation.revision,
            licenses: record.allocation.licenses.into_iter().map(LicenseView::from).collect(),
        }
    }
}

/// A license.
#[derive(Serialize)]
pub(super) struct LicenseView {
    number: LicenseNumber,
    display: Option<String>,
    domain: Option<String>,
    components: Vec<Component>,
    #[serde(with = "crate::rfc3339")]
    valid_from: UtcTime,
    #[serde(with = "crate::rfc3339::option")]
    expires_at: Option<UtcTime>,
    properties: BTreeMap<String, String>,
}

impl From<License> for LicenseView {
    fn from(license: License) -> Self {
        let License { number, display, domain, components, valid_from, expires_at, properties } = license;
        Self { number, display, domain, components, valid_from, expires_at, properties }
    }
}

/// A request to clear a key pair.
#[derive(Serialize)]
pub(super) struct ClearRequestView {
    id: u64,
    license_server_id: LicenseServerId,
    thumbprint: Option<KeyThumbprint>,
    new_thumbprint: Option<KeyThumbprint>,
    sender: String,
    envelope_sender: Option<String>,
    subject: String,
    #[serde(with = "crate::rfc3339")]
    received_at: UtcTime,
    /// Known ids that the mail names beyond those that were looked at.
    ids_left_out: usize,
    /// Mails that were noted at it, and some of them.
    further_mails: u64,
    further: Vec<FurtherMail>,
    state: &'static str,
    cautions: Vec<Caution>,
    /// In spite of which it was approved.
    overridden: Vec<Caution>,
    #[serde(with = "crate::rfc3339::option")]
    last_synchronized_at: Option<UtcTime>,
    #[serde(with = "crate::rfc3339::option")]
    decided_at: Option<UtcTime>,
    decided_by: Option<String>,
    reason: Option<String>,
}

impl From<NumberedClearRequest> for ClearRequestView {
    fn from(numbered: NumberedClearRequest) -> Self {
        let NumberedClearRequest { id, request, cautions, last_synchronized_at } = numbered;
        let state = request.state.as_str();
        let (decided_at, decided_by, reason, overridden) = match request.state {
            ClearRequestState::Open => (None, None, None, Vec::new()),
            ClearRequestState::Closed { at, by, reason, overridden, .. } => {
                (Some(at), Some(by), Some(reason), overridden)
            }
        };
        Self {
            id,
            license_server_id: request.license_server_id,
            thumbprint: request.thumbprint,
            new_thumbprint: request.new_thumbprint,
            sender: request.sender,
            envelope_sender: request.envelope_sender,
            subject: request.subject,
            received_at: request.received_at,
            ids_left_out: request.ids_left_out,
            further_mails: request.further_mails,
            further: request.further,
            state,
            cautions,
            overridden,
            last_synchronized_at,
            decided_at,
            decided_by,
            reason,
        }
    }
}

/// The clock of the simulator.
#[derive(Serialize)]
pub(super) struct ClockView {
    #[serde(with = "crate::rfc3339")]
    pub(super) now: UtcTime,
    /// Seconds by which it differs from real time.
    pub(super) offset: i64,
}

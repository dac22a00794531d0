//! The admin API as types: every request and every answer, as the router, the command line and programs of your own
//! read and write them. Times are RFC 3339; `mock_solme` exports this as `api`.
//!
//! Journal, audit, mails and faults go over the wire as the types that the library returns: [`JournalEntry`],
//! [`AuditEntry`], [`NumberedMail`], [`Fault`], [`FaultReport`] and [`TraceEntry`]. What fails is a [`Problem`] document.

mod exchange;
mod run;

use std::collections::BTreeMap;

use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize};
use solme_sync_protocol::{
    self as protocol, Component, ComponentId, KeyThumbprint, LicenseNumber, LicenseServerId, UtcTime, limits,
};

use crate::main_server::NumberedClearRequest;
use crate::registry::{
    Caution, ClearOutcome, ClearRequestState, ClearedKeyPair, ClosedAs, Disabled, Record, RequestMail,
};
use crate::store::records::DamagedRecord;

pub use crate::main_server::{Carrier, InboxMail, JournalEntry, NumberedMail, TraceEntry};
pub use crate::quirks::{Fault, FaultReport, Operation, Quirk, Variant};
pub use crate::store::audit::AuditEntry;
pub use exchange::{Exchange, JournalListing, Message, Repeat, Signed};
pub use protocol::Problem;
pub use run::RunSettings;

// Requests. A member that is missing has its default; an unknown one is an error.

/// Who does it, and why: the body of the calls that say nothing else.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct By {
    /// The operator, for the audit; `operator` without it.
    #[serde(default, deserialize_with = "name", skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// Why, for the audit.
    #[serde(default, deserialize_with = "reason", skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A license server id to be added.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewId {
    /// The id; made up without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub license_server_id: Option<LicenseServerId>,
    /// Whose License Server it is, for people.
    #[serde(default, deserialize_with = "name", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Who may ask for a clear by e-mail, and gets the answer; at most 16.
    #[serde(default, deserialize_with = "contacts")]
    pub contacts: Vec<String>,
    /// The only key pair that may bind it (P 16.6).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reserve_for: Option<KeyThumbprint>,
    /// The operator, for the audit.
    #[serde(default, deserialize_with = "name", skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// Why, for the audit.
    #[serde(default, deserialize_with = "reason", skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What to change of an id; what is missing stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdChange {
    /// The new name; null removes it.
    #[serde(default, deserialize_with = "nullable_name", skip_serializing_if = "Option::is_none")]
    pub name: Option<Option<String>>,
    /// All contacts from now on.
    #[serde(default, deserialize_with = "some_contacts", skip_serializing_if = "Option::is_none")]
    pub contacts: Option<Vec<String>>,
    /// The operator, for the audit.
    #[serde(default, deserialize_with = "name", skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// Why, for the audit.
    #[serde(default, deserialize_with = "reason", skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A license to be added, or what to change in one. When it is added, what is missing is made up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LicenseTerms {
    /// Its number; one that exists keeps its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<LicenseNumber>,
    /// Shown instead of the number; null removes it.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub display: Option<Option<String>>,
    /// License domain; null removes it.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub domain: Option<Option<String>>,
    /// All components; Base is among them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub components: Option<Vec<ComponentTerms>>,
    /// Start of the validity.
    #[serde(default, with = "crate::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<UtcTime>,
    /// End of the validity; null: none.
    #[serde(default, with = "crate::rfc3339::nullable", skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Option<UtcTime>>,
    /// Free notes for people, by name; they mean nothing to the protocol (P 7.2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub properties: Option<BTreeMap<String, String>>,
    /// The operator, for the audit.
    #[serde(default, deserialize_with = "name", skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// Why, for the audit.
    #[serde(default, deserialize_with = "reason", skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A component of a license, by its id, by its name, or by both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComponentTerms {
    /// Id of the component, 16 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<ComponentId>,
    /// Its name; enough for the published components.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Concurrent users, from 1 to 2^53 - 1.
    #[serde(deserialize_with = "users")]
    pub max_users: u64,
}

/// A clear of a key pair, by telephone for example.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clear {
    /// Only if this key pair is in use; without it whichever is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thumbprint: Option<KeyThumbprint>,
    /// The only key pair that may bind the id next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reserve_for: Option<KeyThumbprint>,
    /// Despite the cautions; `reason` is required then.
    #[serde(default)]
    pub even_so: bool,
    /// The operator, for the audit.
    #[serde(default, deserialize_with = "name", skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// Why, for the audit.
    #[serde(default, deserialize_with = "reason", skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A reservation of a free id (P 16.7).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reserve {
    /// The only key pair that may bind the id next; null lifts the reservation.
    pub reserve_for: Option<KeyThumbprint>,
    /// The operator, for the audit.
    #[serde(default, deserialize_with = "name", skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// Why, for the audit.
    #[serde(default, deserialize_with = "reason", skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// An approval of a clear request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approve {
    /// Despite the cautions; `reason` is required then.
    #[serde(default)]
    pub even_so: bool,
    /// Reserve the id for the new key pair that the mail names (P 16.6).
    #[serde(default)]
    pub reserve: bool,
    /// The operator, for the audit.
    #[serde(default, deserialize_with = "name", skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// Why, for the audit.
    #[serde(default, deserialize_with = "reason", skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Another main server time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetClock {
    /// What time it is now.
    #[serde(with = "crate::rfc3339")]
    pub now: UtcTime,
}

/// Main server time, moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdvanceClock {
    /// By how many seconds; back, if they are negative.
    pub seconds: i64,
}

/// Where License Servers reach the two roles, for a trust file with other addresses; what is missing stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleAddresses {
    /// The 443 role: `https://HOST:PORT`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub https: Option<String>,
    /// The 8080 role: `http://HOST:PORT`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<String>,
}

/// Which part of the list of ids: a query.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pages {
    /// Only ids that begin with this.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub begins_with: String,
    /// Only ids after this one.
    #[serde(default)]
    pub after: String,
    /// At most this many; 100 by default, never more than 10,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// Which part of another listing: a query.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listing {
    /// Only of this license server id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Only entries with a lower number.
    #[serde(default, deserialize_with = "number", skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// At most this many, the newest; 100 by default, never more than 10,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// Contacts of one id: each gets a mail about each clear request.
const CONTACTS_AT_MOST: usize = 16;
/// Characters of the name of a customer or operator.
const NAME_AT_MOST: usize = 128;
/// Characters of a reason.
const REASON_AT_MOST: usize = 1_000;

/// Text for people on one line.
fn line<E: serde::de::Error>(text: Option<String>, at_most: usize) -> Result<Option<String>, E> {
    let Some(text) = text else { return Ok(None) };
    match text.chars().count() {
        found if found > at_most => Err(E::custom(format!("has {found} characters; at most {at_most} are allowed"))),
        _ if text.chars().any(char::is_control) => Err(E::custom("has a control character, such as a line break")),
        _ => Ok(Some(text)),
    }
}

fn name<'de, D: Deserializer<'de>>(d: D) -> Result<Option<String>, D::Error> {
    line(Option::deserialize(d)?, NAME_AT_MOST)
}

fn nullable_name<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Option<String>>, D::Error> {
    name(d).map(Some)
}

fn reason<'de, D: Deserializer<'de>>(d: D) -> Result<Option<String>, D::Error> {
    line(Option::deserialize(d)?, REASON_AT_MOST)
}

/// How many; of what form they are is for the main server to say.
fn contacts<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<String>, D::Error> {
    let contacts = Vec::<String>::deserialize(d)?;
    match contacts.len() {
        ..=CONTACTS_AT_MOST => Ok(contacts),
        found => Err(D::Error::custom(format!("{found} contacts; at most {CONTACTS_AT_MOST} are allowed"))),
    }
}

fn some_contacts<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Vec<String>>, D::Error> {
    contacts(d).map(Some)
}

fn users<'de, D: Deserializer<'de>>(d: D) -> Result<u64, D::Error> {
    let users = u64::deserialize(d)?;
    if (1..=limits::INTEGER).contains(&users) {
        return Ok(users);
    }
    Err(D::Error::custom(format!("{users} is not from 1 to {} (2^53 - 1)", limits::INTEGER)))
}

fn number<'de, D: Deserializer<'de>>(d: D) -> Result<Option<u64>, D::Error> {
    match Option::deserialize(d)? {
        Some(number) if number > limits::INTEGER => Err(D::Error::custom(format!("{number} is greater than 2^53 - 1"))),
        number => Ok(number),
    }
}

/// For a member that may be missing, and may be null, which is something else.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(d: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(d).map(Some)
}

// Answers.

/// A license server id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Id {
    /// The license server id (P 2.7).
    pub license_server_id: LicenseServerId,
    /// Whose License Server it is, for people.
    pub name: Option<String>,
    /// Who may ask for a clear by e-mail, and gets the answer.
    pub contacts: Vec<String>,
    /// When it was added.
    #[serde(with = "crate::rfc3339")]
    pub added_at: UtcTime,
    /// Set while the vendor has disabled it (P 9.5).
    pub disabled: Option<Disabled>,
    /// Raised by each change of its licenses (P 7.1).
    pub allocation_revision: u64,
    /// How many licenses it has.
    pub licenses: usize,
    /// The key pair in use.
    pub key_thumbprint: Option<KeyThumbprint>,
    /// Generation of the key pair in use, or of the next one (P 16.3).
    pub key_generation: u64,
    /// Sequence of its newest receipt; 0 before the first.
    pub sequence: u64,
    /// When the key pair in use last synchronized.
    #[serde(with = "crate::rfc3339::option")]
    pub last_synchronized_at: Option<UtcTime>,
    /// The only key pair that may bind it next (P 16.6).
    pub reserved_for: Option<KeyThumbprint>,
}

impl From<Record> for Id {
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ListedId {
    /// Its record can be read.
    Sound(Box<Id>),
    /// Its record cannot be read.
    Damaged {
        /// The license server id (P 2.7).
        license_server_id: String,
        /// What is wrong with its record.
        damage: String,
    },
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyPair {
    /// The license server id (P 2.7).
    pub license_server_id: LicenseServerId,
    /// The key pair in use.
    pub key_thumbprint: Option<KeyThumbprint>,
    /// Its generation, or that of the next one (P 16.3).
    pub key_generation: u64,
    /// When it first synchronized.
    #[serde(with = "crate::rfc3339::option")]
    pub bound_at: Option<UtcTime>,
    /// When it last synchronized.
    #[serde(with = "crate::rfc3339::option")]
    pub last_synchronized_at: Option<UtcTime>,
    /// The only key pair that may bind the id next (P 16.6).
    pub reserved_for: Option<KeyThumbprint>,
    /// Key pairs that were cleared, oldest first.
    pub cleared: Vec<ClearedKeyPair>,
}

impl From<Record> for KeyPair {
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Cleared {
    /// The key pair is cleared.
    Cleared {
        /// Thumbprint of the key pair that was cleared.
        cleared_thumbprint: KeyThumbprint,
        /// Generation of the next key pair.
        key_generation: u64,
        /// The only key pair that may bind the id next.
        reserved_for: Option<KeyThumbprint>,
    },
    /// The key pair was not in use any more: nothing has changed (P 16.2).
    AlreadyDone {
        /// The key pair in use.
        key_thumbprint: Option<KeyThumbprint>,
    },
}

impl From<ClearOutcome> for Cleared {
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Licenses {
    /// The license server id (P 2.7).
    pub license_server_id: LicenseServerId,
    /// Raised by each change (P 7.1).
    pub revision: u64,
    /// Licenses that are allocated to the id.
    pub licenses: Vec<License>,
}

impl From<Record> for Licenses {
    fn from(record: Record) -> Self {
        Self {
            license_server_id: record.license_server_id,
            revision: record.allocation.revision,
            licenses: record.allocation.licenses.into_iter().map(License::from).collect(),
        }
    }
}

/// A license that is allocated to an id (P 7.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct License {
    /// License number, XXXXX-XXXXX-XXXXX-XXXXX-XXXXX-XXXXXXX.
    pub number: LicenseNumber,
    /// Shown instead of the number.
    pub display: Option<String>,
    /// License domain (P 7.2); none: open to all.
    pub domain: Option<String>,
    /// The components and their users.
    pub components: Vec<Component>,
    /// Start of the validity.
    #[serde(with = "crate::rfc3339")]
    pub valid_from: UtcTime,
    /// End of the validity; null: none.
    #[serde(with = "crate::rfc3339::option")]
    pub expires_at: Option<UtcTime>,
    /// Free notes for people, by name; they mean nothing to the protocol (P 7.2).
    pub properties: BTreeMap<String, String>,
}

impl From<protocol::License> for License {
    fn from(license: protocol::License) -> Self {
        let protocol::License { number, display, domain, components, valid_from, expires_at, properties } = license;
        Self { number, display, domain, components, valid_from, expires_at, properties }
    }
}

/// A request to clear a key pair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClearRequest {
    /// Number of the request, from 1.
    pub id: u64,
    /// License server id whose key pair is to be cleared.
    pub license_server_id: LicenseServerId,
    /// The key pair that was in use when the mail arrived; approval clears only that one.
    pub thumbprint: Option<KeyThumbprint>,
    /// The mail, or the first one of a contact if there were several.
    #[serde(flatten)]
    pub mail: RequestMail,
    /// Known ids that the mail names beyond those that were looked at.
    pub ids_left_out: usize,
    /// How many mails were noted at it.
    pub further_mails: u64,
    /// The first of those mails.
    pub further: Vec<RequestMail>,
    /// What became of it.
    pub state: ClearRequestStatus,
    /// Reasons to look twice, while it is open.
    pub cautions: Vec<Caution>,
    /// The cautions that its approval overrode.
    pub overridden: Vec<Caution>,
    /// When the key pair in use last synchronized.
    #[serde(with = "crate::rfc3339::option")]
    pub last_synchronized_at: Option<UtcTime>,
    /// When the key pair that it is about was bound; null where that was forgotten.
    #[serde(default, with = "crate::rfc3339::option")]
    pub bound_at: Option<UtcTime>,
    /// Whether everyone who wrote the mail, as it says, is a registered contact.
    #[serde(default)]
    pub sender_is_contact: bool,
    /// When it was decided.
    #[serde(with = "crate::rfc3339::option")]
    pub decided_at: Option<UtcTime>,
    /// The operator who decided.
    pub decided_by: Option<String>,
    /// The operator's reason, for the audit.
    pub reason: Option<String>,
}

impl From<NumberedClearRequest> for ClearRequest {
    fn from(numbered: NumberedClearRequest) -> Self {
        let NumberedClearRequest { id, request, cautions, last_synchronized_at, bound_at, sender_is_contact } =
            numbered;
        let state = ClearRequestStatus::from(&request.state);
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
            mail: request.mail,
            ids_left_out: request.ids_left_out,
            further_mails: request.further_mails,
            further: request.further,
            state,
            cautions,
            overridden,
            last_synchronized_at,
            bound_at,
            sender_is_contact,
            decided_at,
            decided_by,
            reason,
        }
    }
}

/// The clock of the simulator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockReading {
    /// Main server time, UTC in seconds.
    #[serde(with = "crate::rfc3339")]
    pub now: UtcTime,
    /// Seconds by which it differs from real time.
    pub offset: i64,
}

/// What became of a clear request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClearRequestStatus {
    /// Nobody has decided yet.
    Open,
    /// The key pair was cleared.
    Approved,
    /// The key pair was not cleared.
    Rejected,
    /// The key pair was not in use any more (P 16.2).
    AlreadyDone,
}

impl From<&ClearRequestState> for ClearRequestStatus {
    fn from(state: &ClearRequestState) -> Self {
        match state {
            ClearRequestState::Open => Self::Open,
            ClearRequestState::Closed { closed_as: ClosedAs::Approved, .. } => Self::Approved,
            ClearRequestState::Closed { closed_as: ClosedAs::Rejected, .. } => Self::Rejected,
            ClearRequestState::Closed { closed_as: ClosedAs::AlreadyDone, .. } => Self::AlreadyDone,
        }
    }
}

/// A quirk of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CataloguedQuirk {
    /// Name of the quirk, kebab-case.
    pub quirk: Quirk,
    /// What the main server does.
    pub about: String,
    /// The clause that a License Server is tested on.
    pub clause: String,
    /// Which exchanges it can happen to.
    pub operations: Vec<Operation>,
}

impl From<Quirk> for CataloguedQuirk {
    fn from(quirk: Quirk) -> Self {
        let (about, clause) = (quirk.about().to_owned(), quirk.clause().to_owned());
        Self { quirk, about, clause, operations: quirk.operations().to_vec() }
    }
}

/// A defect for the quirks that take one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CataloguedVariant {
    /// Name of the defect, `<area>_<defect>`.
    pub variant: Variant,
    /// What it is a defect of.
    pub of: String,
    /// The clause that it violates.
    pub clause: String,
    /// What is wrong with the answer.
    pub about: String,
}

impl From<Variant> for CataloguedVariant {
    fn from(variant: Variant) -> Self {
        let defect = variant.defect();
        let (of, clause) = (defect.kind.as_str().to_owned(), defect.clause.to_owned());
        Self { variant, of, clause, about: defect.what.to_string() }
    }
}

/// That the simulator runs. It needs no token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Always `ok`: what does not run cannot answer.
    pub status: String,
}

/// That the simulator is as at its first start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reset {
    /// Always `true`; an error is a problem document.
    pub reset: bool,
}

//! License server ids.

use schemars::JsonSchema;
use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize};
use solme_sync_protocol::{KeyThumbprint, LicenseServerId, UtcTime};

use super::{name, reason};
use crate::registry::{Disabled, Record};
use crate::store::records::DamagedRecord;

/// A license server id to be added.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewId {
    /// The id; made up without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<crate::form::LicenseServerId>")]
    pub license_server_id: Option<LicenseServerId>,
    /// Whose License Server it is, for people.
    #[serde(default, deserialize_with = "name", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Who may ask for a clear by e-mail, and gets the answer; at most 16.
    #[serde(default, deserialize_with = "contacts")]
    pub contacts: Vec<String>,
    /// The only key pair that may bind it (P 16.6).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<crate::form::KeyThumbprint>")]
    pub reserve_for: Option<KeyThumbprint>,
    /// The operator, for the audit.
    #[serde(default, deserialize_with = "name", skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// Why, for the audit.
    #[serde(default, deserialize_with = "reason", skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What to change of an id; what is missing stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

/// Which part of the list of ids: a query.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

/// A license server id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Id {
    /// The license server id (P 2.7).
    #[schemars(with = "crate::form::LicenseServerId")]
    pub license_server_id: LicenseServerId,
    /// Whose License Server it is, for people.
    pub name: Option<String>,
    /// Who may ask for a clear by e-mail, and gets the answer.
    pub contacts: Vec<String>,
    /// When it was added.
    #[serde(with = "crate::rfc3339")]
    #[schemars(with = "crate::form::Time")]
    pub added_at: UtcTime,
    /// Set while the vendor has disabled it (P 9.5).
    pub disabled: Option<Disabled>,
    /// Raised by each change of its licenses (P 7.1).
    pub allocation_revision: u64,
    /// How many licenses it has.
    pub licenses: usize,
    /// The key pair in use.
    #[schemars(with = "Option<crate::form::KeyThumbprint>")]
    pub key_thumbprint: Option<KeyThumbprint>,
    /// Generation of the key pair in use, or of the next one (P 16.3).
    pub key_generation: u64,
    /// Sequence of its newest receipt; 0 before the first.
    pub sequence: u64,
    /// When the key pair in use last synchronized.
    #[serde(with = "crate::rfc3339::option")]
    #[schemars(with = "Option<crate::form::Time>")]
    pub last_synchronized_at: Option<UtcTime>,
    /// The only key pair that may bind it next (P 16.6).
    #[schemars(with = "Option<crate::form::KeyThumbprint>")]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

/// Contacts of one id: each gets a mail about each clear request.
const CONTACTS_AT_MOST: usize = 16;

fn nullable_name<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Option<String>>, D::Error> {
    name(d).map(Some)
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

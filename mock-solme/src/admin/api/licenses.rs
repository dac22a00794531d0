//! The licenses of an id.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize};
use solme_sync_protocol::{
    self as protocol, Component, ComponentId, JsonObject, LicenseNumber, LicenseServerId, UtcTime, limits,
};

use super::{given, name, reason};
use crate::registry::Record;

/// A license to be added, or what to change in one. When it is added, what is missing is made up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LicenseTerms {
    /// Its number; one that exists keeps its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<crate::form::LicenseNumber>")]
    pub number: Option<LicenseNumber>,
    /// Shown instead of the number; null removes it.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub display: Option<Option<String>>,
    /// License domain; null removes it.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub domain: Option<Option<String>>,
    /// All components; Base is among them.
    #[serde(default, deserialize_with = "objects", skip_serializing_if = "Option::is_none")]
    pub components: Option<Vec<ComponentTerms>>,
    /// Start of the validity.
    #[serde(default, with = "crate::rfc3339::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<crate::form::Time>")]
    pub valid_from: Option<UtcTime>,
    /// End of the validity; null: none.
    #[serde(default, with = "crate::rfc3339::nullable", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<crate::form::Time>")]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ComponentTerms {
    /// Id of the component, 16 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<crate::form::ComponentId>")]
    pub id: Option<ComponentId>,
    /// Its name; enough for the published components.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Concurrent users, from 1 to 2^53 - 1.
    #[serde(deserialize_with = "users")]
    pub max_users: u64,
}

/// The licenses of an id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Licenses {
    /// The license server id (P 2.7).
    #[schemars(with = "crate::form::LicenseServerId")]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct License {
    /// License number, XXXXX-XXXXX-XXXXX-XXXXX-XXXXX-XXXXXXX.
    #[schemars(with = "crate::form::LicenseNumber")]
    pub number: LicenseNumber,
    /// Shown instead of the number.
    pub display: Option<String>,
    /// License domain (P 7.2); none: open to all.
    pub domain: Option<String>,
    /// The components and their users.
    #[schemars(with = "Vec<crate::form::Component>")]
    pub components: Vec<Component>,
    /// Start of the validity.
    #[serde(with = "crate::rfc3339")]
    #[schemars(with = "crate::form::Time")]
    pub valid_from: UtcTime,
    /// End of the validity; null: none.
    #[serde(with = "crate::rfc3339::option")]
    #[schemars(with = "Option<crate::form::Time>")]
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

fn objects<'de, D: Deserializer<'de>, T: Deserialize<'de>>(d: D) -> Result<Option<Vec<T>>, D::Error> {
    let objects: Option<Vec<JsonObject<T>>> = Option::deserialize(d)?;
    Ok(objects.map(|objects| objects.into_iter().map(|object| object.0).collect()))
}

fn users<'de, D: Deserializer<'de>>(d: D) -> Result<u64, D::Error> {
    let users = u64::deserialize(d)?;
    if (1..=limits::INTEGER).contains(&users) {
        return Ok(users);
    }
    Err(D::Error::custom(format!("{users} is not from 1 to {} (2^53 - 1)", limits::INTEGER)))
}

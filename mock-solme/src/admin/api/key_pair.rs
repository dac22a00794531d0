//! The key pair in use, and those that were cleared.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use solme_sync_protocol::{KeyThumbprint, LicenseServerId, UtcTime};

use super::{name, reason};
use crate::registry::{ClearOutcome, ClearedKeyPair, Record};

/// A clear of a key pair, by telephone for example.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Clear {
    /// Only if this key pair is in use; without it whichever is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<crate::form::KeyThumbprint>")]
    pub thumbprint: Option<KeyThumbprint>,
    /// The only key pair that may bind the id next.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<crate::form::KeyThumbprint>")]
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
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reserve {
    /// The only key pair that may bind the id next; null lifts the reservation.
    #[schemars(with = "Option<crate::form::KeyThumbprint>")]
    pub reserve_for: Option<KeyThumbprint>,
    /// The operator, for the audit.
    #[serde(default, deserialize_with = "name", skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// Why, for the audit.
    #[serde(default, deserialize_with = "reason", skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The key pair of an id, and those that were cleared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KeyPair {
    /// The license server id (P 2.7).
    #[schemars(with = "crate::form::LicenseServerId")]
    pub license_server_id: LicenseServerId,
    /// The key pair in use.
    #[schemars(with = "Option<crate::form::KeyThumbprint>")]
    pub key_thumbprint: Option<KeyThumbprint>,
    /// Its generation, or that of the next one (P 16.3).
    pub key_generation: u64,
    /// When it first synchronized.
    #[serde(with = "crate::rfc3339::option")]
    #[schemars(with = "Option<crate::form::Time>")]
    pub bound_at: Option<UtcTime>,
    /// When it last synchronized.
    #[serde(with = "crate::rfc3339::option")]
    #[schemars(with = "Option<crate::form::Time>")]
    pub last_synchronized_at: Option<UtcTime>,
    /// The only key pair that may bind the id next (P 16.6).
    #[schemars(with = "Option<crate::form::KeyThumbprint>")]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Cleared {
    /// The key pair is cleared.
    Cleared {
        /// Thumbprint of the key pair that was cleared.
        #[schemars(with = "crate::form::KeyThumbprint")]
        cleared_thumbprint: KeyThumbprint,
        /// Generation of the next key pair.
        key_generation: u64,
        /// The only key pair that may bind the id next.
        #[schemars(with = "Option<crate::form::KeyThumbprint>")]
        reserved_for: Option<KeyThumbprint>,
    },
    /// The key pair was not in use any more: nothing has changed (P 16.2).
    AlreadyDone {
        /// The key pair in use.
        #[schemars(with = "Option<crate::form::KeyThumbprint>")]
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

//! What the main server knows of one license server id.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use solme_sync_protocol::{Allocation, Digest, KeyThumbprint, LicenseServerId, UtcTime};

/// What the main server knows of one license server id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The license server id (P 2.7).
    pub license_server_id: LicenseServerId,
    /// Whose License Server it is, for people.
    pub name: Option<String>,
    /// E-mail addresses that may ask for a clear, and that hear the answer.
    pub contacts: Vec<String>,
    /// When the id was added.
    #[serde(with = "crate::rfc3339")]
    pub added_at: UtcTime,
    /// Set while the vendor has disabled the id (P 9.5).
    pub disabled: Option<Disabled>,
    /// What is allocated to the id.
    pub allocation: Allocation,
    /// Generation of the key pair in use, or of the next one when none is: 1 plus the number of clears (P 16.3).
    pub key_generation: u64,
    /// Sequence of the newest receipt given for the id; 0 before the first.
    pub sequence: u64,
    /// The key pair that the id is bound to (P 1.2).
    pub key_pair_in_use: Option<KeyPairInUse>,
    /// Key pairs that are dead for this id for ever (P 16.4), oldest first.
    pub cleared_key_pairs: Vec<ClearedKeyPair>,
    /// The only key pair that may bind the id next (P 16.6).
    pub reserved_for: Option<KeyThumbprint>,
}

/// The key pair that an id is bound to. It is bound by the first accepted request, so there always is an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyPairInUse {
    /// Thumbprint of the key pair (P 3.2).
    pub thumbprint: KeyThumbprint,
    /// Main server time of its first synchronization.
    #[serde(with = "crate::rfc3339")]
    pub bound_at: UtcTime,
    /// Main server time of its newest synchronization.
    #[serde(with = "crate::rfc3339")]
    pub last_synchronized_at: UtcTime,
    /// What its newest accepted request was answered with (P 9.7).
    pub newest_answer: NewestAnswer,
}

/// The answer to the newest accepted request. Its payload is kept beside the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewestAnswer {
    /// Digest of the request.
    pub request_digest: Digest,
    /// The receipt, the whole JWS.
    pub receipt: String,
}

/// A key pair that was cleared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClearedKeyPair {
    /// Thumbprint of the key pair (P 3.2).
    #[schemars(with = "crate::form::KeyThumbprint")]
    pub thumbprint: KeyThumbprint,
    /// Its key generation, from 1 (P 16.3).
    pub key_generation: u64,
    /// Main server time of its first synchronization.
    #[serde(with = "crate::rfc3339")]
    #[schemars(with = "crate::form::Time")]
    pub bound_at: UtcTime,
    /// Main server time of its last synchronization.
    #[serde(with = "crate::rfc3339")]
    #[schemars(with = "crate::form::Time")]
    pub last_synchronized_at: UtcTime,
    /// When it was cleared.
    #[serde(with = "crate::rfc3339")]
    #[schemars(with = "crate::form::Time")]
    pub cleared_at: UtcTime,
    /// The operator who cleared it.
    pub cleared_by: String,
    /// The operator's reason; may be empty.
    pub reason: String,
}

/// That the vendor has disabled an id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Disabled {
    /// Since when, main server time.
    #[serde(with = "crate::rfc3339")]
    #[schemars(with = "crate::form::Time")]
    pub at: UtcTime,
    /// Name of the operator who disabled it.
    pub by: String,
    /// The operator's reason; may be empty.
    pub reason: String,
}

impl Record {
    /// A new id: nothing allocated, no key pair in use.
    pub fn new(license_server_id: LicenseServerId, added_at: UtcTime) -> Self {
        Self {
            license_server_id,
            name: None,
            contacts: Vec::new(),
            added_at,
            disabled: None,
            allocation: Allocation { revision: 0, licenses: Vec::new() },
            key_generation: 1,
            sequence: 0,
            key_pair_in_use: None,
            cleared_key_pairs: Vec::new(),
            reserved_for: None,
        }
    }

    /// The thumbprint of the key pair in use.
    pub fn bound_thumbprint(&self) -> Option<KeyThumbprint> {
        self.key_pair_in_use.as_ref().map(|in_use| in_use.thumbprint)
    }

    /// When and why `thumbprint` was cleared, if it was.
    pub fn cleared(&self, thumbprint: &KeyThumbprint) -> Option<&ClearedKeyPair> {
        self.cleared_key_pairs.iter().find(|cleared| cleared.thumbprint == *thumbprint)
    }

    /// Whether `address` is a registered contact. Addresses are compared without regard to case.
    pub fn is_contact(&self, address: &str) -> bool {
        self.contacts.iter().any(|contact| contact.eq_ignore_ascii_case(address))
    }
}

/// Forgets key pairs, receipts and reservation, as if the id had just been added. What is allocated to it stays.
#[must_use]
pub fn reset(record: Record, now: UtcTime) -> Record {
    let Record { license_server_id, name, contacts, allocation, .. } = record;
    Record { name, contacts, allocation, ..Record::new(license_server_id, now) }
}

/// Disables the id (P 9.5). An id that is disabled already stays as it is.
#[must_use]
pub fn disable(record: &Record, disabled: Disabled) -> Record {
    Record { disabled: record.disabled.clone().or(Some(disabled)), ..record.clone() }
}

/// Enables the id again. Key pair and allocation are as they were.
#[must_use]
pub fn enable(record: &Record) -> Record {
    Record { disabled: None, ..record.clone() }
}

#[cfg(test)]
mod tests {
    use super::super::players::{LicenseServer, MainServer, T0};
    use super::*;

    #[test]
    fn a_reset_forgets_key_pairs_and_receipts_and_keeps_what_is_allocated() {
        let mut main_server = MainServer::new();
        main_server.record.name = Some("Plant 2".to_owned());
        main_server.record.contacts = vec!["it@customer.example".to_owned()];
        LicenseServer::new().synchronize(&mut main_server).unwrap();
        main_server.clear();
        let before = disable(&main_server.record, Disabled { at: T0, by: String::new(), reason: String::new() });
        let after = reset(before.clone(), T0.plus(9));
        let new = Record::new(before.license_server_id.clone(), T0.plus(9));
        let Record { name, contacts, allocation, .. } = before;
        assert_eq!(after, Record { name, contacts, allocation, ..new });
    }
}

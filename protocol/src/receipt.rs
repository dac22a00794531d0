//! The receipt (P 6).

use serde::{Deserialize, Serialize};

use crate::jws::{MainServerHeader, Message};
use crate::{
    Digest, KeyThumbprint, LicenseServerId, MainServerId, PayloadName, RequestId, SyncId, UtcTime, json, limits,
};

/// What the main server answers when it accepts a request (P 6).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Version of the protocol: [`crate::VERSION`].
    #[serde(deserialize_with = "json::integer")]
    pub version: u64,
    /// `iss`: the main server that answers.
    #[serde(rename = "iss")]
    pub main_server_id: MainServerId,
    /// `aud`: the license server id that is answered.
    #[serde(rename = "aud")]
    pub license_server_id: LicenseServerId,
    /// The name of this receipt.
    #[serde(rename = "jti")]
    pub sync_id: SyncId,
    /// Main server time, UTC in seconds.
    #[serde(rename = "iat")]
    pub main_server_time: UtcTime,
    /// The request that is answered.
    pub request_id: RequestId,
    /// The digest of its signing input (P 4.8).
    pub request_digest: Digest,
    /// The key pair in use.
    pub key_thumbprint: KeyThumbprint,
    /// 1 for the first key pair of the id, one more after each clear.
    #[serde(deserialize_with = "json::integer")]
    pub key_generation: u64,
    /// 1 for the first receipt of the id, exactly one more each time (P 6.3).
    #[serde(deserialize_with = "json::integer")]
    pub sequence: u64,
    /// The revision of the allocation in the payload.
    #[serde(deserialize_with = "json::integer")]
    pub allocation_revision: u64,
    /// The required synchronization: `main_server_time` + 366 days (P 6.2).
    pub synchronize_by: UtcTime,
    /// Where the 8080 role has the sealed payload.
    pub payload_name: PayloadName,
    /// Its size in bytes.
    #[serde(deserialize_with = "json::integer")]
    pub payload_size: u64,
    /// SHA-384 digest of the sealed payload.
    pub payload_digest: Digest,
    /// The digest of the allocation in clear.
    pub allocation_digest: Digest,
}

impl Message for Receipt {
    const TYP: &'static str = "solme-sync-receipt+jwt";
    const MAX_BYTES: usize = limits::ANSWER;
    type Header = MainServerHeader;
    type Issuer = MainServerId;

    fn issuer(&self) -> MainServerId {
        self.main_server_id.clone()
    }

    fn check(&self) -> Result<(), String> {
        for (member, value) in [("key_generation", self.key_generation), ("sequence", self.sequence)] {
            if value == 0 {
                return Err(format!("{member} is 0"));
            }
        }
        Ok(())
    }
}

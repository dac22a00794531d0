//! The request (P 5).

use serde::{Deserialize, Serialize};

use crate::jws::{Message, RequestHeader};
use crate::{LicenseServerId, MainServerId, PublicJwk, RequestId, UtcTime, json, limits};

/// What a local server asks with (P 5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Version of the protocol: [`crate::VERSION`].
    #[serde(deserialize_with = "json::integer")]
    pub version: u64,
    /// `iss`: the license server id that asks.
    #[serde(rename = "iss")]
    pub license_server_id: LicenseServerId,
    /// `aud`: the main server that is asked.
    #[serde(rename = "aud")]
    pub main_server_id: MainServerId,
    /// The name of this request, fresh for every new one.
    #[serde(rename = "jti")]
    pub request_id: RequestId,
    /// The local clock when the request was made. Never judged (P 5.2).
    #[serde(rename = "iat")]
    pub made_at: UtcTime,
    /// The public half of the one-time sealing key pair (P 3.4).
    #[serde(deserialize_with = "json::object")]
    pub sealing_jwk: PublicJwk,
    /// The last receipt that was applied, the whole JWS; `None` before the first.
    #[serde(deserialize_with = "json::nullable")]
    pub last_receipt: Option<String>,
    /// The latest time that the local server knows of (P 17.3).
    pub high_water_mark: UtcTime,
    /// What made the request, 1 to 64 printable ASCII characters.
    pub product: String,
    /// Its version, 1 to 64 printable ASCII characters.
    pub product_version: String,
}

impl Message for Request {
    const TYP: &'static str = "solme-sync-request+jwt";
    const MAX_BYTES: usize = limits::REQUEST;
    type Header = RequestHeader;
    type Issuer = LicenseServerId;

    fn issuer(&self) -> LicenseServerId {
        self.license_server_id.clone()
    }

    fn check(&self) -> Result<(), String> {
        for (member, text) in [("product", &self.product), ("product_version", &self.product_version)] {
            let printable = text.bytes().all(|b| (b' '..=b'~').contains(&b));
            if text.is_empty() || text.len() > limits::PRODUCT || !printable {
                return Err(format!("{member} is not 1 to {} printable ASCII characters", limits::PRODUCT));
            }
        }
        if self.last_receipt.as_ref().is_some_and(|receipt| receipt.len() > limits::ANSWER) {
            return Err(format!("last_receipt is longer than {} bytes", limits::ANSWER));
        }
        Ok(())
    }
}

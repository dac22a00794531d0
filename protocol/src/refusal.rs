//! The refusal (P 8) and its catalogue (P 10).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::jws::{MainServerHeader, Message};
use crate::{Digest, KeyThumbprint, LicenseServerId, MainServerId, UtcTime, json, limits};

/// What the main server answers when it says no (P 8).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Version of the protocol: [`crate::VERSION`].
    #[serde(deserialize_with = "json::integer")]
    pub version: u64,
    /// `iss`: the main server that refuses.
    #[serde(rename = "iss")]
    pub main_server_id: MainServerId,
    /// Who is refused, as the request named itself.
    #[serde(rename = "aud")]
    pub license_server_id: LicenseServerId,
    /// Main server time, UTC in seconds.
    #[serde(rename = "iat")]
    pub main_server_time: UtcTime,
    /// The code that says why (P 10).
    pub code: RefusalCode,
    /// Which rule, with `invalid-request` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<InvalidRequestReason>,
    /// The key in the refused request.
    pub key_thumbprint: KeyThumbprint,
    /// Digest of the refused request (P 4.6).
    pub request_digest: Digest,
    /// What was refused and why, for people.
    pub text: String,
    /// What to do next, for people.
    pub cure: String,
}

impl Message for Refusal {
    const TYP: &'static str = "solme-sync-refusal+jwt";
    const MAX_BYTES: usize = limits::ANSWER;
    type Header = MainServerHeader;
    type Issuer = MainServerId;

    fn issuer(&self) -> MainServerId {
        self.main_server_id.clone()
    }

    fn check(&self) -> Result<(), String> {
        if self.reason.is_some() != (self.code == RefusalCode::InvalidRequest) {
            return Err("reason stands with invalid-request, and only there".to_owned());
        }
        for (member, text) in [("text", &self.text), ("cure", &self.cure)] {
            if text.chars().count() > limits::TEXT {
                return Err(format!("{member} is longer than {} characters", limits::TEXT));
            }
        }
        Ok(())
    }
}

macro_rules! codes {
    ($(#[$doc:meta])* $type:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "&'static str")]
        pub enum $type {
            $($(#[$vdoc])* $variant,)*
        }

        /// Text only: serde's derived enums also accept `{"code": null}`, a second spelling of the same message.
        impl TryFrom<String> for $type {
            type Error = String;
            fn try_from(text: String) -> Result<Self, String> {
                let known = Self::ALL.iter().find(|code| code.as_str() == text);
                known.copied().ok_or_else(|| format!("{text:?} is not a known code"))
            }
        }

        impl From<$type> for &'static str {
            fn from(code: $type) -> Self {
                code.as_str()
            }
        }

        impl $type {
            /// All of them, in the order of the catalogue.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The code as it stands on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}
pub(crate) use codes;

codes! {
    /// The catalogue of refusals (P 10).
    RefusalCode {
        /// The signature does not fit the message and the key in it (P 9.2).
        InvalidSignature = "invalid-signature",
        /// The main server has no such id (P 9.3).
        UnknownLicenseServerId = "unknown-license-server-id",
        /// Too many requests (P 9.4).
        RateLimited = "rate-limited",
        /// The vendor has disabled the id (P 9.5).
        LicenseServerIdDisabled = "license-server-id-disabled",
        /// This key pair was cleared (P 9.6).
        KeyPairCleared = "key-pair-cleared",
        /// A newer request of this key pair was accepted since (P 9.7).
        RequestAlreadyAnswered = "request-already-answered",
        /// The main server does not speak this version (P 9.8).
        UnsupportedVersion = "unsupported-version",
        /// See the reason (P 9.8, 9.12).
        InvalidRequest = "invalid-request",
        /// The id is in use by another key pair (P 9.9).
        KeyPairInUse = "key-pair-in-use",
        /// The main server has forgotten a receipt that it gave (P 9.12).
        MainServerBehind = "main-server-behind",
        /// Another local server has synchronized with this key pair since (P 9.12).
        StateDiverged = "state-diverged",
        /// The main server is in trouble (P 9.14).
        TemporarilyUnavailable = "temporarily-unavailable",
    }
}

codes! {
    /// Why a request is invalid (P 9.8, 9.12).
    InvalidRequestReason {
        /// A member is missing, of the wrong type or form (P 5.1).
        MalformedClaims = "malformed-claims",
        /// `aud` is another main server.
        WrongMainServer = "wrong-main-server",
        /// The sealing key is the signing key (P 5.3).
        SealingKeyIsSigningKey = "sealing-key-is-signing-key",
        /// `jti` of an accepted request of this id with another content (P 5.4).
        RequestIdReused = "request-id-reused",
        /// `last_receipt` was not given by this main server to this key pair.
        LastReceiptNotOurs = "last-receipt-not-ours",
    }
}

impl RefusalCode {
    /// The HTTP status that goes with it (P 10).
    pub const fn http_status(self) -> u16 {
        match self {
            Self::InvalidSignature | Self::UnsupportedVersion | Self::InvalidRequest => 400,
            Self::LicenseServerIdDisabled => 403,
            Self::UnknownLicenseServerId => 404,
            Self::RequestAlreadyAnswered | Self::KeyPairInUse | Self::MainServerBehind | Self::StateDiverged => 409,
            Self::KeyPairCleared => 410,
            Self::RateLimited => 429,
            Self::TemporarilyUnavailable => 503,
        }
    }

    /// Whether it ends the outstanding request (P 12.3); `invalid-signature` depends on the stored copy (P 12.4).
    pub const fn ends_request(self) -> bool {
        matches!(self, Self::UnsupportedVersion | Self::InvalidRequest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_refusals_end_a_request_whatever_is_stored() {
        let ending: Vec<_> = RefusalCode::ALL.iter().filter(|code| code.ends_request()).collect();
        assert_eq!(ending, [&RefusalCode::UnsupportedVersion, &RefusalCode::InvalidRequest]);
    }
}

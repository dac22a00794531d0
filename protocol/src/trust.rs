//! The trust file (P 15): all that a local server trusts.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{JsonError, KeyThumbprint, MainServerId, PublicJwk, json, limits};

/// What a local server is given when it is set up (P 15.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustFile {
    /// 1, the version of the format.
    #[serde(deserialize_with = "json::integer")]
    pub solme_sync_trust: u64,
    /// The main server's id.
    pub main_server_id: MainServerId,
    /// Its name, for people.
    pub name: String,
    /// Address of the 443 role: `https://HOST:PORT`.
    pub https: String,
    /// Address of the 8080 role: `http://HOST:PORT`.
    pub http: String,
    /// The CA certificate for the 443 role, PEM.
    pub ca_certificate: String,
    /// The main server's public signing keys.
    #[serde(deserialize_with = "json::objects")]
    pub signing_jwks: Vec<PublicJwk>,
}

/// Why a trust file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustFileError {
    /// Larger than P 18 allows.
    #[error("the trust file has {bytes} bytes, at most {} are allowed", limits::TRUST_FILE)]
    TooLarge {
        /// Size of the file, in bytes.
        bytes: usize,
    },
    /// Not JSON, or not the members of P 15.1.
    #[error("this is not a trust file: {0}")]
    Json(JsonError),
    /// Written by a newer program.
    #[error("the trust file has version {0}, only version 1 is understood")]
    Version(u64),
    /// A member breaks a rule of P 15.1.
    #[error("the trust file's {member} {rule}")]
    Member {
        /// Name of the member that is wrong.
        member: &'static str,
        /// What it breaks, for people.
        rule: String,
    },
}

impl TrustFile {
    /// Reads a trust file.
    ///
    /// # Errors
    /// [`TrustFileError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, TrustFileError> {
        if bytes.len() > limits::TRUST_FILE {
            return Err(TrustFileError::TooLarge { bytes: bytes.len() });
        }
        let trust: Self = json::parse(bytes).map_err(TrustFileError::Json)?;
        trust.check()?;
        Ok(trust)
    }

    /// Bytes of the file: JSON, a member a line; in one line where it would be larger than P 18 allows otherwise. What was
    /// read always fits: nobody writes it shorter than that.
    pub fn to_json(&self) -> Vec<u8> {
        let mut json = serde_json::to_vec_pretty(self).expect("a trust file has no failing serializers");
        json.push(b'\n');
        if json.len() > limits::TRUST_FILE {
            json = serde_json::to_vec(self).expect("as before");
        }
        json
    }

    /// The thumbprints of the signing keys; with the main server id, its identity (P 15.3).
    pub fn key_thumbprints(&self) -> BTreeSet<KeyThumbprint> {
        self.signing_jwks.iter().map(PublicJwk::thumbprint).collect()
    }

    /// Whether both files are of one main server (P 15.3).
    pub fn same_identity(&self, other: &Self) -> bool {
        self.main_server_id == other.main_server_id && self.key_thumbprints() == other.key_thumbprints()
    }

    fn check(&self) -> Result<(), TrustFileError> {
        let broken = |member, rule: &str| Err(TrustFileError::Member { member, rule: rule.to_owned() });
        if self.solme_sync_trust != 1 {
            return Err(TrustFileError::Version(self.solme_sync_trust));
        }
        if self.name.is_empty() || self.name.chars().count() > limits::NAME || self.name.chars().any(char::is_control) {
            return broken("name", "is not 1 to 128 characters without control characters");
        }
        if !is_address(&self.https, "https://") {
            return broken("https", "is not an address like https://HOST:PORT");
        }
        if !is_address(&self.http, "http://") {
            return broken("http", "is not an address like http://HOST:PORT");
        }
        if !self.ca_certificate.contains("-----BEGIN CERTIFICATE-----") {
            return broken("ca_certificate", "is not a certificate in PEM");
        }
        if self.signing_jwks.is_empty() {
            return broken("signing_jwks", "has no key");
        }
        Ok(())
    }
}

/// `scheme`, a host, a port, and nothing else.
fn is_address(text: &str, scheme: &str) -> bool {
    let Some((host, port)) = text.strip_prefix(scheme).and_then(|authority| authority.rsplit_once(':')) else {
        return false;
    };
    let digits = port.bytes().all(|b| b.is_ascii_digit());
    let port_fits = digits && port.parse::<u16>().is_ok_and(|port| port != 0);
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    let bracketed = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let host_fits = match bracketed {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(plain),
    };
    port_fits && host_fits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_scheme_host_and_port() {
        for good in ["https://127.0.0.1:14443", "https://localhost:1", "https://[::1]:443", "https://a-b.example:65535"]
        {
            assert!(is_address(good, "https://"), "{good}");
        }
        for bad in [
            "http://a",
            "https://",
            "https://a/",
            "https://a",
            "https://[::1]",
            "https://a:",
            "https://a:+1",
            "https://a:0",
            "https://a:99999",
            "https://u@a",
            "https://[::1",
            "https://a b",
            "https://a:1:2",
            "https://:1",
        ] {
            assert!(!is_address(bad, "https://"), "{bad}");
        }
    }
}

//! Names on the wire (P 2.7, 2.8), and the salt, which has their form.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::base64url;

/// Text that is not the name it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Not the form of P 2.7.
    #[error(
        "{text:?} is not a {what}. Expected 1 to 64 characters A-Z a-z 0-9 - _, the first a letter or digit, like DEMO-4711"
    )]
    Form {
        /// What it should have been.
        what: &'static str,
        /// The text that was given.
        text: String,
    },
    /// Not the form of P 2.8.
    #[error("{text:?} is not a {what}. Expected 22 characters of base64url (128 bits)")]
    Random {
        /// What it should have been.
        what: &'static str,
        /// The text that was given.
        text: String,
    },
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// The name as it stands on the wire.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $type {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::try_from(text.to_owned())
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> String {
                name.0
            }
        }

        impl $type {
            const WHAT: &'static str = $what;
        }
    };
}

macro_rules! given_name {
    ($(#[$doc:meta])* $type:ident, $what:literal) => {
        name!($(#[$doc])* $type, $what);

        impl TryFrom<String> for $type {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
                let starts_well = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
                if starts_well && text.len() <= 64 && text.bytes().all(allowed) {
                    Ok(Self(text))
                } else {
                    Err(IdError::Form { what: Self::WHAT, text })
                }
            }
        }
    };
}

macro_rules! random_name {
    ($(#[$doc:meta])* $type:ident, $what:literal) => {
        name!($(#[$doc])* $type, $what);

        impl $type {
            /// The name made of 128 random bits.
            pub fn from_random(bits: [u8; 16]) -> Self {
                Self(base64url::encode(bits))
            }
        }

        impl TryFrom<String> for $type {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                match base64url::decode_array::<16>(&text) {
                    Ok(_) => Ok(Self(text)),
                    Err(_) => Err(IdError::Random { what: Self::WHAT, text }),
                }
            }
        }
    };
}

given_name!(
    /// The license server id: names a License Server at the main server (P 2.7).
    LicenseServerId, "license server id"
);
given_name!(
    /// Names one main server (P 2.7).
    MainServerId, "main server id"
);
random_name!(
    /// Names one request (P 2.8).
    RequestId, "request id"
);
random_name!(
    /// Names one receipt (P 2.8).
    SyncId, "sync id"
);
random_name!(
    /// The opaque name of a sealed payload on the 8080 role (P 2.8).
    PayloadName, "payload name"
);
random_name!(
    /// What is sealed with an allocation, so that nobody can guess it by its digest (P 7.5). It names nothing.
    Salt, "salt"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_license_server_id_has_one_form() {
        let longest = "a".repeat(64);
        for good in ["A", "DEMO-4711", "0_-", &longest] {
            assert_eq!(good.parse::<LicenseServerId>().map(String::from), Ok(good.to_owned()));
        }
        let too_long = "a".repeat(65);
        for bad in ["", "-a", "_a", "a b", "a.b", "ä", "a\n", &too_long] {
            assert!(bad.parse::<LicenseServerId>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_request_id_is_128_bits() {
        assert_eq!(RequestId::from_random([0; 16]).as_str(), "AAAAAAAAAAAAAAAAAAAAAA");
        for bad in ["", "AAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAB", "AAAAAAAAAAAAAAAAAAAAAAAA"] {
            assert!(bad.parse::<RequestId>().is_err(), "{bad:?}");
        }
    }
}

//! SHA-384 in base64url (P 2.9).

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Sha384;

use crate::base64url;

/// A SHA-384 digest: 48 bytes, 64 characters of base64url on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 48]);

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: impl AsRef<[u8]>) -> Self {
        use sha2::Digest as _;
        Self(Sha384::digest(bytes.as_ref()).into())
    }

    /// A digest that was computed elsewhere, or read from storage.
    pub const fn from_bytes(bytes: [u8; 48]) -> Self {
        Self(bytes)
    }

    /// The 48 bytes of the SHA-384 digest.
    pub const fn as_bytes(&self) -> &[u8; 48] {
        &self.0
    }

    /// Reads the 64 characters.
    ///
    /// # Errors
    /// [`base64url::NotBase64url`].
    pub fn parse(text: &str) -> Result<Self, base64url::NotBase64url> {
        base64url::decode_array(text).map(Self)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64url::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(|_| serde::de::Error::custom("not a SHA-384 digest in base64url"))
    }
}

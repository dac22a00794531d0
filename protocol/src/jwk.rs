//! Public P-384 keys as JWK, and their thumbprints (P 3.1, 3.2).

use std::fmt;
use std::str::FromStr;

use p384::elliptic_curve::sec1::FromSec1Point;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::base64url;

/// A JWK that is no public P-384 key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwkError {
    /// `kty` is not `EC`.
    #[error("kty is {0:?}, not \"EC\"")]
    KeyType(String),
    /// `crv` is not `P-384`.
    #[error("crv is {0:?}, not \"P-384\"")]
    Curve(String),
    /// A coordinate is not 48 bytes in base64url.
    #[error("{0} is not 48 bytes in base64url")]
    Coordinate(&'static str),
    /// The point is not on the curve.
    #[error("the point is not on P-384")]
    NotOnCurve,
}

/// A public P-384 key: a point that is known to be on the curve.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Members", into = "Members")]
pub struct PublicJwk {
    x: [u8; 48],
    y: [u8; 48],
}

/// The members of the JWK, exactly these (P 3.1).
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Members {
    kty: String,
    crv: String,
    x: String,
    y: String,
}

impl PublicJwk {
    /// The key at an uncompressed point: `0x04`, x, y.
    ///
    /// # Errors
    /// [`JwkError::NotOnCurve`], also for any other encoding.
    pub fn from_sec1(point: &[u8; 97]) -> Result<Self, JwkError> {
        let [0x04, coordinates @ ..] = point else { return Err(JwkError::NotOnCurve) };
        let (x, y) = coordinates.split_at(48);
        let (Ok(x), Ok(y)) = (x.try_into(), y.try_into()) else { return Err(JwkError::NotOnCurve) };
        Self::from_coordinates(x, y)
    }

    fn from_coordinates(x: [u8; 48], y: [u8; 48]) -> Result<Self, JwkError> {
        let point = p384::Sec1Point::from_affine_coordinates(&x.into(), &y.into(), false);
        match p384::PublicKey::from_sec1_point(&point).into_option() {
            Some(_) => Ok(Self { x, y }),
            None => Err(JwkError::NotOnCurve),
        }
    }

    /// The uncompressed point: `0x04`, x, y.
    pub fn to_sec1(&self) -> [u8; 97] {
        let mut point = [0x04; 97];
        point[1..49].copy_from_slice(&self.x);
        point[49..].copy_from_slice(&self.y);
        point
    }

    /// The JWK thumbprint (RFC 7638, SHA-256).
    pub fn thumbprint(&self) -> KeyThumbprint {
        let canonical = format!(
            r#"{{"crv":"P-384","kty":"EC","x":"{}","y":"{}"}}"#,
            base64url::encode(self.x),
            base64url::encode(self.y)
        );
        KeyThumbprint(Sha256::digest(canonical).into())
    }
}

impl fmt::Debug for PublicJwk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicJwk({})", self.thumbprint())
    }
}

impl From<PublicJwk> for Members {
    fn from(key: PublicJwk) -> Self {
        Self { kty: "EC".to_owned(), crv: "P-384".to_owned(), x: base64url::encode(key.x), y: base64url::encode(key.y) }
    }
}

impl TryFrom<Members> for PublicJwk {
    type Error = JwkError;
    fn try_from(members: Members) -> Result<Self, JwkError> {
        if members.kty != "EC" {
            return Err(JwkError::KeyType(members.kty));
        }
        if members.crv != "P-384" {
            return Err(JwkError::Curve(members.crv));
        }
        let x = base64url::decode_array(&members.x).map_err(|_| JwkError::Coordinate("x"))?;
        let y = base64url::decode_array(&members.y).map_err(|_| JwkError::Coordinate("y"))?;
        Self::from_coordinates(x, y)
    }
}

/// The name of a key pair: the SHA-256 JWK thumbprint of its public key, 43 characters of base64url (P 3.2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyThumbprint([u8; 32]);

impl FromStr for KeyThumbprint {
    type Err = base64url::NotBase64url;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        base64url::decode_array(text).map(Self)
    }
}

impl TryFrom<String> for KeyThumbprint {
    type Error = base64url::NotBase64url;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<KeyThumbprint> for String {
    fn from(thumbprint: KeyThumbprint) -> Self {
        thumbprint.to_string()
    }
}

impl fmt::Display for KeyThumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64url::encode(self.0))
    }
}

impl fmt::Debug for KeyThumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyThumbprint({self})")
    }
}

//! ES384 by RustCrypto: the License Server's side.

use hmac::{Hmac, KeyInit as _, Mac as _};
use p384::ecdsa::signature::{Signer as _, Verifier as _};
use p384::elliptic_curve::Generate as _;
use p384::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, LineEnding};
use sha2::Sha384;
use zeroize::Zeroizing;

use crate::{KeyThumbprint, PublicJwk, SignEs384, Signature, VerifyEs384};

/// ES384 verification by the crate `p384`.
#[derive(Debug, Clone, Copy, Default)]
pub struct RustCrypto;

impl VerifyEs384 for RustCrypto {
    fn verify(&self, key: &PublicJwk, signing_input: &[u8], signature: &Signature) -> bool {
        let Ok(key) = p384::ecdsa::VerifyingKey::from_sec1_bytes(&key.to_sec1()) else { return false };
        let Ok(signature) = p384::ecdsa::Signature::from_slice(signature) else { return false };
        key.verify(signing_input, &signature).is_ok()
    }
}

/// A stored key that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a P-384 private key in PKCS #8 PEM")]
pub struct KeyError;

/// A private signing key. No `Debug`, no `Clone`, no `Serialize`; erased when dropped.
pub struct SigningKey {
    key: p384::ecdsa::SigningKey,
    public: PublicJwk,
}

impl SigningKey {
    /// A new key pair, from the operating system's random numbers.
    pub fn generate() -> Self {
        Self::new(p384::ecdsa::SigningKey::generate())
    }

    /// Reads what [`Self::expose_secret_pem`] wrote.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        p384::SecretKey::from_pkcs8_pem(pem).map(|secret| Self::new(secret.into())).map_err(|_| KeyError)
    }

    /// The private key as PKCS #8 PEM, for the one file it lives in.
    pub fn expose_secret_pem(&self) -> Zeroizing<String> {
        p384::SecretKey::from(self.key.as_nonzero_scalar())
            .to_pkcs8_pem(LineEnding::LF)
            .expect("a P-384 key fits PKCS #8")
    }

    /// The name of the key pair.
    pub fn thumbprint(&self) -> KeyThumbprint {
        self.public.thumbprint()
    }

    /// A secret that only the owner of this key pair can make, another one for each `purpose`: HMAC-SHA-384 over it with
    /// the private key. It never says anything about the private key or about what it signs.
    pub fn derive_secret(&self, purpose: &str) -> Zeroizing<[u8; 48]> {
        let private = Zeroizing::new(self.key.to_bytes());
        let mut mac = Hmac::<Sha384>::new_from_slice(&private).expect("HMAC takes a key of any length");
        mac.update(purpose.as_bytes());
        Zeroizing::new(mac.finalize().into_bytes().into())
    }

    fn new(key: p384::ecdsa::SigningKey) -> Self {
        let public = public_jwk(&p384::PublicKey::from(key.verifying_key()));
        Self { key, public }
    }
}

impl SignEs384 for SigningKey {
    fn public_jwk(&self) -> &PublicJwk {
        &self.public
    }
    fn sign(&self, signing_input: &[u8]) -> Signature {
        let signature: p384::ecdsa::Signature = self.key.sign(signing_input);
        signature.to_bytes().into()
    }
}

pub(crate) fn public_jwk(key: &p384::PublicKey) -> PublicJwk {
    let point: [u8; 97] = key.to_sec1_bytes()[..].try_into().expect("an uncompressed P-384 point has 97 bytes");
    PublicJwk::from_sec1(&point).expect("a public key is on its curve")
}

//! The main server's cryptography, all of it aws-lc-rs: the License Server uses another implementation on purpose, so
//! that one side's mistake cannot cancel the other's.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P384_SHA384_FIXED, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, UnparsedPublicKey,
};
use rustls::crypto::aws_lc_rs::hpke::DH_KEM_P384_HKDF_SHA384_AES_256;
use rustls::crypto::hpke::{Hpke as _, HpkePublicKey};
use solme_sync_protocol::{PublicJwk, SignEs384, Signature, VerifyEs384};

/// aws-lc-rs said no, which it does only when the operating system has no random numbers, or a stored key is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cryptography failed: {0}")]
pub(crate) struct CryptoError(&'static str);

/// ES384 verification by aws-lc-rs.
#[derive(Debug, Clone, Copy)]
pub struct AwsLc;

impl VerifyEs384 for AwsLc {
    fn verify(&self, key: &PublicJwk, signing_input: &[u8], signature: &Signature) -> bool {
        UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, key.to_sec1()).verify(signing_input, signature).is_ok()
    }
}

/// The main server's signing key pair (P 3.5). No `Debug`, no `Clone`, no `Serialize`.
pub(crate) struct MainServerKey {
    pair: EcdsaKeyPair,
    public: PublicJwk,
}

impl MainServerKey {
    pub(crate) fn generate() -> Result<Self, CryptoError> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING);
        Self::new(pair.map_err(|_| CryptoError("no new signing key"))?)
    }

    /// Reads what [`Self::expose_secret_pkcs8`] wrote.
    pub(crate) fn from_pkcs8(der: &[u8]) -> Result<Self, CryptoError> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, der);
        Self::new(pair.map_err(|_| CryptoError("the stored signing key is no P-384 key in PKCS #8"))?)
    }

    /// The private key, for the one file it lives in. The buffer erases itself.
    pub(crate) fn expose_secret_pkcs8(&self) -> Result<impl AsRef<[u8]>, CryptoError> {
        self.pair.to_pkcs8v1().map_err(|_| CryptoError("the signing key cannot be written"))
    }

    fn new(pair: EcdsaKeyPair) -> Result<Self, CryptoError> {
        let damaged = CryptoError("the signing key is damaged");
        let point: [u8; 97] = pair.public_key().as_ref().try_into().map_err(|_| damaged)?;
        let public = PublicJwk::from_sec1(&point).map_err(|_| damaged)?;
        Ok(Self { pair, public })
    }
}

impl SignEs384 for MainServerKey {
    fn public_jwk(&self) -> &PublicJwk {
        &self.public
    }

    fn sign(&self, signing_input: &[u8]) -> Signature {
        let signature =
            self.pair.sign(&SystemRandom::new(), signing_input).expect("the key was checked when it was read");
        signature.as_ref().try_into().expect("an ES384 signature has 96 bytes")
    }
}

/// Seals an allocation (P 7.3): `enc`, then the ciphertext.
pub(crate) fn seal(key: &PublicJwk, info: &[u8], allocation: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let key = HpkePublicKey(key.to_sec1().to_vec());
    let (enc, ciphertext) = DH_KEM_P384_HKDF_SHA384_AES_256
        .seal(info, b"", allocation, &key)
        .map_err(|_| CryptoError("the allocation cannot be sealed"))?;
    Ok([enc.0, ciphertext].concat())
}

/// Random bytes. Where aws-lc was built with jitter entropy (`.cargo/config.toml`), the first call in a process takes
/// 20 ms.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], CryptoError> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| CryptoError("no random numbers"))?;
    Ok(bytes)
}

/// Compares secrets in a time that does not depend on where they differ.
pub(crate) fn same_secret(a: &[u8], b: &[u8]) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(a, b).is_ok()
}

#[cfg(test)]
mod tests {
    use solme_sync_protocol::{RustCrypto, SealingKey, SigningKey};

    use super::*;

    #[test]
    fn each_cryptography_verifies_what_the_other_one_signed() {
        let (ours, theirs) = (MainServerKey::generate().unwrap(), SigningKey::generate());
        assert!(RustCrypto.verify(ours.public_jwk(), b"text", &ours.sign(b"text")));
        assert!(AwsLc.verify(theirs.public_jwk(), b"text", &theirs.sign(b"text")));
        assert!(!AwsLc.verify(theirs.public_jwk(), b"other", &theirs.sign(b"text")));
        assert!(!AwsLc.verify(ours.public_jwk(), b"text", &theirs.sign(b"text")));
    }

    #[test]
    fn the_license_server_opens_what_we_sealed() {
        let key = SealingKey::generate();
        let payload = seal(&key.public_jwk(), b"info", b"allocation").unwrap();
        assert_eq!(key.open(b"info", &payload).as_deref(), Ok(&b"allocation"[..]));
    }

    #[test]
    fn a_stored_key_is_the_same_key() {
        let key = MainServerKey::generate().unwrap();
        let stored = key.expose_secret_pkcs8().unwrap();
        let again = MainServerKey::from_pkcs8(stored.as_ref()).unwrap();
        assert_eq!(again.public_jwk(), key.public_jwk());
        assert!(MainServerKey::from_pkcs8(b"").is_err());
    }
}

//! ES384 by RustCrypto: the License Server's side.

use ecdsa::hazmat::sign_prehashed_rfc6979;
use hmac::{Hmac, KeyInit as _, Mac as _};
use p384::NistP384;
use p384::ecdsa::signature::Verifier as _;
use p384::elliptic_curve::ALGORITHM_OID;
use p384::elliptic_curve::Generate as _;
use p384::pkcs8::der::pem::PemLabel as _;
use p384::pkcs8::{AssociatedOid as _, EncodePrivateKey as _, LineEnding, PrivateKeyInfoRef, SecretDocument};
use sec1::der::Decode as _;
use sec1::{EcParameters, EcPrivateKey};
use sha2::{Digest as _, Sha384};
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
    secret: p384::SecretKey,
    public: PublicJwk,
}

impl SigningKey {
    /// A new key pair, from the operating system's random numbers.
    pub fn generate() -> Self {
        let secret = p384::SecretKey::generate();
        Self { public: public_jwk(&secret.public_key()), secret }
    }

    /// Reads what [`Self::expose_secret_pem`] wrote. The public half is taken as it is stored there: to compute it takes
    /// longer than all the rest, and [`Self::is_a_pair`] does.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        Self::read(pem).ok_or(KeyError)
    }

    fn read(pem: &str) -> Option<Self> {
        let (label, document) = SecretDocument::from_pem(pem).ok()?;
        PrivateKeyInfoRef::validate_pem_label(label).ok()?;
        let info: PrivateKeyInfoRef<'_> = document.decode_msg().ok()?;
        info.algorithm.assert_oids(ALGORITHM_OID, NistP384::OID).ok()?;
        let stored = EcPrivateKey::from_der(info.private_key.as_bytes()).ok()?;
        if let Some(EcParameters::NamedCurve(curve)) = stored.parameters
            && curve != NistP384::OID
        {
            return None;
        }
        let secret = p384::SecretKey::from_slice(stored.private_key).ok()?;
        let public = match stored.public_key {
            Some(point) => PublicJwk::from_sec1(point.try_into().ok()?).ok()?,
            None => public_jwk(&secret.public_key()),
        };
        Some(Self { secret, public })
    }

    /// Whether the public half is that of the private half.
    pub fn is_a_pair(&self) -> bool {
        public_jwk(&self.secret.public_key()) == self.public
    }

    /// The private key as PKCS #8 PEM, for the one file it lives in.
    pub fn expose_secret_pem(&self) -> Zeroizing<String> {
        self.secret.to_pkcs8_pem(LineEnding::LF).expect("a P-384 key fits PKCS #8")
    }

    /// The name of the key pair.
    pub fn thumbprint(&self) -> KeyThumbprint {
        self.public.thumbprint()
    }

    /// A secret that only the owner of this key pair can make, another one for each `purpose`: HMAC-SHA-384 over it with
    /// the private key. It never says anything about the private key or about what it signs.
    pub fn derive_secret(&self, purpose: &str) -> Zeroizing<[u8; 48]> {
        let private = Zeroizing::new(self.secret.to_bytes());
        let mut mac = Hmac::<Sha384>::new_from_slice(&private).expect("HMAC takes a key of any length");
        mac.update(purpose.as_bytes());
        Zeroizing::new(mac.finalize().into_bytes().into())
    }
}

impl SignEs384 for SigningKey {
    fn public_jwk(&self) -> &PublicJwk {
        &self.public
    }
    /// Deterministic (RFC 6979). The crate's own key type computes the public half first, which takes as long again.
    fn sign(&self, signing_input: &[u8]) -> Signature {
        let secret = Zeroizing::new(self.secret.to_nonzero_scalar());
        let hash = Sha384::digest(signing_input);
        let (signature, _) = sign_prehashed_rfc6979::<NistP384, Sha384>(&secret, &hash, &[]);
        signature.to_bytes().into()
    }
}

pub(crate) fn public_jwk(key: &p384::PublicKey) -> PublicJwk {
    let point: [u8; 97] = key.to_sec1_bytes()[..].try_into().expect("an uncompressed P-384 point has 97 bytes");
    PublicJwk::from_sec1(&point).expect("a public key is on its curve")
}

#[cfg(test)]
mod tests {
    use p384::pkcs8::ObjectIdentifier;
    use p384::pkcs8::der::Encode as _;
    use p384::pkcs8::der::asn1::OctetStringRef;

    use super::*;

    #[test]
    fn a_key_pair_is_read_as_it_was_written() {
        let key = SigningKey::generate();
        let read = SigningKey::from_pem(&key.expose_secret_pem()).unwrap();
        assert!(read.is_a_pair());
        assert_eq!(read.public_jwk(), key.public_jwk());
        assert_eq!(*read.expose_secret_pem(), *key.expose_secret_pem());
        assert!(RustCrypto.verify(key.public_jwk(), b"x", &read.sign(b"x")));
    }

    #[test]
    fn two_halves_of_different_key_pairs_are_no_pair() {
        let (one, other) = (SigningKey::generate(), SigningKey::generate());
        assert!(!SigningKey { secret: one.secret, public: other.public }.is_a_pair());
    }

    #[test]
    fn a_curve_that_is_named_has_to_be_p_384() {
        const P_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
        let pem = SigningKey::generate().expose_secret_pem();
        let document = SecretDocument::from_pem(&pem).unwrap().1;
        let info: PrivateKeyInfoRef<'_> = document.decode_msg().unwrap();
        let with_curve = |curve| {
            let mut key = EcPrivateKey::from_der(info.private_key.as_bytes()).unwrap();
            key.parameters = Some(EcParameters::NamedCurve(curve));
            let key = key.to_der().unwrap();
            let info = PrivateKeyInfoRef::new(info.algorithm, OctetStringRef::new(&key).unwrap());
            let pem = SecretDocument::encode_msg(&info).unwrap().to_pem("PRIVATE KEY", LineEnding::LF).unwrap();
            SigningKey::from_pem(&pem).map(|key| key.is_a_pair())
        };
        assert_eq!(with_curve(NistP384::OID), Ok(true));
        assert_eq!(with_curve(P_256), Err(KeyError));
    }

    #[test]
    fn a_derived_secret_is_of_one_key_pair_and_one_purpose() {
        let (one, other) = (SigningKey::generate(), SigningKey::generate());
        assert_eq!(*one.derive_secret("seal"), *one.derive_secret("seal"));
        assert_ne!(*one.derive_secret("seal"), *one.derive_secret("other"));
        assert_ne!(*one.derive_secret("seal"), *other.derive_secret("seal"));
    }
}

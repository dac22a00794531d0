//! Sealing an allocation to a one-time key with HPKE (P 7.3, 7.4).

use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha384;
use hpke::kem::DhP384HkdfSha384;
use hpke::{Deserializable as _, OpModeR, Serializable as _};
use p384::elliptic_curve::Generate as _;
use zeroize::Zeroizing;

use crate::rustcrypto::public_jwk;
use crate::{Digest, KeyError, LicenseServerId, MainServerId, PublicJwk, SyncId};

type PrivateKey = <DhP384HkdfSha384 as hpke::Kem>::PrivateKey;
type EncappedKey = <DhP384HkdfSha384 as hpke::Kem>::EncappedKey;

/// Bytes of `enc` at the beginning of a payload.
pub const ENC_BYTES: usize = 97;
/// Bytes by which a payload is longer than its allocation: `enc` and the tag.
pub const SEALING_OVERHEAD: usize = ENC_BYTES + 16;

const LABEL: &str = "solme-sync-v1 allocation";

/// The payload does not open with this key and this `info`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the payload does not open with the one-time key of the request")]
pub struct OpenError;

/// The `info` of P 7.4.
pub fn sealing_info(
    main_server_id: &MainServerId,
    license_server_id: &LicenseServerId,
    request_digest: &Digest,
    sync_id: &SyncId,
) -> Vec<u8> {
    let digest = request_digest.to_string();
    let fields = [LABEL, main_server_id.as_str(), license_server_id.as_str(), &digest, sync_id.as_str()];
    fields.iter().flat_map(|field| (field.len() as u16).to_be_bytes().into_iter().chain(field.bytes())).collect()
}

/// The private half of a one-time sealing key pair (P 3.4). No `Debug`, no `Clone`; erased when dropped.
pub struct SealingKey {
    secret: p384::SecretKey,
    public: PublicJwk,
}

impl SealingKey {
    /// A fresh key pair, from the operating system's random numbers.
    pub fn generate() -> Self {
        Self::new(p384::SecretKey::generate())
    }

    /// Reads what [`Self::expose_secret_bytes`] wrote.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        p384::SecretKey::from_slice(bytes).map(Self::new).map_err(|_| KeyError)
    }

    /// The private key: 48 bytes, big-endian.
    pub fn expose_secret_bytes(&self) -> Zeroizing<[u8; 48]> {
        Zeroizing::new(self.secret.to_bytes().into())
    }

    /// The public half, for the request.
    pub const fn public_jwk(&self) -> PublicJwk {
        self.public
    }

    fn new(secret: p384::SecretKey) -> Self {
        Self { public: public_jwk(&secret.public_key()), secret }
    }

    /// Opens a payload.
    ///
    /// # Errors
    /// [`OpenError`]: too short, sealed to another key or with another `info`, or changed on its way.
    pub fn open(&self, info: &[u8], payload: &[u8]) -> Result<Vec<u8>, OpenError> {
        let (enc, ciphertext) = payload.split_at_checked(ENC_BYTES).ok_or(OpenError)?;
        let key = PrivateKey::from_bytes(&*self.expose_secret_bytes()).map_err(|_| OpenError)?;
        let enc = EncappedKey::from_bytes(enc).map_err(|_| OpenError)?;
        hpke::single_shot_open::<AesGcm256, HkdfSha384, DhP384HkdfSha384>(
            &OpModeR::Base,
            &key,
            &enc,
            info,
            ciphertext,
            b"",
        )
        .map_err(|_| OpenError)
    }
}

impl PublicJwk {
    /// Seals an allocation to this one-time key; what [`SealingKey::open`] opens.
    pub fn seal(&self, info: &[u8], allocation: &[u8]) -> Vec<u8> {
        let key = <DhP384HkdfSha384 as hpke::Kem>::PublicKey::from_bytes(&self.to_sec1())
            .expect("a public key is on its curve");
        let (enc, ciphertext) = hpke::single_shot_seal::<AesGcm256, HkdfSha384, DhP384HkdfSha384>(
            &hpke::OpModeS::Base,
            &key,
            info,
            allocation,
            b"",
        )
        .expect("sealing fails only beyond 2^32 messages");
        [enc.to_bytes().as_slice(), &ciphertext].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_opens_only_with_its_key_its_info_and_its_bytes() {
        let key = SealingKey::generate();
        let sealed = key.public_jwk().seal(b"info", b"allocation");
        assert_eq!(sealed.len(), "allocation".len() + SEALING_OVERHEAD);
        assert_eq!(key.open(b"info", &sealed).as_deref(), Ok(&b"allocation"[..]));
        assert_eq!(key.open(b"other", &sealed), Err(OpenError));
        assert_eq!(SealingKey::generate().open(b"info", &sealed), Err(OpenError));
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(key.open(b"info", &changed), Err(OpenError), "byte {at}");
            assert_eq!(key.open(b"info", &sealed[..at]), Err(OpenError), "cut at {at}");
        }
    }

    #[test]
    fn a_stored_key_opens_what_was_sealed_to_it() {
        let key = SealingKey::generate();
        let sealed = key.public_jwk().seal(b"", b"x");
        let stored = SealingKey::from_bytes(&*key.expose_secret_bytes()).ok().unwrap();
        assert_eq!(stored.open(b"", &sealed).as_deref(), Ok(&b"x"[..]));
        assert!(SealingKey::from_bytes(&[0; 48]).is_err());
    }
}

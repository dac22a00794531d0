//! Keys and names of played License Servers. All of them follow from the seed of the case.

use p384::ecdsa::signature::Signer as _;
use p384::ecdsa::{Signature, SigningKey};
use solme_sync_protocol::{Digest, KeyThumbprint, PublicJwk, SealingKey, base64url};
use std::sync::atomic::{AtomicU64, Ordering};

/// Where everything random of a case comes from: the digests of its seed and a counter.
#[derive(Debug)]
pub(super) struct Random {
    seed: u64,
    drawn: AtomicU64,
}

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, drawn: AtomicU64::new(0) }
    }

    /// 48 bytes that nobody has seen before, and that are the same in every run with this seed.
    pub(super) fn bytes(&self) -> [u8; 48] {
        let drawn = self.drawn.fetch_add(1, Ordering::SeqCst);
        *Digest::of(format!("conformance {} {drawn}", self.seed)).as_bytes()
    }

    /// A name of 128 bits (P 2.8).
    pub(super) fn name(&self) -> String {
        base64url::encode(&self.bytes()[..16])
    }

    /// A license server id, or the part of one that is unique.
    pub(super) fn id(&self) -> String {
        format!("SITE-{}", self.bytes()[..8].iter().map(|byte| format!("{byte:02X}")).collect::<String>())
    }

    pub(super) fn signing_key(&self) -> PlayedKey {
        PlayedKey::new(SigningKey::from_slice(&self.bytes()).expect("a digest is below the order of the curve"))
    }

    pub(super) fn sealing_key(&self) -> SealingKey {
        SealingKey::from_bytes(&self.bytes()).expect("a digest is below the order of the curve")
    }
}

/// A signing key pair that can be copied, as the disk of a virtual machine can, and that signs whatever it is told to.
#[derive(Clone)]
pub(super) struct PlayedKey {
    key: SigningKey,
    /// Its public half.
    pub(super) jwk: PublicJwk,
}

impl PlayedKey {
    fn new(key: SigningKey) -> Self {
        let point = p384::PublicKey::from(key.verifying_key()).to_sec1_bytes();
        let point: [u8; 97] = point[..].try_into().expect("an uncompressed P-384 point has 97 bytes");
        Self { key, jwk: PublicJwk::from_sec1(&point).expect("a public key is on its curve") }
    }

    pub(super) fn thumbprint(&self) -> KeyThumbprint {
        self.jwk.thumbprint()
    }

    /// ES384, its nonce by RFC 6979.
    pub(super) fn sign(&self, signing_input: &str) -> [u8; 96] {
        let signature: Signature = self.key.sign(signing_input.as_bytes());
        signature.to_bytes().into()
    }

    /// The same in DER, which JWS does not want.
    pub(super) fn sign_der(&self, signing_input: &str) -> Vec<u8> {
        let signature: Signature = self.key.sign(signing_input.as_bytes());
        signature.to_der().as_bytes().to_vec()
    }
}

/// The JWS with the other signature, (r, n - s), which verifies as well (P 4.6).
pub(super) fn with_other_signature(jws: &str) -> String {
    let (signing_input, signature) = jws.rsplit_once('.').expect("a JWS has dots");
    let signature: [u8; 96] = base64url::decode_array(signature).expect("a signature of ours");
    let signature = Signature::from_slice(&signature).expect("a signature of ours");
    let (r, s) = signature.split_scalars();
    let other = Signature::from_scalars(*r, -*s).expect("r and n - s are not zero");
    format!("{signing_input}.{}", base64url::encode(other.to_bytes()))
}

//! Cryptography that costs nothing, for runs of many thousand synchronizations.
//!
//! Nobody here breaks a cipher: what the model and the virtual years try is who sends what when. So a signature is a digest
//! over key and text, and what is sealed lies open behind a digest. Both fit their key and bytes alone, which is what the rules
//! rest on; that the real ones do is shown elsewhere (`tests/all/known_answers.rs`, `protocol/proof`).

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use license_server::testing::Conduct;
use solme_sync_protocol::{
    Digest, KeyThumbprint, OpenError, PublicJwk, RequestId, SealingKey, SignEs384, Signature, VerifyEs384,
};

/// Key pairs that each License Server can have, one after the other.
pub(crate) const KEYS_EACH: u8 = 16;
const SERVERS: u8 = 3;

/// A signing key pair, of which only the public half is needed.
pub(crate) struct Key(PublicJwk);

impl SignEs384 for Key {
    fn public_jwk(&self) -> &PublicJwk {
        &self.0
    }
    fn sign(&self, signing_input: &[u8]) -> Signature {
        signature(&self.0, signing_input)
    }
}

fn signature(key: &PublicJwk, signing_input: &[u8]) -> Signature {
    let half = *Digest::of([&key.to_sec1()[..], signing_input].concat()).as_bytes();
    let mut both = [0; 96];
    both[..48].copy_from_slice(&half);
    both[48..].copy_from_slice(&half);
    both
}

/// Verifies what [`Key`] signs.
pub(crate) struct StandIn;

impl VerifyEs384 for StandIn {
    fn verify(&self, key: &PublicJwk, signing_input: &[u8], given: &Signature) -> bool {
        signature(key, signing_input) == *given
    }
}

/// A payload that only `key` opens, and only under `info`.
pub(crate) fn seal(key: &PublicJwk, info: &[u8], allocation: &[u8]) -> Vec<u8> {
    let tag = Digest::of([&key.to_sec1()[..], info, allocation].concat());
    [&tag.as_bytes()[..], allocation].concat()
}

pub(crate) fn open(key: &SealingKey, info: &[u8], payload: &[u8]) -> Result<Vec<u8>, OpenError> {
    let (_, allocation) = payload.split_at_checked(48).ok_or(OpenError)?;
    if seal(&key.public_jwk(), info, allocation) == payload { Ok(allocation.to_vec()) } else { Err(OpenError) }
}

/// The methods of a License Server's conduct that are cryptography.
macro_rules! stand_in {
    () => {
        fn verifies(&self, key: &PublicJwk, signing_input: &[u8], signature: &Signature) -> bool {
            VerifyEs384::verify(&crate::stand_in::StandIn, key, signing_input, signature)
        }
        fn verifies_again(&self, key: &PublicJwk, signing_input: &[u8], signature: &Signature) -> bool {
            self.verifies(key, signing_input, signature)
        }
        fn opens(&self, key: &SealingKey, info: &[u8], payload: &[u8]) -> Result<Vec<u8>, OpenError> {
            crate::stand_in::open(key, info, payload)
        }
    };
}
pub(crate) use stand_in;

/// The License Server as it ships, but for the cryptography.
#[derive(Debug)]
pub(crate) struct Honest;

impl Conduct for Honest {
    stand_in!();
}

/// Signing key pairs, the same in each run. The last one is the main server's.
fn keys() -> &'static [Key] {
    static KEYS: LazyLock<Vec<Key>> =
        LazyLock::new(|| (0..=SERVERS * KEYS_EACH).map(|number| Key(public(&format!("key pair {number}")))).collect());
    &KEYS
}

fn public(name: &str) -> PublicJwk {
    SealingKey::from_bytes(Digest::of(name).as_bytes()).ok().unwrap().public_jwk()
}

pub(crate) fn key(number: u8) -> &'static Key {
    &keys()[usize::from(number)]
}

pub(crate) fn main_key() -> &'static Key {
    keys().last().unwrap()
}

pub(crate) fn thumbprint(key: u8) -> KeyThumbprint {
    static THUMBPRINTS: LazyLock<Vec<KeyThumbprint>> =
        LazyLock::new(|| keys().iter().map(|key| key.0.thumbprint()).collect());
    THUMBPRINTS[usize::from(key)]
}

/// Sixteen bytes that stand for random ones: the same for the same reason, so that equal states are equal.
pub(crate) fn draw(of: &str) -> [u8; 16] {
    Digest::of(of).as_bytes()[..16].try_into().unwrap()
}

/// The one-time key of a request. Making one is costly, so that there are a few hundred, and two requests of one License
/// Server have the same one once in a while: nothing here depends on it.
pub(crate) fn sealing_key(id: &RequestId) -> Arc<SealingKey> {
    static MADE: LazyLock<Mutex<HashMap<u8, Arc<SealingKey>>>> = LazyLock::new(Mutex::default);
    let number = draw(id.as_str())[0];
    let make =
        || Arc::new(SealingKey::from_bytes(Digest::of(format!("one-time key {number}")).as_bytes()).ok().unwrap());
    MADE.lock().unwrap().entry(number).or_insert_with(make).clone()
}

//! The yardsticks: what no main server can do without, by the same library and the same calls as the simulator's.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P384_SHA384_FIXED, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, UnparsedPublicKey,
};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::crypto::aws_lc_rs::hpke::DH_KEM_P384_HKDF_SHA384_AES_256;
use rustls::crypto::hpke::{Hpke as _, HpkePublicKey};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
use solme_sync_protocol::SealingKey;

use crate::measured::Yardstick;
use crate::{Failure, thread_cpu};

const REPETITIONS: u32 = 200;

/// As long as what a synchronization signs, and as an allocation of one license.
const TEXT: [u8; 1_000] = [b'x'; 1_000];

/// Both yardsticks, on one core while the others rest.
pub(crate) fn alone() -> Result<Yardstick, Failure> {
    Ok(Yardstick { cryptography: cryptography()?, handshake: handshake()? })
}

/// Both, with every core at it, as many connections keep them: two cores of a virtual machine may be one.
pub(crate) fn on_every_core() -> Result<Yardstick, Failure> {
    let cores = std::thread::available_parallelism()?.get();
    let measured: Vec<Yardstick> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(|| alone().map_err(|error| error.to_string()))).collect();
        let measured =
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err("it panicked".to_owned())));
        measured.collect::<Result<_, _>>()
    })?;
    let mean = |of: fn(&Yardstick) -> f64| measured.iter().map(of).sum::<f64>() / measured.len() as f64;
    Ok(Yardstick { cryptography: mean(|one| one.cryptography), handshake: mean(|one| one.handshake) })
}

/// CPU time to verify, sign and seal, in microseconds.
fn cryptography() -> Result<f64, Failure> {
    let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING)?;
    let sealing = HpkePublicKey(SealingKey::generate().public_jwk().to_sec1().to_vec());
    let mut signature = pair.sign(&SystemRandom::new(), &TEXT)?.as_ref().to_vec();
    let before = thread_cpu()?;
    for _ in 0..REPETITIONS {
        let key = UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, pair.public_key().as_ref());
        key.verify(&TEXT, &signature)?;
        signature = pair.sign(&SystemRandom::new(), &TEXT)?.as_ref().to_vec();
        DH_KEM_P384_HKDF_SHA384_AES_256.seal(b"info", b"", &TEXT[..500], &sealing)?;
    }
    Ok(each(thread_cpu()? - before))
}

/// CPU time of a server in a handshake of TLS 1.3 with the simulator's kinds of keys, in microseconds.
fn handshake() -> Result<f64, Failure> {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()])?;
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone())?;
    let provider = Arc::new(default_provider());
    let mut client = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.resumption = Resumption::disabled();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
    let server = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)?;
    let (client, server) = (Arc::new(client), Arc::new(server));
    let mut total = Duration::ZERO;
    for _ in 0..REPETITIONS {
        let mut from = ClientConnection::new(Arc::clone(&client), "localhost".try_into()?)?;
        let before = thread_cpu()?;
        let mut to = ServerConnection::new(Arc::clone(&server))?;
        total += thread_cpu()? - before;
        while from.is_handshaking() || to.is_handshaking() {
            let mut wire = Vec::new();
            from.write_tls(&mut wire)?;
            let before = thread_cpu()?;
            let mut answer = Vec::new();
            to.read_tls(&mut &wire[..])?;
            to.process_new_packets()?;
            while to.wants_write() {
                to.write_tls(&mut answer)?;
            }
            total += thread_cpu()? - before;
            from.read_tls(&mut &answer[..])?;
            from.process_new_packets()?;
        }
    }
    Ok(each(total))
}

fn each(total: Duration) -> f64 {
    total.as_secs_f64() * 1e6 / f64::from(REPETITIONS)
}

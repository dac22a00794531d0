//! The protocol crate against the fixtures, and its properties.
//!
//! The fixtures are written by code that does not use this crate (`fixtures/README.md`).

mod arbitrary;
mod bad;
#[path = "../../../fuzz/damage.rs"]
mod damage;
mod damaged;
mod golden;
mod limits;
mod peer;
mod properties;
#[path = "../../../fuzz/targets.rs"]
mod targets;

use std::path::{Path, PathBuf};

use solme_sync_protocol::{Message, PublicJwk, Request, RustCrypto, Signed, TrustFile, Verified};

/// A folder of `fixtures/`.
fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(name)
}

fn read(path: impl AsRef<Path>) -> Vec<u8> {
    std::fs::read(path.as_ref()).unwrap_or_else(|e| panic!("{}: {e}", path.as_ref().display()))
}

/// A golden file.
fn golden(name: &str) -> Vec<u8> {
    read(folder("golden").join(name))
}

/// A golden file that is text.
fn golden_text(name: &str) -> String {
    String::from_utf8(golden(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// The main server's keys, from the golden trust file.
fn trusted() -> Vec<PublicJwk> {
    TrustFile::parse(&golden("trust.json")).expect("the golden trust file is right").signing_jwks
}

/// What is wrong with a file: the class of the error, a colon, its message.
type Reason = String;

fn reason(class: &str, error: impl std::fmt::Display) -> Reason {
    format!("{class}: {error}")
}

/// Reads a message down to its content, or says why not. `verify` is what differs between request and answer.
fn read_message<M: Message>(
    text: &str,
    verify: impl Fn(Signed<M>) -> Result<Verified<M>, solme_sync_protocol::NotVerified>,
) -> Result<M, Reason> {
    use solme_sync_protocol::{NotVerified, PayloadError, Unreadable};
    let signed = Signed::<M>::parse(text).map_err(|error| {
        let class = match error {
            Unreadable::TooLarge { .. } => "too-large",
            Unreadable::NotCompactJws(_) => "not-compact-jws",
            Unreadable::Header(_) => "header",
            Unreadable::Algorithm(_) => "algorithm",
            Unreadable::Type { .. } => "type",
            Unreadable::Payload(_) => "payload",
        };
        reason(class, error)
    })?;
    let verified = verify(signed).map_err(|error| match error {
        NotVerified::WrongSignature => reason("wrong-signature", error),
        NotVerified::UnknownKey(_) => reason("unknown-key", error),
    })?;
    verified.read().map_err(|error| match error {
        PayloadError::Version(_) => reason("version", error),
        PayloadError::Malformed(_) => reason("malformed", error),
        PayloadError::Rule(_) => reason("rule", error),
    })
}

fn read_request(text: &str) -> Result<Request, Reason> {
    read_message(text, |signed: Signed<Request>| signed.verify(&RustCrypto))
}

fn read_answer<M: Message<Header = solme_sync_protocol::MainServerHeader>>(
    text: &str,
    trusted: &[PublicJwk],
) -> Result<M, Reason> {
    read_message(text, |signed: Signed<M>| signed.verify(&RustCrypto, trusted))
}

// One function for each parser of the protocol that meets foreign bytes: it takes any bytes, and panics where a property does not
// hold. cargo-fuzz calls them (`fuzz_targets/`), and so do the tests of the protocol crate, over fixtures that are damaged at
// random (`protocol/tests/vectors/damaged.rs`).

use std::fmt::Debug;
use std::sync::LazyLock;

use serde_json::Value;
use solme_sync_protocol::{
    Allocation, KeyThumbprint, LicenseNumber, LicenseServerId, MainServerHeader, Message, Problem, PublicJwk, Receipt,
    Refusal, Request, Salt, Signature, Signed, SyncFile, TrustFile, UtcTime, Verified, VerifyEs384, base64url,
    parse_json, printable,
};

/// What is done with some bytes.
pub(crate) type Target = fn(&[u8]);

/// Every target with its name.
#[allow(dead_code)] // each fuzz target uses one function
pub(crate) const ALL: &[(&str, Target)] = &[
    ("jws", jws),
    ("request", request),
    ("receipt", receipt),
    ("refusal", refusal),
    ("jwk", jwk),
    ("json", json),
    ("allocation", allocation),
    ("file", file),
    ("trust", trust),
    ("problem", problem),
    ("text", text),
];

/// What can be read is kept byte for byte, and is in three parts.
pub(crate) fn jws(bytes: &[u8]) {
    fn message<M: Message>(text: &str) {
        let Ok(signed) = Signed::<M>::parse(text) else { return };
        assert_eq!(signed.as_str(), text);
        assert_eq!(text.rsplit_once('.').map(|(input, _)| input), Some(signed.signing_input()));
        assert_eq!(text.split('.').count(), 3);
        assert!(text.is_ascii() && text.len() <= M::MAX_BYTES);
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    message::<Request>(text);
    message::<Receipt>(text);
    message::<Refusal>(text);
}

/// Takes every signature, so that none keeps a payload from being read.
struct Gullible;

impl VerifyEs384 for Gullible {
    fn verify(&self, _: &PublicJwk, _: &[u8], _: &Signature) -> bool {
        true
    }
}

pub(crate) fn request(bytes: &[u8]) {
    let golden = include_str!("../fixtures/golden/request-1.jws");
    content(bytes, golden, |signed: Signed<Request>| signed.verify(&Gullible).ok());
}

pub(crate) fn receipt(bytes: &[u8]) {
    content(bytes, include_str!("../fixtures/golden/receipt-1.jws"), of_the_main_server::<Receipt>);
}

pub(crate) fn refusal(bytes: &[u8]) {
    content(bytes, include_str!("../fixtures/golden/refusal-of-second-server.jws"), of_the_main_server::<Refusal>);
}

fn of_the_main_server<M: Message<Header = MainServerHeader>>(signed: Signed<M>) -> Option<Verified<M>> {
    static TRUST: LazyLock<TrustFile> = LazyLock::new(|| {
        TrustFile::parse(include_bytes!("../fixtures/golden/trust.json")).expect("a golden file is a trust file")
    });
    signed.verify(&Gullible, &TRUST.signing_jwks).ok()
}

/// What a message says is what serde_json reads in it, and what is written is read again. The bytes are a message, or the
/// payload of one.
fn content<M>(bytes: &[u8], golden: &str, verified: impl Fn(Signed<M>) -> Option<Verified<M>>)
where
    M: Message + PartialEq + Debug,
{
    let (Some((header, _)), Some((_, signature))) = (golden.split_once('.'), golden.rsplit_once('.')) else {
        panic!("a golden message has three parts")
    };
    let around = |payload: &[u8]| format!("{header}.{}.{signature}", base64url::encode(payload));
    let read = |text: &str| verified(Signed::<M>::parse(text).ok()?)?.read().ok();
    let text = match std::str::from_utf8(bytes) {
        Ok(text) if text.contains('.') && !text.starts_with('{') => text.to_owned(),
        _ => around(bytes),
    };
    let Some(message) = read(&text) else { return };
    let payload = text.split('.').nth(1).and_then(|part| base64url::decode(part).ok());
    assert_eq!(payload.and_then(|payload| serde_json::from_slice::<M>(&payload).ok()).as_ref(), Some(&message));
    assert_eq!(message.check(), Ok(()));
    let written = serde_json::to_vec(&message).expect("a message is JSON");
    assert_eq!(read(&around(&written)), Some(message));
}

/// A key is one point, whichever way it is written.
pub(crate) fn jwk(bytes: &[u8]) {
    let Ok(key) = parse_json::<PublicJwk>(bytes) else { return };
    assert_eq!(PublicJwk::from_sec1(&key.to_sec1()), Ok(key));
    assert_eq!(parse_json::<PublicJwk>(&serde_json::to_vec(&key).expect("a key is JSON")), Ok(key));
}

/// What the strict reader takes, serde_json takes as well, and for the same.
pub(crate) fn json(bytes: &[u8]) {
    let Ok(strict) = parse_json::<Value>(bytes) else { return };
    assert_eq!(serde_json::from_slice::<Value>(bytes).ok(), Some(strict));
}

/// What is read is what is written.
pub(crate) fn allocation(bytes: &[u8]) {
    let Ok(allocation) = Allocation::from_json(bytes) else { return };
    let written = allocation.to_json(&Salt::from_random([7; 16]));
    assert_eq!(Allocation::from_json(&written), Ok(allocation));
}

/// As for an allocation, whatever mail did to the file.
pub(crate) fn file(bytes: &[u8]) {
    let Ok(file) = SyncFile::parse(bytes) else { return };
    let written = file.to_bytes(&["a line".to_owned()]);
    assert_eq!(SyncFile::parse(&written), Ok(file));
}

/// As for an allocation.
pub(crate) fn trust(bytes: &[u8]) {
    let Ok(trust) = TrustFile::parse(bytes) else { return };
    assert_eq!(TrustFile::parse(&trust.to_json()), Ok(trust));
}

/// As for an allocation.
pub(crate) fn problem(bytes: &[u8]) {
    let Ok(problem) = Problem::parse(bytes) else { return };
    let written = serde_json::to_vec(&problem).expect("a problem is JSON");
    assert_eq!(Problem::parse(&written), Ok(problem));
}

/// Names and times are read as they are written, and no text acts on a terminal.
pub(crate) fn text(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    assert!(!printable(text).to_string().contains(char::is_control));
    assert!(text.parse::<LicenseServerId>().map_or(true, |id| id.as_str() == text));
    assert!(text.parse::<LicenseNumber>().map_or(true, |number| number.as_str() == text));
    if let Ok(thumbprint) = text.parse::<KeyThumbprint>() {
        assert_eq!(thumbprint.to_string(), text);
    }
    if let Ok(time) = text.parse::<UtcTime>() {
        assert_eq!(time.to_string().parse(), Ok(time));
    }
}

//! How a careless reader reads: it makes a right message of a defective one, and takes the signature of the one it was given.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::{LazyLock, Mutex, PoisonError};

use p384::ecdsa::signature::Verifier as _;
use serde_json::{Map, Value, json};
use solme_sync_protocol::{PublicJwk, RustCrypto, Signature, TrustFile, VerifyEs384 as _, base64url};

/// Members of a header or a payload.
pub(super) type Members = Map<String, Value>;

/// What a reader is careless about.
pub(super) enum Fix {
    /// The text of the whole message.
    Text(fn(&str) -> String),
    /// Its header.
    Header(fn(&mut Members, &Members)),
    /// Its payload as bytes.
    Bytes(fn(&[u8]) -> Vec<u8>),
    /// Its payload.
    Payload(fn(&mut Members)),
    /// The signature is of no interest where this holds for the header.
    Unsigned(fn(&Members) -> bool),
}

/// Signing inputs that were made of messages whose own signatures fit, or did not matter.
static TAKEN: LazyLock<Mutex<HashSet<String>>> = LazyLock::new(Mutex::default);

/// The message as the careless reader takes it.
pub(super) fn message<'a>(text: &'a str, trust: &TrustFile, fix: &Fix) -> Cow<'a, str> {
    let Some(fixed) = fixed(text, trust, fix).filter(|fixed| fixed != text) else { return Cow::Borrowed(text) };
    if !matches!(fix, Fix::Unsigned(_)) && !fits(text, trust) && !fits(&fixed, trust) {
        return Cow::Borrowed(text);
    }
    let input = fixed.rsplit_once('.').map(|(input, _)| input.to_owned()).unwrap_or_default();
    TAKEN.lock().unwrap_or_else(PoisonError::into_inner).insert(input);
    Cow::Owned(fixed)
}

/// Whether a signature fits, or was taken for one that does.
pub(super) fn verifies(key: &PublicJwk, signing_input: &[u8], signature: &Signature) -> bool {
    let taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    taken.contains(&*String::from_utf8_lossy(signing_input)) || RustCrypto.verify(key, signing_input, signature)
}

fn fixed(text: &str, trust: &TrustFile, fix: &Fix) -> Option<String> {
    if let Fix::Text(fix) = fix {
        return Some(fix(text));
    }
    let mut parts = text.splitn(3, '.');
    let (header, payload, signature) = (parts.next()?, parts.next()?, parts.next()?);
    let decoded = base64url::decode(payload).ok()?;
    let mut members: Members = serde_json::from_slice(&base64url::decode(header).ok()?).ok()?;
    match fix {
        Fix::Header(fix) => {
            fix(&mut members, &serde_json::from_slice(&decoded).ok()?);
            let own = serde_json::from_slice::<Members>(&base64url::decode(header).ok()?).ok();
            // As it came, unless something was changed in it.
            let known = own.as_ref() == Some(&members) && base64url::decode(header).ok()?.len() <= 1_024;
            let header = if known { header.to_owned() } else { base64url::encode(json!(members).to_string()) };
            Some(format!("{header}.{payload}.{signature}"))
        }
        Fix::Unsigned(unsigned) if unsigned(&members) => {
            let typ = members.get("typ")?.clone();
            let kid = trust.key_thumbprints().first()?.to_string();
            let header = json!({ "alg": "ES384", "typ": typ, "kid": kid }).to_string();
            Some(format!("{}.{payload}.{}", base64url::encode(header), base64url::encode([0; 96])))
        }
        Fix::Bytes(fix) => Some(format!("{header}.{}.{signature}", base64url::encode(fix(&decoded)))),
        Fix::Payload(fix) => {
            let mut payload: Members = serde_json::from_slice(&decoded).ok()?;
            let before = payload.clone();
            fix(&mut payload);
            let changed = payload != before;
            changed.then(|| format!("{header}.{}.{signature}", base64url::encode(json!(payload).to_string())))
        }
        _ => None,
    }
}

/// Whether the signature is that of a trusted key over the text before it.
fn fits(text: &str, trust: &TrustFile) -> bool {
    let Some((input, signature)) = text.trim().rsplit_once('.') else { return false };
    let Ok(bytes) = base64url::decode(signature) else { return false };
    let Ok(signature) = p384::ecdsa::Signature::from_slice(&bytes) else { return false };
    trust.signing_jwks.iter().any(|key| {
        let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(&key.to_sec1());
        key.is_ok_and(|key| key.verify(input.as_bytes(), &signature).is_ok())
    })
}

/// A document as a reader takes it that is careless about some of its members; whole where it is no object.
pub(super) fn document<'a>(bytes: &'a [u8], fix: impl FnOnce(&mut Members)) -> Cow<'a, [u8]> {
    let Ok(mut members) = serde_json::from_slice::<Members>(bytes) else { return Cow::Borrowed(bytes) };
    let before = members.clone();
    fix(&mut members);
    if members == before { Cow::Borrowed(bytes) } else { Cow::Owned(json!(members).to_string().into_bytes()) }
}

/// The licenses of an allocation, one by one.
pub(super) fn licenses<'a>(bytes: &'a [u8], fix: impl Fn(&mut Members)) -> Cow<'a, [u8]> {
    document(bytes, |allocation| {
        let licenses = allocation.get_mut("licenses").and_then(Value::as_array_mut);
        licenses.into_iter().flatten().filter_map(Value::as_object_mut).for_each(fix);
    })
}

/// The components of all licenses.
pub(super) fn components<'a>(bytes: &'a [u8], fix: impl Fn(&mut Vec<Value>)) -> Cow<'a, [u8]> {
    licenses(bytes, |license| {
        if let Some(components) = license.get_mut("components").and_then(Value::as_array_mut) {
            fix(components);
        }
    })
}

/// The last of two members of one name; other documents stay as they are.
pub(super) fn last_of_each(bytes: &[u8]) -> Cow<'_, [u8]> {
    let twice =
        solme_sync_protocol::parse_json::<Value>(bytes).is_err_and(|error| error.to_string().contains("member"));
    match serde_json::from_slice::<Value>(bytes) {
        Ok(value) if twice && value.is_object() => Cow::Owned(value.to_string().into_bytes()),
        _ => Cow::Borrowed(bytes),
    }
}

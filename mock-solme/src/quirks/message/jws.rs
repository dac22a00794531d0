//! Changes of a signed message that no type of the protocol crate allows. All but one are signed again, rightly.

use solme_sync_fixtures::Object;
use solme_sync_protocol::{SignEs384 as _, base64url};

use crate::crypto::MainServerKey;
use crate::quirks::Quirk;

/// Makes another JWS of one.
pub(super) type Change = fn(&str, &MainServerKey) -> String;

/// The change of a quirk that does the same to receipts and refusals.
pub(super) fn change(quirk: Quirk) -> Option<Change> {
    Some(match quirk {
        Quirk::WrongSignature => |message, _| with_wrong_signature(message),
        Quirk::UnknownVersion => |message, key| resigned(message, key, |members| members.with("version", "2")),
        Quirk::UnknownMembers => |message, key| {
            resigned(message, key, |members| {
                let unknown = [("not_before", "1"), ("notes", r#"{"of":["a later version",null]}"#)];
                let unknown = Object::new(unknown.map(|(name, value)| (name, value.to_owned())));
                members.names().iter().fold(unknown, |all, name| all.and(name, members.get(name)))
            })
        },
        Quirk::ReorderedMembers => |message, key| {
            resigned(message, key, |members| {
                members.names().iter().rev().fold(Object::new([]), |all, name| all.and(name, members.get(name)))
            })
        },
        Quirk::DuplicateMembers => |message, key| {
            resigned(message, key, |members| match members.names().last() {
                Some(last) => members.clone().and(last, members.get(last)),
                None => members,
            })
        },
        _ => return None,
    })
}

/// The message with other members, signed.
pub(super) fn resigned(message: &str, key: &MainServerKey, change: impl FnOnce(Object) -> Object) -> String {
    let [header, payload, _] = parts(message);
    let members = base64url::decode(payload).ok().and_then(|payload| Object::parse(&payload));
    let members = change(members.unwrap_or_else(|| Object::new([])));
    let signing_input = format!("{header}.{}", base64url::encode(members.compact()));
    let signature = base64url::encode(key.sign(signing_input.as_bytes()));
    format!("{signing_input}.{signature}")
}

fn with_wrong_signature(message: &str) -> String {
    let [header, payload, signature] = parts(message);
    let mut signature = base64url::decode(signature).unwrap_or_default();
    if let Some(last) = signature.last_mut() {
        *last ^= 1;
    }
    format!("{header}.{payload}.{}", base64url::encode(signature))
}

/// Our own messages have three parts.
fn parts(message: &str) -> [&str; 3] {
    let mut parts = message.splitn(3, '.');
    [(); 3].map(|()| parts.next().unwrap_or_default())
}

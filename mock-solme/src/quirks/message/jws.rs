//! Changes of a signed message that no type of the protocol crate allows. All but one are signed again, rightly.

use solme_sync_protocol::{SignEs384 as _, base64url};

use crate::crypto::MainServerKey;
use crate::quirks::Quirk;

/// Makes another JWS of one.
pub(super) type Change = fn(&str, &MainServerKey) -> String;

/// The change of a quirk that does the same to receipts and refusals.
pub(super) fn change(quirk: Quirk) -> Option<Change> {
    Some(match quirk {
        Quirk::WrongSignature => |message, _| with_wrong_signature(message),
        Quirk::UnknownVersion => {
            |message, key| resigned(message, key, |members| with_member(members, "version", |_| "2".to_owned()))
        }
        Quirk::UnknownMembers => |message, key| {
            resigned(message, key, |mut members| {
                let unknown = [("not_before", "1"), ("notes", r#"{"of":["a later version",null]}"#)];
                members.splice(0..0, unknown.map(|(name, value)| (name.to_owned(), value.to_owned())));
                members
            })
        },
        Quirk::ReorderedMembers => |message, key| {
            resigned(message, key, |mut members| {
                members.reverse();
                members
            })
        },
        Quirk::DuplicateMembers => |message, key| {
            resigned(message, key, |mut members| {
                members.extend(members.last().cloned());
                members
            })
        },
        _ => return None,
    })
}

/// The members of an object, their values as JSON text.
pub(super) type Members = Vec<(String, String)>;

/// The same members, one of them with another value.
pub(super) fn with_member(mut members: Members, name: &str, change: impl Fn(&str) -> String) -> Members {
    for (_, value) in members.iter_mut().filter(|(member, _)| member == name) {
        *value = change(value);
    }
    members
}

/// The message with other members, signed.
pub(super) fn resigned(message: &str, key: &MainServerKey, change: impl FnOnce(Members) -> Members) -> String {
    let [header, payload, _] = parts(message);
    let members = change(members(&base64url::decode(payload).unwrap_or_default()));
    let text = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect::<Vec<_>>().join(",");
    let signing_input = format!("{header}.{}", base64url::encode(format!("{{{text}}}")));
    let signature = base64url::encode(key.sign(signing_input.as_bytes()));
    format!("{signing_input}.{signature}")
}

/// In the order in which they stand: `serde_json::Map` would sort them.
fn members(payload: &[u8]) -> Members {
    struct InOrder(Members);
    impl<'de> serde::Deserialize<'de> for InOrder {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Visitor;
            impl<'de> serde::de::Visitor<'de> for Visitor {
                type Value = InOrder;

                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("an object")
                }

                fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<InOrder, A::Error> {
                    let mut members = Members::new();
                    while let Some((name, value)) = map.next_entry::<String, serde_json::Value>()? {
                        members.push((name, value.to_string()));
                    }
                    Ok(InOrder(members))
                }
            }
            deserializer.deserialize_map(Visitor)
        }
    }
    serde_json::from_slice(payload).map_or_else(|_| Members::new(), |InOrder(members)| members)
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

//! Bugs in what is read: messages that are not as sections 2, 4, 6 and 8 say, and taken all the same.

use std::borrow::Cow;

use serde_json::{Value, json};
use solme_sync_protocol::{PublicJwk, Signature, TrustFile, base64url, limits};

use super::lenient::{self, Fix, Members, last_of_each};
use super::mutants;

/// Mutants that take a defective message, each for one reason.
macro_rules! readers {
    ($($(#[doc = $doc:literal])+ $mutant:ident = $name:literal $fix:expr;)+) => {
        mutants! {$(
            $(#[doc = $doc])+
            $mutant = $name {
                fn message<'a>(&self, text: &'a str, trust: &TrustFile) -> Cow<'a, str> {
                    lenient::message(text, trust, &$fix)
                }
                fn verifies(&self, key: &PublicJwk, input: &[u8], signature: &Signature) -> bool {
                    lenient::verifies(key, input, signature)
                }
                fn verifies_again(&self, key: &PublicJwk, input: &[u8], signature: &Signature) -> bool {
                    lenient::verifies(key, input, signature)
                }
            }
        )+}
    };
}

readers! {
    /// P 2.1: takes a byte-order mark before the payload.
    TakesAByteOrderMark = "takes-a-byte-order-mark"
        Fix::Bytes(|payload| payload.strip_prefix(b"\xef\xbb\xbf").unwrap_or(payload).to_vec());
    /// P 2.1: takes half a surrogate pair.
    TakesHalfASurrogatePair = "takes-half-a-surrogate-pair"
        Fix::Bytes(|payload| String::from_utf8_lossy(payload).replace(r"\ud800", "?").into_bytes());
    /// P 2.1: takes bytes that are not UTF-8.
    TakesBytesThatAreNotUtf8 = "takes-bytes-that-are-not-utf-8"
        Fix::Bytes(|payload| String::from_utf8_lossy(payload).into_owned().into_bytes());
    /// P 2.1: takes what stands behind the end of the payload.
    TakesWhatFollowsTheEnd = "takes-what-follows-the-end" Fix::Bytes(first_value);
    /// P 2.1: takes a comma before the closing brace.
    TakesATrailingComma = "takes-a-trailing-comma"
        Fix::Bytes(|payload| String::from_utf8_lossy(payload).replace(",}", "}").into_bytes());
    /// P 2.2: takes two members of one name, the last of them.
    TakesTwoMembersOfOneName = "takes-two-members-of-one-name" Fix::Bytes(|payload| last_of_each(payload).into_owned());
    /// P 4.3: takes further members of a header.
    TakesFurtherHeaderMembers = "takes-further-header-members"
        Fix::Header(|header, _| header.retain(|name, _| ["alg", "typ", "kid"].contains(&name.as_str())));
    /// P 2.4: takes padding.
    TakesPadding = "takes-padding" Fix::Text(|text| text.replace('=', ""));
    /// P 2.4: takes base64 for base64url.
    TakesBase64 = "takes-base64" Fix::Text(|text| text.replace('+', "-").replace('/', "_"));
    /// P 2.4: takes unused bits that are not zero.
    TakesUnusedBits = "takes-unused-bits" Fix::Text(without_unused_bits);
    /// P 2.5: takes an integer with a fraction.
    TakesAFraction = "takes-a-fraction" Fix::Payload(|payload| integers(payload, whole));
    /// P 2.5: takes a string for an integer.
    TakesAStringForAnInteger = "takes-a-string-for-an-integer"
        Fix::Payload(|payload| integers(payload, |value| value.as_str()?.parse::<u64>().ok()));
    /// P 4.1: takes white space around a message.
    TakesWhiteSpaceAround = "takes-white-space-around" Fix::Text(|text| text.trim().to_owned());
    /// P 4.1: takes a message that was wrapped.
    TakesAWrappedMessage = "takes-a-wrapped-message" Fix::Text(|text| text.replace('\n', ""));
    /// P 4.1: takes a byte-order mark before a message.
    TakesAMarkedMessage = "takes-a-marked-message" Fix::Text(|text| text.trim_start_matches('\u{feff}').to_owned());
    /// P 4.1: takes the JSON serialization of a JWS.
    TakesTheJsonSerialization = "takes-the-json-serialization" Fix::Text(compact);
    /// P 4.2: takes `alg` none, and asks for no signature then.
    TakesAlgNone = "takes-alg-none" Fix::Unsigned(|header| header.get("alg").is_some_and(|alg| alg == "none"));
    /// P 4.2: does not read `alg`.
    DoesNotReadAlg = "does-not-read-alg" Fix::Header(|header, _| set(header, "alg", "ES384"));
    /// P 4.2: takes a signature in DER.
    TakesADerSignature = "takes-a-der-signature" Fix::Text(with_plain_signature);
    /// P 4.3: verifies with the key that the message itself brings.
    TrustsTheKeyInTheMessage = "trusts-the-key-in-the-message" Fix::Unsigned(|header| header.contains_key("jwk"));
    /// P 4.3: does not need a `typ`.
    DoesNotNeedATyp = "does-not-need-a-typ" Fix::Header(|header, payload| {
        if !header.contains_key("typ") {
            set(header, "typ", typ_of(payload));
        }
    });
    /// P 4.4: does not read `typ`.
    DoesNotReadTyp = "does-not-read-typ" Fix::Header(|header, payload| set(header, "typ", typ_of(payload)));
    /// P 4.7: does not read `version`.
    DoesNotReadVersion = "does-not-read-version" Fix::Payload(|payload| set(payload, "version", 1));
    /// P 4.7: takes `true` for 1.
    TakesTrueForOne = "takes-true-for-one" Fix::Payload(|payload| {
        if payload.get("version") == Some(&json!(true)) {
            set(payload, "version", 1);
        }
    });
    /// P 6.1: takes a receipt without a key generation for one of the first.
    DoesNotNeedAKeyGeneration = "does-not-need-a-key-generation" Fix::Payload(|payload| {
        if payload.contains_key("sequence") {
            payload.entry("key_generation").or_insert(json!(1));
        }
    });
    /// P 8.1: takes a refusal invalid-request without a reason.
    DoesNotNeedAReason = "does-not-need-a-reason" Fix::Payload(|payload| {
        if payload.get("code").is_some_and(|code| code == "invalid-request") {
            payload.entry("reason").or_insert(json!("malformed-claims"));
        }
    });
    /// P 8.1: takes a reason with every code.
    TakesAReasonWithEveryCode = "takes-a-reason-with-every-code" Fix::Payload(|payload| {
        if payload.get("code").is_some_and(|code| code != "invalid-request") {
            payload.remove("reason");
        }
    });
    /// P 8.1: takes a refusal that says nothing to people.
    DoesNotNeedText = "does-not-need-text" Fix::Payload(|payload| {
        if payload.contains_key("code") {
            payload.entry("text").or_insert(json!(""));
            payload.entry("cure").or_insert(json!(""));
        }
    });
    /// P 10.1: takes a reason that it does not know.
    TakesAnUnknownReason = "takes-an-unknown-reason" Fix::Payload(|payload| {
        if payload.get("reason").is_some_and(Value::is_string) {
            set(payload, "reason", "malformed-claims");
        }
    });
    /// P 10.1: takes a code that it does not know for one that it knows.
    TakesAnUnknownCode = "takes-an-unknown-code" Fix::Payload(|payload| {
        let known = |code: &str| solme_sync_protocol::RefusalCode::ALL.iter().any(|known| known.as_str() == code);
        if payload.get("code").and_then(Value::as_str).is_some_and(|code| !known(code)) {
            set(payload, "code", "temporarily-unavailable");
            payload.remove("reason");
        }
    });
    /// P 11.1: reads a header however long it is.
    ReadsALongHeader = "reads-a-long-header" Fix::Header(|_, _| {});
    /// P 11.1: reads a message however long it is.
    ReadsALongMessage = "reads-a-long-message" Fix::Text(shortened);
    /// P 11.1: reads JSON however deep it is.
    ReadsDeepJson = "reads-deep-json" Fix::Payload(|payload| {
        payload.retain(|name, value| name != "unknown" || value.to_string().matches(['[', '{']).count() < 32);
    });
    /// P 11.10: reads texts however long they are.
    ReadsLongTexts = "reads-long-texts" Fix::Payload(|payload| {
        for name in ["text", "cure"] {
            if let Some(long) = payload.get(name).and_then(Value::as_str).filter(|text| text.chars().count() > 1_000) {
                let short: String = long.chars().take(1_000).collect();
                set(payload, name, short);
            }
        }
    });
}

fn set(members: &mut Members, name: &str, value: impl Into<Value>) {
    members.insert(name.to_owned(), value.into());
}

fn typ_of(payload: &Members) -> &'static str {
    if payload.contains_key("code") { "solme-sync-refusal+jwt" } else { "solme-sync-receipt+jwt" }
}

fn first_value(payload: &[u8]) -> Vec<u8> {
    let mut values = serde_json::Deserializer::from_slice(payload).into_iter::<&serde_json::value::RawValue>();
    values.next().and_then(Result::ok).map_or_else(|| payload.to_vec(), |value| value.get().as_bytes().to_vec())
}

fn without_unused_bits(text: &str) -> String {
    let part = |part: &str| {
        let unused = match part.len() % 4 {
            2 => 0b1111,
            3 => 0b11,
            _ => return part.to_owned(),
        };
        let alphabet: Vec<char> = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['-', '_']).collect();
        let last = part.chars().last().and_then(|last| alphabet.iter().position(|known| *known == last));
        match last {
            Some(last) => format!("{}{}", &part[..part.len() - 1], alphabet[last & !unused]),
            None => part.to_owned(),
        }
    };
    text.split('.').map(part).collect::<Vec<_>>().join(".")
}

/// The members of a payload that are integers.
const INTEGERS: [&str; 7] =
    ["iat", "sequence", "key_generation", "allocation_revision", "synchronize_by", "payload_size", "version"];

fn integers(payload: &mut Members, read: impl Fn(&Value) -> Option<u64>) {
    for name in INTEGERS {
        if let Some(value) = payload.get(name).filter(|value| !value.is_u64()).and_then(&read) {
            set(payload, name, value);
        }
    }
}

fn whole(value: &Value) -> Option<u64> {
    let text = value.to_string();
    text.strip_suffix(".0")?.parse().ok()
}

fn compact(text: &str) -> String {
    let members = serde_json::from_str::<Members>(text).unwrap_or_default();
    match ["protected", "payload", "signature"].map(|name| members.get(name).and_then(Value::as_str)) {
        [Some(header), Some(payload), Some(signature)] => format!("{header}.{payload}.{signature}"),
        _ => text.to_owned(),
    }
}

fn with_plain_signature(text: &str) -> String {
    let Some((input, signature)) = text.rsplit_once('.') else { return text.to_owned() };
    let der = base64url::decode(signature).unwrap_or_default();
    match p384::ecdsa::Signature::from_der(&der) {
        Ok(signature) => format!("{input}.{}", base64url::encode(signature.to_bytes())),
        Err(_) => text.to_owned(),
    }
}

/// Without the members that nobody knows, where it is too long.
fn shortened(text: &str) -> String {
    if text.len() <= limits::ANSWER {
        return text.to_owned();
    }
    let Some((header, rest)) = text.split_once('.') else { return text.to_owned() };
    let Some((payload, signature)) = rest.split_once('.') else { return text.to_owned() };
    let mut members: Members =
        base64url::decode(payload).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    members.remove("padding");
    format!("{header}.{}.{signature}", base64url::encode(json!(members).to_string()))
}

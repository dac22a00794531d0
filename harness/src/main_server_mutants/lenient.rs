//! Main servers that read what they have to refuse (P 2 to 5).
//!
//! Each makes a proper request of an improper one, reads that, and lets its signature pass.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use mock_solme::Carrier;
use mock_solme::testing::{Conduct, Protocol, ReadError};
use serde_json::{Value, json};
use solme_sync_protocol::{Digest, NotVerified, ProblemCode, Request, Signed, Verified, base64url, limits};

use super::rules::Credulous;
use super::{Mutant, mutant};

pub(super) const MUTANTS: &[Mutant] = &[
    mutant("byte-order-mark-skipped", "2.1", || {
        reads(|given| given.payload(|payload| Some(payload.strip_prefix(b"\xef\xbb\xbf")?.to_vec())))
    }),
    mutant("half-a-surrogate-replaced", "2.1", || {
        reads(|given| given.payload_text(|payload| payload.replace(r"\ud800", r"\ufffd")))
    }),
    mutant("bytes-that-are-not-utf8-replaced", "2.1", || {
        reads(|given| given.payload(|payload| Some(String::from_utf8_lossy(payload).into_owned().into_bytes())))
    }),
    mutant("what-follows-the-object-ignored", "2.1", || reads(|given| given.payload(first_object))),
    mutant("trailing-comma-skipped", "2.1", || reads(|given| given.payload_text(|payload| payload.replace(",}", "}")))),
    // The last one counts.
    mutant("member-twice-in-the-payload", "2.2", || reads(|given| given.payload(again))),
    mutant("member-twice-in-the-header", "2.2", || {
        reads(|given| given.parts(|header, payload| Some((again(&header)?, payload))))
    }),
    mutant("unknown-members-of-the-header-ignored", "4.3", || {
        reads(|given| given.members(|header, _| keep(header, &["alg", "typ", "jwk"])))
    }),
    mutant("unknown-members-of-a-jwk-ignored", "2.3", || {
        reads(|given| given.members(|header, _| keep(header.get_mut("jwk")?, &JWK)))
    }),
    mutant("unknown-members-of-a-sealing-jwk-ignored", "2.3", || {
        understands(|payload| keep(payload.get_mut("sealing_jwk")?, &JWK))
    }),
    mutant("padding-skipped", "2.4", || reads(|given| given.text(|text| text.replace('=', "")))),
    mutant("base64-for-base64url", "2.4", || {
        reads(|given| given.text(|text| text.replace('+', "-").replace('/', "_")))
    }),
    mutant("unused-bits-ignored", "2.4", || reads(|given| given.text(without_unused_bits))),
    mutant("fractions-cut-off", "2.5", || understands(|payload| for_integers(payload, |value| value.as_f64()))),
    mutant("integers-as-strings", "2.5", || {
        understands(|payload| for_integers(payload, |value| value.as_str()?.parse().ok()))
    }),
    mutant("no-greatest-integer", "2.5", || {
        understands(|payload| for_integers(payload, |value| value.as_u64().map(|_| 0.0)))
    }),
    mutant("time-in-rfc-3339", "2.6", || {
        understands(|payload| for_integers(payload, |value| value.as_str()?.ends_with('Z').then_some(0.0)))
    }),
    mutant("license-server-id-of-any-form", "2.7", || {
        reads(|given| given.members(|_, payload| payload["iss"].is_string().then(|| payload["iss"] = json!("NO-FORM"))))
    }),
    mutant("license-server-id-in-any-case", "2.7", || {
        Arc::new(Lenient::new(|given, _| {
            given.members(|_, payload| {
                let id = payload["iss"].as_str()?.to_ascii_uppercase();
                set(payload, "iss", json!(id))
            })
        }))
    }),
    mutant("main-server-id-of-any-form", "2.7", || {
        understands(|payload| {
            let empty = payload["aud"] == "";
            empty.then(|| payload["aud"] = json!("another"))
        })
    }),
    mutant("request-id-of-any-form", "2.8", || {
        understands(|payload| {
            let id = Digest::of(payload["jti"].as_str()?);
            set(payload, "jti", json!(base64url::encode(&id.as_bytes()[..16])))
        })
    }),
    mutant("coordinate-not-below-p", "3.1", || {
        Arc::new(Lenient::new(|given, _| {
            given.members(|header, payload| {
                let tidied = [header.get_mut("jwk").map(reduce), payload.get_mut("sealing_jwk").map(reduce)];
                tidied.contains(&Some(true)).then_some(())
            })
        }))
    }),
    mutant("signing-key-of-any-curve", "3.1", || {
        reads(|given| {
            given.members(|header, _| {
                let kty = set(&mut header["jwk"], "kty", json!("EC"));
                kty.or(set(&mut header["jwk"], "crv", json!("P-384")))
            })
        })
    }),
    mutant("signing-key-off-the-curve", "3.1", || {
        reads(|given| given.members(|header, _| header["jwk"]["x"].is_string().then(|| header["jwk"] = a_point())))
    }),
    mutant("sealing-key-off-the-curve", "3.1", || {
        understands(|payload| payload["sealing_jwk"]["x"].is_string().then(|| payload["sealing_jwk"] = a_point()))
    }),
    mutant("white-space-around-a-request", "4.1", || {
        reads(|given| given.text(|text| text.trim_matches(['\u{feff}', ' ', '\n']).to_owned()))
    }),
    mutant("line-breaks-in-a-request", "4.1", || reads(|given| given.text(|text| text.replace('\n', "")))),
    mutant("more-than-three-parts", "4.1", || {
        reads(|given| given.text(|text| text.split('.').take(3).collect::<Vec<_>>().join(".")))
    }),
    mutant("json-serialization", "4.1", || {
        reads(|given| {
            let json: Value = serde_json::from_slice(given.text).ok()?;
            let part = |name: &str| json[name].as_str().map(str::to_owned);
            Some([part("protected")?, part("payload")?, part("signature")?].join("."))
        })
    }),
    mutant("alg-unread", "4.2", || reads(|given| given.members(|header, _| set(header, "alg", json!("ES384"))))),
    mutant("alg-none", "4.2", || {
        reads(|given| {
            let none = |header: &mut Value| (header["alg"] == "none").then(|| header["alg"] = json!("ES384"));
            Some(with_signature(&given.members(|header, _| none(header))?, &[0; 96]))
        })
    }),
    mutant("signature-of-any-length", "4.2", || reads(|given| Some(with_signature(given.str()?, &[0; 96])))),
    mutant("typ-unread", "4.4", || {
        reads(|given| given.members(|header, _| set(header, "typ", json!("solme-sync-request+jwt"))))
    }),
    mutant("version-unread", "4.7", || understands(|payload| set(payload, "version", json!(1)))),
    mutant("version-of-any-type", "4.7", || {
        reads(|given| given.members(|_, payload| set(payload, "version", json!(1))))
    }),
    mutant("members-may-be-missing", "5.1", || {
        understands(|payload| {
            let defaults = proper_members();
            let missing: Vec<_> = defaults.into_iter().filter(|(name, _)| payload.get(name).is_none()).collect();
            let payload = payload.as_object_mut()?;
            (!missing.is_empty()).then(|| payload.extend(missing))
        })
    }),
    mutant("members-of-any-type", "5.1", || {
        understands(|payload| {
            let odd = |value: &Value, proper: &Value| {
                let null = proper.is_null() && value.is_string();
                !null && std::mem::discriminant(value) != std::mem::discriminant(proper)
            };
            let members = proper_members();
            let wrong: Vec<_> = members.into_iter().filter(|(name, proper)| odd(&payload[name], proper)).collect();
            let payload = payload.as_object_mut()?;
            (!wrong.is_empty()).then(|| payload.extend(wrong))
        })
    }),
    mutant("product-of-any-form", "5.1", || {
        understands(|payload| {
            let [product, version] = ["product", "product_version"].map(|name| {
                let proper = payload[name].as_str()?.chars().filter(|c| matches!(c, ' '..='~')).take(64).collect();
                set(payload, name, json!(Some(proper).filter(|text: &String| !text.is_empty()).unwrap_or("-".into())))
            });
            product.or(version)
        })
    }),
    mutant("sealing-key-may-be-the-signing-key", "5.3", || {
        Arc::new(Lenient::new(|given, _| {
            given.members(|header, payload| {
                (header["jwk"] == payload["sealing_jwk"]).then(|| payload["sealing_jwk"] = a_point())
            })
        }))
    }),
    mutant("header-of-any-length", "9.1", || {
        reads(|given| {
            given.parts(|header, payload| Some((header.into_iter().filter(|byte| *byte != b' ').collect(), payload)))
        })
    }),
    mutant("json-of-any-depth", "9.1", || reads(|given| given.members(|_, payload| keep(payload, &MEMBERS)))),
    mutant("last-receipt-of-any-length", "5.1", || {
        understands(|payload| {
            let long = payload["last_receipt"].as_str()?.len() > limits::ANSWER;
            long.then(|| payload["last_receipt"] = Value::Null)
        })
    }),
    mutant("too-large-is-unreadable", "9.1", || Arc::new(TooLargeIsUnreadable)),
    // Limits what comes over 443, and nothing else.
    mutant("no-limit-of-a-request-by-file", "14.5", || {
        Arc::new(Lenient::new(|given, carrier| without_padding(given).filter(|_| carrier == Carrier::File)))
    }),
];

/// The members of a public JWK (P 3.1).
const JWK: [&str; 4] = ["kty", "crv", "x", "y"];

/// The members of a request's payload (P 5).
const MEMBERS: [&str; 10] = [
    "version",
    "iss",
    "aud",
    "jti",
    "iat",
    "sealing_jwk",
    "last_receipt",
    "high_water_mark",
    "product",
    "product_version",
];

/// What stands in place of a missing member, or of one of a wrong type.
fn proper_members() -> Vec<(String, Value)> {
    let members = json!({
        "aud": "another", "jti": base64url::encode([7; 16]), "iat": 0, "sealing_jwk": a_point(), "last_receipt": null,
        "high_water_mark": 0, "product": "-", "product_version": "-",
    });
    members.as_object().cloned().unwrap_or_default().into_iter().collect()
}

/// A key that anybody can seal to and nobody can open with: the point with x = 0.
fn a_point() -> Value {
    let y = "wwZhD7CuWhWc9FwGBp8ipsXrNkHGAtQt6ixLT3VVB5NAbYDSuRrVT5BIvUh68a3h";
    json!({ "kty": "EC", "crv": "P-384", "x": base64url::encode([0; 48]), "y": y })
}

/// A mutant that makes something readable of what is not.
fn reads(tidy: fn(&Given<'_>) -> Option<String>) -> Arc<dyn Conduct> {
    Arc::new(Reads(Lenient::new(|_, _| None), tidy))
}

/// A mutant that makes a proper payload of one that is malformed.
fn understands(tidy: fn(&mut Value) -> Option<()>) -> Arc<dyn Conduct> {
    Arc::new(Understands(Lenient::new(|_, _| None), tidy))
}

/// What came.
struct Given<'a> {
    text: &'a [u8],
}

impl Given<'_> {
    fn str(&self) -> Option<&str> {
        std::str::from_utf8(self.text).ok()
    }

    /// The whole text, changed.
    fn text(&self, change: fn(&str) -> String) -> Option<String> {
        self.str().map(change)
    }

    /// The three parts, changed before they are put together again.
    fn parts(&self, change: impl FnOnce(Vec<u8>, Vec<u8>) -> Option<(Vec<u8>, Vec<u8>)>) -> Option<String> {
        let mut parts = self.str()?.split('.');
        let (header, payload, signature) = (parts.next()?, parts.next()?, parts.next()?);
        let (header, payload) = change(base64url::decode(header).ok()?, base64url::decode(payload).ok()?)?;
        Some(format!("{}.{}.{signature}", base64url::encode(header), base64url::encode(payload)))
    }

    fn payload(&self, change: impl FnOnce(&[u8]) -> Option<Vec<u8>>) -> Option<String> {
        self.parts(|header, payload| Some((header, change(&payload)?)))
    }

    fn payload_text(&self, change: fn(&str) -> String) -> Option<String> {
        self.payload(|payload| Some(change(std::str::from_utf8(payload).ok()?).into_bytes()))
    }

    /// The members of header and payload, changed. Of two members of one name the last counts.
    fn members(&self, change: impl FnOnce(&mut Value, &mut Value) -> Option<()>) -> Option<String> {
        self.parts(|header, payload| {
            let json = |part: &[u8]| serde_json::from_slice::<Value>(part).ok();
            let (mut header, mut payload) = (json(&header)?, json(&payload)?);
            change(&mut header, &mut payload)?;
            Some((header.to_string().into_bytes(), payload.to_string().into_bytes()))
        })
    }
}

/// Reads what it made proper, and lets the signature of that pass.
#[derive(Debug)]
struct Lenient {
    tidy: fn(&Given<'_>, Carrier) -> Option<String>,
    tidied: Mutex<HashSet<Digest>>,
}

impl Lenient {
    fn new(tidy: fn(&Given<'_>, Carrier) -> Option<String>) -> Self {
        Self { tidy, tidied: Mutex::default() }
    }

    /// Reads what was made proper; what came where that is no better.
    fn read_tidied(&self, tidied: Option<String>, text: &[u8], carrier: Carrier) -> Result<Signed<Request>, ReadError> {
        let Some(tidied) = tidied else { return Protocol.read(text, carrier) };
        let Ok(request) = Protocol.read(tidied.as_bytes(), carrier) else { return Protocol.read(text, carrier) };
        self.tidied.lock().unwrap_or_else(PoisonError::into_inner).insert(request.digest());
        Ok(request)
    }
}

impl Conduct for Lenient {
    fn read(&self, text: &[u8], carrier: Carrier) -> Result<Signed<Request>, ReadError> {
        self.read_tidied((self.tidy)(&Given { text }, carrier), text, carrier)
    }

    fn verify(&self, request: Signed<Request>) -> Result<Verified<Request>, NotVerified> {
        let tidied = self.tidied.lock().unwrap_or_else(PoisonError::into_inner).contains(&request.digest());
        if tidied { request.verify(&Credulous) } else { Protocol.verify(request) }
    }
}

#[derive(Debug)]
struct TooLargeIsUnreadable;

impl Conduct for TooLargeIsUnreadable {
    fn read(&self, text: &[u8], carrier: Carrier) -> Result<Signed<Request>, ReadError> {
        Protocol.read(text, carrier).map_err(|why| ReadError { code: ProblemCode::UnreadableRequest, ..why })
    }
}

/// Makes something readable of what is not (P 9.1).
#[derive(Debug)]
struct Reads(Lenient, fn(&Given<'_>) -> Option<String>);

impl Conduct for Reads {
    fn read(&self, text: &[u8], carrier: Carrier) -> Result<Signed<Request>, ReadError> {
        let tidy = |_| self.0.read_tidied((self.1)(&Given { text }), text, carrier);
        Protocol.read(text, carrier).or_else(tidy)
    }

    fn verify(&self, request: Signed<Request>) -> Result<Verified<Request>, NotVerified> {
        self.0.verify(request)
    }
}

/// Makes a proper payload of one that can be read, and is malformed (P 9.8). What is signed wrongly it leaves alone.
#[derive(Debug)]
struct Understands(Lenient, fn(&mut Value) -> Option<()>);

impl Conduct for Understands {
    fn read(&self, text: &[u8], carrier: Carrier) -> Result<Signed<Request>, ReadError> {
        let honest = Protocol.read(text, carrier)?;
        match Protocol.verify(honest.clone()).map(|verified| verified.read()) {
            Ok(Err(_)) => {
                let tidied = Given { text }.members(|_, payload| (self.1)(payload));
                self.0.read_tidied(tidied, text, carrier)
            }
            _ => Ok(honest),
        }
    }

    fn verify(&self, request: Signed<Request>) -> Result<Verified<Request>, NotVerified> {
        self.0.verify(request)
    }
}

/// The same JSON, of two members of one name the last.
fn again(json: &[u8]) -> Option<Vec<u8>> {
    Some(serde_json::from_slice::<Value>(json).ok()?.to_string().into_bytes())
}

/// Drops the other members.
fn keep(object: &mut Value, names: &[&str]) -> Option<()> {
    let object = object.as_object_mut()?;
    let before = object.len();
    object.retain(|name, _| names.contains(&name.as_str()));
    (object.len() < before).then_some(())
}

/// Sets a member; none where it has this value already.
fn set(object: &mut Value, name: &str, value: Value) -> Option<()> {
    let member = object.as_object_mut()?.entry(name).or_insert(Value::Null);
    (*member != value).then(|| *member = value)
}

/// Makes an integer of the times in a payload that are none.
fn for_integers(payload: &mut Value, number: impl Fn(&Value) -> Option<f64>) -> Option<()> {
    let [iat, mark] = ["iat", "high_water_mark"].map(|name| {
        let wrong = &payload[name];
        let right = wrong.as_u64().is_some_and(|integer| integer < 1 << 53);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "what a careless reader does")]
        let integer = number(wrong).filter(|_| !right)? as u64;
        set(payload, name, json!(integer))
    });
    iat.or(mark)
}

/// The first JSON value, without what follows.
fn first_object(payload: &[u8]) -> Option<Vec<u8>> {
    let mut values = serde_json::Deserializer::from_slice(payload).into_iter::<Value>();
    values.next()?.ok()?;
    Some(payload[..values.byte_offset()].to_vec())
}

/// Another signature under the same text.
fn with_signature(jws: &str, signature: &[u8]) -> String {
    let (signing_input, _) = jws.rsplit_once('.').unwrap_or((jws, ""));
    format!("{signing_input}.{}", base64url::encode(signature))
}

/// Each part with its unused bits zero.
fn without_unused_bits(text: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let part = |part: &str| {
        let unused = match part.len() % 4 {
            2 => 4,
            3 => 2,
            _ => 0,
        };
        let last = part.bytes().last().and_then(|last| ALPHABET.iter().position(|character| *character == last));
        match last {
            Some(at) => format!("{}{}", &part[..part.len() - 1], char::from(ALPHABET[at >> unused << unused])),
            None => part.to_owned(),
        }
    };
    text.split('.').map(part).collect::<Vec<_>>().join(".")
}

/// A request that is longer than one may be, without the members that nobody knows.
fn without_padding(given: &Given<'_>) -> Option<String> {
    let too_long = given.text.len() > limits::REQUEST;
    too_long.then(|| given.members(|_, payload| keep(payload, &MEMBERS)))?
}

/// Takes the coordinates of a JWK modulo p. True where that makes a difference.
fn reduce(jwk: &mut Value) -> bool {
    ["x", "y"].into_iter().fold(false, |reduced, name| {
        let coordinate = jwk[name].as_str().and_then(|text| base64url::decode_array::<48>(text).ok());
        match coordinate.and_then(less_p) {
            Some(below) => {
                jwk[name] = json!(base64url::encode(below));
                true
            }
            None => reduced,
        }
    })
}

/// The coordinate minus p; none where it is below p already.
fn less_p(coordinate: [u8; 48]) -> Option<[u8; 48]> {
    /// 2^384 - p = 2^128 + 2^96 - 2^32 + 1: to add it, and to drop the carry, is to subtract p.
    const ADDEND: u128 = (1 << 96) - (1 << 32) + 1;
    let (high, low) = coordinate.split_at(32);
    let low = u128::from_be_bytes(low.try_into().ok()?);
    let (low, carry) = low.overflowing_add(ADDEND);
    // 2^128, and what the low half carries
    let mut rest = 1 + u16::from(carry);
    let mut below = [0; 48];
    below[32..].copy_from_slice(&low.to_be_bytes());
    for (to, from) in below[..32].iter_mut().zip(high).rev() {
        rest += u16::from(*from);
        *to = rest.to_be_bytes()[1];
        rest >>= 8;
    }
    (rest > 0).then_some(below)
}

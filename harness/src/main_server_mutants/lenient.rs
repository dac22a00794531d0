//! Main servers that read what they have to refuse (P 2 to 5, 14).
//!
//! Each makes a proper request of an improper one, reads that, and lets its signature pass.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use mock_solme::Carrier;
use mock_solme::testing::{Conduct, NotRead, Protocol};
use serde_json::{Value, json};
use solme_sync_protocol::{Digest, NotVerified, Request, Signed, Verified, base64url, limits};

use super::rules::Credulous;
use super::{Mutant, mutant};

pub(super) const MUTANTS: &[Mutant] = &[
    mutant("coordinate-not-below-p", "3.1", || {
        Arc::new(Lenient::new(|request, _| {
            let tidied =
                [request.header.get_mut("jwk").map(reduce), request.payload.get_mut("sealing_jwk").map(reduce)];
            tidied.contains(&Some(true))
        }))
    }),
    // Limits what comes over 443, and nothing else.
    mutant("no-limit-of-a-request-by-file", "14.5", || {
        Arc::new(Lenient::new(|request, carrier| {
            let too_long = carrier == Carrier::File && request.bytes > limits::REQUEST;
            if let Some(payload) = request.payload.as_object_mut().filter(|_| too_long) {
                payload.retain(|name, _| MEMBERS.contains(&name.as_str()));
            }
            too_long
        }))
    }),
];

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

/// A request that was taken apart.
struct Parts {
    header: Value,
    payload: Value,
    signature: String,
    /// How long it was.
    bytes: usize,
}

/// Makes a request proper. False where this mutant has nothing to do with it.
type Tidy = fn(&mut Parts, Carrier) -> bool;

#[derive(Debug)]
struct Lenient {
    tidy: Tidy,
    tidied: Mutex<HashSet<Digest>>,
}

impl Lenient {
    fn new(tidy: Tidy) -> Self {
        Self { tidy, tidied: Mutex::default() }
    }

    fn tidied(&self, text: &[u8], carrier: Carrier) -> Option<String> {
        let text = std::str::from_utf8(text).ok()?;
        let mut parts = text.split('.');
        let (header, payload, signature) = (parts.next()?, parts.next()?, parts.next()?);
        let json = |part| serde_json::from_slice(&base64url::decode(part).ok()?).ok();
        let (header, payload) = (json(header)?, json(payload)?);
        let mut parts = Parts { header, payload, signature: signature.to_owned(), bytes: text.len() };
        (self.tidy)(&mut parts, carrier).then(|| {
            let part = |json: &Value| base64url::encode(json.to_string());
            format!("{}.{}.{}", part(&parts.header), part(&parts.payload), parts.signature)
        })
    }
}

impl Conduct for Lenient {
    fn read(&self, text: &[u8], carrier: Carrier) -> Result<Signed<Request>, NotRead> {
        let Some(tidied) = self.tidied(text, carrier) else { return Protocol.read(text, carrier) };
        let request = Protocol.read(tidied.as_bytes(), carrier)?;
        self.tidied.lock().unwrap_or_else(PoisonError::into_inner).insert(request.digest());
        Ok(request)
    }

    fn verify(&self, request: Signed<Request>) -> Result<Verified<Request>, NotVerified> {
        let tidied = self.tidied.lock().unwrap_or_else(PoisonError::into_inner).contains(&request.digest());
        if tidied { request.verify(&Credulous) } else { Protocol.verify(request) }
    }
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

//! Bugs in what the main server signs and seals (P 2.8, 4, 6, 7, 8, 9.7).

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use mock_solme::Carrier;
use mock_solme::testing::registry::{Acceptance, Fresh};
use mock_solme::testing::{Conduct, Leaving};
use serde_json::Value;
use solme_sync_protocol::{
    Digest, InvalidRequestReason, PublicJwk, Receipt, Refusal, Request, RequestId, RustCrypto, SEALING_OVERHEAD, Salt,
    SignEs384, Signature, Signed, SyncId, UtcTime, Verified, base64url,
};

use super::{Mutant, mutant};

pub(super) const MUTANTS: &[Mutant] = &[
    mutant("sync-id-twice", "2.8", || {
        Arc::new(Freshens(|fresh, _| Fresh { sync_id: SyncId::from_random([0; 16]), ..fresh }))
    }),
    mutant("thumbprint-of-the-sealing-key", "3.2", || {
        Arc::new(Writes(|receipt, acceptance| receipt.key_thumbprint = acceptance.sealing_jwk().thumbprint()))
    }),
    mutant("answer-wrongly-signed", "4.2", || Arc::new(Sends(|header, _| Some(header.clone())))),
    mutant("answer-without-kid", "4.3", || Arc::new(Sends(|header, _| without(header, "kid")))),
    mutant("answer-with-its-key", "4.3", || {
        Arc::new(Sends(|header, key| with(header, "jwk", serde_json::to_value(key).ok()?)))
    }),
    mutant("answer-of-typ-jwt", "4.4", || Arc::new(Sends(|header, _| with(header, "typ", "JWT".into())))),
    mutant("refusal-of-typ-receipt", "4.4", || {
        Arc::new(Sends(|header, _| {
            let refusal = header["typ"].as_str()?.contains("refusal");
            if refusal { with(header, "typ", "solme-sync-receipt+jwt".into()) } else { None }
        }))
    }),
    mutant("digest-of-something-else", "4.8", || {
        Arc::new(Writes(|receipt, acceptance| {
            receipt.request_digest = Digest::of(serde_json::to_vec(acceptance.request()).unwrap_or_default());
        }))
    }),
    mutant("receipt-of-another-main-server", "6.1", || {
        Arc::new(Writes(|receipt, _| receipt.main_server_id = "another".parse().expect("it has the form of an id")))
    }),
    mutant("receipt-for-another-id", "6.1", || {
        Arc::new(Writes(|receipt, _| receipt.license_server_id = "ANOTHER".parse().expect("it has the form of an id")))
    }),
    mutant("receipt-for-another-request", "6.1", || {
        Arc::new(Writes(|receipt, _| receipt.request_id = RequestId::from_random([0; 16])))
    }),
    mutant("payload-size-of-the-plaintext", "7.3", || {
        Arc::new(Writes(|receipt, _| receipt.payload_size -= SEALING_OVERHEAD as u64))
    }),
    mutant("allocation-digest-of-the-payload", "7.5", || {
        Arc::new(Writes(|receipt, _| receipt.allocation_digest = receipt.payload_digest))
    }),
    mutant("refusal-without-reason", "8.1", || Arc::new(Refuses(|refusal| Refusal { reason: None, ..refusal }))),
    mutant("refusal-of-another-main-server", "8.1", || {
        Arc::new(Refuses(|refusal| Refusal {
            main_server_id: "another".parse().expect("it has the form of an id"),
            ..refusal
        }))
    }),
    mutant("refusal-to-another-id", "8.1", || {
        Arc::new(Refuses(|refusal| Refusal {
            license_server_id: "ANOTHER".parse().expect("it has the form of an id"),
            ..refusal
        }))
    }),
    mutant("refusal-of-another-request", "8.1", || {
        Arc::new(Refuses(|refusal| Refusal { request_digest: Digest::of("another"), ..refusal }))
    }),
    mutant("refusal-names-no-key-of-anybody", "8.1", || {
        Arc::new(Refuses(|refusal| Refusal {
            key_thumbprint: base64url::encode([0; 32]).parse().expect("it has the form of a thumbprint"),
            ..refusal
        }))
    }),
    mutant("reason-with-every-code", "10.1", || {
        Arc::new(Refuses(|refusal| Refusal { reason: Some(InvalidRequestReason::MalformedClaims), ..refusal }))
    }),
    mutant("counts-every-other-sequence", "6.3", || {
        Arc::new(Writes(|receipt, _| receipt.sequence = 2 * receipt.sequence - 1))
    }),
    mutant("generation-not-raised", "16.3", || Arc::new(Writes(|receipt, _| receipt.key_generation = 1))),
    mutant("deadline-of-365-days", "6.2", || {
        Arc::new(Writes(|receipt, _| receipt.synchronize_by = receipt.main_server_time.plus(365 * 86_400)))
    }),
    // Over 443 it is main server time.
    mutant("iat-of-a-file-from-the-computers-clock", "6.2", || {
        Arc::new(Freshens(|fresh, carrier| match carrier {
            Carrier::File => Fresh { now: computer_time(), ..fresh },
            _ => fresh,
        }))
    }),
    mutant("iat-of-a-refusal-from-the-computers-clock", "8.1", || {
        Arc::new(Refuses(|refusal| Refusal { main_server_time: computer_time(), ..refusal }))
    }),
    mutant("digest-of-the-plaintext", "7.5", || {
        Arc::new(Writes(|receipt, _| receipt.payload_digest = receipt.allocation_digest))
    }),
    mutant("same-salt-again", "7.5", || Arc::new(SameSalt)),
    mutant("seals-to-the-signing-key", "7.3", || {
        Arc::new(Seals(|(_, info), request| (request.signed().header().jwk, info)))
    }),
    mutant("seals-without-info", "7.4", || Arc::new(Seals(|(key, _), _| (key, Vec::new())))),
    // The same receipt, signed anew.
    mutant("resend-is-signed-again", "9.7", || Arc::new(Resends(|receipt| receipt))),
    mutant("resend-makes-new-receipt", "9.7", || {
        Arc::new(Resends(|receipt| Receipt { sync_id: SyncId::from_random([0; 16]), ..receipt }))
    }),
];

/// Writes another receipt.
#[derive(Debug)]
struct Writes(fn(&mut Receipt, &Acceptance));

impl Conduct for Writes {
    fn receipt(&self, acceptance: &Acceptance, fresh: &Fresh, payload: &[u8]) -> Receipt {
        let mut receipt = acceptance.receipt(fresh, payload);
        (self.0)(&mut receipt, acceptance);
        receipt
    }
}

/// Has one salt for all receipts.
#[derive(Debug)]
struct SameSalt;

impl Conduct for SameSalt {
    fn fresh(&self, fresh: Fresh, _: Carrier) -> Fresh {
        Fresh { salt: Salt::from_random([1; 16]), ..fresh }
    }
}

/// What an allocation is sealed to, and under.
type Sealing = (PublicJwk, Vec<u8>);

/// Seals otherwise.
#[derive(Debug)]
struct Seals(fn(Sealing, &Verified<Request>) -> Sealing);

impl Conduct for Seals {
    fn sealing(&self, acceptance: &Acceptance, fresh: &Fresh, request: &Verified<Request>) -> Sealing {
        (self.0)((*acceptance.sealing_jwk(), acceptance.sealing_info(fresh)), request)
    }
}

/// Makes a receipt of the stored one, and signs that.
#[derive(Debug)]
struct Resends(fn(Receipt) -> Receipt);

impl Conduct for Resends {
    fn message(&self, jws: String, leaving: Leaving, key: &dyn SignEs384) -> String {
        let stored = Signed::<Receipt>::parse(&jws).ok().filter(|_| leaving == Leaving::ReceiptAgain);
        let stored = stored.and_then(|stored| stored.verify(&RustCrypto, &[*key.public_jwk()]).ok());
        match stored.and_then(|stored| stored.read().ok()) {
            Some(receipt) => Signed::sign(&(self.0)(receipt), &Key(key)).as_str().to_owned(),
            None => jws,
        }
    }
}

/// The main server's key.
struct Key<'a>(&'a dyn SignEs384);

impl SignEs384 for Key<'_> {
    fn public_jwk(&self) -> &PublicJwk {
        self.0.public_jwk()
    }

    fn sign(&self, signing_input: &[u8]) -> Signature {
        self.0.sign(signing_input)
    }
}

/// Main server time by the computer's clock, whatever `advance-clock` did.
fn computer_time() -> UtcTime {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UtcTime::from_secs(now.as_secs())
}

/// Has another main server time, or other names.
#[derive(Debug)]
struct Freshens(fn(Fresh, Carrier) -> Fresh);

impl Conduct for Freshens {
    fn fresh(&self, fresh: Fresh, carrier: Carrier) -> Fresh {
        (self.0)(fresh, carrier)
    }
}

/// Sends messages under another header, signed over it; where the header is the same, signed by nobody.
#[derive(Debug)]
struct Sends(fn(&Value, &PublicJwk) -> Option<Value>);

impl Conduct for Sends {
    fn message(&self, jws: String, _: Leaving, key: &dyn SignEs384) -> String {
        let changed = || {
            let (signing_input, _) = jws.rsplit_once('.')?;
            let (header, payload) = signing_input.split_once('.')?;
            let header: Value = serde_json::from_slice(&base64url::decode(header).ok()?).ok()?;
            let other = (self.0)(&header, key.public_jwk())?;
            if other == header {
                return Some(format!("{signing_input}.{}", base64url::encode([7; 96])));
            }
            let signing_input = format!("{}.{payload}", base64url::encode(other.to_string()));
            let signature = base64url::encode(key.sign(signing_input.as_bytes()));
            Some(format!("{signing_input}.{signature}"))
        };
        changed().unwrap_or(jws)
    }
}

fn with(header: &Value, name: &str, value: Value) -> Option<Value> {
    let mut header = header.clone();
    header.as_object_mut()?.insert(name.to_owned(), value);
    Some(header)
}

fn without(header: &Value, name: &str) -> Option<Value> {
    let mut header = header.clone();
    header.as_object_mut()?.remove(name)?;
    Some(header)
}

/// Signs another refusal.
#[derive(Debug)]
struct Refuses(fn(Refusal) -> Refusal);

impl Conduct for Refuses {
    fn refusal(&self, refusal: Refusal) -> Refusal {
        (self.0)(refusal)
    }
}

//! Bugs in what the main server answers with: receipts, payloads, files (P 4, 6, 7, 9.7, 14).

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use mock_solme::Carrier;
use mock_solme::registry::{Acceptance, Fresh};
use mock_solme::testing::{Conduct, Leaving};
use solme_sync_protocol::{
    PublicJwk, Receipt, Refusal, Request, RustCrypto, Salt, SignEs384, Signature, Signed, SyncFile, SyncId, UtcTime,
    Verified,
};

use super::{Mutant, mutant};

pub(super) const MUTANTS: &[Mutant] = &[
    mutant("counts-every-other-sequence", "6.3", || {
        Arc::new(Writes(|receipt| receipt.sequence = 2 * receipt.sequence - 1))
    }),
    mutant("generation-not-raised", "16.3", || Arc::new(Writes(|receipt| receipt.key_generation = 1))),
    mutant("deadline-of-365-days", "6.2", || {
        Arc::new(Writes(|receipt| receipt.synchronize_by = receipt.main_server_time.plus(365 * 86_400)))
    }),
    // Over 443 it is main server time.
    mutant("iat-of-a-file-from-the-computers-clock", "6.2", || Arc::new(ReceiptByComputersClock)),
    mutant("iat-of-a-refusal-from-the-computers-clock", "8.1", || {
        Arc::new(Refuses(|refusal| Refusal { main_server_time: computer_time(), ..refusal }))
    }),
    mutant("digest-of-the-plaintext", "7.5", || {
        Arc::new(Writes(|receipt| receipt.payload_digest = receipt.allocation_digest))
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
    mutant("response-file-on-one-line", "14.3", || Arc::new(ResponseFileOnOneLine)),
];

/// Writes another receipt.
#[derive(Debug)]
struct Writes(fn(&mut Receipt));

impl Conduct for Writes {
    fn receipt(&self, acceptance: &Acceptance, fresh: &Fresh, payload: &[u8]) -> Receipt {
        let mut receipt = acceptance.receipt(fresh, payload);
        (self.0)(&mut receipt);
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

/// Writes what mail would wrap.
#[derive(Debug)]
struct ResponseFileOnOneLine;

impl Conduct for ResponseFileOnOneLine {
    fn response_file(&self, response: &SyncFile, about: &[String]) -> Vec<u8> {
        let file = response.to_bytes(about);
        let on_one_line = || serde_json::to_vec(&serde_json::from_slice::<serde_json::Value>(&file).ok()?).ok();
        on_one_line().unwrap_or(file)
    }
}

/// Main server time by the computer's clock, whatever `advance-clock` did.
fn computer_time() -> UtcTime {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UtcTime::from_secs(now.as_secs())
}

#[derive(Debug)]
struct ReceiptByComputersClock;

impl Conduct for ReceiptByComputersClock {
    fn fresh(&self, fresh: Fresh, carrier: Carrier) -> Fresh {
        if carrier == Carrier::File { Fresh { now: computer_time(), ..fresh } } else { fresh }
    }
}

/// Signs another refusal.
#[derive(Debug)]
struct Refuses(fn(Refusal) -> Refusal);

impl Conduct for Refuses {
    fn refusal(&self, refusal: Refusal) -> Refusal {
        (self.0)(refusal)
    }
}

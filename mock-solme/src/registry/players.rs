//! What the tests of the registry share: License Servers that make requests, and a store of plain sets.

use std::cell::RefCell;
use std::collections::HashSet;
use std::convert::Infallible;

use solme_sync_protocol::{
    Digest, MainServerId, PayloadName, Receipt, Request, RequestId, RustCrypto, Salt, SealingKey, SignEs384 as _,
    Signed, SigningKey, SyncId, UtcTime, VERSION, Verified,
};

use super::*;

pub(super) const T0: UtcTime = UtcTime::from_secs(1_800_000_000);

/// A main server of one id, its store two sets.
pub(super) struct MainServer {
    pub(super) id: MainServerId,
    pub(super) key: SigningKey,
    pub(super) record: Record,
    pub(super) within_rate_limit: bool,
    accepted: RefCell<HashSet<Digest>>,
    request_ids: RefCell<HashSet<RequestId>>,
    next: u8,
}

impl MainServer {
    pub(super) fn new() -> Self {
        Self {
            id: "MAIN-1".parse().unwrap(),
            key: SigningKey::generate(),
            record: Record::new("DEMO-1".parse().unwrap(), T0),
            within_rate_limit: true,
            accepted: RefCell::default(),
            request_ids: RefCell::default(),
            next: 0,
        }
    }

    pub(super) fn decide(&self, request: &Verified<Request>) -> Decision {
        let Ok(decision) = decide(Some(&self.record), request, self);
        decision
    }

    /// Decides, and carries an acceptance out. The receipt, or the refusal.
    pub(super) fn synchronize(&mut self, request: &Verified<Request>) -> Result<String, Refused> {
        match self.decide(request) {
            Decision::Accept(acceptance) => Ok(self.carry_out(&acceptance)),
            Decision::Resend(answer) => Ok(answer.receipt),
            Decision::Refuse(refused) => Err(refused),
        }
    }

    fn carry_out(&mut self, acceptance: &Acceptance) -> String {
        self.next += 1;
        let fresh = Fresh {
            now: T0.plus(u64::from(self.next)),
            sync_id: SyncId::from_random([self.next; 16]),
            payload_name: PayloadName::from_random([self.next; 16]),
            salt: Salt::from_random([self.next; 16]),
        };
        let payload = acceptance.sealing_jwk().seal(&acceptance.sealing_info(&fresh), &acceptance.allocation(&fresh));
        let receipt = Signed::sign(&acceptance.receipt(&fresh, &payload), &self.key);
        self.record = acceptance.record(&self.record, &fresh, &receipt);
        self.accepted.borrow_mut().insert(*acceptance.request_digest());
        self.request_ids.borrow_mut().insert(acceptance.request().request_id.clone());
        receipt.as_str().to_owned()
    }

    /// Clears whatever key pair is in use.
    pub(super) fn clear(&mut self) -> ClearOutcome {
        let outcome = clear_key_pair(&self.record, &clear()).unwrap();
        if let ClearOutcome::Cleared { record, .. } = &outcome {
            self.record = record.clone();
        }
        outcome
    }
}

pub(super) fn clear() -> Clear {
    Clear { thumbprint: None, by: "olle".to_owned(), reason: "reinstalled".to_owned(), reserve_for: None, now: T0 }
}

impl Facts for MainServer {
    type Error = Infallible;
    fn main_server_id(&self) -> &MainServerId {
        &self.id
    }
    fn within_rate_limit(&self) -> bool {
        self.within_rate_limit
    }
    fn was_accepted(&self, digest: &Digest) -> Result<bool, Infallible> {
        Ok(self.accepted.borrow().contains(digest))
    }
    fn request_id_was_used(&self, id: &RequestId) -> Result<bool, Infallible> {
        Ok(self.request_ids.borrow().contains(id))
    }
    fn verify_receipt(&self, claimed: Signed<Receipt>) -> Option<Verified<Receipt>> {
        claimed.verify(&RustCrypto, &[*self.key.public_jwk()]).ok()
    }
}

/// A License Server: a key pair, and the last receipt that it applied.
pub(super) struct LicenseServer {
    pub(super) key: SigningKey,
    pub(super) last_receipt: Option<String>,
}

impl LicenseServer {
    pub(super) fn new() -> Self {
        Self { key: SigningKey::generate(), last_receipt: None }
    }

    /// The content of a new request.
    pub(super) fn content(&self) -> Request {
        let sealing = SealingKey::generate();
        let random = sealing.expose_secret_bytes()[..16].try_into().unwrap();
        Request {
            version: VERSION,
            license_server_id: "DEMO-1".parse().unwrap(),
            main_server_id: "MAIN-1".parse().unwrap(),
            request_id: RequestId::from_random(random),
            made_at: T0,
            sealing_jwk: sealing.public_jwk(),
            last_receipt: self.last_receipt.clone(),
            high_water_mark: T0,
            product: "test".to_owned(),
            product_version: "1".to_owned(),
        }
    }

    pub(super) fn request(&self) -> Verified<Request> {
        self.sign(&self.content())
    }

    pub(super) fn sign(&self, content: &Request) -> Verified<Request> {
        Signed::sign(content, &self.key).verify(&RustCrypto).unwrap()
    }

    /// One synchronization whose answer arrives.
    pub(super) fn synchronize(&mut self, main_server: &mut MainServer) -> Result<(), Refused> {
        self.last_receipt = Some(main_server.synchronize(&self.request())?);
        Ok(())
    }
}

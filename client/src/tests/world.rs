//! What unit tests need: licenses, keys, and a small main server that signs with them.

use std::collections::BTreeMap;

use solme_sync_protocol::{
    Allocation, BASE, Component, Digest, License, LicenseServerId, PayloadName, Receipt, Refusal, RefusalCode, Request,
    RustCrypto, SignEs384 as _, Signed, SigningKey, SyncId, TrustFile, UtcTime, sealing_info,
};

use crate::core::{Applied, HttpAnswer, Identity, LocalServer, Stored, Times, read_receipt};

/// Main server time of the first receipt.
pub(crate) const MAIN_TIME: UtcTime = UtcTime::from_secs(1_800_000_000);
const DAY: u64 = 86_400;
const SALT: &str = "c2FsdC1vZi10aGUtdGVzdA";

pub(crate) const NUMBERS: [&str; 3] = [
    "AVIX1-00000-00000-00000-00000-DEMO001",
    "AVIX1-00000-00000-00000-00000-DEMO002",
    "AVIX1-00000-00000-00000-00000-DEMO003",
];

/// An HTTP answer.
pub(crate) fn http(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> HttpAnswer {
    HttpAnswer {
        at: "127.0.0.1:1".to_owned(),
        status,
        content_type: Some(content_type.to_owned()),
        content_encoding: None,
        location: None,
        date: None,
        retry_after: None,
        body: body.into(),
        too_long: false,
        via: None,
    }
}

/// License 1 is valid from day 10 to day 20; the others for ten years.
pub(crate) fn license(n: usize) -> License {
    let (from, to) = if n == 1 { (10, 20) } else { (0, 3_650) };
    let component =
        |id: &str, name: &str, max_users| Component { id: id.parse().unwrap(), name: name.to_owned(), max_users };
    License {
        number: NUMBERS[n].parse().unwrap(),
        display: None,
        domain: None,
        components: vec![component(BASE, "Base", 5), component("AQDreDAZcXMaGwAI", "DFX", 2)],
        valid_from: MAIN_TIME.plus(from * DAY),
        expires_at: Some(MAIN_TIME.plus(to * DAY)),
        properties: BTreeMap::new(),
    }
}

pub(crate) fn allocation(revision: u64, licenses: &[usize]) -> Allocation {
    Allocation { revision, licenses: licenses.iter().map(|n| license(*n)).collect() }
}

pub(crate) fn refusal(code: RefusalCode) -> Refusal {
    let key = SigningKey::generate();
    Refusal {
        version: 1,
        main_server_id: "SOLME-TEST".parse().unwrap(),
        license_server_id: "DEMO-4711".parse().unwrap(),
        main_server_time: MAIN_TIME,
        code,
        reason: (code == RefusalCode::InvalidRequest)
            .then_some(solme_sync_protocol::InvalidRequestReason::MalformedClaims),
        key_thumbprint: key.thumbprint(),
        request_digest: Digest::of(b"request"),
        text: String::new(),
        cure: String::new(),
    }
}

/// A main server's answers, made to order.
pub(crate) struct MainServer {
    pub(crate) key: SigningKey,
    pub(crate) trust: TrustFile,
}

impl MainServer {
    pub(crate) fn new() -> Self {
        let key = SigningKey::generate();
        let ca = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap().cert.pem();
        let trust = TrustFile {
            solme_sync_trust: 1,
            main_server_id: "SOLME-TEST".parse().unwrap(),
            name: "Test".to_owned(),
            https: "https://127.0.0.1:14443".to_owned(),
            http: "http://127.0.0.1:18080".to_owned(),
            ca_certificate: ca,
            signing_jwks: vec![*key.public_jwk()],
        };
        Self { key, trust }
    }

    /// The receipt that a request would get, and its payload.
    pub(crate) fn accept(&self, jws: &str, allocation: &Allocation, sequence: u64, at: UtcTime) -> (Receipt, Vec<u8>) {
        let request = Signed::<Request>::parse(jws).unwrap().verify(&RustCrypto).unwrap();
        let content = request.read().unwrap();
        let request_digest = request.signed().digest();
        let sync_id = SyncId::from_random([u8::try_from(sequence).unwrap(); 16]);
        let id: LicenseServerId = content.license_server_id.clone();
        let info = sealing_info(&self.trust.main_server_id, &id, &request_digest, &sync_id);
        let bytes = allocation.to_json(&SALT.parse().unwrap());
        let payload = content.sealing_jwk.seal(&info, &bytes);
        let receipt = Receipt {
            version: 1,
            main_server_id: self.trust.main_server_id.clone(),
            license_server_id: id,
            sync_id,
            main_server_time: at,
            request_id: content.request_id,
            request_digest,
            key_thumbprint: request.thumbprint(),
            key_generation: 1,
            sequence,
            allocation_revision: allocation.revision,
            synchronize_by: at.synchronize_by(),
            payload_name: PayloadName::from_random([u8::try_from(sequence).unwrap(); 16]),
            payload_size: payload.len() as u64,
            payload_digest: Digest::of(&payload),
            allocation_digest: Digest::of(&bytes),
        };
        (receipt, payload)
    }

    /// The refusal of a request.
    pub(crate) fn refuse(&self, jws: &str, code: RefusalCode) -> Refusal {
        let request = Signed::<Request>::parse(jws).unwrap().verify(&RustCrypto).unwrap();
        Refusal {
            license_server_id: request.frame().issuer.clone(),
            key_thumbprint: request.thumbprint(),
            request_digest: request.signed().digest(),
            text: "said so".to_owned(),
            ..refusal(code)
        }
    }

    pub(crate) fn sign<M: solme_sync_protocol::Message>(&self, message: &M) -> String {
        Signed::sign(message, &self.key).as_str().to_owned()
    }
}

/// A local server and its main server, without storage.
pub(crate) struct World {
    pub(crate) main: MainServer,
    pub(crate) identity: Identity,
    key: SigningKey,
}

impl World {
    pub(crate) fn new() -> Self {
        let (main, key) = (MainServer::new(), SigningKey::generate());
        let identity = Identity {
            license_server_id: "DEMO-4711".parse().unwrap(),
            trust: main.trust.clone(),
            key_thumbprint: key.thumbprint(),
            conduct: &crate::conduct::Standard,
        };
        Self { main, identity, key }
    }

    pub(crate) fn unsynchronized(&self) -> LocalServer {
        LocalServer::restore(Stored::default(), &self.identity, &Times::starting_at(MAIN_TIME))
    }

    /// Synchronized at [`MAIN_TIME`], with the licenses 0 and 1.
    pub(crate) fn synchronized(&self, times: &Times) -> LocalServer {
        self.synchronized_with(&[0, 1], times)
    }

    pub(crate) fn synchronized_with(&self, licenses: &[usize], times: &Times) -> LocalServer {
        LocalServer::restore(self.stored(licenses), &self.identity, times)
    }

    /// What storage holds after the first synchronization.
    pub(crate) fn stored(&self, licenses: &[usize]) -> Stored {
        let allocation = allocation(1, licenses);
        let (receipt, _) = self.main.accept(&self.outstanding().jws, &allocation, 1, MAIN_TIME);
        let receipt = self.main.sign(&receipt);
        Stored {
            applied: Some((receipt.clone(), allocation.to_json(&SALT.parse().unwrap()))),
            evidence: Some(receipt),
            cleared: None,
            broken_seal: None,
            proved: None,
        }
    }

    /// An answer to a request, checked and opened.
    pub(crate) fn applied(&self) -> Applied {
        let outstanding = self.outstanding();
        let (receipt, payload) = self.main.accept(&outstanding.jws, &allocation(1, &[0]), 1, MAIN_TIME);
        let given = read_receipt(&self.main.sign(&receipt), &self.identity).unwrap();
        let checked = given.answers(Some(&outstanding), None, &self.identity).unwrap();
        checked.open(&payload, &outstanding.sealing_key).unwrap()
    }

    /// A first request.
    pub(crate) fn outstanding(&self) -> crate::core::Outstanding {
        let sealing_key = std::sync::Arc::new(solme_sync_protocol::SealingKey::generate());
        let id = solme_sync_protocol::RequestId::from_random([1; 16]);
        let times = Times::starting_at(MAIN_TIME);
        let request = crate::core::new_request(&self.identity, None, &times, id, sealing_key.public_jwk());
        let jws = Signed::sign(&request, &self.key).as_str().to_owned();
        crate::core::Outstanding::restore(&jws, sealing_key, &self.identity.key_thumbprint, self.identity.conduct)
            .unwrap()
    }
}

//! A License Server for tests: the other cryptography, no state on disk, and no mercy.

use mock_solme::MockSolme;
use reqwest::header::{CACHE_CONTROL, CONTENT_TYPE};
use reqwest::{Certificate, Client, Response, StatusCode};
use solme_sync_protocol::{
    Allocation, Digest, LicenseServerId, Problem, PublicJwk, Receipt, Refusal, Request, RequestId, RustCrypto,
    SealingKey, Signed, SigningKey, TrustFile, UtcTime, VERSION, sealing_info,
};

/// A License Server: its key pair, and the last receipt that it applied.
pub(crate) struct LicenseServer {
    pub(crate) key: SigningKey,
    pub(crate) last_receipt: Option<String>,
    pub(crate) id: LicenseServerId,
    trust: TrustFile,
    client: Client,
}

/// A request, and the one-time key that opens its answer.
pub(crate) struct Outstanding {
    pub(crate) text: String,
    pub(crate) request: Signed<Request>,
    pub(crate) sealing: SealingKey,
}

/// What a synchronization gives.
#[derive(Debug)]
pub(crate) struct Synchronized {
    pub(crate) receipt: Receipt,
    pub(crate) allocation: Allocation,
}

impl LicenseServer {
    pub(crate) fn new(mock: &MockSolme) -> Self {
        Self::with_id(mock, mock.demo_id())
    }

    pub(crate) fn with_id(mock: &MockSolme, id: &LicenseServerId) -> Self {
        Self::trusting(mock.trust().clone(), id)
    }

    pub(crate) fn trusting(trust: TrustFile, id: &LicenseServerId) -> Self {
        let ca = Certificate::from_pem(trust.ca_certificate.as_bytes()).unwrap();
        let client = Client::builder().no_proxy().tls_certs_only([ca]).build().unwrap();
        Self { key: SigningKey::generate(), last_receipt: None, id: id.clone(), trust, client }
    }

    /// The same License Server, its addresses updated by the trust file of a restarted main server.
    pub(crate) fn moved_to(self, mock: &MockSolme) -> Self {
        Self { key: self.key, last_receipt: self.last_receipt, ..Self::with_id(mock, &self.id) }
    }

    /// The same License Server on new connections.
    pub(crate) fn reconnected(self) -> Self {
        Self { key: self.key, last_receipt: self.last_receipt, ..Self::trusting(self.trust, &self.id) }
    }

    fn content(&self, sealing_jwk: PublicJwk) -> Request {
        Request {
            version: VERSION,
            license_server_id: self.id.clone(),
            main_server_id: self.trust.main_server_id.clone(),
            request_id: RequestId::from_random(Digest::of(sealing_jwk.to_sec1()).as_bytes()[..16].try_into().unwrap()),
            made_at: UtcTime::from_secs(1),
            sealing_jwk,
            last_receipt: self.last_receipt.clone(),
            high_water_mark: UtcTime::from_secs(0),
            product: "test".to_owned(),
            product_version: "1".to_owned(),
        }
    }

    /// A new request, changed.
    pub(crate) fn request_with(&self, change: impl FnOnce(&mut Request)) -> Outstanding {
        let sealing = SealingKey::generate();
        let mut content = self.content(sealing.public_jwk());
        change(&mut content);
        let request = Signed::sign(&content, &self.key);
        Outstanding { text: request.as_str().to_owned(), request, sealing }
    }

    pub(crate) fn request(&self) -> Outstanding {
        self.request_with(|_| {})
    }

    /// Sends bytes to the 443 role.
    pub(crate) async fn send(&self, body: impl Into<reqwest::Body>) -> Response {
        let url = format!("{}/synchronize", self.trust.https);
        self.client.post(url).header(CONTENT_TYPE, "application/jose").body(body).send().await.unwrap()
    }

    /// Gets a path of the 8080 role.
    pub(crate) async fn get(&self, path: &str) -> Response {
        self.client.get(format!("{}{path}", self.trust.http)).send().await.unwrap()
    }

    /// One synchronization: every check of P 11 that does not need a state.
    pub(crate) async fn synchronize(&mut self) -> Result<Synchronized, Refusal> {
        let outstanding = self.request();
        self.finish(&outstanding).await
    }

    /// Sends a request, and applies its answer.
    pub(crate) async fn finish(&mut self, outstanding: &Outstanding) -> Result<Synchronized, Refusal> {
        let response = self.send(outstanding.text.clone()).await;
        assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
        if response.status() != StatusCode::OK {
            return Err(self.refusal(outstanding, response).await);
        }
        assert_eq!(response.headers()[CONTENT_TYPE], "application/jose");
        let receipt = response.text().await.unwrap();
        let name = self.receipt(outstanding, &receipt).payload_name;
        let payload = self.get(&format!("/payloads/{name}")).await;
        assert_eq!(payload.status(), StatusCode::OK);
        assert_eq!(payload.headers()[CACHE_CONTROL], "no-store");
        assert_eq!(payload.headers()[CONTENT_TYPE], "application/octet-stream");
        let synchronized = self.open(outstanding, &receipt, &payload.bytes().await.unwrap());
        self.last_receipt = Some(receipt);
        Ok(synchronized)
    }

    /// Checks a receipt (P 11.1 to 11.5).
    pub(crate) fn receipt(&self, outstanding: &Outstanding, text: &str) -> Receipt {
        let signed = Signed::<Receipt>::parse(text).unwrap();
        let receipt = signed.verify(&RustCrypto, &self.trust.signing_jwks).unwrap().read().unwrap();
        assert_eq!(receipt.main_server_id, self.trust.main_server_id);
        assert_eq!(receipt.license_server_id, self.id);
        assert_eq!(receipt.request_digest, outstanding.request.digest());
        assert_eq!(receipt.key_thumbprint, self.key.thumbprint());
        assert_eq!(receipt.synchronize_by, receipt.main_server_time.synchronize_by());
        receipt
    }

    /// Checks and opens a payload (P 11.6 to 11.8).
    pub(crate) fn open(&self, outstanding: &Outstanding, receipt: &str, payload: &[u8]) -> Synchronized {
        let receipt = self.receipt(outstanding, receipt);
        assert_eq!(receipt.payload_size, payload.len() as u64);
        assert_eq!(receipt.payload_digest, Digest::of(payload));
        let info = sealing_info(&receipt.main_server_id, &self.id, &outstanding.request.digest(), &receipt.sync_id);
        let clear = outstanding.sealing.open(&info, payload).unwrap();
        assert_eq!(receipt.allocation_digest, Digest::of(&clear));
        let allocation = Allocation::from_json(&clear).unwrap();
        assert_eq!(receipt.allocation_revision, allocation.revision);
        Synchronized { receipt, allocation }
    }

    /// Checks a refusal over HTTPS (P 11.10, 13.6).
    async fn refusal(&self, outstanding: &Outstanding, response: Response) -> Refusal {
        let status = response.status().as_u16();
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        let problem = Problem::parse(&response.bytes().await.unwrap()).unwrap();
        let refusal = self.signed_refusal(outstanding, problem.refusal.as_deref().expect("a signed refusal"));
        assert_eq!((problem.status, problem.status), (status, refusal.code.http_status()));
        assert_eq!(problem.kind, format!("urn:solme-sync:problem:{}", refusal.code));
        assert_eq!((problem.code.as_str(), problem.detail), (refusal.code.as_str(), refusal.text.clone()));
        assert_eq!(problem.cure, refusal.cure);
        refusal
    }

    /// Checks a refusal, whatever carried it.
    pub(crate) fn signed_refusal(&self, outstanding: &Outstanding, text: &str) -> Refusal {
        let signed = Signed::<Refusal>::parse(text).unwrap();
        let refusal = signed.verify(&RustCrypto, &self.trust.signing_jwks).unwrap().read().unwrap();
        assert_eq!(refusal.main_server_id, self.trust.main_server_id);
        assert_eq!(refusal.license_server_id, outstanding.request.unverified_frame().issuer);
        assert_eq!(refusal.request_digest, outstanding.request.digest());
        assert_eq!(refusal.key_thumbprint, self.key.thumbprint());
        refusal
    }
}

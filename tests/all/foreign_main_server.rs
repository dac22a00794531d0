//! A main server that answers whatever a test wants: wiremock, behind a TLS front for the 443 role.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::PrivateKeyDer;
use solme_sync_protocol::{
    Allocation, Digest, MainServerId, PayloadName, PublicJwk, Receipt, Refusal, RefusalCode, Request, RustCrypto, Salt,
    SignEs384, Signed, SigningKey, SyncId, TrustFile, UtcTime, Verified, sealing_info,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Respond, ResponseTemplate};

pub(crate) const PAYLOAD_PATH: &str = "/payloads/";

/// The two roles, answering from closures. What the License Server trusts is `trust`.
pub(crate) struct ForeignMainServer {
    pub(crate) trust: TrustFile,
    _https: MockServer,
    _http: MockServer,
    _front: TlsFront,
}

impl ForeignMainServer {
    /// Answers every request of the 443 role with `https`, every one of the 8080 role with `http`.
    pub(crate) async fn start(
        signer: &MainServerKeys,
        https: impl Respond + 'static,
        http: impl Respond + 'static,
    ) -> Self {
        let (https_role, http_role) = (MockServer::start().await, MockServer::start().await);
        Mock::given(any()).respond_with(https).mount(&https_role).await;
        Mock::given(any()).respond_with(http).mount(&http_role).await;
        let front = TlsFront::before(*https_role.address()).await;
        let trust = TrustFile {
            solme_sync_trust: 1,
            main_server_id: signer.id.clone(),
            name: "a main server of a test".to_owned(),
            https: front.address.clone(),
            http: http_role.uri(),
            ca_certificate: front.ca_certificate.clone(),
            signing_jwks: vec![*signer.key.public_jwk()],
        };
        Self { trust, _https: https_role, _http: http_role, _front: front }
    }

    pub(crate) fn write_trust(&self, path: &Path) {
        std::fs::write(path, self.trust.to_json()).unwrap();
    }
}

/// What a main server signs with.
pub(crate) struct MainServerKeys {
    pub(crate) id: MainServerId,
    pub(crate) key: SigningKey,
}

impl MainServerKeys {
    pub(crate) fn new(id: &str) -> Self {
        Self { id: id.parse().unwrap(), key: SigningKey::generate() }
    }
}

/// An honest answer to a request, before it is signed and sealed: what a test makes wrong, one thing at a time.
pub(crate) struct Draft {
    pub(crate) receipt: Receipt,
    pub(crate) allocation: Vec<u8>,
    pub(crate) sealing_key: PublicJwk,
}

impl Draft {
    pub(crate) fn answering(request: &Verified<Request>, keys: &MainServerKeys) -> Self {
        let content = request.read().unwrap();
        let now = UtcTime::from_secs(1_800_000_000);
        let nothing = Digest::of("");
        let receipt = Receipt {
            version: 1,
            main_server_id: keys.id.clone(),
            license_server_id: content.license_server_id.clone(),
            sync_id: SyncId::from_random([7; 16]),
            main_server_time: now,
            request_id: content.request_id.clone(),
            request_digest: request.signed().digest(),
            key_thumbprint: request.thumbprint(),
            key_generation: 1,
            sequence: 1,
            allocation_revision: 1,
            synchronize_by: now.synchronize_by(),
            payload_name: PayloadName::from_random([8; 16]),
            payload_size: 0,
            payload_digest: nothing,
            allocation_digest: nothing,
        };
        let allocation = Allocation { revision: 1, licenses: Vec::new() }.to_json(&Salt::from_random([9; 16]));
        Self { receipt, allocation, sealing_key: content.sealing_jwk }
    }

    /// Seals the allocation, and states it truly in the receipt.
    pub(crate) fn seal(&mut self) -> Vec<u8> {
        let receipt = &mut self.receipt;
        let info = sealing_info(
            &receipt.main_server_id,
            &receipt.license_server_id,
            &receipt.request_digest,
            &receipt.sync_id,
        );
        let payload = self.sealing_key.seal(&info, &self.allocation);
        receipt.payload_size = payload.len() as u64;
        receipt.payload_digest = Digest::of(&payload);
        receipt.allocation_digest = Digest::of(&self.allocation);
        payload
    }
}

/// The request in the body of what the License Server sent.
pub(crate) fn request_in(request: &wiremock::Request) -> Verified<Request> {
    let text = std::str::from_utf8(&request.body).unwrap();
    Signed::<Request>::parse(text).unwrap().verify(&RustCrypto).unwrap()
}

/// An honest refusal of a request.
pub(crate) fn refusal(request: &Verified<Request>, keys: &MainServerKeys, code: RefusalCode) -> Refusal {
    Refusal {
        version: 1,
        main_server_id: keys.id.clone(),
        license_server_id: request.frame().issuer.clone(),
        main_server_time: UtcTime::from_secs(1_800_000_000),
        code,
        reason: None,
        key_thumbprint: request.thumbprint(),
        request_digest: request.signed().digest(),
        text: "refused by a test".to_owned(),
        cure: "change the test".to_owned(),
    }
}

/// Answers from a closure.
pub(crate) struct With<F>(pub(crate) F);

impl<F: Fn(&wiremock::Request) -> ResponseTemplate + Send + Sync> Respond for With<F> {
    fn respond(&self, request: &wiremock::Request) -> ResponseTemplate {
        (self.0)(request)
    }
}

/// A CA and a certificate for 127.0.0.1 that it has signed.
pub(crate) struct ThrowAwayCa {
    certificate: rcgen::Certificate,
    server_certificate: rcgen::Certificate,
    server_key: rcgen::KeyPair,
}

impl ThrowAwayCa {
    pub(crate) fn new(name: &str) -> Self {
        let ca_key = rcgen::KeyPair::generate().unwrap();
        let mut ca = rcgen::CertificateParams::new(Vec::new()).unwrap();
        ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        ca.distinguished_name.push(rcgen::DnType::CommonName, name);
        let certificate = ca.self_signed(&ca_key).unwrap();
        let server_key = rcgen::KeyPair::generate().unwrap();
        let server = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let issuer = rcgen::Issuer::new(ca, ca_key);
        let server_certificate = server.signed_by(&server_key, &issuer).unwrap();
        Self { certificate, server_certificate, server_key }
    }

    pub(crate) fn server_config(&self) -> rustls::ServerConfig {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let key = PrivateKeyDer::try_from(self.server_key.serialize_der()).unwrap();
        rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![self.server_certificate.der().clone()], key)
            .unwrap()
    }
}

/// Ends TLS 1.3 with a certificate of its own CA, and passes the bytes on. wiremock speaks no TLS.
struct TlsFront {
    address: String,
    ca_certificate: String,
    task: JoinHandle<()>,
}

impl TlsFront {
    async fn before(target: std::net::SocketAddr) -> Self {
        let ca = ThrowAwayCa::new("CA of a test");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("https://{}", listener.local_addr().unwrap());
        let acceptor = TlsAcceptor::from(Arc::new(ca.server_config()));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let mut inside = acceptor.accept(stream).await?;
                    let mut outside = TcpStream::connect(target).await?;
                    tokio::io::copy_bidirectional(&mut inside, &mut outside).await
                });
            }
        });
        Self { address, ca_certificate: ca.certificate.pem(), task }
    }
}

impl Drop for TlsFront {
    fn drop(&mut self) {
        self.task.abort();
    }
}

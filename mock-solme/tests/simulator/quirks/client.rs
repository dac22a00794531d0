//! A License Server down to the bytes: it sees cut connections, and judges an answer by the clauses of P 11 in their
//! order, independently of the simulator's catalogue.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;

use mock_solme::MockSolme;
use mock_solme::quirks::Operation;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use solme_sync_protocol::{
    Allocation, Digest, PayloadError, Problem, Receipt, Refusal, RustCrypto, Signed, SyncFile, Unreadable, limits,
    sealing_info,
};

use crate::license_server::{LicenseServer, Outstanding};

/// What came over a connection until it ended, and whether it was ended as HTTP over TLS ends.
#[derive(Debug, Default)]
pub(super) struct Raw {
    pub(super) bytes: Vec<u8>,
    pub(super) error: Option<io::Error>,
}

impl Raw {
    /// Status line and headers, with the empty line.
    pub(super) fn head(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.body_at()]).unwrap()
    }

    pub(super) fn body(&self) -> &[u8] {
        &self.bytes[self.body_at()..]
    }

    fn body_at(&self) -> usize {
        self.bytes.windows(4).position(|end| end == b"\r\n\r\n").map_or(self.bytes.len(), |at| at + 4)
    }

    pub(super) fn status(&self) -> &str {
        self.head().get(9..12).unwrap_or_default()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head().lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(header, _)| header.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }

    /// The body, where it came whole.
    fn whole(&self) -> Option<&[u8]> {
        let length: usize = self.header("content-length")?.parse().ok()?;
        Some(self.body()).filter(|body| body.len() == length)
    }
}

fn address(url: &str) -> &str {
    url.split_once("://").unwrap().1
}

/// A connection to the 443 role; what TLS has to say comes with the first byte.
fn tls(mock: &MockSolme) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(mock.trust().ca_certificate.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config =
        ClientConfig::builder_with_provider(provider).with_protocol_versions(&[&rustls::version::TLS13]).unwrap();
    let config = Arc::new(config.with_root_certificates(roots).with_no_client_auth());
    let connection = ClientConnection::new(config, ServerName::try_from("127.0.0.1").unwrap()).unwrap();
    StreamOwned::new(connection, TcpStream::connect(address(mock.https())).unwrap())
}

fn exchange(mut stream: impl Read + Write, request: &[u8]) -> Raw {
    let mut bytes = Vec::new();
    let sent = stream.write_all(request).and_then(|()| stream.flush());
    let error = sent.and_then(|()| stream.read_to_end(&mut bytes)).err();
    Raw { bytes, error }
}

/// Sends a request to the 443 role.
pub(super) fn post(mock: &MockSolme, request: &str) -> Raw {
    let length = request.len();
    let head = "POST /synchronize HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: application/jose";
    exchange(tls(mock), format!("{head}\r\nContent-Length: {length}\r\n\r\n{request}").as_bytes())
}

/// Gets a path of the 8080 role.
pub(super) fn get(mock: &MockSolme, path: &str) -> Raw {
    let stream = TcpStream::connect(address(mock.http())).unwrap();
    exchange(stream, format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n").as_bytes())
}

/// What comes from a port of a client that says something, and that it has nothing more to say.
pub(super) fn hears(url: &str) -> Raw {
    let mut stream = TcpStream::connect(address(url)).unwrap();
    // Where the port resets connections, the write may fail or not: the reset tells in the end.
    let sent = stream.write_all(b"\x16\x03\x01").and_then(|()| stream.shutdown(Shutdown::Write));
    let mut bytes = Vec::new();
    let error = sent.and_then(|()| stream.read_to_end(&mut bytes).map(|_| ())).err();
    Raw { bytes, error }
}

/// A License Server, and the last receipt it has applied.
pub(super) struct Client<'m> {
    pub(super) mock: &'m MockSolme,
    pub(super) server: LicenseServer,
    last: Option<Receipt>,
}

/// The clause that an answer breaks, or where it did not come whole, what.
pub(super) type Verdict<T> = Result<T, &'static str>;

impl<'m> Client<'m> {
    pub(super) fn new(mock: &'m MockSolme) -> Self {
        Self { mock, server: LicenseServer::new(mock), last: None }
    }

    /// One synchronization over one of the two carriers.
    pub(super) fn over(&mut self, operation: Operation, outstanding: &Outstanding) -> Verdict<()> {
        match operation {
            Operation::Probe => panic!("no quirk lists it"),
            Operation::Synchronize => self.direct(outstanding),
            Operation::File => self.file(outstanding),
            Operation::Payload => panic!("a payload alone is no synchronization"),
        }
    }

    /// One direct synchronization.
    pub(super) fn direct(&mut self, outstanding: &Outstanding) -> Verdict<()> {
        let raw = post(self.mock, &outstanding.text);
        let body = raw.whole().ok_or("not whole")?;
        if raw.header("content-encoding").is_some() {
            return Err("13.5");
        }
        match (raw.status(), raw.header("content-type")) {
            ("200", Some("application/jose")) => {}
            (_, Some("application/problem+json")) => return Err(self.problem(outstanding, body)),
            _ => return Err("13.8"),
        }
        let text = std::str::from_utf8(body).map_err(|_| "11.1")?;
        let receipt = self.receipt(outstanding, text)?;
        let raw = get(self.mock, &format!("/payloads/{}", receipt.payload_name));
        let payload = raw.whole().ok_or("not whole")?;
        if raw.header("content-encoding").is_some() {
            return Err("13.5");
        }
        match (raw.status(), raw.header("content-type")) {
            ("200", Some("application/octet-stream")) => {}
            ("404", _) => return Err("13.5"),
            _ => return Err("13.8"),
        }
        self.apply(outstanding, text, receipt, payload)
    }

    /// One synchronization via file.
    pub(super) fn file(&mut self, outstanding: &Outstanding) -> Verdict<()> {
        let request = SyncFile::Request(outstanding.text.clone()).to_bytes(&[]);
        let response = self.mock.process_request_file(&request).unwrap();
        match SyncFile::parse(&response.bytes) {
            Ok(SyncFile::Response { message, payload: Some(payload) }) => {
                let receipt = self.receipt(outstanding, &message)?;
                self.apply(outstanding, &message, receipt, &payload)
            }
            Ok(SyncFile::Response { message, payload: None }) => Err(self.refusal(outstanding, &message)),
            Ok(SyncFile::Request(_)) => panic!("a request file came back"),
            Err(_) => Err("not whole"),
        }
    }

    /// P 11.1 to 11.5.
    fn receipt(&self, outstanding: &Outstanding, text: &str) -> Verdict<Receipt> {
        let trust = self.mock.trust();
        let signed = Signed::<Receipt>::parse(text).map_err(|error| match error {
            Unreadable::Payload(_) => "2.2",
            _ => "11.1",
        })?;
        let signing_input = signed.signing_input().to_owned();
        let verified = signed.verify(&RustCrypto, &trust.signing_jwks).map_err(|_| "11.1")?;
        let receipt = verified.read().map_err(|error| match error {
            PayloadError::Version(_) => "4.7",
            PayloadError::Malformed(_) | PayloadError::Rule(_) => "6.1",
        })?;
        if receipt.main_server_id != trust.main_server_id || receipt.license_server_id != self.server.id {
            return Err("11.2");
        }
        let applied = self.server.last_receipt.as_deref().and_then(|last| last.rsplit_once('.'));
        if applied.is_some_and(|(applied, _)| applied == signing_input) {
            return Err("11.11");
        }
        let thumbprint = self.server.key.thumbprint();
        if let Some(last) = &self.last
            && receipt.sequence < last.sequence
            && receipt.key_thumbprint == thumbprint
        {
            return Err("11.11");
        }
        let request = outstanding.request.digest();
        if receipt.request_digest != request || receipt.key_thumbprint != thumbprint {
            return Err("11.3");
        }
        if let Some(last) = &self.last
            && (receipt.sequence != last.sequence + 1
                || receipt.key_generation != last.key_generation
                || receipt.allocation_revision < last.allocation_revision)
        {
            return Err("11.4");
        }
        if receipt.synchronize_by != receipt.main_server_time.synchronize_by() {
            return Err("11.5");
        }
        Ok(receipt)
    }

    /// P 11.6 to 11.9.
    fn apply(&mut self, outstanding: &Outstanding, text: &str, receipt: Receipt, payload: &[u8]) -> Verdict<()> {
        if payload.len() > limits::PAYLOAD {
            return Err("18");
        }
        if receipt.payload_size != payload.len() as u64 || receipt.payload_digest != Digest::of(payload) {
            return Err("11.6");
        }
        let main_server = &receipt.main_server_id;
        let info = sealing_info(main_server, &self.server.id, &outstanding.request.digest(), &receipt.sync_id);
        let clear = outstanding.sealing.open(&info, payload).map_err(|_| "11.7")?;
        if receipt.allocation_digest != Digest::of(&clear) {
            return Err("11.7");
        }
        let allocation = Allocation::from_json(&clear).map_err(|_| "11.8")?;
        if allocation.revision != receipt.allocation_revision {
            return Err("11.8");
        }
        self.server.last_receipt = Some(text.to_owned());
        self.last = Some(receipt);
        Ok(())
    }

    fn problem(&self, outstanding: &Outstanding, body: &[u8]) -> &'static str {
        match Problem::parse(body).map(|problem| problem.refusal) {
            Ok(Some(refusal)) => self.refusal(outstanding, &refusal),
            Ok(None) | Err(_) => "8.2",
        }
    }

    /// P 11.10.
    fn refusal(&self, outstanding: &Outstanding, text: &str) -> &'static str {
        let Ok(signed) = Signed::<Refusal>::parse(text) else { return "2.2" };
        let Ok(verified) = signed.verify(&RustCrypto, &self.mock.trust().signing_jwks) else { return "11.10" };
        let refusal = match verified.read() {
            Ok(refusal) => refusal,
            Err(PayloadError::Version(_)) => return "4.7",
            Err(_) => return "10.1",
        };
        let thumbprint = outstanding.request.header().jwk.thumbprint();
        let ours = refusal.request_digest == outstanding.request.digest()
            && refusal.key_thumbprint == thumbprint
            && refusal.main_server_id == self.mock.trust().main_server_id
            && refusal.license_server_id == self.server.id;
        if ours { refusal.code.as_str() } else { "11.10" }
    }
}

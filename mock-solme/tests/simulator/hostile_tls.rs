//! What no License Server offers on the port of TLS: other versions, other protocols, half a hello. Nobody gets in by it,
//! and the honest one is served meanwhile.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;

use mock_solme::MockSolme;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, RootCertStore, SupportedProtocolVersion};

use crate::license_server::LicenseServer;

fn connect(mock: &MockSolme) -> TcpStream {
    TcpStream::connect(mock.https().trim_start_matches("https://")).unwrap()
}

/// A client of this version, which offers these protocols.
fn client(mock: &MockSolme, version: &'static SupportedProtocolVersion, alpn: &[&[u8]]) -> ClientConnection {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(mock.trust().ca_certificate.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[version]).unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    ClientConnection::new(Arc::new(config), ServerName::try_from("127.0.0.1").unwrap()).unwrap()
}

/// The end of a handshake: what the client has to say of it.
fn shake_hands(mock: &MockSolme, mut client: ClientConnection) -> Result<(), String> {
    let mut stream = connect(mock);
    while client.is_handshaking() {
        client.complete_io(&mut stream).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// The first record of a client: its hello.
fn hello(mock: &MockSolme) -> Vec<u8> {
    let mut bytes = Vec::new();
    client(mock, &TLS13, &[b"http/1.1"]).write_tls(&mut bytes).unwrap();
    bytes
}

#[test]
fn no_other_version_and_no_other_protocol_is_agreed_on() {
    let mock = MockSolme::start();
    let old = shake_hands(&mock, client(&mock, &TLS12, &[b"http/1.1"])).unwrap_err();
    assert!(old.contains("ProtocolVersion"), "{old}");
    for alpn in [&b"h2"[..], b"h2c", b"smtp", b"http/1.0", &[b'x'; 255]] {
        let other = shake_hands(&mock, client(&mock, &TLS13, &[alpn])).unwrap_err();
        assert!(other.contains("NoApplicationProtocol"), "{other}");
    }
    shake_hands(&mock, client(&mock, &TLS13, &[b"h2", b"http/1.1"])).unwrap();
    shake_hands(&mock, client(&mock, &TLS13, &[])).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_hello_end_the_connection_and_nothing_else() {
    let mock = MockSolme::start();
    let mut license_server = LicenseServer::new(&mock);
    let hello = hello(&mock);
    let mut shapes: Vec<Vec<u8>> = vec![
        b"\x80\x2e\x01\x00\x02".to_vec(),                     // SSL 2
        b"\x16\x03\x00\x00\x05\x01\x00\x00\x01\x03".to_vec(), // SSL 3
        b"\x16\x03\x05\x40\x01".to_vec(),                     // a record beyond the largest
        b"\x16\x03\x01\x00\x00".to_vec(),                     // an empty record
        b"\x17\x03\x03\x00\x05hello".to_vec(),                // data before any handshake
        b"\x15\x03\x03\x00\x02\x02\x28".to_vec(),             // an alert
        b"\x18\x03\x03\x00\x03\x01\x40\x00".to_vec(),         // a heartbeat that asks for more than it has
        b"\x14\x03\x03\x00\x01\x01".repeat(200),              // change cipher spec, again and again
        b"\x16\x03\x01\x00\x04\x01\xff\xff\xff".to_vec(),     // a hello of 16 MiB
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        vec![0; 70_000],
        vec![0xff; 70_000],
        hello.repeat(2),
    ];
    // Each byte of the length and version fields in turn.
    shapes.extend((0..11).map(|at| {
        let mut changed = hello.clone();
        changed[at] ^= 0x55;
        changed
    }));
    for bytes in shapes {
        let mut stream = connect(&mock);
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(40)]).into_owned();
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(!String::from_utf8_lossy(&answer).contains("HTTP/1."), "{shown:?}: {answer:?}");
        license_server.synchronize().await.unwrap();
    }
}

/// Half-open: the other side has gone, or never says the rest.
#[tokio::test(flavor = "multi_thread")]
async fn half_a_hello_keeps_nobody_waiting() {
    let mock = MockSolme::start();
    let mut license_server = LicenseServer::new(&mock);
    let hello = hello(&mock);
    let mut open = Vec::new();
    for length in (0..hello.len()).step_by(hello.len() / 60) {
        let mut stream = connect(&mock);
        stream.write_all(&hello[..length]).unwrap();
        open.push(stream);
        license_server = license_server.reconnected();
        license_server.synchronize().await.unwrap();
    }
    assert!(open.len() >= 60);
}

//! Bodies beyond the limits, from clients that send all of it before they read: each reads its problem document.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use mock_solme::MockSolme;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use solme_sync_protocol::Problem;

const SIZES: [usize; 3] = [200_000, 1_000_000, 20_000_000];

/// Sends a head and a body of `size` bytes, then reads to the end: the status, and the code of the problem document.
fn send_all_then_read(mut stream: impl Read + Write, head: &str, size: usize) -> (u16, String) {
    write!(stream, "{head}\r\nContent-Length: {size}\r\n\r\n").unwrap();
    for _ in 0..size / 50_000 {
        stream.write_all(&[b'a'; 50_000]).expect("the connection stays open until all is sent");
    }
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("the answer is not lost to a reset");
    let end = answer.windows(4).position(|at| at == b"\r\n\r\n").expect("a whole head") + 4;
    let status = std::str::from_utf8(&answer[9..12]).unwrap().parse().unwrap();
    (status, Problem::parse(&answer[end..]).unwrap().code)
}

pub(crate) fn plain(url: &str) -> TcpStream {
    TcpStream::connect(url.trim_start_matches("http://")).unwrap()
}

pub(crate) fn tls(mock: &MockSolme) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(mock.trust().ca_certificate.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let stream = TcpStream::connect(mock.https().trim_start_matches("https://")).unwrap();
    StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), stream)
}

#[test]
fn a_request_beyond_its_limit_is_told_so_however_large_it_is() {
    let mock = MockSolme::start();
    for size in SIZES {
        let answer = send_all_then_read(tls(&mock), "POST /synchronize HTTP/1.1\r\nHost: x", size);
        assert_eq!(answer, (413, "request-too-large".to_owned()), "{size} bytes");
    }
}

#[test]
fn so_is_whoever_sends_a_body_where_none_is_read() {
    let mock = MockSolme::start();
    let add = format!("POST /ids HTTP/1.1\r\nHost: {}", mock.admin().trim_start_matches("http://"));
    for size in SIZES {
        let answer = send_all_then_read(plain(mock.http()), "POST /payloads/x HTTP/1.1\r\nHost: x", size);
        assert_eq!(answer, (405, "no-such-method".to_owned()), "{size} bytes");
        let answer = send_all_then_read(plain(mock.admin()), &add, size);
        assert_eq!(answer, (401, "token-missing".to_owned()), "{size} bytes");
    }
    let add = format!("{add}\r\nAuthorization: Bearer {}", mock.admin_token());
    let answer = send_all_then_read(plain(mock.admin()), &add, 20_000_000);
    assert_eq!(answer, (413, "body-too-large".to_owned()));
}

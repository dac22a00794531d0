//! Each failure of the network is told apart by its source, over real sockets.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{HandshakeKind, ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion};
use solme_sync_protocol::{PayloadName, TrustFile};

use super::{Connection as _, Standard, Stop};
use super::{Direct, DirectTransport, Network, ProxySettings, TimeLimits, Tls, Transport as _};
use crate::core::{Failure, PortFault, Role};
use crate::tests::world::MainServer;

/// A CA that can be told by its name.
struct Ca {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Ca {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    fn server(&self, host: &str, last_year: i32) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        params.not_after = date_time_ymd(last_year, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.der().clone(), PrivateKeyDer::Pkcs8(key.serialize_der().into()))
    }
}

/// A server for one connection, in a thread that ends with it.
fn serve(act: impl FnOnce(TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || act(listener.accept().unwrap().0));
    address
}

fn serve_tls(
    identity: (CertificateDer<'static>, PrivateKeyDer<'static>),
    versions: &'static [&'static SupportedProtocolVersion],
    answer: &'static str,
) -> SocketAddr {
    serve_tls_until(identity, versions, answer, true)
}

fn serve_tls_until(
    (certificate, key): (CertificateDer<'static>, PrivateKeyDer<'static>),
    versions: &'static [&'static SupportedProtocolVersion],
    answer: &'static str,
    farewell: bool,
) -> SocketAddr {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
    let config = Arc::new(config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap());
    serve(move |stream| {
        let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
        answer_http(&mut stream, answer);
        if farewell {
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    })
}

fn answer_http(stream: &mut (impl std::io::Read + std::io::Write), answer: &str) {
    let mut request = [0; 65_536];
    if stream.read(&mut request).is_ok() {
        let _ = stream.write_all(answer.as_bytes());
        let _ = stream.flush();
    }
}

fn trust(https: SocketAddr, http: SocketAddr, ca: &Ca) -> TrustFile {
    TrustFile {
        https: format!("https://{https}"),
        http: format!("http://{http}"),
        ca_certificate: ca.pem.clone(),
        ..MainServer::new().trust
    }
}

fn nowhere() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn transport(trust: &TrustFile) -> DirectTransport {
    let limits = TimeLimits { connect: Duration::from_millis(500), total: Duration::from_secs(5) };
    let settings = Network { limits, proxy: ProxySettings::none() };
    over(trust, &settings)
}

fn over(trust: &TrustFile, settings: &Network) -> DirectTransport {
    let tls = Tls::new(trust, &Standard).unwrap();
    DirectTransport::new(trust, tls, settings, &Standard, Stop::NEVER).unwrap()
}

fn post(https: SocketAddr, ca: &Ca) -> Result<(u16, Vec<u8>), Failure> {
    let answer = transport(&trust(https, nowhere(), ca)).post_request("request")?;
    Ok((answer.status, answer.body))
}

fn get(http: SocketAddr) -> Result<(u16, Vec<u8>, bool), Failure> {
    let answer = transport(&trust(nowhere(), http, &Ca::new("Solme"))).get_payload(&name(), 10)?;
    Ok((answer.status, answer.body, answer.too_long))
}

fn name() -> PayloadName {
    PayloadName::from_random([7; 16])
}

const TLS13: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];
const TLS12: &[&SupportedProtocolVersion] = &[&rustls::version::TLS12];
const OK: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/jose\r\ncontent-length: 2\r\n\r\nhi";

#[test]
fn what_was_answered_is_passed_on_and_bounded() {
    let ca = Ca::new("Solme");
    assert_eq!(post(serve_tls(ca.server("127.0.0.1", 4_000), TLS13, OK), &ca), Ok((200, b"hi".to_vec())));
    let long = "HTTP/1.1 200 OK\r\ncontent-length: 30\r\n\r\n012345678901234567890123456789";
    let (_, body, too_long) = get(serve(|mut stream| answer_http(&mut stream, long))).unwrap();
    assert!(too_long && body.starts_with(b"0123456789"));
}

#[test]
fn a_redirect_is_not_followed() {
    let answer = "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(get(serve(|mut stream| answer_http(&mut stream, answer))), Ok((302, Vec::new(), false)));
}

#[test]
fn a_closed_port_is_refused_on_either_role() {
    let refused = |role| {
        move |failure: Failure| match failure {
            Failure::Port { role: found, fault: PortFault::Refused, .. } => found == role,
            _ => false,
        }
    };
    assert!(post(nowhere(), &Ca::new("Solme")).is_err_and(refused(Role::Https)));
    assert!(get(nowhere()).is_err_and(refused(Role::Http)));
}

#[test]
fn a_port_that_says_nothing_times_out() {
    let (held, release) = std::sync::mpsc::channel::<()>();
    let silent = serve(move |_stream| {
        let _ = release.recv();
    });
    let failure = post(silent, &Ca::new("Solme")).unwrap_err();
    drop(held);
    assert_eq!(failure.code(), "443-timed-out", "{failure:?}");
}

#[test]
fn a_name_that_does_not_exist_is_named() {
    let mut trust = trust(nowhere(), nowhere(), &Ca::new("Solme"));
    trust.https = "https://main-server.invalid:443".to_owned();
    let failure = transport(&trust).post_request("request").unwrap_err();
    assert!(matches!(&failure, Failure::NameLookupFailed { host, .. } if host == "main-server.invalid"), "{failure:?}");
}

#[test]
fn a_certificate_of_someone_else_is_named_with_its_issuer_even_if_it_has_expired() {
    let (ca, inspector) = (Ca::new("Solme"), Ca::new("Inspection Inc."));
    for last_year in [4_000, 2_000] {
        let failure = post(serve_tls(inspector.server("127.0.0.1", last_year), TLS13, OK), &ca).unwrap_err();
        let Failure::TlsNotSolme { issuer, .. } = &failure else { panic!("{failure:?}") };
        assert_eq!(issuer, "CN=Inspection Inc.");
    }
    let impostor = Ca::new("Solme");
    let failure = post(serve_tls(impostor.server("127.0.0.1", 4_000), TLS13, OK), &ca).unwrap_err();
    assert_eq!(failure.code(), "tls-not-solme", "the name alone proves nothing: {failure:?}");
}

/// rustls ends a sentence with the address of its documentation when a connection ends without a farewell.
#[test]
fn no_message_has_the_address_of_a_librarys_documentation() {
    let ca = Ca::new("Solme");
    for answer in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nhi", "nonsense\r\n\r\n"] {
        for farewell in [false, true] {
            let failure =
                post(serve_tls_until(ca.server("127.0.0.1", 2100), TLS13, answer, farewell), &ca).unwrap_err();
            assert!(!failure.message().contains("http"), "{answer:?}: {}", failure.message());
            assert!(!failure.message().contains("rustls"), "{answer:?}: {}", failure.message());
        }
    }
}

#[test]
fn tls_that_fails_otherwise_is_told_apart() {
    let ca = Ca::new("Solme");
    let cases = [
        (serve_tls(ca.server("127.0.0.2", 4_000), TLS13, OK), "tls-failed"),
        (serve_tls(ca.server("127.0.0.1", 2_000), TLS13, OK), "local-clock-wrong"),
        (serve_tls(ca.server("127.0.0.1", 4_000), TLS12, OK), "tls-failed"),
        (serve(|mut stream| answer_http(&mut stream, "HTTP/1.1 400 Bad Request\r\n\r\n")), "tls-failed"),
        (serve(drop), "tls-failed"),
    ];
    for (n, (address, code)) in cases.into_iter().enumerate() {
        let failure = post(address, &ca).unwrap_err();
        assert_eq!(failure.code(), code, "case {n}: {failure:?}");
    }
}

#[test]
fn an_answer_that_breaks_off_or_is_no_http_is_told_apart() {
    let ca = Ca::new("Solme");
    let short = "HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\nhi";
    let tls = |answer| post(serve_tls(ca.server("127.0.0.1", 4_000), TLS13, answer), &ca).unwrap_err();
    assert_eq!(tls(short).code(), "answer-interrupted");
    assert_eq!(tls("").code(), "answer-interrupted");
    assert_eq!(tls("SSH-2.0-x\r\n").code(), "not-the-main-server");
    let plain = |answer: &'static str| get(serve(move |mut stream| answer_http(&mut stream, answer))).unwrap_err();
    assert_eq!(plain(short).code(), "answer-interrupted");
    assert_eq!(plain("SSH-2.0-x\r\n").code(), "not-the-main-server");
    assert_eq!(get(serve(drop)).unwrap_err().code(), "answer-interrupted");
}

/// A proxy that takes no password; gives how often one was sent to it.
fn counting(socks: bool) -> (SocketAddr, Arc<std::sync::atomic::AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, passwords) = (listener.local_addr().unwrap(), Arc::default());
    let counted: Arc<std::sync::atomic::AtomicUsize> = Arc::clone(&passwords);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut asked = [0; 4_096];
            if socks {
                let _ = std::io::Read::read(&mut stream, &mut asked);
                let _ = stream.write_all(&[5, 2]);
            }
            let read = std::io::Read::read(&mut stream, &mut asked).unwrap_or(0);
            let said = String::from_utf8_lossy(&asked[..read]).to_ascii_lowercase();
            if (socks && read > 0) || said.contains("proxy-authorization") {
                counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            }
            let no: &[u8] = if socks { &[1, 1] } else { b"HTTP/1.1 407 No\r\ncontent-length: 0\r\n\r\n" };
            let _ = stream.write_all(no);
        }
    });
    (address, passwords)
}

#[test]
fn a_later_synchronization_resumes_the_session_unless_the_trust_file_has_another_ca() {
    let ca = Ca::new("Solme");
    let (certificate, key) = ca.server("127.0.0.1", 4_000);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_protocol_versions(TLS13).unwrap();
    let config = Arc::new(config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, handshakes) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream.unwrap());
            answer_http(&mut stream, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
            stream.conn.send_close_notify();
            let _ = stream.flush();
            tell.send(stream.conn.handshake_kind()).unwrap();
        }
    });
    let direct = Direct::new(Network::default());
    let ask = |ca| direct.connect(&trust(address, nowhere(), ca)).unwrap().post_request("request");
    for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
        assert_eq!(ask(&ca).map(|answer| answer.status), Ok(200));
        assert_eq!(handshakes.recv().unwrap(), Some(kind));
    }
    assert_eq!(ask(&Ca::new("Other")).unwrap_err().code(), "tls-not-solme");
}

#[test]
fn a_wrong_password_is_sent_to_a_proxy_once_in_a_run_that_fails() {
    for (scheme, socks) in [("http", false), ("socks5h", true)] {
        let (address, passwords) = counting(socks);
        let proxy = super::Secret::new(&format!("{scheme}://me:wrong@{address}"));
        let limits = TimeLimits { connect: Duration::from_secs(5), total: Duration::from_secs(5) };
        let settings = Network { limits, proxy: ProxySettings::read(&proxy, "", None, true).unwrap() };
        let trust = trust(nowhere(), nowhere(), &Ca::new("Solme"));
        let failure = over(&trust, &settings).post_request("request").unwrap_err();
        assert_eq!(failure.code(), "proxy-wrong-password", "{failure:?}");
        assert_eq!(passwords.load(std::sync::atomic::Ordering::SeqCst), 1, "{scheme}");
    }
}

//! Bytes that no honest client sends, to every listener, from a table. Nothing panics, nothing answers 5xx, no request is
//! read twice, and after each the honest client is served.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mock_solme::MockSolme;

use crate::large_bodies::{plain, tls};
use crate::license_server::LicenseServer;

/// Request lines, with their line ends.
fn lines() -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = [
        "GET /health HTTP/1.1\r\n",
        "POST /synchronize HTTP/1.1\r\n",
        "GET /payloads/AAAAAAAAAAAAAAAAAAAAAA HTTP/1.1\r\n",
        "POST /ids HTTP/1.1\r\n",
        "GET http://evil.example/health HTTP/1.1\r\n",
        "POST https://user:password@[::1]:1/synchronize HTTP/1.1\r\n",
        "CONNECT evil.example:443 HTTP/1.1\r\n",
        "OPTIONS * HTTP/1.1\r\n",
        "TRACE /health HTTP/1.1\r\n",
        "BREW /synchronize HTTP/1.1\r\n",
        "post /synchronize HTTP/1.1\r\n",
        "GET /../../etc/passwd HTTP/1.1\r\n",
        "GET /ids/%00%ff%2e%2e HTTP/1.1\r\n",
        "GET /payloads/\u{202e}\u{1f600} HTTP/1.1\r\n",
        "GET /health HTTP/0.9\r\n",
        "GET /health HTTP/1.0\r\n",
        "GET /health HTTP/2.0\r\n",
        "GET /health\n",
        "GET  /health  HTTP/1.1\r\n",
        "GET /health HTTP/1.1\n",
        "\r\n\r\nGET /health HTTP/1.1\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n",
        "G\0T /health HTTP/1.1\r\n",
        "EHLO evil.example\r\n",
        "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{fc}\u{3}\u{3}\r\n",
    ]
    .map(|line| line.as_bytes().to_vec())
    .into();
    for length in [2_000, 10_000, 16_400, 70_000] {
        lines.push(format!("GET /{} HTTP/1.1\r\n", "a".repeat(length)).into_bytes());
    }
    lines.push(b"GET /\xff\xfe\x80 HTTP/1.1\r\n".to_vec());
    lines
}

/// What comes behind a request line: headers, the empty line, and perhaps a body. True where one request alone can have
/// been meant, by whatever reading.
fn rests() -> Vec<(Vec<u8>, bool)> {
    const SMUGGLED: &str = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
    let both = format!("Host: x\r\nContent-Length: {}\r\nTransfer-Encoding: chunked\r\n\r\n{SMUGGLED}", SMUGGLED.len());
    let mut rests: Vec<(Vec<u8>, bool)> = [
        (both.as_str(), true),
        ("Host: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n1\r\nZ\r\nQ", true),
        ("Host: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhelloGET / HTTP/1.1\r\n\r\n", true),
        ("Host: x\r\nContent-Length: 5, 6\r\n\r\nhelloGET / HTTP/1.1\r\n\r\n", true),
        ("Host: x\r\nContent-Length: -1\r\n\r\n", true),
        ("Host: x\r\nContent-Length: +5\r\n\r\nhello", true),
        ("Host: x\r\nContent-Length: 0x5\r\n\r\nhello", true),
        ("Host: x\r\nContent-Length: 99999999999999999999\r\n\r\nhello", true),
        ("Host: x\r\nContent-Length: 18446744073709551615\r\n\r\nhello", true),
        ("Host: x\r\nContent-Length : 5\r\n\r\nhello", true),
        ("Host: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", true),
        ("Host: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", true),
        ("Host: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", true),
        ("Host: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n", true),
        ("Host: x\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nhello\r\n0\r\n\r\n", true),
        ("Host: x\r\nTransfer-Encoding: chunked\r\n\r\n5;a=\"\n\"\r\nhello\r\n0\r\n\r\n", true),
        ("Host: x\nContent-Length: 0\n\n", false),
        ("Host: x\r\nX: a\r\n b\r\n\r\n", false),
        ("Host: x\r\nno colon\r\n\r\n", false),
        ("Host: x\r\nspace in name: 1\r\n\r\n", false),
        ("Host: x\r\nX: \0\u{1b}[2J\r\n\r\n", false),
        ("Host: x\r\nHost: y\r\n\r\n", false),
        ("\r\n", false),
        ("Host: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n", false),
        ("Host: x\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAA\r\n\r\n", false),
        ("Host: x\r\nOrigin: null\r\nAuthorization: Bearer \u{e4}\r\n\r\n", false),
        ("Host: x\r\nContent-Length: 10\r\n\r\nhalf", false),
        ("Host: x\r\nX: unfinished", false),
    ]
    .map(|(rest, one)| (rest.as_bytes().to_vec(), one))
    .into();
    let many: String = (0..500).map(|number| format!("X-{number}: 1\r\n")).collect();
    rests.push((format!("Host: x\r\n{many}\r\n").into_bytes(), false));
    rests.push((format!("Host: x\r\nX: {}\r\n\r\n", "a".repeat(20_000)).into_bytes(), false));
    rests
}

/// What comes back, to the end of the connection. Our side of `socket` ends once something has come, or nothing does: a
/// client that is gone gets no answer. Which of the two is a matter of time, and no verdict depends on it.
fn answer(mut stream: impl Read + Write, socket: &TcpStream, bytes: &[u8]) -> String {
    socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    let mut open = stream.write_all(bytes).is_ok() && stream.flush().is_ok();
    loop {
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => answer.extend_from_slice(&piece[..count]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                assert!(open, "the connection does not end: {:?}", String::from_utf8_lossy(bytes));
            }
            Err(_) => break,
        }
        if std::mem::take(&mut open) {
            let _ = socket.shutdown(Shutdown::Write);
            socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

fn over_tcp(address: &str, bytes: &[u8]) -> String {
    let stream = plain(address);
    answer(&stream, &stream, bytes)
}

fn over_tls(mock: &MockSolme, bytes: &[u8]) -> String {
    let stream = tls(mock);
    let socket = stream.sock.try_clone().unwrap();
    answer(stream, &socket, bytes)
}

fn statuses(answer: &str) -> Vec<u16> {
    let lines = answer.match_indices("HTTP/1.");
    lines.filter_map(|(at, _)| answer.get(at + 9..at + 12)?.parse().ok()).filter(|status| *status != 100).collect()
}

/// Panics of the simulator's own code, from now on.
fn panics() -> &'static AtomicUsize {
    static PANICS: AtomicUsize = AtomicUsize::new(0);
    let others = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if panic.location().is_some_and(|location| !location.file().contains("tests")) {
            PANICS.fetch_add(1, Ordering::Relaxed);
        }
        others(panic);
    }));
    &PANICS
}

fn fine(mock: &MockSolme, during: &str) {
    let honest = |stream: &mut dyn ReadWrite, host: &str| {
        write!(stream, "GET /health HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        statuses(&String::from_utf8_lossy(&answer))
    };
    assert_eq!(honest(&mut tls(mock), "x"), [200], "after {during}");
    assert_eq!(honest(&mut plain(mock.http()), "x"), [404], "after {during}");
    assert_eq!(honest(&mut plain(mock.admin()), mock.admin().trim_start_matches("http://")), [200], "after {during}");
}

trait ReadWrite: Read + Write {}
impl<S: Read + Write> ReadWrite for S {}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_bytes_over_every_listener_leave_the_honest_client_served() {
    let mock = MockSolme::start();
    let panics = panics();
    let mut license_server = LicenseServer::new(&mock);
    let mut seen = BTreeMap::<u16, usize>::new();
    for line in lines() {
        for (rest, is_one) in rests() {
            let bytes = [&line[..], &rest].concat();
            let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(300)]).into_owned();
            for (port, answer) in [
                ("8080", over_tcp(mock.http(), &bytes)),
                ("admin", over_tcp(mock.admin(), &bytes)),
                ("443", over_tls(&mock, &bytes)),
            ] {
                let statuses = statuses(&answer);
                statuses.iter().for_each(|status| *seen.entry(*status).or_default() += 1);
                assert!(statuses.iter().all(|status| *status < 500), "{port}: {shown:?}: {answer}");
                assert!(!is_one || statuses.len() <= 1, "{port}: {shown:?} was read as {statuses:?}: {answer}");
                assert!(!answer.contains("smuggled"), "{port}: {shown:?}: {answer}");
            }
        }
        let shown = String::from_utf8_lossy(&line[..line.len().min(60)]).into_owned();
        // The first of each line again, where another protocol is spoken.
        let bytes = [&line[..], &rests()[0].0].concat();
        assert_eq!(statuses(&over_tcp(mock.https().trim_start_matches("https://"), &bytes)), [0; 0], "{shown:?}");
        let mail = over_tcp(mock.smtp(), &bytes);
        assert!(mail.starts_with("220 ") && !mail.contains("stored"), "{shown:?}: {mail}");
        fine(&mock, &shown);
        license_server.synchronize().await.unwrap();
        license_server = license_server.reconnected();
    }
    assert_eq!(panics.load(Ordering::Relaxed), 0);
    // Most of it was looked at, and not only found to be no HTTP.
    assert!([200, 400, 404, 405, 421, 431].iter().all(|status| seen.contains_key(status)), "{seen:?}");
    assert!(seen.values().sum::<usize>() > 1_000, "{seen:?}");
}

#[test]
fn a_chunked_body_without_end_is_told_413_and_cut_off() {
    let mock = MockSolme::start();
    let mut stream = tls(&mock);
    stream.write_all(b"POST /synchronize HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
    let chunk = [&b"10000\r\n"[..], &[b'a'; 65_536], b"\r\n"].concat();
    let sent = (0..100_000).take_while(|_| stream.write_all(&chunk).is_ok()).count();
    assert!(sent < 3_000, "{sent} chunks of 64 KiB were taken");
    fine(&mock, "a body without end");
}

//! The quirks of the carrier, byte for byte.

use std::error::Error as _;
use std::io::ErrorKind;
use std::time::{Duration, Instant};

use mock_solme::MockSolme;
use mock_solme::quirks::{Fault, Operation, Quirk};
use rustls::{AlertDescription, CertificateError, Error};
use solme_sync_protocol::{Receipt, Signed, SyncFile};

use super::client::{Client, Raw, get, hears, post};

/// A main server, and a request that it has answered honestly: sent again, it gets the same bytes again (P 9.7).
struct Answered {
    mock: MockSolme,
    request: String,
    payload: String,
}

impl Answered {
    fn new() -> Self {
        let mock = MockSolme::start();
        let request = Client::new(&mock).server.request().text;
        let receipt = post(&mock, &request);
        let signed = Signed::<Receipt>::parse(std::str::from_utf8(receipt.body()).unwrap()).unwrap();
        let verified = signed.verify(&solme_sync_protocol::RustCrypto, &mock.trust().signing_jwks).unwrap();
        let payload = format!("/payloads/{}", verified.read().unwrap().payload_name);
        Self { mock, request, payload }
    }

    fn ask(&self, operation: Operation) -> Raw {
        match operation {
            Operation::Probe => panic!("no quirk lists it"),
            Operation::Synchronize => post(&self.mock, &self.request),
            Operation::Payload => get(&self.mock, &self.payload),
            Operation::File => panic!("a file has no connection"),
        }
    }

    /// The honest answer, that with the fault, and the honest one again.
    fn with(&self, fault: &Fault, operation: Operation) -> (Raw, Raw) {
        let honest = self.ask(operation);
        assert_eq!((honest.status(), honest.error.is_none()), ("200", true));
        let number = self.mock.arm(fault.clone().operation(operation).next(1)).unwrap().number;
        let harmed = self.ask(operation);
        assert_eq!(self.mock.disarm(number).unwrap().fired, 1, "{fault:?}");
        let again = self.ask(operation);
        assert_eq!((again.status(), again.body()), ("200", honest.body()), "{fault:?}");
        (honest, harmed)
    }
}

/// Whether the difference that a fault makes is the right one: honest answer, harmed answer, what was asked for.
type Check = fn(&Raw, &Raw, &Answered);

const BOTH: [Operation; 2] = [Operation::Synchronize, Operation::Payload];

fn status(status: &str) -> impl Fn(&Raw) -> bool {
    move |harmed| harmed.status() == status && harmed.body().starts_with(b"Something between you")
}

fn length(raw: &Raw) -> usize {
    raw.header("content-length").unwrap().parse().unwrap()
}

fn table() -> Vec<(Fault, Check)> {
    let plain: [(Quirk, Check); 14] = [
        (Quirk::DropReply, |_, harmed, _| assert_eq!(harmed.bytes, b"")),
        (Quirk::CloseBeforeHeaders, |_, harmed, _| assert_eq!(harmed.bytes, b"")),
        (Quirk::CloseWithinHeaders, |honest, harmed, _| assert_eq!(harmed.bytes, honest.bytes[..20])),
        (Quirk::CloseAfterHeaders, |honest, harmed, _| {
            assert_eq!((length(harmed), harmed.body()), (length(honest), &b""[..]));
            assert!(harmed.bytes.ends_with(b"\r\n\r\n"));
        }),
        (Quirk::CloseWithinBody, |honest, harmed, _| {
            assert_eq!(length(harmed), length(honest));
            assert_eq!(harmed.body(), &honest.body()[..honest.body().len() / 2]);
        }),
        (Quirk::Truncate, |honest, harmed, _| {
            assert_eq!(harmed.body(), &honest.body()[..honest.body().len() / 2]);
            assert_eq!(length(harmed), harmed.body().len());
        }),
        (Quirk::FlipByte, |honest, harmed, _| {
            let pairs = honest.body().iter().zip(harmed.body());
            assert_eq!(pairs.map(|(honest, harmed)| (honest ^ harmed).count_ones()).sum::<u32>(), 1);
            assert_eq!(harmed.body().len(), honest.body().len());
        }),
        (Quirk::Status500, |_, harmed, _| assert!(status("500")(harmed) && harmed.header("retry-after").is_none())),
        (Quirk::Status502, |_, harmed, _| assert!(status("502")(harmed))),
        (Quirk::Redirect, |_, harmed, asked| {
            let path = harmed.header("location").unwrap();
            assert!(harmed.status() == "307" && (path == "/synchronize" || path == asked.payload));
        }),
        (Quirk::CaptivePortal, |_, harmed, _| {
            assert_eq!((harmed.status(), harmed.header("content-type")), ("200", Some("text/html; charset=utf-8")));
            assert!(harmed.body().starts_with(b"<!doctype html>"));
        }),
        (Quirk::WrongContentType, |honest, harmed, _| {
            assert_eq!((harmed.status(), harmed.header("content-type")), ("200", Some("text/html; charset=utf-8")));
            assert_eq!(harmed.body(), honest.body());
        }),
        (Quirk::ContentEncoding, |honest, harmed, _| {
            assert_eq!((harmed.status(), harmed.header("content-encoding")), ("200", Some("deflate")));
            assert_eq!(harmed.header("content-type"), honest.header("content-type"));
            assert!(harmed.body().len() < 1 << 20 && harmed.body().starts_with(&[0x78, 0x01]));
        }),
        (Quirk::SlowDrip, |honest, harmed, _| assert_eq!(harmed.body(), honest.body())),
    ];
    let in_time: Check = |_, harmed, _| assert_eq!(harmed.header("retry-after"), Some("30"));
    let at_date: Check = |_, harmed, asked| {
        let (value, now) = (harmed.header("retry-after").unwrap(), asked.mock.now());
        assert!(value.ends_with(" GMT") && value.len() == "Sun, 06 Nov 1994 08:49:37 GMT".len(), "{value}");
        let year = now.to_string()[..4].to_owned();
        assert!(value.contains(&year), "{value} {now}");
    };
    let told: [(Fault, Check); 3] = [
        (Fault::new(Quirk::Status429).retry_after(30), in_time),
        (Fault::new(Quirk::Status503).retry_after_date(30), at_date),
        (Fault::new(Quirk::AnotherStatus).status(201), |honest, harmed, _| {
            assert_eq!((harmed.status(), harmed.body()), ("201", honest.body()));
            assert_eq!(harmed.header("content-type"), honest.header("content-type"));
        }),
    ];
    let plain = plain.into_iter().map(|(quirk, check)| match quirk {
        Quirk::SlowDrip => (Fault::new(quirk).milliseconds(1), check),
        _ => (Fault::new(quirk), check),
    });
    plain.chain(told).collect()
}

#[test]
fn every_quirk_of_the_carrier_does_on_the_wire_what_its_line_says() {
    let answered = Answered::new();
    // 2030, so that a date half a minute later is in the same year.
    answered.mock.set_clock("2030-06-01T12:00:00Z".parse().unwrap()).unwrap();
    for (fault, check) in table() {
        for operation in BOTH {
            let (honest, harmed) = answered.with(&fault, operation);
            check(&honest, &harmed, &answered);
        }
    }
}

#[test]
fn a_cut_connection_ends_without_a_farewell() {
    let answered = Answered::new();
    for quirk in [Quirk::DropReply, Quirk::CloseWithinHeaders, Quirk::CloseAfterHeaders, Quirk::CloseWithinBody] {
        let (_, harmed) = answered.with(&Fault::new(quirk), Operation::Synchronize);
        assert_eq!(harmed.error.map(|error| error.kind()), Some(ErrorKind::UnexpectedEof), "{quirk}: no close_notify");
    }
}

#[test]
fn late_answers_are_late_and_whole() {
    let answered = Answered::new();
    for (quirk, milliseconds, at_least) in [(Quirk::Delay, 60, 60), (Quirk::SlowDrip, 2, 40)] {
        let start = Instant::now();
        let (honest, harmed) = answered.with(&Fault::new(quirk).milliseconds(milliseconds), Operation::Payload);
        assert_eq!(harmed.body(), honest.body());
        assert!(start.elapsed() >= Duration::from_millis(at_least), "{quirk}");
    }
}

#[test]
fn a_dropped_reply_was_committed_and_an_early_close_was_not() {
    let mock = MockSolme::start();
    let mut client = Client::new(&mock);
    let outstanding = client.server.request();
    for (quirk, sequence) in [(Quirk::CloseBeforeHeaders, 0), (Quirk::DropReply, 1)] {
        mock.arm(Fault::new(quirk).next(1)).unwrap();
        assert_eq!(client.direct(&outstanding), Err("not whole"));
        assert_eq!(mock.record(mock.demo_id()).unwrap().sequence, sequence, "{quirk}");
    }
    assert_eq!(client.direct(&outstanding), Ok(()));
    assert_eq!(mock.record(mock.demo_id()).unwrap().sequence, 1);
}

#[test]
fn the_payload_is_not_found_once() {
    let answered = Answered::new();
    let (_, harmed) = answered.with(&Fault::new(Quirk::PayloadNotFound), Operation::Payload);
    assert_eq!((harmed.status(), harmed.header("content-type")), ("404", Some("application/problem+json")));
}

#[test]
fn what_is_wrong_with_tls_is_what_it_is_called() {
    let answered = Answered::new();
    for quirk in [Quirk::TlsOtherCa, Quirk::TlsExpiredCertificate, Quirk::TlsOtherHost, Quirk::TlsOldVersion] {
        answered.mock.arm(Fault::new(quirk).next(1)).unwrap();
        let error = answered.ask(Operation::Synchronize).error.unwrap();
        let tls = error.get_ref().and_then(|error| error.downcast_ref::<Error>());
        match (quirk, tls) {
            (Quirk::TlsOtherCa, Some(Error::InvalidCertificate(CertificateError::UnknownIssuer))) => {}
            (
                Quirk::TlsOtherHost,
                Some(Error::InvalidCertificate(
                    CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
                )),
            ) => {}
            (Quirk::TlsOldVersion, Some(Error::AlertReceived(AlertDescription::ProtocolVersion))) => {}
            (
                _,
                Some(Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. })),
            ) => assert_eq!(quirk, Quirk::TlsExpiredCertificate),
            _ => panic!("{quirk}: {error} {:?}", error.source()),
        }
        assert_eq!(answered.ask(Operation::Synchronize).status(), "200");
        let trace = answered.mock.trace();
        let entry = trace.iter().find(|entry| entry.quirk == Some(quirk)).unwrap();
        assert_eq!((entry.verdict.as_str(), entry.clause.as_str()), ("no-exchange", "13.2"));
    }
}

#[test]
fn a_closed_port_resets_and_a_black_hole_says_nothing() {
    let answered = Answered::new();
    for operation in BOTH {
        let url = if operation == Operation::Payload { answered.mock.http() } else { answered.mock.https() };
        answered.mock.arm(Fault::new(Quirk::PortClosed).operation(operation).next(1)).unwrap();
        let reset = hears(url);
        let kind = reset.error.map(|error| error.kind());
        assert!(matches!(kind, Some(ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)), "{operation} {kind:?}");
        answered.mock.arm(Fault::new(Quirk::PortBlackHoled).operation(operation).next(1)).unwrap();
        let nothing = hears(url);
        assert!(nothing.bytes.is_empty() && nothing.error.is_none(), "{operation} {nothing:?}");
        assert_eq!(answered.ask(operation).status(), "200");
    }
}

#[test]
fn a_response_file_is_damaged_too() {
    let mock = MockSolme::start();
    let mut client = Client::new(&mock);
    let outstanding = client.server.request();
    mock.arm(Fault::new(Quirk::Truncate).next(1)).unwrap();
    let request = SyncFile::Request(outstanding.text.clone()).to_bytes(&[]);
    let truncated = mock.process_request_file(&request).unwrap().bytes;
    let whole = mock.process_request_file(&request).unwrap().bytes;
    assert_eq!(truncated, whole[..whole.len() / 2]);
    mock.arm(Fault::new(Quirk::FlipByte).next(1)).unwrap();
    assert!(client.file(&outstanding).is_err());
    assert_eq!(client.file(&outstanding), Ok(()));
}

//! What is refused, and what cannot be read.

use mock_solme::MockSolme;
use mock_solme::quirks::{Fault, Operation, Quirk};
use reqwest::StatusCode;
use reqwest::header::{CACHE_CONTROL, CONTENT_TYPE};
use solme_sync_protocol::{Health, InvalidRequestReason, Problem, RefusalCode, SignEs384 as _, limits};

use crate::license_server::LicenseServer;

#[tokio::test]
async fn a_second_server_with_the_same_id_is_refused_until_the_key_pair_is_cleared() {
    let mock = MockSolme::start();
    let (mut first, mut second) = (LicenseServer::new(&mock), LicenseServer::new(&mock));
    first.synchronize().await.unwrap();
    assert_eq!(second.synchronize().await.unwrap_err().code, RefusalCode::KeyPairInUse);
    mock.clear_key_pair(mock.demo_id(), mock_solme::Clear::default()).unwrap();
    assert_eq!(second.synchronize().await.unwrap().receipt.key_generation, 2);
    assert_eq!(first.synchronize().await.unwrap_err().code, RefusalCode::KeyPairCleared);
}

#[tokio::test]
async fn a_copied_state_is_found_out() {
    let mock = MockSolme::start();
    let mut server = LicenseServer::new(&mock);
    let answered = server.request();
    server.finish(&answered).await.unwrap();
    let before = server.last_receipt.clone();
    server.synchronize().await.unwrap();
    server.last_receipt = before;
    assert_eq!(server.synchronize().await.unwrap_err().code, RefusalCode::StateDiverged);
    assert_eq!(server.finish(&answered).await.unwrap_err().code, RefusalCode::RequestAlreadyAnswered);
}

#[tokio::test]
async fn unknown_and_disabled_ids_are_refused() {
    let mock = MockSolme::start();
    let mut unknown = LicenseServer::with_id(&mock, &"NOBODY".parse().unwrap());
    assert_eq!(unknown.synchronize().await.unwrap_err().code, RefusalCode::UnknownLicenseServerId);
    let mut server = LicenseServer::new(&mock);
    mock.disable(mock.demo_id()).unwrap();
    assert_eq!(server.synchronize().await.unwrap_err().code, RefusalCode::LicenseServerIdDisabled);
    mock.enable(mock.demo_id()).unwrap();
    server.synchronize().await.unwrap();
}

#[tokio::test]
async fn an_invalid_request_is_told_which_rule_it_broke() {
    let mock = MockSolme::start();
    let mut server = LicenseServer::new(&mock);
    let signing_jwk = *server.key.public_jwk();
    for (outstanding, reason) in [
        (server.request_with(|r| r.product.clear()), InvalidRequestReason::MalformedClaims),
        (server.request_with(|r| r.main_server_id = "OTHER".parse().unwrap()), InvalidRequestReason::WrongMainServer),
        (server.request_with(|r| r.sealing_jwk = signing_jwk), InvalidRequestReason::SealingKeyIsSigningKey),
        (server.request_with(|r| r.last_receipt = Some(String::new())), InvalidRequestReason::LastReceiptNotOurs),
    ] {
        let refusal = server.finish(&outstanding).await.unwrap_err();
        assert_eq!((refusal.code, refusal.reason), (RefusalCode::InvalidRequest, Some(reason)));
    }
    let other_version = server.request_with(|r| r.version = 2);
    assert_eq!(server.finish(&other_version).await.unwrap_err().code, RefusalCode::UnsupportedVersion);
    assert_eq!(mock.record(mock.demo_id()).unwrap().key_pair_in_use, None);
}

#[tokio::test]
async fn a_foreign_signature_is_refused_and_the_journal_says_why() {
    let mock = MockSolme::start();
    let mut server = LicenseServer::new(&mock);
    let (mut damaged, foreign) = (server.request(), server.request());
    let (signing_input, _) = damaged.text.rsplit_once('.').unwrap();
    damaged.text = format!("{signing_input}.{}", foreign.text.rsplit_once('.').unwrap().1);
    assert_eq!(server.finish(&damaged).await.unwrap_err().code, RefusalCode::InvalidSignature);
    let entry = mock.journal().pop().unwrap();
    assert_eq!(
        (entry.clause.as_str(), entry.detail.as_str()),
        ("9.2", "the signature does not fit the message and its key")
    );
}

#[tokio::test]
async fn what_cannot_be_read_gets_a_problem_that_nobody_signed() {
    let mock = MockSolme::start();
    let server = LicenseServer::new(&mock);
    let text = server.request().text;
    let too_long = "a".repeat(limits::REQUEST + 1).into_bytes();
    for (body, status, code) in [
        (text.as_bytes()[..text.len() / 2].to_vec(), StatusCode::BAD_REQUEST, "unreadable-request"),
        (format!("{text}\n").into_bytes(), StatusCode::BAD_REQUEST, "unreadable-request"),
        (vec![0xff; 40], StatusCode::BAD_REQUEST, "unreadable-request"),
        (Vec::new(), StatusCode::BAD_REQUEST, "unreadable-request"),
        (too_long, StatusCode::PAYLOAD_TOO_LARGE, "request-too-large"),
    ] {
        let response = server.send(body).await;
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
        let problem = Problem::parse(&response.bytes().await.unwrap()).unwrap();
        assert_eq!((problem.code.as_str(), problem.refusal), (code, None));
    }
    let clauses: Vec<_> = mock.journal().into_iter().map(|entry| entry.clause).collect();
    assert_eq!(clauses, ["9.1"; 5]);
}

#[tokio::test]
async fn other_paths_and_methods_get_a_problem_document() {
    let mock = MockSolme::start();
    let server = LicenseServer::new(&mock);
    let ca = reqwest::Certificate::from_pem(mock.trust().ca_certificate.as_bytes()).unwrap();
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([ca]).build().unwrap();
    let get = client.get(format!("{}/synchronize", mock.https())).send().await.unwrap();
    let elsewhere = client.post(format!("{}/elsewhere", mock.https())).send().await.unwrap();
    let plain = server.get("/synchronize").await;
    for (response, status, code) in [
        (get, StatusCode::METHOD_NOT_ALLOWED, "no-such-method"),
        (elsewhere, StatusCode::NOT_FOUND, "no-such-path"),
        (plain, StatusCode::NOT_FOUND, "no-such-path"),
    ] {
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
        assert_eq!(Problem::parse(&response.bytes().await.unwrap()).unwrap().code, code);
    }
}

#[tokio::test]
async fn the_443_role_says_that_it_is_healthy_and_no_quirk_of_an_exchange_is_used_up_by_it() {
    let mock = MockSolme::start();
    mock.advance_clock(86_400).unwrap();
    let ca = reqwest::Certificate::from_pem(mock.trust().ca_certificate.as_bytes()).unwrap();
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([ca]).build().unwrap();
    let url = format!("{}/health", mock.https());
    let honest = client.get(&url).send().await.unwrap();
    assert_eq!((honest.status(), &honest.headers()[CACHE_CONTROL]), (StatusCode::OK, &"no-store".parse().unwrap()));
    assert_eq!(honest.headers()[CONTENT_TYPE], "application/json");
    let health = Health::parse(&honest.bytes().await.unwrap()).unwrap();
    assert_eq!(health.main_server_id, mock.trust().main_server_id);
    assert!(health.main_server_time >= mock.now().offset(-60), "{health:?}");
    for fault in [Fault::new(Quirk::CaptivePortal), Fault::new(Quirk::Status503).operation(Operation::Synchronize)] {
        let armed = mock.arm(fault.next(1)).unwrap().number;
        assert_eq!(client.get(&url).send().await.unwrap().headers()[CONTENT_TYPE], "application/json");
        let nobody_s = format!("{}/payloads/AAAAAAAAAAAAAAAAAAAAAA", mock.http());
        assert_eq!(client.get(nobody_s).send().await.unwrap().status(), StatusCode::NOT_FOUND);
        assert_eq!(mock.disarm(armed).unwrap().left, Some(1), "who looks uses nothing up");
    }
    mock.arm(Fault::new(Quirk::CaptivePortal).operation(Operation::Probe).next(1)).unwrap();
    let portal = client.get(&url).send().await.unwrap();
    assert_eq!(portal.headers()[CONTENT_TYPE], "text/html; charset=utf-8");
    assert_eq!(client.get(&url).send().await.unwrap().headers()[CONTENT_TYPE], "application/json");
    assert_eq!(mock.trace().last().unwrap().quirk, Some(Quirk::CaptivePortal));
}

#[tokio::test]
async fn the_443_role_speaks_tls_1_3_and_nothing_older() {
    let mock = MockSolme::start();
    let ca = reqwest::Certificate::from_pem(mock.trust().ca_certificate.as_bytes()).unwrap();
    let older =
        reqwest::Client::builder().no_proxy().tls_certs_only([ca]).tls_version_max(reqwest::tls::Version::TLS_1_2);
    let error = older.build().unwrap().get(mock.https()).send().await.unwrap_err();
    assert!(error.is_connect(), "{error:?}");
}

#[tokio::test]
async fn a_flood_with_a_leaked_id_is_limited_and_the_bound_server_is_served() {
    let mock = MockSolme::builder().rate_limit(2).start();
    let mut server = LicenseServer::new(&mock);
    server.synchronize().await.unwrap();
    let mut thief = LicenseServer::new(&mock);
    assert_eq!(thief.synchronize().await.unwrap_err().code, RefusalCode::KeyPairInUse);
    let outstanding = thief.request();
    let limited = thief.send(outstanding.text.clone()).await;
    assert_eq!((limited.status().as_u16(), &limited.headers()["retry-after"]), (429, &"60".parse().unwrap()));
    assert_eq!(thief.finish(&outstanding).await.unwrap_err().code, RefusalCode::RateLimited);
    server.synchronize().await.unwrap();
    server.synchronize().await.unwrap();
    assert_eq!(server.synchronize().await.unwrap_err().code, RefusalCode::RateLimited);
    mock.advance_clock(30).unwrap();
    server.synchronize().await.unwrap();
}

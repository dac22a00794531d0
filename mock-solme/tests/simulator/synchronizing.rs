//! What goes well.

use std::collections::BTreeSet;

use mock_solme::{Carrier, MockSolme, NewLicense};
use reqwest::StatusCode;
use solme_sync_protocol::{RefusalCode, SYNCHRONIZE_WITHIN, base64url};
use tokio::task::JoinSet;

use crate::license_server::LicenseServer;

#[tokio::test]
async fn a_license_server_synchronizes_over_both_ports_and_reads_its_allocation() {
    let mock = MockSolme::start();
    let mut server = LicenseServer::new(&mock);
    let first = server.synchronize().await.unwrap();
    assert_eq!((first.receipt.sequence, first.receipt.key_generation), (1, 1));
    assert_eq!(first.allocation, mock.record(mock.demo_id()).unwrap().allocation);

    let license = mock.add_license(mock.demo_id(), NewLicense::default()).unwrap();
    let second = server.synchronize().await.unwrap();
    assert_eq!((second.receipt.sequence, second.receipt.key_generation), (2, 1));
    assert_eq!(second.allocation.licenses.last(), Some(&license));
    assert_eq!(second.allocation.revision, first.allocation.revision + 1);
}

#[tokio::test]
async fn the_demo_allocation_has_all_components_a_display_string_and_a_domain_and_outlives_the_366_days() {
    let mock = MockSolme::start();
    let licenses = mock.record(mock.demo_id()).unwrap().allocation.licenses;
    let components = licenses.iter().flat_map(|license| &license.components);
    assert_eq!(components.map(|component| component.id.as_str()).collect::<BTreeSet<_>>().len(), 19);
    assert!(licenses.iter().any(|license| license.display.is_some()));
    assert!(licenses.iter().any(|license| license.domain.is_some()));
    let overdue = mock.now().plus(SYNCHRONIZE_WITHIN);
    assert!(licenses.iter().all(|license| license.expires_at.is_some_and(|end| end > overdue)));
}

#[tokio::test]
async fn the_receipt_has_the_virtual_time_of_the_simulator() {
    let mock = MockSolme::start();
    let time = "2031-01-31T12:00:00Z".parse().unwrap();
    mock.set_clock(time).unwrap();
    let receipt = LicenseServer::new(&mock).synchronize().await.unwrap().receipt;
    assert!(receipt.main_server_time.since(time) < 60, "{}", receipt.main_server_time);
    mock.advance_clock(-86_400).unwrap();
    assert!(mock.now() < time);
}

#[tokio::test]
async fn a_copy_of_a_request_gets_the_same_bytes_also_with_its_signature_rewritten() {
    let mock = MockSolme::start();
    let server = LicenseServer::new(&mock);
    let outstanding = server.request();
    let first = server.send(outstanding.text.clone()).await.bytes().await.unwrap();
    let (signing_input, signature) = outstanding.text.rsplit_once('.').unwrap();
    let rewritten = format!("{signing_input}.{}", base64url::encode(negated(signature)));
    assert_ne!(rewritten, outstanding.text);
    for copy in [&outstanding.text, &rewritten] {
        let again = server.send(copy.clone()).await;
        assert_eq!((again.status(), again.bytes().await.unwrap()), (StatusCode::OK, first.clone()));
    }
    assert_eq!(mock.record(mock.demo_id()).unwrap().sequence, 1);
    let verdicts: Vec<_> = mock.journal().into_iter().map(|entry| (entry.verdict, entry.clause)).collect();
    let again = ("answered-again".to_owned(), "9.7".to_owned());
    assert_eq!(verdicts, [("accepted".to_owned(), "9.10".to_owned()), again.clone(), again]);
}

/// (r, n - s): also verifies (P 4.6).
fn negated(signature: &str) -> Vec<u8> {
    const N: [u8; 48] = [
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xc7, 0x63, 0x4d, 0x81, 0xf4, 0x37, 0x2d, 0xdf, 0x58, 0x1a, 0x0d, 0xb2,
        0x48, 0xb0, 0xa7, 0x7a, 0xec, 0xec, 0x19, 0x6a, 0xcc, 0xc5, 0x29, 0x73,
    ];
    let mut signature = base64url::decode(signature).unwrap();
    let mut borrow = false;
    for (s, n) in signature[48..].iter_mut().zip(N).rev() {
        let (difference, under) = n.overflowing_sub(*s);
        let (difference, under_again) = difference.overflowing_sub(u8::from(borrow));
        *s = difference;
        borrow = under || under_again;
    }
    signature
}

#[tokio::test]
async fn many_copies_of_one_request_in_flight_get_one_answer() {
    let mock = MockSolme::start();
    let server = std::sync::Arc::new(LicenseServer::new(&mock));
    let outstanding = server.request();
    let mut copies = JoinSet::new();
    for _ in 0..16 {
        let (server, text) = (server.clone(), outstanding.text.clone());
        copies.spawn(async move { server.send(text).await.bytes().await.unwrap() });
    }
    let answers = copies.join_all().await;
    server.receipt(&outstanding, std::str::from_utf8(&answers[0]).unwrap());
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(mock.record(mock.demo_id()).unwrap().sequence, 1);
    let accepted = mock.journal().iter().filter(|entry| entry.verdict == "accepted").count();
    assert_eq!(accepted, 1);
}

#[tokio::test]
async fn of_many_servers_that_race_for_an_id_one_gets_it() {
    let mock = MockSolme::start();
    let mut race = JoinSet::new();
    for _ in 0..8 {
        let mut server = LicenseServer::new(&mock);
        race.spawn(async move { server.synchronize().await.map(|_| server.key.thumbprint()) });
    }
    let (won, lost): (Vec<_>, Vec<_>) = race.join_all().await.into_iter().partition(Result::is_ok);
    assert_eq!((won.len(), lost.len()), (1, 7));
    assert!(lost.into_iter().all(|lost| lost.unwrap_err().code == RefusalCode::KeyPairInUse));
    assert_eq!(mock.record(mock.demo_id()).unwrap().bound_thumbprint(), won[0].as_ref().ok().copied());
}

#[tokio::test]
async fn simulators_side_by_side_know_nothing_of_each_other() {
    let mocks = [MockSolme::start(), MockSolme::start()];
    for mock in &mocks {
        assert_eq!(LicenseServer::new(mock).synchronize().await.unwrap().receipt.sequence, 1);
    }
    assert_ne!(mocks[0].main_server_id(), mocks[1].main_server_id());
    assert!(!mocks[0].trust().same_identity(mocks[1].trust()));
}

#[tokio::test]
async fn the_trust_file_lies_on_disk_while_the_simulator_lives() {
    let mock = MockSolme::start();
    let path = mock.trust_file().to_owned();
    assert_eq!(solme_sync_protocol::TrustFile::parse(&std::fs::read(&path).unwrap()).unwrap(), *mock.trust());
    drop(mock);
    assert!(!path.exists());
}

#[tokio::test]
async fn a_simulator_without_the_demo_id_knows_none() {
    let mock = MockSolme::builder().empty().start();
    let id = "DEMO-4711".parse().unwrap();
    assert!(mock.record(&id).is_err());
    mock.add_id(&id, &[]).unwrap();
    let allocation = LicenseServer::with_id(&mock, &id).synchronize().await.unwrap().allocation;
    assert_eq!((allocation.revision, allocation.licenses), (0, Vec::new()));
}

#[tokio::test]
async fn the_same_seed_makes_up_the_same_license_numbers() {
    let numbers = |seed| {
        let mock = MockSolme::builder().seed(seed).start();
        let licenses = mock.record(mock.demo_id()).unwrap().allocation.licenses;
        licenses.into_iter().map(|license| license.number).collect::<BTreeSet<_>>()
    };
    assert_eq!(numbers(1), numbers(1));
    assert_ne!(numbers(1), numbers(2));
    assert_eq!(numbers(1).len(), 3);
}

#[tokio::test]
async fn the_journal_has_the_bytes_and_judges_the_client() {
    let mock = MockSolme::start();
    let server = LicenseServer::new(&mock);
    let first = server.request();
    let receipt = server.send(first.text.clone()).await.text().await.unwrap();
    let reused = first.request.clone().verify(&solme_sync_protocol::RustCrypto).unwrap().read().unwrap().sealing_jwk;
    let second = server.request_with(|content| {
        content.sealing_jwk = reused;
        content.last_receipt = Some(receipt.clone());
    });
    assert_eq!(server.send(second.text.clone()).await.status(), StatusCode::OK);

    let entries = mock.journal();
    assert_eq!((entries[0].request.as_str(), entries[0].answer.as_str()), (first.text.as_str(), receipt.as_str()));
    assert_eq!(entries[0].carrier, Carrier::Https);
    assert_eq!(entries[0].thumbprint, Some(server.key.thumbprint()));
    assert_eq!(entries[0].judgements, [""; 0]);
    assert_eq!(entries[1].judgements, ["reused a one-time sealing key: violates 5.4"]);
}

#[tokio::test]
async fn only_the_payload_of_the_newest_receipt_is_kept() {
    let mock = MockSolme::start();
    let mut server = LicenseServer::new(&mock);
    let first = server.synchronize().await.unwrap().receipt.payload_name;
    let second = server.synchronize().await.unwrap().receipt.payload_name;
    for (path, status) in [
        (format!("/payloads/{second}"), StatusCode::OK),
        (format!("/payloads/{first}"), StatusCode::NOT_FOUND),
        ("/payloads/none".to_owned(), StatusCode::NOT_FOUND),
    ] {
        assert_eq!(server.get(&path).await.status(), status, "{path}");
    }
}

//! What `--data` keeps.

use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};

use mock_solme::testing::{DurableStep, Moment, Seams};
use mock_solme::{Listeners, MockSolme};
use solme_sync_protocol::RefusalCode;

use crate::license_server::LicenseServer;

fn start(data: &Path) -> MockSolme {
    MockSolme::builder().data(data).start()
}

#[tokio::test]
async fn the_same_request_gets_the_same_bytes_after_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let mock = start(data.path());
    let server = LicenseServer::new(&mock);
    let outstanding = server.request();
    let answer = server.send(outstanding.text.clone()).await.text().await.unwrap();
    let name = server.receipt(&outstanding, &answer).payload_name;
    let payload = server.get(&format!("/payloads/{name}")).await.bytes().await.unwrap();
    let identity = mock.trust().clone();
    drop(mock);

    let mock = start(data.path());
    assert!(mock.trust().same_identity(&identity));
    assert_eq!(mock.trust().ca_certificate, identity.ca_certificate);
    let server = server.moved_to(&mock);
    assert_eq!(server.send(outstanding.text.clone()).await.text().await.unwrap(), answer);
    let again = server.get(&format!("/payloads/{name}")).await.bytes().await.unwrap();
    assert_eq!(again, payload);
    server.open(&outstanding, &answer, &payload);
}

#[tokio::test]
async fn key_pairs_clears_clock_and_audit_survive_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let mock = start(data.path());
    let mut old = LicenseServer::new(&mock);
    old.synchronize().await.unwrap();
    mock.clear_key_pair(mock.demo_id(), mock_solme::Clear::default()).unwrap();
    let mut new = LicenseServer::new(&mock);
    new.synchronize().await.unwrap();
    new.synchronize().await.unwrap();
    mock.advance_clock(366 * 86_400).unwrap();
    let (record, audit, now) = (mock.record(mock.demo_id()).unwrap(), mock.audit().unwrap(), mock.now());
    let actions: Vec<&str> = audit.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions[actions.len() - 4..], ["key-pair-bound", "key-pair-cleared", "key-pair-bound", "synchronized"]);
    drop(mock);

    let mock = start(data.path());
    assert_eq!(mock.record(mock.demo_id()).unwrap(), record);
    assert_eq!(mock.audit().unwrap(), audit);
    assert!(mock.now() >= now);
    let mut old = old.moved_to(&mock);
    assert_eq!(old.synchronize().await.unwrap_err().code, RefusalCode::KeyPairCleared);
    let mut new = new.moved_to(&mock);
    assert_eq!(new.synchronize().await.unwrap().receipt.sequence, 4);
}

#[tokio::test]
async fn on_the_same_ports_the_trust_file_stays_the_same() {
    let data = tempfile::tempdir().unwrap();
    let mock = start(data.path());
    let addresses = [mock.https(), mock.http()].map(|url| url.rsplit_once('/').unwrap().1.to_owned());
    let before = std::fs::read(mock.trust_file()).unwrap();
    drop(mock);
    let [https, http] = addresses.map(|address| TcpListener::bind(address).unwrap());
    let listeners = Listeners { https, http, ..Listeners::ephemeral().unwrap() };
    let mock = MockSolme::builder().data(data.path()).listeners(listeners).start();
    assert_eq!(std::fs::read(mock.trust_file()).unwrap(), before);
    assert_eq!(mock.trust_file().parent(), Some(data.path()));
}

#[test]
fn a_data_directory_serves_one_simulator_at_a_time() {
    let data = tempfile::tempdir().unwrap();
    let mock = start(data.path());
    let second = MockSolme::builder().data(data.path()).try_start().err().unwrap().to_string();
    assert!(second.contains("is in use by another mock-solme"), "{second}");
    drop(mock);
    start(data.path());
}

#[cfg(unix)]
#[test]
fn private_keys_are_readable_by_their_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let data = tempfile::tempdir().unwrap();
    let _mock = start(data.path());
    for key in ["signing-key.pk8", "ca-key.pem"] {
        let mode = std::fs::metadata(data.path().join(key)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{key}");
    }
}

#[tokio::test]
async fn durable_steps_are_numbered_from_one_and_an_acceptance_is_one_of_them() {
    let data = tempfile::tempdir().unwrap();
    let steps: Arc<Mutex<Vec<DurableStep>>> = Arc::default();
    let seen = Arc::clone(&steps);
    let durable_step = Box::new(move |step| seen.lock().unwrap().push(step));
    let seams = Seams { durable_step, ..Seams::default() };
    let mock = MockSolme::builder().data(data.path()).seams(seams).start();
    let before = steps.lock().unwrap().len();
    LicenseServer::new(&mock).synchronize().await.unwrap();
    let steps = steps.lock().unwrap();
    let mut numbers: Vec<_> = steps.iter().filter(|step| step.moment == Moment::Before).map(|s| s.number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    let names: Vec<_> = steps[before..].iter().map(|step| (step.name, step.moment)).collect();
    assert_eq!(names, [("accept a request", Moment::Before), ("accept a request", Moment::After)]);
}

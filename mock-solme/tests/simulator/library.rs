//! The simulator as a library, where it is more than the admin API.

use std::process::Command;

use mock_solme::{MockSolme, NewLicense};
use solme_sync_protocol::RefusalCode;

use crate::license_server::LicenseServer;

/// What a License Server that was there before the backup is told (P 9.12).
async fn restored_from_a_backup(mock: &MockSolme) {
    let mut server = LicenseServer::new(mock);
    server.synchronize().await.unwrap();
    let before = (mock.record(mock.demo_id()).unwrap(), mock.audit().unwrap());
    let backup = mock.snapshot().unwrap();
    mock.add_license(mock.demo_id(), NewLicense::default()).unwrap();
    mock.advance_clock(3_600).unwrap();
    server.synchronize().await.unwrap();
    let (now, exchanges) = (mock.now(), mock.journal().len());
    for _ in 0..2 {
        mock.restore(&backup).unwrap();
        assert_eq!((mock.record(mock.demo_id()).unwrap(), mock.audit().unwrap()), before);
        assert!(mock.now() >= now, "time goes on");
        assert!(mock.journal().len() >= exchanges);
        assert_eq!(server.synchronize().await.unwrap_err().code, RefusalCode::MainServerBehind);
    }
}

#[tokio::test]
async fn a_simulator_in_memory_can_be_restored_from_a_backup() {
    restored_from_a_backup(&MockSolme::start()).await;
}

#[tokio::test]
async fn a_simulator_with_data_can_be_restored_from_a_backup_and_the_next_start_knows() {
    let root = tempfile::tempdir().unwrap();
    let mock = MockSolme::builder().data(root.path().join("data")).start();
    restored_from_a_backup(&mock).await;
    let record = mock.record(mock.demo_id()).unwrap();
    drop(mock);
    let again = MockSolme::builder().data(root.path().join("data")).start();
    assert_eq!(again.record(again.demo_id()).unwrap(), record);
    assert_eq!(again.now().since(again.audit().unwrap()[0].at) / 3_600, 1, "the clock is kept as well");
}

#[tokio::test]
async fn a_reset_is_as_the_start() {
    let mock = MockSolme::start();
    LicenseServer::new(&mock).synchronize().await.unwrap();
    mock.advance_clock(86_400).unwrap();
    let id = mock.demo_id().clone();
    mock.remove_license(&id, &mock.record(&id).unwrap().allocation.licenses[0].number).unwrap();
    mock.reset().unwrap();
    let record = mock.record(&id).unwrap();
    assert_eq!((record.key_pair_in_use, record.sequence, record.allocation.licenses.len()), (None, 0, 3));
    assert!(mock.journal().is_empty());
    LicenseServer::new(&mock).synchronize().await.unwrap();
}

#[test]
fn what_people_print_has_addresses_and_no_token() {
    let mock = MockSolme::start();
    let shown = format!("{mock:?} {:?}", MockSolme::builder());
    assert!(shown.contains(mock.https()) && !shown.contains(mock.admin_token()), "{shown}");
}

const PANICS: &str = "MOCK_SOLME_TEST_PANICS";

/// Run by the test below, in a process of its own; alone it has nothing to do.
#[tokio::test]
async fn one_that_panics_if_it_is_told_to() {
    let Ok(how) = std::env::var(PANICS) else { return };
    let builder = MockSolme::builder();
    let mock = if how == "quiet" { builder.quiet().start() } else { builder.start() };
    LicenseServer::new(&mock).synchronize().await.unwrap();
    panic!("as it was told to");
}

#[test]
fn a_test_that_panics_prints_the_journal_of_its_simulator_unless_it_is_quiet() {
    let panicked = |how: &str| {
        let this = std::env::current_exe().unwrap();
        let test = ["library::one_that_panics_if_it_is_told_to", "--exact", "--nocapture"];
        let output = Command::new(this).args(test).env(PANICS, how).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let loud = panicked("loud");
    assert!(loud.contains("2 exchanges:") && loud.contains("https  DEMO-4711  accepted  P 9.10"), "{loud}");
    let quiet = panicked("quiet");
    assert!(quiet.contains("as it was told to") && !quiet.contains("journal of"), "{quiet}");
}

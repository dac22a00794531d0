//! Synchronization via file, at the main server.

use mock_solme::{Carrier, MockSolme, OperatorError};
use solme_sync_protocol::{FileError, RefusalCode, SyncFile};

use crate::license_server::{LicenseServer, Outstanding};

fn request_file(outstanding: &Outstanding) -> Vec<u8> {
    SyncFile::Request(outstanding.text.clone()).to_bytes(&["A request file".to_owned()])
}

#[tokio::test]
async fn a_request_file_becomes_a_response_file_that_its_maker_can_open() {
    let mock = MockSolme::start();
    let server = LicenseServer::new(&mock);
    let outstanding = server.request();
    let response = mock.process_request_file(&request_file(&outstanding)).unwrap();
    assert_eq!(response.outcome, "accepted");
    let Ok(SyncFile::Response { message, payload: Some(payload) }) = SyncFile::parse(&response.bytes) else {
        panic!("no response file: {}", String::from_utf8_lossy(&response.bytes));
    };
    let synchronized = server.open(&outstanding, &message, &payload);
    assert_eq!(synchronized.receipt.sequence, 1);
    assert!(String::from_utf8_lossy(&response.bytes).contains("for license server id DEMO-4711"));
    assert_eq!(mock.journal()[0].carrier, Carrier::File);
}

#[tokio::test]
async fn the_same_request_gives_the_same_file_however_often_and_the_same_receipt_directly() {
    let mock = MockSolme::start();
    let server = LicenseServer::new(&mock);
    let outstanding = server.request();
    let file = request_file(&outstanding);
    let first = mock.process_request_file(&file).unwrap();
    assert_eq!(mock.process_request_file(&file).unwrap(), first);
    let direct = server.send(outstanding.text.clone()).await.text().await.unwrap();
    let Ok(SyncFile::Response { message, .. }) = SyncFile::parse(&first.bytes) else { panic!() };
    assert_eq!(message, direct);
    assert_eq!(mock.record(mock.demo_id()).unwrap().sequence, 1);
}

#[tokio::test]
async fn a_refusal_travels_in_a_response_file_as_well() {
    let mock = MockSolme::start();
    LicenseServer::new(&mock).synchronize().await.unwrap();
    let thief = LicenseServer::new(&mock);
    let outstanding = thief.request();
    let response = mock.process_request_file(&request_file(&outstanding)).unwrap();
    assert_eq!(response.outcome, "key-pair-in-use");
    let Ok(SyncFile::Response { message, payload: None }) = SyncFile::parse(&response.bytes) else { panic!() };
    assert_eq!(thief.signed_refusal(&outstanding, &message).code, RefusalCode::KeyPairInUse);
}

#[test]
fn what_is_no_request_file_is_named_and_gets_no_response_file() {
    let mock = MockSolme::start();
    let good = request_file(&LicenseServer::new(&mock).request());
    let unreadable = SyncFile::Request("nonsense".to_owned()).to_bytes(&[]);
    let response = SyncFile::Response { message: String::new(), payload: None }.to_bytes(&[]);
    let process = |file: &[u8]| mock.process_request_file(file).unwrap_err();
    assert!(matches!(process(b"Dear Solme,"), OperatorError::File(FileError::NotASyncFile)));
    assert!(matches!(process(&good[..good.len() / 2]), OperatorError::File(FileError::Truncated)));
    assert!(matches!(process(&response), OperatorError::ResponseFile));
    assert!(matches!(process(&unreadable), OperatorError::UnreadableRequest(_)));
    assert_eq!(mock.record(mock.demo_id()).unwrap().sequence, 0);
}

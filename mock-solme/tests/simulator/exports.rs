//! What comes out of the journal for others: a HAR, and a scenario.

use mock_solme::MockSolme;
use mock_solme::quirks::{Fault, Quirk};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use solme_sync_protocol::{Digest, base64url};

use crate::admin::call;
use crate::license_server::LicenseServer;

async fn har(mock: &MockSolme, query: &str) -> Vec<Value> {
    let (status, har) = call(mock, Method::GET, &format!("/journal/har{query}"), Value::Null).await;
    assert_eq!((status, &har["log"]["version"]), (StatusCode::OK, &"1.2".into()), "{har}");
    har["log"]["entries"].as_array().unwrap().clone()
}

/// The bytes of an answer, as a HAR has them.
fn body(entry: &Value) -> Vec<u8> {
    let content = &entry["response"]["content"];
    let text = content["text"].as_str().unwrap();
    if content["encoding"] == "base64" {
        let unpadded = text.trim_end_matches('=').replace('+', "-").replace('/', "_");
        return base64url::decode(&unpadded).unwrap();
    }
    text.as_bytes().to_vec()
}

#[tokio::test]
async fn a_har_has_what_went_over_the_wire() {
    let mock = MockSolme::start();
    let mut server = LicenseServer::new(&mock);
    let outstanding = server.request();
    let receipt = server.send(outstanding.text.clone()).await.text().await.unwrap();
    let name = server.receipt(&outstanding, &receipt).payload_name;
    let payload = server.get(&format!("/payloads/{name}")).await.bytes().await.unwrap();
    let thief = LicenseServer::new(&mock);
    let refused = thief.send(thief.request().text).await.bytes().await.unwrap();
    let entries = har(&mock, "").await;
    let seen: Vec<_> = entries
        .iter()
        .map(|entry| (entry["request"]["method"].as_str().unwrap(), entry["response"]["status"].as_u64().unwrap()))
        .collect();
    assert_eq!(seen, [("POST", 200), ("GET", 200), ("POST", 409)]);
    assert_eq!(entries[0]["request"]["postData"]["text"], outstanding.text);
    assert_eq!(entries[0]["request"]["url"], format!("{}/synchronize", mock.https()));
    assert_eq!(entries[1]["request"]["url"], format!("{}/payloads/{name}", mock.http()));
    assert_eq!((body(&entries[0]), body(&entries[1])), (receipt.into_bytes(), payload.to_vec()));
    assert_eq!(body(&entries[2]), refused, "{}", String::from_utf8_lossy(&refused));
    assert!(entries.iter().all(|entry| entry["time"].as_f64().unwrap() > 0.0), "{entries:?}");
    assert_eq!(har(&mock, "?verdict=refused").await, entries[2..]);
    // The next payload takes the place of that one.
    server.last_receipt = Some(String::from_utf8(body(&entries[0])).unwrap());
    server.synchronize().await.unwrap();
    let old = &har(&mock, "?carrier=http").await[0]["response"];
    assert!(old["comment"].as_str().unwrap().contains(&Digest::of(&payload).to_string()), "{old}");
    assert_eq!((&old["status"], &old["content"]["text"]), (&200.into(), &"".into()));
}

#[tokio::test]
async fn a_har_says_which_quirk_was_in_an_exchange() {
    let mock = MockSolme::start();
    for quirk in [Quirk::Status503, Quirk::CaptivePortal, Quirk::FlipByte] {
        mock.arm(Fault::new(quirk).next(1)).unwrap();
    }
    let server = LicenseServer::new(&mock);
    for _ in 0..3 {
        drop(server.send(server.request().text).await);
    }
    let entries = har(&mock, "").await;
    let answers: Vec<_> = entries
        .iter()
        .map(|entry| (entry["_quirk"].as_str().unwrap(), entry["response"]["status"].as_u64().unwrap()))
        .collect();
    assert_eq!(answers, [("status-503", 503), ("captive-portal", 0), ("flip-byte", 200)]);
    for entry in entries {
        let comment = entry["response"]["comment"].as_str().unwrap();
        assert!(comment.contains(entry["_quirk"].as_str().unwrap()), "{comment}");
    }
}

#[tokio::test]
async fn where_nothing_has_happened_there_is_nothing_to_tell() {
    let mock = MockSolme::start();
    assert!(har(&mock, "").await.is_empty());
    let (status, problem) = call(&mock, Method::GET, "/journal/scenario", Value::Null).await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &"nothing-to-tell".into()));
    let (status, problem) = call(&mock, Method::GET, "/journal/scenario?id=SITE-9", Value::Null).await;
    assert_eq!((status, &problem["code"]), (StatusCode::NOT_FOUND, &"unknown-license-server-id".into()));
}

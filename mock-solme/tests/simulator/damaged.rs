//! What the store takes it gives back; and what is damaged in it all the same harms its own id alone.

use std::path::Path;

use mock_solme::MockSolme;
use proptest::prelude::*;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use solme_sync_protocol::{Allocation, RefusalCode, Salt};

use crate::admin::call;
use crate::license_server::LicenseServer;

const VICTIM: &str = "VICTIM";

fn start(data: &Path) -> MockSolme {
    MockSolme::builder().data(data).start()
}

#[tokio::test]
async fn users_beyond_the_greatest_integer_are_refused_with_the_member_and_the_limit() {
    let mock = MockSolme::start();
    for users in ["9007199254740992", "18446744073709551615", "0"] {
        let body: Value =
            serde_json::from_str(&format!(r#"{{"components":[{{"name":"Base","max_users":{users}}}]}}"#)).unwrap();
        let (status, problem) = call(&mock, Method::POST, "/ids/DEMO-4711/licenses", body).await;
        assert_eq!((status, &problem["code"]), (StatusCode::BAD_REQUEST, &json!("malformed-call")));
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("components[0].max_users") && detail.contains("9007199254740991"), "{detail}");
    }
    assert_eq!(call(&mock, Method::GET, "/ids", json!({})).await.0, StatusCode::OK);
    LicenseServer::new(&mock).synchronize().await.unwrap();
}

#[tokio::test]
async fn the_clock_stays_where_receipts_can_be_dated() {
    let mock = MockSolme::start();
    for (method, path, body) in [
        (Method::POST, "/clock/advance", json!({ "seconds": i64::MAX })),
        (Method::POST, "/clock/advance", json!({ "seconds": i64::MIN })),
        (Method::PUT, "/clock", json!({ "now": "9950-01-01T00:00:00Z" })),
        (Method::PUT, "/clock", json!({ "now": 9_007_199_254_740_991_u64 })),
    ] {
        let (status, problem) = call(&mock, method, path, body.clone()).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body} {problem}");
    }
    assert_eq!(call(&mock, Method::GET, "/clock", json!({})).await.1["offset"], 0);
    mock.set_clock("9899-01-01T00:00:00Z".parse().unwrap()).unwrap();
    LicenseServer::new(&mock).synchronize().await.unwrap();
}

/// Damages the store of a simulator that does not run.
fn damage(data: &Path, sql: &str) {
    let store = rusqlite::Connection::open(data.join("state.sqlite")).unwrap();
    assert!(store.execute(sql, []).unwrap() > 0, "{sql}");
}

#[tokio::test]
async fn a_damaged_id_says_so_is_reset_and_harms_no_other() {
    for (sql, about, licenses) in [
        (
            r#"UPDATE allocation SET allocation = CAST(replace(CAST(allocation AS TEXT), '"max_users":5', '"max_users":9007199254740992') AS BLOB)
            WHERE license_server_id = 'VICTIM'"#,
            "licenses[0].components[0].max_users",
            0,
        ),
        (
            r#"UPDATE allocation SET allocation = CAST(replace(CAST(allocation AS TEXT), '"revision":1', '"revision":-1') AS BLOB)
            WHERE license_server_id = 'VICTIM'"#,
            "revision",
            1,
        ),
        ("DELETE FROM allocation WHERE license_server_id = 'VICTIM'", "its allocation is missing", 0),
        ("UPDATE license_server SET thumbprint = 'x' WHERE id = 'VICTIM'", "thumbprint", 1),
        ("UPDATE license_server SET receipt = NULL WHERE id = 'VICTIM'", "half a key pair", 1),
        ("UPDATE license_server SET thumbprint = NULL WHERE id = 'VICTIM'", "half a key pair", 1),
        ("UPDATE license_server SET sequence = -1 WHERE id = 'VICTIM'", "sequence", 1),
        ("UPDATE license_server SET contacts = 'x' WHERE id = 'VICTIM'", "expected value", 1),
        ("UPDATE license_server SET name = x'ff' WHERE id = 'VICTIM'", "name", 1),
    ] {
        let data = tempfile::tempdir().unwrap();
        let mock = start(data.path());
        let victim = VICTIM.parse().unwrap();
        mock.add_id(&victim, &[]).unwrap();
        mock.add_license(&victim, mock_solme::NewLicense::default()).unwrap();
        let mut damaged = LicenseServer::with_id(&mock, &victim);
        damaged.synchronize().await.unwrap();
        drop(mock);
        damage(data.path(), sql);

        let mock = start(data.path());
        LicenseServer::new(&mock).synchronize().await.unwrap();
        let refused = damaged.moved_to(&mock).synchronize().await.unwrap_err();
        assert_eq!(refused.code, RefusalCode::TemporarilyUnavailable);
        let (status, problem) = call(&mock, Method::GET, "/ids/VICTIM", json!({})).await;
        assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("license-server-id-damaged")));
        assert!(problem["detail"].as_str().unwrap().contains(about), "{problem}");
        let (status, ids) = call(&mock, Method::GET, "/ids", json!({})).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(ids[0]["sequence"], 1, "the other id");
        assert_eq!(ids[1]["license_server_id"], VICTIM);
        assert!(ids[1]["damage"].as_str().unwrap().contains(about), "{ids}");

        assert_eq!(call(&mock, Method::POST, "/ids/VICTIM/reset", json!({})).await.0, StatusCode::OK, "{sql}");
        let after = LicenseServer::with_id(&mock, &victim).synchronize().await.unwrap();
        assert_eq!(after.allocation.licenses.len(), licenses, "{sql}");
    }
}

#[tokio::test]
async fn a_damaged_demo_id_does_not_keep_the_simulator_from_starting() {
    let data = tempfile::tempdir().unwrap();
    drop(start(data.path()));
    damage(data.path(), "UPDATE license_server SET contacts = 'x' WHERE id = 'DEMO-4711'");
    let mock = start(data.path());
    let other = "OTHER".parse().unwrap();
    mock.add_id(&other, &[]).unwrap();
    LicenseServer::with_id(&mock, &other).synchronize().await.unwrap();
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[ -~]{0,130}", "\\PC{0,70}", ".{0,20}", "[ -~]{1,20}"]
}

fn number() -> impl Strategy<Value = u64> {
    const EDGE: u64 = 1 << 53;
    prop_oneof![
        Just(EDGE - 1),
        Just(EDGE),
        Just(u64::MAX),
        0..3_u64,
        253_370_764_799..253_370_764_802_u64,
        any::<u64>()
    ]
}

/// A license as somebody might send it: most of it good, any of it not.
fn license() -> impl Strategy<Value = Value> {
    let components = proptest::collection::vec((prop_oneof![Just("Base"), Just("Ergo"), Just("SAM")], number()), 0..3);
    let time = prop_oneof![number().prop_map(|n| json!(n)), Just(json!("2030-01-31T00:00:00Z")), Just(Value::Null)];
    let members =
        (components, text(), text(), time.clone(), time, proptest::collection::btree_map(text(), text(), 0..3));
    members.prop_map(|(components, display, domain, valid_from, expires_at, properties)| {
        let with_base = [("Base", 7)].into_iter().chain(components.into_iter().filter(|(name, _)| *name != "Base"));
        let components: Vec<_> = with_base.map(|(name, n)| json!({ "name": name, "max_users": n })).collect();
        let mut license = json!({ "components": components, "properties": properties, "expires_at": expires_at });
        for (name, value) in [("display", json!(display)), ("domain", json!(domain)), ("valid_from", valid_from)] {
            if !value.is_null() && value != "" {
                license[name] = value;
            }
        }
        license
    })
}

/// What the API has accepted: stored, listed, synchronized, and there again after a restart.
async fn survives(licenses: Vec<Value>, name: String, seconds: i64) {
    let data = tempfile::tempdir().unwrap();
    let mock = start(data.path());
    let ids = json!({ "license_server_id": VICTIM, "name": name, "operator": name, "reason": name });
    if call(&mock, Method::POST, "/ids", ids).await.0 != StatusCode::CREATED {
        mock.add_id(&VICTIM.parse().unwrap(), &[]).unwrap();
    }
    call(&mock, Method::POST, "/clock/advance", json!({ "seconds": seconds })).await;
    let mut accepted = 0;
    for license in licenses {
        let (status, answer) = call(&mock, Method::POST, "/ids/VICTIM/licenses", license).await;
        assert!(!status.is_server_error(), "{answer}");
        accepted += u64::from(status.is_success());
    }
    let mut server = LicenseServer::with_id(&mock, &VICTIM.parse().unwrap());
    let before = server.synchronize().await.unwrap().allocation;
    assert_eq!(before.revision, accepted);
    assert_eq!(Allocation::from_json(&before.to_json(&Salt::from_random([1; 16]))).as_ref(), Ok(&before));
    let listed = call(&mock, Method::GET, "/ids/VICTIM/licenses", json!({})).await;
    drop(mock);
    let mock = start(data.path());
    assert_eq!(call(&mock, Method::GET, "/ids/VICTIM/licenses", json!({})).await, listed);
    assert_eq!(call(&mock, Method::GET, "/ids", json!({})).await.0, StatusCode::OK);
    assert_eq!(server.moved_to(&mock).synchronize().await.unwrap().allocation, before);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_the_api_accepts_survives(
        licenses in proptest::collection::vec(license(), 1..6),
        name in text(),
        seconds in prop_oneof![Just(0), any::<i64>(), -40_000_000_000..250_000_000_000_i64],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(survives(licenses, name, seconds));
    }
}

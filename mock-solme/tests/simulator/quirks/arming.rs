//! Arming and disarming, by library, admin API, command line and file.

use std::io::Write as _;

use mock_solme::MockSolme;
use mock_solme::quirks::{Fault, Quirk};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::client::{Client, post};
use crate::admin::call;
use crate::program::Served;

#[tokio::test]
async fn the_admin_api_arms_reports_and_disarms() {
    let mock = MockSolme::start();
    let (status, quirks) = call(&mock, Method::GET, "/quirks", json!({})).await;
    assert_eq!((status, quirks.as_array().unwrap().len()), (StatusCode::OK, Quirk::ALL.len()));
    let fault = json!({
        "quirk": "status-503",
        "where": { "operation": "synchronize", "id": "DEMO-4711" },
        "when": { "after": 1, "next": 2, "probability": 1.0, "at_most_in_a_row": 2,
            "from": "1970-01-01T00:00:00Z", "until": "2096-10-02T07:06:40Z" },
        "with": { "retry_after": 30 },
    });
    let (status, armed) = call(&mock, Method::POST, "/quirks/faults", fault.clone()).await;
    assert_eq!((status, &armed["number"], &armed["left"]), (StatusCode::CREATED, &json!(1), &json!(2)));
    for part in ["quirk", "where", "when", "with"] {
        assert_eq!(armed[part], fault[part]);
    }
    let (_, report) = call(&mock, Method::GET, "/quirks/faults", json!({})).await;
    assert_eq!(report, json!([armed]));
    let (_, disarmed) = call(&mock, Method::DELETE, "/quirks/faults/1", json!({})).await;
    assert_eq!(disarmed, json!([armed]));
    let (status, problem) = call(&mock, Method::DELETE, "/quirks/faults/1", json!({})).await;
    assert_eq!((status, &problem["code"]), (StatusCode::NOT_FOUND, &json!("unknown-fault")));
    call(&mock, Method::POST, "/quirks/faults", json!({ "quirk": "redirect" })).await;
    let (_, disarmed) = call(&mock, Method::DELETE, "/quirks/faults", json!({})).await;
    assert_eq!(disarmed[0]["number"], 2);
    assert!(mock.quirks_report().is_empty());
}

#[tokio::test]
async fn the_admin_api_says_what_is_wrong_with_a_fault() {
    let mock = MockSolme::start();
    for (fault, code) in [
        (json!({ "quirk": "drop-the-reply" }), "malformed-call"),
        (json!({ "quirk": "delay", "whem": {} }), "malformed-call"),
        (json!({ "quirk": "delay", "where": { "operation": "file" } }), "malformed-fault"),
        (json!({ "quirk": "tls-other-ca", "where": { "id": "A" } }), "malformed-fault"),
        (json!({ "quirk": "delay", "with": { "retry_after": 1 } }), "malformed-fault"),
        (json!({ "quirk": "receipt-variant" }), "malformed-fault"),
        (json!({ "quirk": "receipt-variant", "with": { "variant": "refusal_no_iss" } }), "malformed-fault"),
        (json!({ "quirk": "receipt-variant", "with": { "variant": "request_no_iss" } }), "malformed-call"),
        (json!({ "quirk": "delay", "with": { "variant": "refusal_no_iss" } }), "malformed-fault"),
        (json!({ "quirk": "another-status" }), "malformed-fault"),
        (json!({ "quirk": "another-status", "with": { "status": 100 } }), "malformed-fault"),
    ] {
        let (status, problem) = call(&mock, Method::POST, "/quirks/faults", fault.clone()).await;
        assert!(status.is_client_error() && problem["code"] == code, "{fault} {problem}");
    }
    assert!(mock.quirks_report().is_empty());
}

#[tokio::test]
async fn the_admin_api_itself_is_honest_and_a_reset_disarms_what_was_armed_since_the_start() {
    let mock = MockSolme::builder().quirks([Fault::new(Quirk::Delay).milliseconds(1)]).start();
    let plain: Vec<_> = Quirk::ALL.iter().filter(|quirk| Fault::new(**quirk).check().is_ok()).collect();
    for quirk in &plain {
        mock.arm(Fault::new(**quirk)).unwrap();
    }
    let (status, report) = call(&mock, Method::GET, "/quirks/faults", json!({})).await;
    assert_eq!((status, report.as_array().unwrap().len()), (StatusCode::OK, plain.len() + 1));
    call(&mock, Method::POST, "/reset", json!({})).await;
    let (_, report) = call(&mock, Method::GET, "/quirks/faults", json!({})).await;
    assert_eq!((report.as_array().unwrap().len(), &report[0]["quirk"]), (1, &json!("delay")));
}

#[test]
fn the_journal_and_the_metrics_name_the_quirk_that_has_fired() {
    let mock = MockSolme::start();
    mock.arm(Fault::new(Quirk::Redirect).next(1)).unwrap();
    post(&mock, &Client::new(&mock).server.request().text);
    let entry = mock.journal().pop().unwrap();
    assert_eq!(
        (entry.quirk, entry.verdict.as_str(), entry.clause.as_str()),
        (Some(Quirk::Redirect), "not-looked-at", "13.5")
    );
    assert_eq!(entry.license_server_id.as_ref(), Some(mock.demo_id()));
    let metrics = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let url = format!("{}/metrics", mock.admin());
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        client.get(url).bearer_auth(mock.admin_token()).send().await.unwrap().text().await.unwrap()
    });
    assert!(metrics.contains("mock_solme_quirks_total{quirk=\"redirect\"} 1"), "{metrics}");
}

#[test]
fn the_command_line_arms_in_the_same_words() {
    let served = Served::start(&["serve"]);
    let list = served.json(&["quirks", "list", "--json"]);
    assert_eq!(list.as_array().unwrap().len(), Quirk::ALL.len());
    let arm = "quirks arm status-503 --operation synchronize --id DEMO-4711 --after 1 --next 2 --probability 0.5 \
               --at-most-in-a-row 2 --from 2027-01-31 --until 2028-01-31T12:00:00Z --retry-after 30 --retry-after-date --json";
    let armed = served.json(&arm.split_whitespace().collect::<Vec<_>>());
    assert_eq!(armed["where"], json!({ "operation": "synchronize", "id": "DEMO-4711" }));
    let when = &armed["when"];
    assert_eq!((&when["after"], &when["next"], &when["probability"]), (&json!(1), &json!(2), &json!(0.5)));
    assert_eq!((&when["at_most_in_a_row"], &when["from"]), (&json!(2), &json!("2027-01-31T00:00:00Z")));
    assert_eq!(armed["with"], json!({ "retry_after": 30, "retry_after_date": true }));
    let variants = served.json(&["quirks", "list", "--variants", "--json"]);
    assert!(variants.as_array().unwrap().iter().any(|row| row["variant"] == "receipt_jws_alg_none"), "{variants}");
    let arm = "quirks arm receipt-variant --variant receipt_jws_alg_none --next 1 --json";
    let variant = served.json(&arm.split_whitespace().collect::<Vec<_>>());
    assert_eq!(variant["with"], json!({ "variant": "receipt_jws_alg_none" }));
    let table = String::from_utf8(served.admin(&["quirks", "report"]).stdout).unwrap();
    assert!(table.contains("status-503") && table.contains("probability=0.5"), "{table}");
    assert_eq!(served.json(&["quirks", "disarm", "--all", "--json"])[0]["number"], 1);
    assert_eq!(served.admin(&["quirks", "disarm", "1"]).status.code(), Some(1));
    assert_eq!(served.admin(&["quirks", "arm", "no-such-quirk"]).status.code(), Some(2));
    assert_eq!(served.json(&["quirks", "trace", "--json"]), json!([]));
}

#[test]
fn a_file_and_a_profile_are_armed_from_the_start() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"[[fault]]\nquirk = \"delay\"\nwhen = { next = 2 }\nwith = { milliseconds = 5 }\n").unwrap();
    let served = Served::start(&["serve", "--quirks", file.path().to_str().unwrap()]);
    let report = served.json(&["quirks", "report", "--json"]);
    assert_eq!((&report[0]["quirk"], &report[0]["left"]), (&json!("delay"), &json!(2)));
    let served = Served::start(&["serve", "--profile", "hostile", "--seed", "7"]);
    let report = served.json(&["quirks", "report", "--json"]);
    let bounded = |fault: &Value| fault["when"]["at_most_in_a_row"] == 2;
    assert!(report.as_array().unwrap().len() > 20 && report.as_array().unwrap().iter().all(bounded));
}

//! What the admin API and the command line take that nobody should send: every operation, by table. After each call an
//! honest License Server of another id is answered, and nothing answers 5xx.

use std::collections::BTreeSet;

use mock_solme::MockSolme;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Map, Value, json};

use crate::license_server::{LicenseServer, Outstanding};
use crate::program::Served;

/// Every operation that takes a body: its members, with a value that is good.
fn operations() -> Vec<(Method, &'static str, Value)> {
    let by = |mut members: Value| {
        members["operator"] = json!("olle");
        members["reason"] = json!("asked");
        members
    };
    let thumbprint = "A".repeat(43);
    let number = "AVIX1-00000-00000-00000-00000-VICTIM1";
    let license = json!({ "number": number, "display": "Line 1", "domain": "cell",
        "components": [{ "id": "AQDreDAZcXJjzgAE", "name": "Base", "max_users": 5 }],
        "valid_from": "2026-01-01T00:00:00Z", "expires_at": "2036-01-01T00:00:00Z", "properties": { "customer": "ACME" } });
    let fault = json!({ "quirk": "status-503", "where": { "operation": "synchronize", "id": "VICTIM" },
        "when": { "after": 1, "next": 1, "probability": 0.5, "at_most_in_a_row": 1,
            "from": "2027-01-01T00:00:00Z", "until": "2028-01-01T00:00:00Z" },
        "with": { "retry_after": 1, "retry_after_date": true } });
    vec![
        (
            Method::POST,
            "/ids",
            by(json!({ "license_server_id": "VICTIM", "name": "ACME", "contacts": ["it@acme.example"] })),
        ),
        (Method::PATCH, "/ids/VICTIM", by(json!({ "name": "ACME", "contacts": ["it@acme.example"] }))),
        (Method::POST, "/ids/VICTIM/disable", by(json!({}))),
        (Method::POST, "/ids/VICTIM/enable", by(json!({}))),
        (Method::POST, "/ids/VICTIM/licenses", by(license.clone())),
        (Method::PATCH, "/ids/VICTIM/licenses/AVIX1-00000-00000-00000-00000-VICTIM1", by(license)),
        (
            Method::POST,
            "/ids/VICTIM/key-pair/clear",
            by(json!({ "thumbprint": thumbprint, "reserve_for": thumbprint })),
        ),
        (Method::POST, "/ids/VICTIM/key-pair/reserve", by(json!({ "reserve_for": thumbprint }))),
        (Method::POST, "/clear-requests/1/approve", by(json!({ "even_so": true, "reserve": true }))),
        (Method::POST, "/clear-requests/1/reject", by(json!({}))),
        (Method::PUT, "/clock", json!({ "now": "2027-01-01T00:00:00Z" })),
        (Method::POST, "/clock/advance", json!({ "seconds": 1 })),
        (Method::POST, "/quirks/faults", fault),
        (Method::DELETE, "/ids/VICTIM/licenses/AVIX1-00000-00000-00000-00000-VICTIM1", by(json!({}))),
        (Method::POST, "/ids/VICTIM/reset", by(json!({}))),
    ]
}

/// What stands in place of a good value, as JSON text: not all of it is JSON.
fn bad_values() -> Vec<String> {
    let long = "x".repeat(70_000);
    let texts =
        ["", " ", "x", &long, "\0", "a\nb", "\u{1b}[31m", "\u{202e}x", "\u{feff}", "ä🦀", "-", "../..", "1e400"];
    let texts = texts.map(|text| json!(text).to_string());
    let others = [
        "null",
        "true",
        "0",
        "-1",
        "1.5",
        "1e400",
        "1e2",
        "9007199254740991",
        "9007199254740992",
        "18446744073709551615",
        "18446744073709551616",
        "-9223372036854775808",
        "-9223372036854775809",
        "253370764801",
        "[]",
        "{}",
        "[null]",
        "[{}]",
        "{\"x\":1,\"x\":2}",
        "[\"x\",1]",
        "\"\\ud800\"",
        "tru",
        "\"",
    ];
    texts.into_iter().chain(others.map(str::to_owned)).collect()
}

/// The body with the value at `path` replaced by what may be no JSON at all.
fn with(body: &Value, path: &[String], value: &str) -> String {
    let mut body = body.clone();
    let place = path.iter().fold(&mut body, |at, part| match part.parse::<usize>() {
        Ok(index) => &mut at[index],
        Err(_) => &mut at[part],
    });
    *place = json!("PLACE");
    body.to_string().replace("\"PLACE\"", value)
}

/// Every place in a body.
fn places(body: &Value, at: &[String], found: &mut Vec<Vec<String>>) {
    let below: Vec<(String, &Value)> = match body {
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(index, value)| (index.to_string(), value)).collect(),
        _ => return,
    };
    for (part, value) in below {
        let path = [at, &[part]].concat();
        found.push(path.clone());
        places(value, &path, found);
    }
}

/// The simulator under attack, and a License Server that must not notice.
struct Stage {
    mock: MockSolme,
    client: Client,
    honest: LicenseServer,
    answered: (Outstanding, String),
    calls: usize,
}

impl Stage {
    async fn new() -> Self {
        let mock = MockSolme::start();
        mock.add_id(&"VICTIM".parse().unwrap(), &["it@acme.example"]).unwrap();
        let honest = LicenseServer::new(&mock);
        let outstanding = honest.request();
        let answer = honest.send(outstanding.text.clone()).await.text().await.unwrap();
        let client = Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
        Self { mock, client, honest, answered: (outstanding, answer), calls: 0 }
    }

    /// Makes a call, and sees that nobody else is harmed by it.
    async fn call(&mut self, method: &Method, path: &str, body: impl Into<Vec<u8>>) -> StatusCode {
        let body: Vec<u8> = body.into();
        let shown = format!("{method} {path} {:.200}", String::from_utf8_lossy(&body));
        let request = self.client.request(method.clone(), format!("{}{path}", self.mock.admin()));
        let response = request.bearer_auth(self.mock.admin_token()).body(body).send().await.unwrap();
        let status = response.status();
        let answer: Value = response.json().await.unwrap_or_default();
        assert!(!status.is_server_error(), "{shown}: {status} {answer}");
        if status.is_client_error() {
            assert!(!answer["detail"].as_str().unwrap_or_default().is_empty(), "{shown}: {answer}");
            assert!(!answer["cure"].as_str().unwrap_or_default().is_empty(), "{shown}: {answer}");
        }
        self.mock.disarm_all();
        let (outstanding, answer) = &self.answered;
        let again = self.honest.send(outstanding.text.clone()).await;
        assert_eq!(again.text().await.unwrap(), *answer, "{shown}: another id is not answered as before");
        let victim = self.mock.record(&"VICTIM".parse().unwrap());
        assert!(victim.is_ok(), "{shown}: {victim:?}");
        self.calls += 1;
        status
    }

    async fn nothing_is_spoilt(mut self) {
        let ids = self.client.get(format!("{}/ids", self.mock.admin())).bearer_auth(self.mock.admin_token());
        assert_eq!(ids.send().await.unwrap().status(), StatusCode::OK);
        self.honest.last_receipt = Some(self.answered.1);
        self.honest.synchronize().await.unwrap();
        let victim = "VICTIM".parse().unwrap();
        self.mock.enable(&victim).unwrap();
        self.client
            .post(format!("{}/ids/VICTIM/reset", self.mock.admin()))
            .bearer_auth(self.mock.admin_token())
            .send()
            .await
            .unwrap();
        LicenseServer::with_id(&self.mock, &victim).synchronize().await.unwrap();
    }
}

#[tokio::test]
async fn no_body_spoils_anything() {
    let mut stage = Stage::new().await;
    for (method, path, good) in operations() {
        let mut found = Vec::new();
        places(&good, &[], &mut found);
        for place in &found {
            for value in bad_values() {
                stage.call(&method, path, with(&good, place, &value)).await;
            }
        }
        let missing = good.as_object().unwrap().keys().map(|name| {
            let mut rest: Map<_, _> = good.as_object().unwrap().clone();
            rest.remove(name);
            Value::Object(rest).to_string()
        });
        for body in missing.chain([r#"{"surprise":1}"#.to_owned(), good.to_string()]) {
            stage.call(&method, path, body).await;
        }
    }
    assert!(stage.calls > 1_500, "{} calls", stage.calls);
    stage.nothing_is_spoilt().await;
}

#[tokio::test]
async fn what_is_no_json_object_is_no_call() {
    let mut stage = Stage::new().await;
    let deep = "[".repeat(100_000);
    let bodies = ["{", "[]", "null", "1", "\"x\"", "{}x", "\u{feff}{}", "{\"a\":", &deep].map(str::as_bytes);
    for (method, path, _) in operations() {
        for body in bodies.iter().copied().chain([&b"\xff\xfe"[..], b"{\"operator\":\"\xff\"}"]) {
            let status = stage.call(&method, path, body).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{path} {:.40}", String::from_utf8_lossy(body));
        }
    }
    stage.nothing_is_spoilt().await;
}

#[tokio::test]
async fn no_path_and_no_query_spoils_anything() {
    let mut stage = Stage::new().await;
    let long = "a".repeat(5_000);
    let parts = ["%00", "%FF", "%2e%2e", "..", "-", "%F0%9F%A6%80", "%E2%80%AE", &long, "%0A", "0", "-1", "x"];
    let numbers = [
        "9007199254740991",
        "9007199254740992",
        "9223372036854775808",
        "18446744073709551615",
        "1e3",
        "99999999999999999999",
    ];
    for part in parts.into_iter().chain(numbers) {
        for path in [
            "/ids/{}",
            "/ids/{}/licenses",
            "/ids/{}/key-pair",
            "/ids/VICTIM/licenses/{}",
            "/clear-requests/{}",
            "/outbox/{}",
            "/quirks/faults/{}",
            "/ids?after={}",
            "/ids?limit={}",
            "/journal?id={}",
            "/journal?before={}",
            "/audit?id={}",
            "/audit?before={}",
            "/audit?limit={}",
            "/clear-requests?before={}",
            "/outbox?limit={}",
            "/{}",
        ] {
            for method in [Method::GET, Method::DELETE] {
                stage.call(&method, &path.replace("{}", part), "{}").await;
            }
        }
        if part.contains("..") || part.contains("%2e") {
            continue; // to climb a path is the client's own doing: /ids/../reset is /reset
        }
        for path in ["/clear-requests/{}/approve", "/clear-requests/{}/reject", "/outbox/{}/hand-on", "/ids/{}/reset"] {
            stage.call(&Method::POST, &path.replace("{}", part), "{}").await;
        }
    }
    stage.nothing_is_spoilt().await;
}

#[test]
fn no_command_line_ends_in_a_panic_or_without_a_word() {
    let served = Served::start(&["serve"]);
    let long = "x".repeat(20_000);
    let values = [
        "",
        " ",
        "-",
        "--",
        "x",
        &long,
        "a\nb",
        "\u{202e}",
        "\u{1b}[31m",
        "9007199254740992",
        "18446744073709551616",
        "-1",
        "1e400",
    ];
    let commands: [&[&str]; 16] = [
        &["ids", "add", "V"],
        &["ids", "show"],
        &["ids", "change", "DEMO-4711", "--name"],
        &["ids", "list", "--limit"],
        &["ids", "disable", "NOBODY", "--reason"],
        &["ids", "add", "W", "--contact"],
        &["licenses", "list"],
        &["licenses", "add", "DEMO-4711", "--component"],
        &["licenses", "add", "NOBODY", "--expires-at"],
        &["key-pair", "clear", "DEMO-4711", "--thumbprint"],
        &["clear-requests", "show"],
        &["outbox", "show"],
        &["clock", "set"],
        &["clock", "advance"],
        &["quirks", "arm"],
        &["quirks", "disarm"],
    ];
    let mut codes = BTreeSet::new();
    for command in commands {
        for value in values {
            let output = served.admin(&[command, &[value]].concat());
            let code = output.status.code().expect("it ends by itself");
            let told = String::from_utf8_lossy(&output.stderr);
            assert!([0, 1, 2].contains(&code), "{command:?} {value:.40?}: {code} {told}");
            assert!(code == 0 || !told.trim().is_empty(), "{command:?} {value:.40?}");
            codes.insert(code);
        }
    }
    assert_eq!(codes, BTreeSet::from([0, 1, 2]));
    let demo = served.json(&["ids", "show", "DEMO-4711", "--json"]);
    assert_eq!(demo["licenses"], 3);
}

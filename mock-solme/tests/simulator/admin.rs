//! The admin API: who may use it, and what it does.

use mock_solme::{MockSolme, api};
use reqwest::header::{HOST, ORIGIN};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::description::{Operation, client, operations};
use crate::license_server::LicenseServer;

/// One call with the token; its status and JSON.
pub(crate) async fn call(mock: &MockSolme, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
    let request = client().request(method, format!("{}{path}", mock.admin())).bearer_auth(mock.admin_token());
    let response = request.json(&body).send().await.unwrap();
    (response.status(), response.json().await.unwrap())
}

async fn done(mock: &MockSolme, method: Method, path: &str, body: Value) -> Value {
    let (status, answer) = call(mock, method, path, body).await;
    assert!(status.is_success(), "{status} {answer}");
    answer
}

#[tokio::test]
async fn nothing_is_done_without_the_token() {
    let mock = MockSolme::start();
    let before = (mock.record(mock.demo_id()).unwrap(), mock.audit().unwrap());
    for Operation { method, path, .. } in operations(&mock).await.into_iter().filter(|operation| operation.needs_token)
    {
        let request = || client().request(method.clone(), format!("{}{path}", mock.admin()));
        let longer = format!("{}x", mock.admin_token());
        let basic = format!("Basic {}", mock.admin_token());
        for (request, code) in [
            (request(), "token-missing"),
            (request().header("Authorization", basic), "token-missing"),
            (request().bearer_auth("x"), "token-wrong"),
            (request().bearer_auth(longer), "token-wrong"),
        ] {
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{method} {path}");
            assert_eq!(response.json::<Value>().await.unwrap()["code"], code, "{method} {path}");
        }
    }
    assert_eq!((mock.record(mock.demo_id()).unwrap(), mock.audit().unwrap()), before);
}

#[tokio::test]
async fn web_pages_of_other_origins_are_refused_even_with_the_token() {
    let mock = MockSolme::start();
    let port = mock.admin().rsplit_once(':').unwrap().1;
    let ids = || client().get(format!("{}/ids", mock.admin())).bearer_auth(mock.admin_token());
    for host in ["evil.example", &format!("evil.example:{port}"), "127.0.0.1", "127.0.0.1:1", "localhost", ":", ""] {
        let response = ids().header(HOST, host).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::MISDIRECTED_REQUEST, "{host}");
    }
    for origin in ["http://evil.example", &format!("http://evil.example:{port}"), "null", "http://127.0.0.1:1"] {
        let response = ids().header(ORIGIN, origin).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{origin}");
    }
    for ours in [format!("127.0.0.1:{port}"), format!("localhost:{port}"), format!("[::1]:{port}")] {
        let response = ids().header(HOST, &ours).header(ORIGIN, format!("http://{ours}")).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{ours}");
    }
}

#[tokio::test]
async fn the_names_and_the_address_that_it_was_told_of_are_its_own() {
    let listeners = mock_solme::Listeners::ephemeral().unwrap();
    let admin = format!("http://{}", listeners.admin.local_addr().unwrap());
    let port = admin.rsplit_once(':').unwrap().1.to_owned();
    let builder = MockSolme::builder().listeners(listeners).public_name("solme").public_name("::7");
    let mock = builder.public_admin("http://mapped.example:99").start();
    assert_eq!(mock.admin(), "http://mapped.example:99");
    assert!(mock.https().starts_with("https://solme:") && mock.trust().https == mock.https());
    let ids = |host: &str| client().get(format!("{admin}/ids")).bearer_auth(mock.admin_token()).header(HOST, host);
    for (host, status) in [
        ("mapped.example:99", 200),
        ("Solme:12345", 200),
        ("solme", 200),
        ("[::7]:1", 200),
        (&format!("127.0.0.1:{port}"), 200),
        ("mapped.example:98", 421),
        ("mapped.example", 421),
        ("solme.evil.example", 421),
        ("127.0.0.1:1", 421),
    ] {
        assert_eq!(ids(host).send().await.unwrap().status(), status, "{host}");
    }
    for (origin, status) in [("http://solme:12345", 200), ("http://solme:1", 403), ("https://solme:12345", 403)] {
        let asked = ids("solme:12345").header(ORIGIN, origin).send().await.unwrap();
        assert_eq!(asked.status(), status, "{origin}");
    }
    let unknown = MockSolme::builder().public_name("https://solme").try_start();
    assert!(unknown.is_err_and(|error| error.to_string().contains("use a host name")));
}

#[tokio::test]
async fn health_needs_no_token_and_metrics_count_verdicts() {
    let mock = MockSolme::start();
    let health = client().get(format!("{}/health", mock.admin())).send().await.unwrap();
    assert_eq!(health.json::<Value>().await.unwrap(), json!({ "status": "ok" }));
    LicenseServer::new(&mock).synchronize().await.unwrap();
    let metrics = client().get(format!("{}/metrics", mock.admin())).bearer_auth(mock.admin_token());
    let text = metrics.send().await.unwrap().text().await.unwrap();
    assert!(text.contains(r#"mock_solme_exchanges_total{carrier="https",verdict="accepted"} 1"#), "{text}");
}

#[tokio::test]
async fn ids_are_added_changed_listed_in_pages_and_disabled() {
    let mock = MockSolme::builder().empty().start();
    for id in ["B", "A", "C"] {
        done(&mock, Method::POST, "/ids", json!({ "license_server_id": id })).await;
    }
    let page = done(&mock, Method::GET, "/ids?after=A&limit=1", json!({})).await;
    assert_eq!(page.as_array().unwrap().len(), 1);
    assert_eq!(page[0]["license_server_id"], "B");
    let (status, problem) = call(&mock, Method::POST, "/ids", json!({ "license_server_id": "A" })).await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("license-server-id-exists")));
    let made_up = done(&mock, Method::POST, "/ids", json!({})).await;
    assert!(made_up["license_server_id"].as_str().unwrap().starts_with("LS-"));

    let contacts = json!({ "name": "ACME", "contacts": ["it@acme.example"] });
    let changed = done(&mock, Method::PATCH, "/ids/A", contacts).await;
    assert_eq!((&changed["name"], &changed["contacts"][0]), (&json!("ACME"), &json!("it@acme.example")));
    let (status, problem) = call(&mock, Method::PATCH, "/ids/A", json!({ "contacts": ["nonsense"] })).await;
    assert_eq!((status.as_u16(), &problem["code"]), (422, &json!("malformed-contact")));

    let disabled = json!({ "operator": "olle", "reason": "unpaid" });
    assert_eq!(done(&mock, Method::POST, "/ids/A/disable", disabled).await["disabled"]["by"], "olle");
    assert_eq!(done(&mock, Method::POST, "/ids/A/enable", json!({})).await["disabled"], Value::Null);
    let audit = done(&mock, Method::GET, "/audit?id=A", json!({})).await;
    let actions: Vec<_> = audit.as_array().unwrap().iter().map(|row| row["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["id-added", "id-changed", "id-disabled", "id-enabled"]);
    assert_eq!((&audit[2]["operator"], &audit[2]["reason"]), (&json!("olle"), &json!("unpaid")));
}

#[tokio::test]
async fn licenses_are_added_changed_and_removed_and_the_rules_are_kept() {
    let mock = MockSolme::builder().empty().start();
    done(&mock, Method::POST, "/ids", json!({ "license_server_id": "A" })).await;
    let added = done(&mock, Method::POST, "/ids/A/licenses", json!({})).await;
    assert_eq!(added["components"], json!([{ "id": solme_sync_protocol::BASE, "name": "Base", "max_users": 5 }]));
    let path = format!("/ids/A/licenses/{}", added["number"].as_str().unwrap());

    let components = json!([{ "name": "base", "max_users": 9 }, { "name": "Ergo SAM", "max_users": 2 }]);
    let change = json!({ "components": components, "display": "Line 1", "expires_at": null });
    let changed = done(&mock, Method::PATCH, &path, change).await;
    assert_eq!(changed["components"][1], json!({ "id": "AQGo7PQrNDFxCfZP", "name": "Ergo SAM", "max_users": 2 }));
    assert_eq!((&changed["display"], &changed["expires_at"]), (&json!("Line 1"), &Value::Null));
    assert_eq!(done(&mock, Method::PATCH, &path, json!({ "display": null })).await["display"], Value::Null);

    for (body, code) in [
        (json!({ "components": [{ "name": "Ergo", "max_users": 1 }] }), "malformed-allocation"),
        (json!({ "components": [{ "name": "Nothing", "max_users": 1 }] }), "unknown-component"),
        (json!({ "domain": " x" }), "malformed-allocation"),
    ] {
        let (status, problem) = call(&mock, Method::PATCH, &path, body).await;
        assert_eq!((status.as_u16(), &problem["code"]), (422, &json!(code)));
    }
    let left = done(&mock, Method::DELETE, &path, json!({})).await;
    assert_eq!((&left["revision"], &left["licenses"]), (&json!(4), &json!([])));
    let (status, problem) = call(&mock, Method::DELETE, &path, json!({})).await;
    assert_eq!((status, &problem["code"]), (StatusCode::NOT_FOUND, &json!("unknown-license")));
}

#[tokio::test]
async fn a_key_pair_is_shown_cleared_and_the_id_reserved() {
    let mock = MockSolme::start();
    let mut old = LicenseServer::new(&mock);
    old.synchronize().await.unwrap();
    let path = "/ids/DEMO-4711/key-pair";
    let thumbprint = json!(old.key.thumbprint());
    assert_eq!(done(&mock, Method::GET, path, json!({})).await["key_thumbprint"], thumbprint);

    let mut new = LicenseServer::new(&mock);
    let reserved = json!(new.key.thumbprint());
    let other = json!({ "thumbprint": reserved });
    assert_eq!(done(&mock, Method::POST, &format!("{path}/clear"), other).await["outcome"], "already-done");
    let clear = json!({ "thumbprint": thumbprint, "reserve_for": reserved, "operator": "olle", "reason": "reinstalled", "even_so": true });
    let cleared = done(&mock, Method::POST, &format!("{path}/clear"), clear).await;
    assert_eq!((&cleared["outcome"], &cleared["key_generation"]), (&json!("cleared"), &json!(2)));

    let mut thief = LicenseServer::new(&mock);
    assert_eq!(thief.synchronize().await.unwrap_err().code, solme_sync_protocol::RefusalCode::KeyPairInUse);
    new.synchronize().await.unwrap();
    let shown = done(&mock, Method::GET, path, json!({})).await;
    assert_eq!((&shown["key_thumbprint"], &shown["key_generation"]), (&reserved, &json!(2)));
    assert_eq!(shown["cleared"][0]["thumbprint"], thumbprint);
    assert_eq!(shown["cleared"][0]["reason"], "reinstalled");
    let (status, problem) = call(&mock, Method::POST, &format!("{path}/reserve"), json!({ "reserve_for": null })).await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("key-pair-in-use")));
}

#[tokio::test]
async fn a_clear_by_telephone_of_a_server_that_synchronized_recently_is_an_override_and_leaves_a_trace() {
    let mock = MockSolme::start();
    LicenseServer::new(&mock).synchronize().await.unwrap();
    let path = "/ids/DEMO-4711/key-pair/clear";
    for (body, code) in [
        (json!({ "reason": "called" }), "needs-even-so"),
        (json!({ "even_so": true }), "needs-reason"),
        (json!({ "even_so": true, "reason": "  " }), "needs-reason"),
    ] {
        let (status, problem) = call(&mock, Method::POST, path, body).await;
        assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!(code)));
    }
    assert!(mock.record(mock.demo_id()).unwrap().bound_thumbprint().is_some());
    let why = json!({ "even_so": true, "operator": "olle", "reason": "called back" });
    assert_eq!(done(&mock, Method::POST, path, why).await["outcome"], "cleared");
    let audit = done(&mock, Method::GET, "/audit?limit=1", json!({})).await;
    assert_eq!((&audit[0]["operator"], &audit[0]["reason"]), (&json!("olle"), &json!("called back")));
    let detail = audit[0]["detail"].as_str().unwrap();
    assert!(detail.starts_with("overridden: the key pair in use synchronized less than 30 days ago, at 2"), "{detail}");

    LicenseServer::new(&mock).synchronize().await.unwrap();
    mock.advance_clock(31 * 86_400).unwrap();
    assert_eq!(done(&mock, Method::POST, path, json!({})).await["outcome"], "cleared", "long silent: no caution");
    let audit = done(&mock, Method::GET, "/audit?limit=1", json!({})).await;
    assert_eq!(audit[0]["detail"], "");
}

#[tokio::test]
async fn an_approval_in_spite_of_cautions_keeps_them_with_who_and_why() {
    let mock = MockSolme::start();
    LicenseServer::new(&mock).synchronize().await.unwrap();
    mock.receive_mail(&crate::mail::mail("stranger@elsewhere.example", "License server id: DEMO-4711")).unwrap();
    let (status, problem) = call(&mock, Method::POST, "/clear-requests/1/approve", json!({ "even_so": true })).await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("needs-reason")));
    let why = json!({ "even_so": true, "operator": "olle", "reason": "called back" });
    let closed = done(&mock, Method::POST, "/clear-requests/1/approve", why).await;
    let overridden: Vec<_> = closed["overridden"].as_array().unwrap().iter().map(|c| &c["caution"]).collect();
    assert_eq!(overridden, ["sender-is-no-contact", "synchronized-recently"]);
    assert_eq!(done(&mock, Method::GET, "/clear-requests/1", json!({})).await["overridden"], closed["overridden"]);
    let audit = done(&mock, Method::GET, "/audit", json!({})).await;
    for action in ["clear-request-approved", "key-pair-cleared"] {
        let row = audit.as_array().unwrap().iter().find(|row| row["action"] == action).unwrap();
        assert_eq!((&row["operator"], &row["reason"]), (&json!("olle"), &json!("called back")));
        let detail = row["detail"].as_str().unwrap();
        assert!(
            detail.contains("the sender is not a registered contact") && detail.contains("30 days ago"),
            "{detail}"
        );
    }
}

#[tokio::test]
async fn an_id_can_be_added_reserved_for_one_key_pair() {
    let mock = MockSolme::builder().empty().start();
    let id = "SITE-1".parse().unwrap();
    let (mut ours, mut thief) = (LicenseServer::with_id(&mock, &id), LicenseServer::with_id(&mock, &id));
    let new = json!({ "license_server_id": "SITE-1", "reserve_for": ours.key.thumbprint() });
    assert_eq!(done(&mock, Method::POST, "/ids", new).await["reserved_for"], json!(ours.key.thumbprint()));
    assert_eq!(thief.synchronize().await.unwrap_err().code, solme_sync_protocol::RefusalCode::KeyPairInUse);
    ours.synchronize().await.unwrap();
    assert_eq!(done(&mock, Method::GET, "/ids/SITE-1", json!({})).await["reserved_for"], Value::Null);
    let audit = mock.audit().unwrap();
    assert_eq!((audit[0].detail.as_str(), audit[0].thumbprint), ("reserved", Some(ours.key.thumbprint())));
    let library = mock.add_id_reserved_for(&"SITE-2".parse().unwrap(), ours.key.thumbprint()).unwrap();
    assert_eq!(library.reserved_for, Some(ours.key.thumbprint()));
}

#[tokio::test]
async fn a_malformed_call_is_a_problem_document_with_a_cure() {
    let mock = MockSolme::start();
    for (method, path, body) in [
        (Method::POST, "/ids", json!({ "license_server_id": "not an id" })),
        (Method::POST, "/ids", json!({ "unknown": 1 })),
        (Method::GET, "/ids/-", json!({})),
        (Method::GET, "/ids?limit=x", json!({})),
        (Method::GET, "/journal?id=-", json!({})),
        (Method::GET, "/clear-requests/x", json!({})),
        (Method::PUT, "/clock", json!({})),
    ] {
        let (status, problem) = call(&mock, method, path, body).await;
        assert_eq!((status, &problem["code"]), (StatusCode::BAD_REQUEST, &json!("malformed-call")), "{path}");
        assert!(!problem["cure"].as_str().unwrap().is_empty());
    }
    let large = client().post(format!("{}/ids", mock.admin())).bearer_auth(mock.admin_token());
    let response = large.body(vec![b' '; (1 << 20) + 1]).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn the_journal_is_listed_by_id_and_from_the_newest() {
    let mock = MockSolme::start();
    let mut server = LicenseServer::new(&mock);
    for _ in 0..3 {
        server.synchronize().await.unwrap();
    }
    LicenseServer::with_id(&mock, &"NOBODY".parse().unwrap()).synchronize().await.unwrap_err();
    let newest = done(&mock, Method::GET, "/journal?limit=1", json!({})).await;
    assert_eq!(newest[0]["verdict"], "unknown-license-server-id");
    let of_one = done(&mock, Method::GET, "/journal?id=DEMO-4711", json!({})).await;
    // A request and a payload each.
    assert_eq!(of_one.as_array().unwrap().len(), 6);
    let before = format!("/journal?before={}&limit=2", of_one[2]["number"]);
    let page = done(&mock, Method::GET, &before, json!({})).await;
    assert_eq!(page.as_array().unwrap().len(), 2);
    assert!(page[1]["number"].as_u64() < of_one[2]["number"].as_u64());
}

#[tokio::test]
async fn one_id_or_everything_is_reset() {
    let mock = MockSolme::start();
    let mut old = LicenseServer::new(&mock);
    old.synchronize().await.unwrap();
    mock.clear_key_pair(mock.demo_id(), mock_solme::Clear::default()).unwrap();
    let mut old = LicenseServer::new(&mock);
    old.synchronize().await.unwrap();
    let before = mock.record(mock.demo_id()).unwrap();
    assert_eq!((before.sequence, before.cleared_key_pairs.len()), (2, 1));
    let allocation = before.allocation;
    done(&mock, Method::POST, "/ids/DEMO-4711/reset", json!({})).await;
    let record = mock.record(mock.demo_id()).unwrap();
    assert_eq!(record.cleared_key_pairs, []);
    assert_eq!((record.sequence, record.bound_thumbprint(), record.allocation), (0, None, allocation));
    LicenseServer::new(&mock).synchronize().await.unwrap();

    mock.add_id(&"OTHER".parse().unwrap(), &[]).unwrap();
    mock.advance_clock(86_400).unwrap();
    let identity = mock.trust().clone();
    done(&mock, Method::POST, "/reset", json!({})).await;
    let ids = done(&mock, Method::GET, "/ids", json!({})).await;
    assert_eq!(ids.as_array().unwrap().len(), 1);
    assert_eq!(done(&mock, Method::GET, "/clock", json!({})).await["offset"], 0);
    assert_eq!(done(&mock, Method::GET, "/journal", json!({})).await, json!([]));
    let trust = done(&mock, Method::GET, "/trust-file", json!({})).await;
    assert_eq!(trust["main_server_id"], json!(identity.main_server_id));
    LicenseServer::new(&mock).synchronize().await.unwrap();
}

/// The answer as JSON, after a detour through its type.
fn through<T: serde::Serialize + serde::de::DeserializeOwned>(answer: &Value) -> Value {
    serde_json::to_value(serde_json::from_value::<T>(answer.clone()).unwrap()).unwrap()
}

#[tokio::test]
async fn every_answer_is_of_the_type_that_the_library_names() {
    let mock = MockSolme::start();
    LicenseServer::new(&mock).synchronize().await.unwrap();
    let text = "Please clear DEMO-4711.";
    mock.receive_mail(&crate::mail::mail("it@customer.example", text)).unwrap();
    type Call = (Method, &'static str, Value, fn(&Value) -> Value);
    let types: [Call; 16] = [
        (Method::GET, "/ids", json!({}), through::<Vec<api::ListedId>>),
        (Method::GET, "/ids/DEMO-4711", json!({}), through::<api::Id>),
        (Method::GET, "/ids/DEMO-4711/licenses", json!({}), through::<api::Licenses>),
        (Method::POST, "/ids/DEMO-4711/licenses", json!({ "expires_at": null }), through::<api::License>),
        (Method::GET, "/ids/DEMO-4711/key-pair", json!({}), through::<api::KeyPair>),
        (Method::GET, "/clear-requests", json!({}), through::<Vec<api::ClearRequest>>),
        (Method::GET, "/outbox", json!({}), through::<Vec<api::NumberedMail>>),
        (Method::GET, "/clock", json!({}), through::<api::ClockReading>),
        (Method::GET, "/quirks", json!({}), through::<Vec<api::CataloguedQuirk>>),
        (Method::GET, "/quirks/variants", json!({}), through::<Vec<api::CataloguedVariant>>),
        (
            Method::POST,
            "/quirks/faults",
            json!({ "quirk": "delay", "when": { "next": 1 } }),
            through::<api::FaultReport>,
        ),
        (Method::GET, "/quirks/trace", json!({}), through::<Vec<api::TraceEntry>>),
        (Method::GET, "/journal", json!({}), through::<Vec<api::JournalEntry>>),
        (Method::GET, "/audit", json!({}), through::<Vec<api::AuditEntry>>),
        (
            Method::POST,
            "/clear-requests/1/approve",
            json!({ "even_so": true, "reason": "x" }),
            through::<api::ClearRequest>,
        ),
        (Method::POST, "/reset", json!({}), through::<api::Reset>),
    ];
    for (method, path, body, through) in types {
        let answer = done(&mock, method, path, body).await;
        assert_ne!(answer, json!([]), "{path}");
        assert_eq!(through(&answer), answer, "{path}");
    }
}

//! What the console asks of the admin API, and what anybody gets of it.

use mock_solme::{Listeners, MockSolme, api};
use reqwest::header::{HOST, ORIGIN};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use crate::admin::call;
use crate::license_server::LicenseServer;

const FILES: [&str; 11] = [
    "/",
    "/console.css",
    "/console.js",
    "/kit.js",
    "/ids.js",
    "/journal.js",
    "/mails.js",
    "/quirks.js",
    "/run.js",
    "/house.css",
    "/house.js",
];

fn client() -> Client {
    Client::builder().no_proxy().tls_certs_only([]).build().unwrap()
}

async fn get(mock: &MockSolme, path: &str) -> Value {
    let (status, answer) = call(mock, Method::GET, path, json!({})).await;
    assert!(status.is_success(), "{path} {status} {answer}");
    answer
}

#[tokio::test]
async fn the_page_holds_no_data_and_lets_nothing_in_from_elsewhere() {
    let mock = MockSolme::start();
    for path in FILES {
        let ask = || client().get(format!("{}{path}", mock.admin()));
        let response = ask().send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        let text = response.text().await.unwrap();
        assert!(!text.contains(mock.admin_token()) && !text.contains(mock.demo_id().as_str()), "{path}");
        assert!(!text.contains("<script>") && !text.contains("style=") && !text.contains("onclick"), "{path}");
        for (name, value, status) in [
            (ORIGIN, "http://evil.example", StatusCode::FORBIDDEN),
            (HOST, "evil.example", StatusCode::MISDIRECTED_REQUEST),
        ] {
            assert_eq!(ask().header(name, value).send().await.unwrap().status(), status, "{path}");
        }
    }
}

#[tokio::test]
async fn a_page_that_waits_is_told_by_its_program_alone_that_it_is_back() {
    let mock = MockSolme::start();
    let port = mock.admin().rsplit_once(':').unwrap().1;
    let ask = |host: String| client().get(format!("{}/proof?nonce=AAAA", mock.admin())).header(HOST, host).send();
    let proof = ask(format!("localhost:{port}")).await.unwrap().text().await.unwrap();
    assert_eq!(Some(proof), solme_sync_pages::proof(mock.admin_token(), port.parse().unwrap(), "AAAA"));

    let listeners = Listeners::ephemeral().unwrap();
    let listener = listeners.admin.local_addr().unwrap();
    let mapped = MockSolme::builder().listeners(listeners).public_name("solme.example");
    let mapped = mapped.public_admin("http://solme.example:31500").start();
    let ask = |host: &str| client().get(format!("http://{listener}/proof?nonce=AAAA")).header(HOST, host).send();
    let proof = ask("solme.example:31500").await.unwrap().text().await.unwrap();
    assert_eq!(Some(proof), solme_sync_pages::proof(mapped.admin_token(), 31500, "AAAA"));
    let elsewhere = ask("solme.example:31501").await.unwrap();
    assert_eq!(elsewhere.status(), StatusCode::MISDIRECTED_REQUEST, "somebody else may listen there");
}

#[tokio::test]
async fn ids_are_found_by_their_beginning_and_paged_by_key() {
    let mock = MockSolme::builder().empty().start();
    for id in ["A-1", "SITE", "SITE-1", "SITE-2", "SITE_3", "SITF-1", "site-9"] {
        mock.add_id(&id.parse().unwrap(), &[]).unwrap();
    }
    let found = async |query: &str| {
        let ids: Vec<api::ListedId> = serde_json::from_value(get(&mock, &format!("/ids?{query}")).await).unwrap();
        let id = |id: api::ListedId| match id {
            api::ListedId::Sound(id) => id.license_server_id.to_string(),
            api::ListedId::Damaged { license_server_id, .. } => license_server_id,
        };
        ids.into_iter().map(id).collect::<Vec<_>>()
    };
    assert_eq!(found("begins_with=SITE").await, ["SITE", "SITE-1", "SITE-2", "SITE_3"]);
    assert_eq!(found("begins_with=SITE&after=SITE-1&limit=1").await, ["SITE-2"]);
    assert_eq!(found("begins_with=SITE-2").await, ["SITE-2"]);
    assert_eq!(found("begins_with=%25").await, Vec::<String>::new());
    assert_eq!(found("").await.len(), 7);
}

#[tokio::test]
async fn an_exchange_is_decoded_with_whose_key_verified_why_and_how_to_repeat_it() {
    let mock = MockSolme::start();
    LicenseServer::new(&mock).synchronize().await.unwrap();
    let _ = LicenseServer::new(&mock).synchronize().await;
    let journal = get(&mock, "/journal?verdict=refused&brief=true").await;
    let refused = &journal[0];
    assert_eq!((refused["verdict"].as_str(), refused["request"].as_str()), (Some("key-pair-in-use"), Some("")));
    let exchange: api::Exchange =
        serde_json::from_value(get(&mock, &format!("/journal/{}", refused["number"])).await).unwrap();
    assert!(exchange.why.starts_with("key-pair-in-use: ") && exchange.why.ends_with("(P 9.9)"), "{}", exchange.why);
    assert!(exchange.clause_text.contains("key-pair-in-use"));
    assert_eq!(exchange.key_pair.as_deref(), Some("not the key pair in use"));
    let (request, refusal) = (exchange.request_message.unwrap(), exchange.answer_message.unwrap());
    assert_eq!((request.kind.as_str(), refusal.kind.as_str()), ("request", "refusal"));
    assert_eq!(request.signature.key_thumbprint, exchange.entry.thumbprint);
    assert_eq!(Some(request.digest), exchange.entry.request_digest);
    assert_eq!((&request.signature.flaw, &refusal.signature.flaw), (&None, &None));
    assert_eq!(refusal.payload["code"], "key-pair-in-use");
    let curl = exchange.repeat.curl.unwrap();
    assert!(curl.contains(&exchange.entry.request) && curl.contains(mock.https()), "{curl}");
    assert_eq!(exchange.repeat.license_server.as_deref(), Some("license-server --state DIR synchronize"));
    assert_eq!(call(&mock, Method::GET, "/journal/999", json!({})).await.1["code"], "unknown-exchange");
}

#[tokio::test]
async fn an_open_console_hears_exchanges_and_changes_as_they_happen() {
    let mock = MockSolme::start();
    let live = client().get(format!("{}/live", mock.admin())).bearer_auth(mock.admin_token());
    let mut live = live.send().await.unwrap();
    LicenseServer::new(&mock).synchronize().await.unwrap();
    call(&mock, Method::POST, "/clock/advance", json!({ "seconds": 1 })).await;
    let mut heard = String::new();
    while !heard.contains("/clock/advance") {
        heard.push_str(std::str::from_utf8(&live.chunk().await.unwrap().unwrap()).unwrap());
    }
    assert!(heard.contains("event: exchange") && heard.contains(r#""verdict":"accepted""#), "{heard}");
    assert!(heard.contains(r#""request":"""#), "the bytes stay where they are: {heard}");
    assert!(heard.contains("event: changed"), "{heard}");
}

#[tokio::test]
async fn the_settings_of_a_run_hold_no_secret() {
    let mock = MockSolme::builder().seed(7).rate_limit(3).start();
    let text = get(&mock, "/settings").await;
    assert!(!text.to_string().contains(mock.admin_token()));
    let run: api::RunSettings = serde_json::from_value(text).unwrap();
    assert_eq!((run.seed, run.rate_limit, run.data), (7, Some(3), None));
    assert_eq!((run.https.as_str(), run.trust_file.as_path()), (mock.https(), mock.trust_file()));
}

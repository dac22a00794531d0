//! The description of the admin API. That its answers are as described is seen by packages/openapi/check.sh.

use mock_solme::MockSolme;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use crate::admin::call;

/// An operation of the description, with a path that names something.
pub(crate) struct Operation {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) needs_token: bool,
}

pub(crate) fn client() -> Client {
    Client::builder().no_proxy().tls_certs_only([]).build().unwrap()
}

/// The description, got without a token.
pub(crate) async fn description(mock: &MockSolme) -> Value {
    client().get(format!("{}/openapi.json", mock.admin())).send().await.unwrap().json().await.unwrap()
}

pub(crate) async fn operations(mock: &MockSolme) -> Vec<Operation> {
    let description = description(mock).await;
    let mut operations = Vec::new();
    for (path, methods) in description["paths"].as_object().unwrap() {
        let number = if path.contains("/licenses/") { "AVIX1-00000-00000-00000-00000-DEMO001" } else { "1" };
        let path = path.replace("{id}", "DEMO-4711").replace("{number}", number);
        for (method, operation) in methods.as_object().unwrap() {
            let method = method.to_ascii_uppercase().parse().unwrap();
            let needs_token = operation["security"] != json!([]);
            operations.push(Operation { method, path: path.clone(), needs_token });
        }
    }
    assert!(operations.len() > 40, "{}", operations.len());
    operations
}

#[tokio::test]
async fn what_is_described_is_there_and_nothing_else() {
    let mock = MockSolme::start();
    let operations = operations(&mock).await;
    for path in operations.iter().map(|operation| &operation.path) {
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let described = operations.iter().find(|operation| operation.path == *path && operation.method == method);
            let request = client().request(method.clone(), format!("{}{path}", mock.admin()));
            let (request, expected) = match described {
                Some(operation) if operation.needs_token => (request, StatusCode::UNAUTHORIZED),
                Some(_) => (request, StatusCode::OK),
                None => (request.bearer_auth(mock.admin_token()), StatusCode::METHOD_NOT_ALLOWED),
            };
            assert_eq!(request.send().await.unwrap().status(), expected, "{method} {path}");
        }
    }
    let table = include_str!("../../src/admin/router.rs");
    assert!(!table.contains(".route("), "a route that is not in the table is not in the description");
}

#[tokio::test]
async fn requests_refuse_what_they_do_not_know_and_answers_have_all_their_members() {
    let mock = MockSolme::start();
    let description = description(&mock).await;
    assert_eq!((&description["openapi"], &description["info"]["version"]), (&"3.1.0".into(), &"0.1.0".into()));
    let request =
        |path: &str| &description["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"];
    assert_eq!(request("/ids")["additionalProperties"], false);
    assert_eq!(request("/ids/{id}/licenses")["properties"]["display"]["type"], json!(["string", "null"]));
    let schemas = &description["components"]["schemas"];
    let required = |name: &str| schemas[name]["required"].as_array().unwrap().len();
    for name in ["Id", "JournalEntry", "ClearRequest", "FaultReport", "RunSettings"] {
        assert_eq!(required(name), schemas[name]["properties"].as_object().unwrap().len(), "{name}");
    }
    assert_eq!(schemas["Fault"]["properties"]["quirk"]["$ref"], "#/components/schemas/Quirk");
    assert!(schemas["Quirk"]["enum"].as_array().unwrap().contains(&"drop-reply".into()));
}

#[tokio::test]
async fn an_array_of_its_members_is_no_object() {
    let mock = MockSolme::start();
    let license = json!({ "components": [["AQDreDAZcXJjzgAE", "Base", 5]] });
    for (path, body) in [
        ("/quirks/faults", json!({ "quirk": "delay", "where": [null, null] })),
        ("/quirks/faults", json!({ "quirk": "delay", "with": [100] })),
        ("/ids/DEMO-4711/licenses", license),
    ] {
        let (status, problem) = call(&mock, Method::POST, path, body).await;
        assert_eq!((status, &problem["code"]), (StatusCode::BAD_REQUEST, &"malformed-call".into()), "{problem}");
    }
    assert!(mock.quirks_report().is_empty());
}

//! Exchanges over HTTP as browsers' developer tools read them: HAR 1.2.

use std::borrow::Cow;
use std::sync::Arc;

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};
use solme_sync_protocol::{Digest, Problem, RefusalCode};

use crate::admin::exchange::parts;
use crate::main_server::{Carrier, JournalEntry};

/// The content type of a payload.
const BINARY: &str = "application/octet-stream";

/// A log, to those who read the description.
pub(in crate::admin) enum Har {}

impl JsonSchema for Har {
    fn schema_name() -> Cow<'static, str> {
        "Har".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object", "required": ["log"], "description": "HAR 1.2, an HTTP archive.",
            "properties": { "log": { "type": "object", "required": ["version", "creator", "entries"] } } })
    }
}

/// Where License Servers reach the two roles.
pub(super) struct Addresses<'a> {
    pub(super) https: &'a str,
    pub(super) http: &'a str,
}

/// The log of these exchanges. `payload` gives the bytes that a name of the 8080 role has now.
pub(super) fn har(entries: &[JournalEntry], at: &Addresses<'_>, payload: impl Fn(&str) -> Option<Arc<[u8]>>) -> Value {
    let over_http = entries.iter().filter(|entry| entry.carrier != Carrier::File);
    let entries: Vec<Value> = over_http.map(|exchange| entry(exchange, at, &payload)).collect();
    json!({ "log": {
        "version": "1.2",
        "creator": { "name": "mock-solme", "version": env!("CARGO_PKG_VERSION") },
        "comment": "From the journal of mock-solme: times are main server time, and of the headers it has what the \
                    protocol says of them. What travelled by file is not HTTP, and left out.",
        "entries": entries,
    } })
}

fn entry(exchange: &JournalEntry, at: &Addresses<'_>, payload: impl Fn(&str) -> Option<Arc<[u8]>>) -> Value {
    let milliseconds = exchange.took_us.unwrap_or_default() as f64 / 1_000.0;
    let answer = answer(exchange, payload);
    json!({
        "startedDateTime": exchange.at.to_string(),
        "time": milliseconds,
        "request": request(exchange, at),
        "response": answer.into_response(),
        "cache": {},
        "timings": { "send": 0, "wait": milliseconds, "receive": 0 },
        "comment": format!("{} (P {}) {}", exchange.verdict, exchange.clause, exchange.detail).trim_end(),
        "_number": exchange.number,
        "_license_server_id": exchange.license_server_id,
        "_quirk": exchange.quirk,
    })
}

fn request(exchange: &JournalEntry, at: &Addresses<'_>) -> Value {
    let sent = exchange.request.as_str();
    let (method, url) = match exchange.carrier {
        Carrier::Http => ("GET", format!("{}/payloads/{sent}", at.http)),
        _ if sent == "GET /health" => ("GET", format!("{}/health", at.https)),
        _ => ("POST", format!("{}/synchronize", at.https)),
    };
    let mut request = json!({
        "method": method, "url": url, "httpVersion": "HTTP/1.1", "cookies": [], "headers": [], "queryString": [],
        "headersSize": -1, "bodySize": 0,
    });
    if method == "POST" {
        request["bodySize"] = sent.len().into();
        request["postData"] = json!({ "mimeType": "application/jose", "params": [], "text": sent });
    }
    request
}

/// What was answered, as far as the journal knows.
#[derive(Default)]
struct Answer {
    /// 0 if there was none.
    status: u16,
    content_type: &'static str,
    body: Vec<u8>,
    /// What is not as it was on the wire.
    comment: String,
}

impl Answer {
    fn of(status: u16, content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, content_type, body: body.into(), comment: String::new() }
    }

    fn problem(problem: &Problem) -> Self {
        let body = serde_json::to_vec(problem).expect("a problem document has no failing serializers");
        Self::of(problem.status, "application/problem+json", body)
    }

    fn into_response(self) -> Value {
        let Self { status, content_type, body, comment } = self;
        let header = |name: &str, value: &str| json!({ "name": name, "value": value });
        let headers = match status {
            0 => json!([]),
            _ => json!([header("Content-Type", content_type), header("Cache-Control", "no-store")]),
        };
        let mut content = json!({ "size": body.len(), "mimeType": content_type });
        if content_type == BINARY {
            content["text"] = STANDARD.encode(&body).into();
            content["encoding"] = "base64".into();
        } else if !body.is_empty() {
            content["text"] = String::from_utf8_lossy(&body).into();
        }
        let status_text = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("");
        json!({
            "status": status, "statusText": status_text, "httpVersion": "HTTP/1.1", "cookies": [], "headers": headers,
            "bodySize": content["size"], "content": content, "redirectURL": "", "headersSize": -1, "comment": comment,
        })
    }
}

fn answer(exchange: &JournalEntry, payload: impl Fn(&str) -> Option<Arc<[u8]>>) -> Answer {
    let mut answer = decided(exchange, payload);
    if let Some(quirk) = exchange.quirk {
        answer.comment = match exchange.verdict.as_str() {
            "not-looked-at" | "no-exchange" => {
                let status = quirk.as_str().strip_prefix("status-").and_then(|status| status.parse().ok());
                answer.status = status.unwrap_or_default();
                format!("The quirk {quirk} came instead of an answer: {}", quirk.about())
            }
            _ => format!("The quirk {quirk} was in this exchange: {}", quirk.about()),
        };
    }
    answer
}

/// What the main server answered, before anything happened to it on its way.
fn decided(exchange: &JournalEntry, payload: impl Fn(&str) -> Option<Arc<[u8]>>) -> Answer {
    match exchange.verdict.as_str() {
        "accepted" | "answered-again" => Answer::of(200, "application/jose", exchange.answer.as_str()),
        "healthy" => Answer {
            comment: "The journal does not have the body.".to_owned(),
            ..Answer::of(200, "application/json", "")
        },
        "payload" => match payload(&exchange.request).filter(|bytes| is_answer(exchange, bytes)) {
            Some(bytes) => Answer::of(200, BINARY, &*bytes),
            None => Answer {
                comment: format!("{}; it is not kept any more.", exchange.answer),
                ..Answer::of(200, BINARY, "")
            },
        },
        "not-looked-at" | "no-exchange" => Answer::default(),
        code => refused(exchange, code),
    }
}

/// Whether these bytes are what the journal says that was sent.
fn is_answer(exchange: &JournalEntry, payload: &[u8]) -> bool {
    exchange.answer == format!("{} bytes, digest {}", payload.len(), Digest::of(payload))
}

/// The problem document around a signed refusal says what the refusal says (P 13.6).
fn refused(exchange: &JournalEntry, code: &str) -> Answer {
    let refusal = RefusalCode::ALL.iter().copied().find(|refusal| refusal.as_str() == code);
    let (_, payload) = parts(&exchange.answer).unwrap_or_default();
    let says = |member: &str| payload[member].as_str().unwrap_or_default().to_owned();
    if let Some(code) = refusal {
        return Answer::problem(&Problem::carrying(code, says("text"), says("cure"), exchange.answer.clone()));
    }
    let status = match code {
        "request-too-large" => 413,
        "no-such-payload" => 404,
        _ => 400,
    };
    let comment = format!("{code}: {}", exchange.detail);
    Answer { comment, ..Answer::of(status, "application/problem+json", "") }
}

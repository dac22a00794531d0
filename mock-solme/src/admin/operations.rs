//! What concerns the simulator as a whole.

use std::sync::{Arc, LazyLock};

use axum::Json as Out;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use serde_json::Value;
use solme_sync_protocol::limits;

use super::Admin;
use super::api::{Health, Reset, RoleAddresses, RunSettings};
use super::description::{self, OpenMetrics, Raw};
use super::extract::Json;
use crate::form;
use crate::http::body;
use crate::http::problem::{self, ProblemResponse};

/// Says `accepted`, or the code of the refusal, beside a response file.
pub(crate) const OUTCOME: HeaderName = HeaderName::from_static("mock-solme-outcome");

/// Needs no token: says nothing but that the simulator lives.
pub(super) async fn health() -> Out<Health> {
    Out(Health { status: "ok".to_owned() })
}

/// Needs no token: says what everybody can read in the sources.
pub(super) async fn openapi() -> Raw<Value> {
    static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| description::openapi().to_string().into());
    Raw::new(DOCUMENT.clone())
}

pub(super) async fn metrics(State(admin): State<Admin>) -> Result<Raw<OpenMetrics>, ProblemResponse> {
    admin.main_server.metrics.encode().map(Raw::new).map_err(|_| problem::failed())
}

pub(super) async fn trust_file(State(admin): State<Admin>) -> Raw<form::TrustFile> {
    Raw::new(admin.front.trust_file().to_json())
}

/// The trust file for other addresses. The certificate is good for them from then on, until the simulator ends.
pub(super) async fn trust_file_for(
    State(admin): State<Admin>,
    Json(at): Json<RoleAddresses>,
) -> Result<Raw<form::TrustFile>, ProblemResponse> {
    let front = Arc::clone(&admin.front);
    let trust = admin.act(move |_| front.trust_file_for(at.https.as_deref(), at.http.as_deref())).await?;
    Ok(Raw::new(trust.to_json()))
}

/// A request file comes in, its response file goes out (P 14).
pub(super) async fn process_request(
    State(admin): State<Admin>,
    body: Body,
) -> Result<([(HeaderName, HeaderValue); 1], Raw<form::ResponseFile>), ProblemResponse> {
    let file = body::read(body, limits::FILE).await.map_err(|_| problem::broken_body())?;
    let response = admin.act(move |main_server| main_server.process_request_file(&file)).await?;
    let outcome = HeaderValue::from_str(&response.outcome).map_err(|_| problem::failed())?;
    Ok(([(OUTCOME, outcome)], Raw::new(response.bytes)))
}

/// What this run was told at its start.
pub(super) async fn settings(State(admin): State<Admin>) -> Out<RunSettings> {
    Out(RunSettings::clone(&admin.run))
}

/// A layer: open consoles are told what has changed.
pub(super) async fn tell(State(admin): State<Admin>, request: Request, next: Next) -> Response {
    let changed = (!request.method().is_safe()).then(|| request.uri().path().to_owned());
    let response = next.run(request).await;
    if let Some(path) = changed.filter(|_| response.status().is_success()) {
        admin.main_server.feed.send("changed", &path);
    }
    response
}

pub(super) async fn reset(State(admin): State<Admin>) -> Result<Out<Reset>, ProblemResponse> {
    admin.act(crate::demo::reset).await?;
    Ok(Out(Reset { reset: true }))
}

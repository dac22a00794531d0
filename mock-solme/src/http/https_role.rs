//! The 443 role (P 13.2): a request, and its receipt or refusal.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, OriginalUri, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::map_response;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use solme_sync_protocol::limits;
use tokio::task::spawn_blocking;

use super::{body, head_of, health, no_store, outgoing, problem};
use crate::main_server::{Answer, Carrier, MainServer, Outgoing};
use crate::quirks::carrier::WireControl;

pub(crate) fn router(main_server: Arc<MainServer>) -> Router {
    Router::new()
        .route("/synchronize", post(synchronize))
        .route("/health", get(health::health))
        .fallback(problem::no_such_path)
        .method_not_allowed_fallback(problem::no_such_method)
        .layer(map_response(no_store))
        .layer(map_response(head_of(Arc::clone(&main_server), Carrier::Https)))
        .with_state(main_server)
}

async fn synchronize(
    State(main_server): State<Arc<MainServer>>,
    Extension(wire): Extension<WireControl>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Ok(request) = body::read(body, limits::REQUEST).await else { return problem::broken_body().into_response() };
    let judgements = judge(&headers);
    let now = main_server.now();
    // On tasks of their own: they go on when the client is gone.
    let answered = match main_server.quirks_are_armed() {
        true => spawn_blocking(move || main_server.answer(&request, Carrier::Https, judgements)).await,
        false => tokio::spawn(main_server.answer_beside(request, Carrier::Https, judgements)).await,
    };
    let Ok(Outgoing { answer, quirk }) = answered else { return problem::failed().into_response() };
    outgoing(answer.map(Answer::into_response), quirk, &uri, now, &wire).await
}

/// What the carrier can see of the client's mistakes. They go into the journal; the request is answered all the same.
fn judge(headers: &HeaderMap) -> Vec<String> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let without_parameters = content_type.split(';').next().unwrap_or_default().trim();
    let jose = without_parameters.eq_ignore_ascii_case("application/jose");
    if jose { Vec::new() } else { vec!["Content-Type is not application/jose: violates 13.2".to_owned()] }
}

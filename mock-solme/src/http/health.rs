//! `GET /health` on either role (P 13.9): the main server is there, and what time it has.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, OriginalUri, State};
use axum::response::{IntoResponse as _, Response};
use tokio::task::spawn_blocking;

use super::problem;
use super::quirky::{self, WireControl};
use crate::main_server::{Carrier, MainServer, Outgoing};

/// On the 443 role.
pub(super) async fn over_https(
    State(main_server): State<Arc<MainServer>>,
    Extension(wire): Extension<WireControl>,
    OriginalUri(uri): OriginalUri,
) -> Response {
    health(main_server, Carrier::Https, wire, uri).await
}

/// On the 8080 role.
pub(super) async fn over_http(
    State(main_server): State<Arc<MainServer>>,
    Extension(wire): Extension<WireControl>,
    OriginalUri(uri): OriginalUri,
) -> Response {
    health(main_server, Carrier::Http, wire, uri).await
}

async fn health(main_server: Arc<MainServer>, carrier: Carrier, wire: WireControl, uri: axum::http::Uri) -> Response {
    let now = main_server.now();
    let answered = spawn_blocking(move || main_server.health(carrier)).await;
    let Ok(Outgoing { answer, quirk }) = answered else { return problem::failed().into_response() };
    match (answer.map(Json), quirk) {
        (Some(health), None) => health.into_response(),
        (Some(health), Some(fired)) => quirky::damaged(fired, health.into_response(), &wire).await,
        (None, Some(fired)) => quirky::instead(fired, &uri, now, &wire),
        (None, None) => problem::failed().into_response(),
    }
}

//! `GET /health` on the 443 role (P 13.9): the main server is there, and what time it has.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, OriginalUri, State};
use axum::response::{IntoResponse as _, Response};
use tokio::task::spawn_blocking;

use super::{outgoing, problem};
use crate::main_server::{MainServer, Outgoing};
use crate::quirks::carrier::WireControl;

/// The answer, or what a quirk makes of it.
pub(super) async fn health(
    State(main_server): State<Arc<MainServer>>,
    Extension(wire): Extension<WireControl>,
    OriginalUri(uri): OriginalUri,
) -> Response {
    let now = main_server.now();
    let answered = spawn_blocking(move || main_server.health()).await;
    let Ok(Outgoing { answer, quirk }) = answered else { return problem::failed().into_response() };
    outgoing(answer.map(|health| Json(health).into_response()), quirk, &uri, now, &wire).await
}

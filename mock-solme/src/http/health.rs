//! `GET /health` on the 443 role (P 13.9): the main server is there, and what time it has.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, OriginalUri, State};
use axum::response::{IntoResponse as _, Response};

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
    problem::in_turn().await;
    let Outgoing { answer, quirk } = main_server.health();
    outgoing(answer.map(|health| Json(health).into_response()), quirk, &uri, now, &wire).await
}

//! The 8080 role (P 13.4): sealed payloads, by their opaque names.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Extension, OriginalUri, Path, State};
use axum::http::StatusCode;
use axum::http::header::{ACCEPT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, RANGE};
use axum::middleware::map_response;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use solme_sync_protocol::PayloadName;
use tokio::task::spawn_blocking;

use super::problem::{self, ProblemResponse};
use super::{head_of, no_store, outgoing};
use crate::main_server::{Carrier, MainServer, Outgoing};
use crate::quirks::carrier::WireControl;

pub(crate) fn router(main_server: Arc<MainServer>) -> Router {
    Router::new()
        .route("/payloads/{payload_name}", get(payload))
        .fallback(problem::no_such_path)
        .method_not_allowed_fallback(problem::no_such_method)
        .layer(map_response(no_store))
        .layer(map_response(head_of(Arc::clone(&main_server), Carrier::Http)))
        .with_state(main_server)
}

async fn payload(
    State(main_server): State<Arc<MainServer>>,
    Extension(wire): Extension<WireControl>,
    OriginalUri(uri): OriginalUri,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    let Ok(name) = name.parse::<PayloadName>() else {
        problem::in_turn().await;
        return no_such_payload().into_response();
    };
    let judgements = judge(&headers);
    let now = main_server.now();
    let answered = match main_server.has_large_payload(&name) {
        Ok(true) => spawn_blocking(move || main_server.payload(&name, judgements)).await,
        Ok(false) => Ok(main_server.payload(&name, judgements)),
        Err(error) => Ok(Err(error)),
    };
    let Outgoing { answer, quirk } = match answered {
        Ok(Ok(outgoing)) => outgoing,
        Ok(Err(error)) => {
            tracing::error!(%error, "a payload could not be read");
            return problem::failed().into_response();
        }
        Err(_) => return problem::failed().into_response(),
    };
    if let Some(None) = answer {
        problem::in_turn().await;
    }
    outgoing(answer.map(found), quirk, &uri, now, &wire).await
}

fn found(payload: Option<Arc<[u8]>>) -> Response {
    let Some(payload) = payload else { return no_such_payload().into_response() };
    ([(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"))], Bytes::from_owner(payload)).into_response()
}

fn no_such_payload() -> ProblemResponse {
    let detail = "There is no such payload: only the one of the newest receipt of each license server id is kept.";
    ProblemResponse::new(StatusCode::NOT_FOUND, "no-such-payload", detail, "Send the same request again, once.")
}

/// P 13.5, as far as this port can see it.
fn judge(headers: &HeaderMap) -> Vec<String> {
    let encoding = headers.get(ACCEPT_ENCODING).is_some_and(|value| value != "identity");
    [(headers.contains_key(RANGE), "asked for a range"), (encoding, "accepts a content encoding")]
        .into_iter()
        .filter(|(violated, _)| *violated)
        .map(|(_, what)| format!("{what}: violates 13.5"))
        .collect()
}

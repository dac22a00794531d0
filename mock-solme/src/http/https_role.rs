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
use crate::main_server::{Answer, Carrier, MainServer, Outgoing, Turn};
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
    let turn = turn(&main_server, &request).await;
    // On tasks of their own: they go on when the client is gone.
    let answered = match (turn, main_server.quirks_are_armed()) {
        (None, _) => spawn_blocking(move || main_server.turn_away(&request, Carrier::Https, judgements)).await,
        (Some(turn), true) => {
            spawn_blocking(move || turn.ends_with(main_server.answer(&request, Carrier::Https, judgements))).await
        }
        (Some(turn), false) => {
            let answer = main_server.answer_beside(request, Carrier::Https, judgements);
            tokio::spawn(async move { turn.ends_with(answer.await) }).await
        }
    };
    let Ok(Outgoing { answer, quirk }) = answered else { return problem::failed().into_response() };
    outgoing(answer.map(Answer::into_response), quirk, &uri, now, &wire).await
}

/// The turn of this request, if it gets one (P 9.14).
async fn turn(main_server: &Arc<MainServer>, request: &[u8]) -> Option<Turn> {
    let turns = &main_server.turns;
    if turns.are_contested() {
        let (looking, text) = (Arc::clone(main_server), request.to_vec());
        let stranger = spawn_blocking(move || looking.is_of_a_stranger(&text, Carrier::Https)).await;
        if stranger.unwrap_or(true) {
            return turns.in_line().await;
        }
    }
    turns.at_once()
}

/// What the carrier can see of the client's mistakes. They go into the journal; the request is answered all the same.
fn judge(headers: &HeaderMap) -> Vec<String> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let without_parameters = content_type.split(';').next().unwrap_or_default().trim();
    let jose = without_parameters.eq_ignore_ascii_case("application/jose");
    if jose { Vec::new() } else { vec!["Content-Type is not application/jose: violates 13.2".to_owned()] }
}

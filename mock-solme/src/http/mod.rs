//! The two roles that License Servers talk to (P 13), and what the admin API shares with them.

pub(crate) mod body;
mod health;
pub(crate) mod https_role;
pub(crate) mod payload_role;
pub(crate) mod problem;

use std::future::{Ready, ready};
use std::sync::Arc;

use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderValue, Uri};
use axum::response::{IntoResponse as _, Response};
use solme_sync_protocol::UtcTime;

use crate::main_server::{Carrier, MainServer};
use crate::quirks::Fired;
use crate::quirks::carrier::{self, WireControl};

/// The head of each answer of a role.
pub(crate) fn head_of(main_server: Arc<MainServer>, role: Carrier) -> impl Fn(Response) -> Ready<Response> + Clone {
    move |response| {
        let (mut head, body) = response.into_parts();
        main_server.conduct().head(role, &mut head.status, &mut head.headers);
        ready(Response::from_parts(head, body))
    }
}

/// What leaves a role: the answer, or what a quirk makes of it.
async fn outgoing(
    answer: Option<Response>,
    quirk: Option<Fired>,
    uri: &Uri,
    now: UtcTime,
    wire: &WireControl,
) -> Response {
    match (answer, quirk) {
        (Some(answer), None) => answer,
        (Some(answer), Some(fired)) => carrier::damaged(fired, answer, wire).await,
        (None, Some(fired)) => carrier::instead(fired, uri, now, wire),
        (None, None) => problem::failed().into_response(),
    }
}

/// `Cache-Control: no-store` on every answer (P 13.3, 13.4).
pub(crate) async fn no_store(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

//! The two roles that License Servers talk to (P 13), and what the admin API shares with them.

pub(crate) mod body;
mod health;
pub(crate) mod https_role;
pub(crate) mod payload_role;
pub(crate) mod problem;
pub(crate) mod quirky;

use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::response::Response;

/// `Cache-Control: no-store` on every answer (P 13.3, 13.4).
pub(crate) async fn no_store(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

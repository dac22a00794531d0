//! The two roles that License Servers talk to (P 13), and what the admin API shares with them.

pub(crate) mod body;
mod health;
pub(crate) mod https_role;
pub(crate) mod payload_role;
pub(crate) mod problem;

use std::future::{Ready, ready};
use std::sync::Arc;

use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::response::Response;

use crate::main_server::{Carrier, MainServer};

/// The head of each answer of a role.
pub(crate) fn head_of(main_server: Arc<MainServer>, role: Carrier) -> impl Fn(Response) -> Ready<Response> + Clone {
    move |response| {
        let (mut head, body) = response.into_parts();
        main_server.conduct().head(role, &mut head.status, &mut head.headers);
        ready(Response::from_parts(head, body))
    }
}

/// `Cache-Control: no-store` on every answer (P 13.3, 13.4).
pub(crate) async fn no_store(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

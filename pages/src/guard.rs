//! Who may use a page: whoever has the token, and no other page that a browser has open.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, Request, State};
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Deserialize;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::Problem;

/// A nonce of the page is 22 characters.
const NONCE_LIMIT: usize = 64;

/// Nothing inline, nothing from elsewhere, in no frame; markup only through the policy of `/house.js`.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types house";

const HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// What is asked of a caller.
pub(crate) struct Guard {
    address: SocketAddr,
    token: String,
}

impl Guard {
    pub(crate) const fn new(address: SocketAddr, token: String) -> Self {
        Self { address, token }
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// A page that resolves its own name to our address (DNS rebinding) comes with that name.
    fn is_ours(&self, authority: &str) -> bool {
        let Some((host, port)) = authority.rsplit_once(':') else { return false };
        let ours = host == self.address.ip().to_string() || host.eq_ignore_ascii_case("localhost");
        ours && port == self.address.port().to_string()
    }

    fn knows(&self, headers: &HeaderMap) -> bool {
        let given = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
        let given = given.and_then(|given| given.strip_prefix(b"Bearer "));
        given.is_some_and(|given| given.ct_eq(self.token.as_bytes()).into())
    }
}

/// That a program knows the token, for a page that has one and does not know who listens at its address by now. The port
/// of that address is a part of it, so that no other program can pass it on. None for what is no nonce of a page.
pub fn proof(token: &str, port: u16, nonce: &str) -> Option<String> {
    if nonce.len() > NONCE_LIMIT {
        return None;
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(token.as_bytes()).expect("any length is a key");
    mac.update(format!("solme-sync-pages {port} {nonce}").as_bytes());
    Some(BASE64_URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

/// `response` with the policy of every page: nothing inline, nothing from elsewhere, in no frame, in no cache.
pub async fn with_policy(mut response: Response) -> Response {
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// `pages` for those who may have them.
pub(crate) fn guarded(pages: Router, guard: Guard) -> Router {
    let guard = Arc::new(guard);
    let proof = get(prove).with_state(guard.clone());
    pages.route("/proof", proof).layer(from_fn_with_state(guard, admit))
}

async fn admit(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let refused = refused(&guard, request.headers(), request.uri().path(), request.method());
    with_policy(match refused {
        Some(problem) => problem.into_response(),
        None => next.run(request).await,
    })
    .await
}

fn refused(guard: &Guard, headers: &HeaderMap, path: &str, method: &Method) -> Option<Problem> {
    let text = |name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap_or_default());
    let cure = "Open the address that the program printed.";
    if !text(header::HOST).is_some_and(|host| guard.is_ours(host)) {
        return Some(Problem::new(StatusCode::MISDIRECTED_REQUEST, "foreign-host", "This page has another name", cure));
    }
    let is_ours = |origin: &str| origin.strip_prefix("http://").is_some_and(|authority| guard.is_ours(authority));
    if text(header::ORIGIN).is_some_and(|origin| !is_ours(origin)) {
        let message = "Pages of other origins get nothing here";
        return Some(Problem::new(StatusCode::FORBIDDEN, "foreign-origin", message, cure));
    }
    let is_open = !path.starts_with("/api/") && (method == Method::GET || method == Method::HEAD);
    if !is_open && !guard.knows(headers) {
        let message = match headers.contains_key(header::AUTHORIZATION) {
            true => "This is not the token of this program",
            false => "This needs the token of this program",
        };
        return Some(Problem::new(StatusCode::UNAUTHORIZED, "token", message, cure));
    }
    None
}

#[derive(Deserialize)]
struct Nonce {
    nonce: String,
}

async fn prove(State(guard): State<Arc<Guard>>, Query(Nonce { nonce }): Query<Nonce>) -> Response {
    let proof = proof(&guard.token, guard.address.port(), &nonce);
    proof.map_or_else(|| StatusCode::BAD_REQUEST.into_response(), IntoResponse::into_response)
}

//! Who may use the admin API: whoever has the token, and no web page that a browser has open.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, HOST, HeaderMap, ORIGIN};
use axum::http::uri::Authority;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::Admin;
use crate::crypto::same_secret;
use crate::http::problem::ProblemResponse;
use crate::public::{Public, reachable};

/// What is asked of a caller.
pub(crate) struct Access {
    /// The token. Not for logs.
    pub(crate) token: String,
    /// Where the API listens.
    pub(crate) address: SocketAddr,
    /// How others reach it.
    pub(crate) public: Public,
}

impl Access {
    /// A page that resolves its own name to our address (DNS rebinding) comes with that name: only addresses,
    /// `localhost` and the public names are ours. A public name may come with any port, which a port mapping chooses.
    fn is_addressed(&self, authority: &str) -> bool {
        self.is_ours(authority)
            || authority.parse::<Authority>().is_ok_and(|authority| self.is_public(authority.host()))
    }

    /// That this program knows the token, for a page that sees us at this authority. Its port has to be ours, or the one
    /// of the port mapping that we know of: at any other one somebody else may be listening.
    pub(crate) fn proof(&self, authority: &str, nonce: &str) -> Option<String> {
        let port = authority.parse::<Authority>().ok()?.port_u16().unwrap_or(80);
        let mapped = self.public.admin.as_deref().and_then(|url| url.rsplit_once(':')?.1.parse().ok());
        let known = port == self.address.port() || Some(port) == mapped;
        known.then(|| solme_sync_pages::proof(&self.token, port, nonce)).flatten()
    }

    fn is_public(&self, host: &str) -> bool {
        let host = host.trim_matches(['[', ']']);
        self.public.names.iter().any(|name| name.eq_ignore_ascii_case(host))
    }

    /// With our port, or the one that a port mapping shows.
    fn is_ours(&self, authority: &str) -> bool {
        let mapped = self.public.admin.as_deref().and_then(|url| url.strip_prefix("http://"));
        if mapped.is_some_and(|mapped| mapped.eq_ignore_ascii_case(authority)) {
            return true;
        }
        let Ok(authority) = authority.parse::<Authority>() else { return false };
        let host = authority.host();
        let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let ours = host.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok();
        ours && authority.port_u16().unwrap_or(80) == self.address.port()
    }
}

/// The first layer: foreign `Host` or `Origin`.
pub(crate) async fn refuse_foreign(State(admin): State<Admin>, request: Request, next: Next) -> Response {
    crate::http::problem::in_turn().await;
    let host = text(request.headers(), HOST.as_str());
    if !host.is_some_and(|host| admin.access.is_addressed(host)) {
        let detail = format!("{} is not a name of this admin API.", host.unwrap_or("(no Host)"));
        let address = reachable(admin.access.address);
        let cure = format!("Use http://{address}, or start mock-solme serve with --public-name NAME.");
        return ProblemResponse::new(StatusCode::MISDIRECTED_REQUEST, "foreign-host", detail, cure).into_response();
    }
    if let Some(origin) = request.headers().get(ORIGIN) {
        let origin = origin.to_str().ok().and_then(|origin| origin.strip_prefix("http://"));
        if !origin.is_some_and(|authority| Some(authority) == host || admin.access.is_ours(authority)) {
            let detail = "Web pages of other origins may not use the admin API.";
            let cure = "Use mock-solme, curl or a program of your own.";
            return ProblemResponse::new(StatusCode::FORBIDDEN, "foreign-origin", detail, cure).into_response();
        }
    }
    next.run(request).await
}

/// The second layer: the token.
pub(crate) async fn require_token(State(admin): State<Admin>, request: Request, next: Next) -> Response {
    let given = text(request.headers(), AUTHORIZATION.as_str()).and_then(|value| value.strip_prefix("Bearer "));
    let Some(given) = given else {
        let cure =
            "Send the header Authorization: Bearer TOKEN, with admin_token of the ready line of mock-solme serve.";
        return unauthorized("token-missing", "The admin API needs a token.", cure);
    };
    if !same_secret(given.as_bytes(), admin.access.token.as_bytes()) {
        let cure = "Use admin_token of the ready line of the running mock-solme serve.";
        return unauthorized("token-wrong", "The token is wrong.", cure);
    }
    next.run(request).await
}

fn unauthorized(code: &str, detail: &str, cure: &str) -> Response {
    let mut response = ProblemResponse::new(StatusCode::UNAUTHORIZED, code, detail, cure).into_response();
    let challenge = axum::http::HeaderValue::from_static("Bearer");
    response.headers_mut().insert(axum::http::header::WWW_AUTHENTICATE, challenge);
    response
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

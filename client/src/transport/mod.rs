//! The way to the main server. What comes back is told apart here by its source; what it means is decided in the core.

mod classify;
mod direct;
mod probe;
mod proxy;
mod route;
#[cfg(test)]
mod tests;
mod tls;

use std::time::Duration;

use solme_sync_protocol::PayloadName;

use crate::core::{Failure, HttpAnswer, Role};

pub(crate) use direct::DirectTransport;
pub(crate) use proxy::{ProxySettings, Secret};
pub(crate) use tls::check_ca_certificate;

/// Carries one request and one payload (P 13).
pub(crate) trait Transport {
    /// `POST /synchronize` on the 443 role (P 13.2).
    fn post_request(&self, request: &str) -> Result<HttpAnswer, Failure>;
    /// `GET /payloads/{name}` on the 8080 role (P 13.4). A longer body than `at_most` bytes is cut.
    fn get_payload(&self, name: &PayloadName, at_most: usize) -> Result<HttpAnswer, Failure>;
    /// `GET /health` on the 443 role (P 13.9).
    fn get_health(&self) -> Result<HttpAnswer, Failure>;
    /// The proxy on the way to a role, without its password.
    fn proxy(&self, role: Role) -> Option<String>;
    /// Who signed the certificate that the 443 role showed last.
    fn issuer(&self) -> Option<String>;
}

/// How the main server is reached.
pub(crate) struct NetworkSettings {
    pub(crate) limits: TimeLimits,
    pub(crate) proxy: ProxySettings,
}

/// How long the network may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimeLimits {
    /// To look up a name; to connect to a port, TLS included.
    pub(crate) connect: Duration,
    /// For one exchange on one port, from the first byte to the last.
    pub(crate) total: Duration,
}

//! The way to the main server. What comes back is told apart here by its source; what it means is decided in the core.

mod classify;
mod direct;
mod probe;
mod proxy;
mod route;
#[cfg(test)]
mod tests;
mod tls;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use solme_sync_protocol::{PayloadName, TrustFile};

use crate::conduct::{Conduct, Standard};
use crate::core::{Failure, HttpAnswer, Role};
use crate::output::{Error, Exit};
use crate::stop::Stop;

use direct::DirectTransport;
pub(crate) use proxy::{ProxySettings, Secret};
use tls::Tls;
pub(crate) use tls::check_ca_certificate;

/// A way to main servers. [`Direct`] is the one of this crate; another one takes a closure that makes a [`Connection`].
pub trait Transport {
    /// Gets ready to ask the main server of a trust file. Nothing has to be sent yet.
    ///
    /// # Errors
    /// Why it can never be asked.
    fn connect<'a>(&'a self, main_server: &TrustFile) -> Result<Box<dyn Connection + 'a>, Failure>;
}

impl<F: Fn(&TrustFile) -> Box<dyn Connection>> Transport for F {
    fn connect<'a>(&'a self, main_server: &TrustFile) -> Result<Box<dyn Connection + 'a>, Failure> {
        Ok(self(main_server))
    }
}

/// Carries requests to one main server, and payloads back (P 13). It decides nothing: whatever comes back is checked.
pub trait Connection {
    /// `POST /synchronize` on the 443 role, as `application/jose` (P 13.2).
    ///
    /// # Errors
    /// Why there is no answer; any status is one.
    fn post_request(&self, request: &str) -> Result<HttpAnswer, Failure>;

    /// `GET /payloads/{name}` on the 8080 role (P 13.4). A longer body than `at_most` bytes is cut.
    ///
    /// # Errors
    /// Why there is no answer; any status is one.
    fn get_payload(&self, name: &PayloadName, at_most: usize) -> Result<HttpAnswer, Failure>;

    /// `GET /health` on the 443 role (P 13.9). Only a diagnosis asks for it.
    ///
    /// # Errors
    /// Why there is no answer; any status is one.
    fn get_health(&self) -> Result<HttpAnswer, Failure>;

    /// The proxy on the way to a role, without its password.
    fn proxy(&self, role: Role) -> Option<String> {
        let _ = role;
        None
    }

    /// Who signed the certificate that the 443 role showed last.
    fn issuer(&self) -> Option<String> {
        None
    }
}

/// Ports 443 and 8080 of the main server (P 13), directly or through a proxy. It blocks, also inside a tokio runtime.
pub struct Direct {
    network: Network,
    conduct: &'static dyn Conduct,
    stop: Stop,
    /// For the CA certificate of the main server that was asked last, which may resume its TLS session.
    tls: Mutex<Option<(String, Tls)>>,
}

impl Direct {
    /// Over this network.
    pub fn new(network: Network) -> Self {
        Self::behaving(network, &Standard)
    }

    pub(crate) const fn behaving(network: Network, conduct: &'static dyn Conduct) -> Self {
        Self { network, conduct, stop: Stop::NEVER, tls: Mutex::new(None) }
    }

    fn tls(&self, main_server: &TrustFile) -> Result<Tls, Failure> {
        let mut last = self.tls.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some((ca, tls)) if *ca == main_server.ca_certificate => Ok(tls.clone()),
            _ => {
                let tls = Tls::new(main_server, self.conduct).map_err(|error| Failure::TlsFailed {
                    at: main_server.https.clone(),
                    detail: format!("the CA certificate of the trust file cannot be used: {error}"),
                })?;
                *last = Some((main_server.ca_certificate.clone(), tls.clone()));
                Ok(tls)
            }
        }
    }

    /// Gives up what is under way when it is told to stop.
    pub(crate) fn until(&mut self, stop: Stop) {
        self.stop = stop;
    }
}

impl Transport for Direct {
    fn connect<'a>(&'a self, main_server: &TrustFile) -> Result<Box<dyn Connection + 'a>, Failure> {
        let tls = self.tls(main_server)?;
        Ok(Box::new(DirectTransport::new(main_server, tls, &self.network, self.conduct, self.stop.clone())?))
    }
}

/// How the main server is reached: by default within 10 s, each exchange within 60 s, and without a proxy.
pub struct Network {
    pub(crate) limits: TimeLimits,
    pub(crate) proxy: ProxySettings,
}

impl Default for Network {
    fn default() -> Self {
        Self { limits: TimeLimits::USUAL, proxy: ProxySettings::none() }
    }
}

impl Network {
    /// With other limits: to look up a name and to connect to a port, TLS included; and for one whole exchange.
    #[must_use]
    pub fn within(self, connect: Duration, total: Duration) -> Self {
        Self { limits: TimeLimits { connect, total }, ..self }
    }

    /// Through a proxy, for both ports: `system`, or an address as `http://USER:PASSWORD@HOST:PORT`, `socks5://HOST:PORT` or
    /// `socks5h://HOST:PORT`.
    ///
    /// # Errors
    /// What is wrong with the address.
    pub fn through(self, proxy: &str) -> Result<Self, Error> {
        let proxy = ProxySettings::read(&Secret::new(proxy), "", None, false).map_err(|wrong| Error {
            exit: Exit::Usage,
            code: "usage",
            message: wrong.to_string(),
            cure: "Give an address as http://HOST:PORT, socks5://HOST:PORT or socks5h://HOST:PORT.".to_owned(),
        })?;
        Ok(Self { proxy, ..self })
    }
}

/// How long the network may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimeLimits {
    /// To look up a name; to connect to a port, TLS included.
    pub(crate) connect: Duration,
    /// For one exchange on one port, from the first byte to the last.
    pub(crate) total: Duration,
}

impl TimeLimits {
    pub(crate) const USUAL: Self = Self { connect: Duration::from_secs(10), total: Duration::from_secs(60) };
}

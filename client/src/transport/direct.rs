//! Direct synchronization over the two ports (P 13): no redirects, no proxy, no content encoding, bounded bodies.

use std::cell::OnceCell;

use protocol::{PayloadName, TrustFile};
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, DATE, HeaderName, LOCATION, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response};
use rustls::ClientConfig;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use super::classify::Place;
use super::tls::{Presented, configuration};
use super::{TimeLimits, Transport};
use crate::core::{Failure, HttpAnswer, MAX_ANSWER, Role};
use crate::stop::Stop;

/// The ports 443 and 8080 of one main server.
pub(crate) struct DirectTransport {
    runtime: Option<Runtime>,
    tls: ClientConfig,
    presented: Presented,
    limits: TimeLimits,
    /// Never, but for a mutant (P 13.5).
    follows_redirects: bool,
    stop: Stop,
    https: Port,
    http: Port,
}

/// One port, its host looked up when it is first used.
struct Port {
    role: Role,
    /// Scheme, host and port, as the trust file has them.
    address: String,
    /// Without brackets.
    host: String,
    port: u16,
    client: OnceCell<Client>,
}

impl DirectTransport {
    /// The way to the main server of a trust file.
    ///
    /// # Errors
    /// [`Failure::TlsFailed`] if its CA certificate cannot be used.
    pub(crate) fn new(trust: &TrustFile, limits: TimeLimits) -> Result<Self, Failure> {
        let failed = |detail| Failure::TlsFailed { at: trust.https.clone(), detail };
        let (tls, presented) = configuration(trust)
            .map_err(|error| failed(format!("the CA certificate of the trust file cannot be used: {error}")))?;
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| failed(format!("this computer gives no network: {error}")))?;
        let (https, http) = (Port::new(Role::Https, &trust.https), Port::new(Role::Http, &trust.http));
        Ok(Self {
            runtime: Some(runtime),
            tls,
            presented,
            limits,
            follows_redirects: false,
            stop: Stop::NEVER,
            https,
            http,
        })
    }

    /// Gives up what is under way when it is told to stop.
    pub(crate) fn until(mut self, stop: Stop) -> Self {
        self.stop = stop;
        self
    }

    /// The bug of [`crate::Mutant::FollowsRedirects`].
    pub(crate) fn following_redirects(mut self) -> Self {
        self.follows_redirects = true;
        self
    }

    fn run<T>(&self, exchange: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let runtime = self.runtime.as_ref().expect("the runtime is there until drop");
        runtime.block_on(async {
            tokio::select! {
                done = exchange => done,
                () = self.stop.told() => Err(Failure::Stopped),
            }
        })
    }

    async fn exchange(
        &self,
        port: &Port,
        at_most: usize,
        request: impl FnOnce(&Client) -> RequestBuilder,
    ) -> Result<HttpAnswer, Failure> {
        let at = port.at();
        let place = Place { role: port.role, at: &at, limits: self.limits, presented: &self.presented };
        let client = match port.client.get() {
            Some(client) => client,
            None => {
                let client = self.connectable(port, &place).await?;
                port.client.get_or_init(|| client)
            }
        };
        let answer = request(client).send().await;
        let answer = answer.map_err(|error| place.classify(&error))?;
        read(answer, at.clone(), at_most).await.map_err(|error| place.classify(&error))
    }

    /// Looks the host up, which has its own failure, and makes a client that connects to nothing else.
    async fn connectable(&self, port: &Port, place: &Place<'_>) -> Result<Client, Failure> {
        let addresses = match timeout(self.limits.connect, tokio::net::lookup_host((&*port.host, port.port))).await {
            Ok(Ok(addresses)) => addresses.collect::<Vec<_>>(),
            Ok(Err(error)) => {
                return Err(Failure::NameLookupFailed { host: port.host.clone(), detail: error.to_string() });
            }
            Err(_) => {
                let detail = format!("no answer within {} s", self.limits.connect.as_secs_f32());
                return Err(Failure::NameLookupFailed { host: port.host.clone(), detail });
            }
        };
        let client = Client::builder()
            .tls_backend_preconfigured(self.tls.clone())
            .resolve_to_addrs(&port.host, &addresses)
            .no_proxy()
            .http1_only()
            .redirect(if self.follows_redirects { Policy::default() } else { Policy::none() })
            .referer(false)
            .retry(reqwest::retry::never())
            .tcp_nodelay(true)
            .connect_timeout(self.limits.connect)
            .timeout(self.limits.total)
            .build();
        client.map_err(|error| place.classify(&error))
    }
}

impl Transport for DirectTransport {
    fn post_request(&self, request: &str) -> Result<HttpAnswer, Failure> {
        let url = format!("{}/synchronize", self.https.address);
        self.run(self.exchange(&self.https, MAX_ANSWER, |client| {
            client.post(url).header(CONTENT_TYPE, "application/jose").body(request.to_owned())
        }))
    }

    fn get_payload(&self, name: &PayloadName, at_most: usize) -> Result<HttpAnswer, Failure> {
        let url = format!("{}/payloads/{name}", self.http.address);
        self.run(self.exchange(&self.http, at_most, |client| client.get(url)))
    }
}

impl Drop for DirectTransport {
    /// A name lookup that hangs must not hold up the end of the program.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Port {
    /// The trust file's address has the form of P 15.1: its check has seen to that.
    fn new(role: Role, address: &str) -> Self {
        let authority = address.split_once("://").map_or(address, |(_, authority)| authority);
        let usual = match role {
            Role::Https => 443,
            Role::Http => 80, // what the scheme `http` means without a port
        };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port.parse().unwrap_or(usual)),
            _ => (authority, usual),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Self { role, address: address.to_owned(), host, port, client: OnceCell::new() }
    }

    fn at(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

async fn read(mut response: Response, at: String, at_most: usize) -> Result<HttpAnswer, reqwest::Error> {
    let header = |name: HeaderName| {
        response.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let mut answer = HttpAnswer {
        at,
        status: response.status().as_u16(),
        content_type: header(CONTENT_TYPE),
        content_encoding: header(CONTENT_ENCODING),
        location: header(LOCATION),
        date: header(DATE),
        retry_after: header(RETRY_AFTER),
        body: Vec::new(),
        too_long: false,
    };
    while let Some(chunk) = response.chunk().await? {
        answer.body.extend_from_slice(&chunk);
        if answer.body.len() > at_most {
            answer.too_long = true;
            break;
        }
    }
    Ok(answer)
}

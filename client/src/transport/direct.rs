//! Direct synchronization over the two ports (P 13): no redirects, no content encoding, bounded bodies.

use std::net::SocketAddr;
use std::sync::OnceLock;

use hyper::Uri;
use hyper::http::uri::InvalidUri;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, DATE, HeaderName, LOCATION, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response};
use solme_sync_protocol::{PayloadName, TrustFile};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::time::timeout;

use super::classify::Place;
use super::probe::Probe;
use super::proxy::{ProxyKind, ProxySettings};
use super::route::{ProxyRoute, bare_host};
use super::tls::Tls;
use super::{Connection, Network, TimeLimits};
use crate::conduct::Conduct;
use crate::core::{Failure, HttpAnswer, MAX_ANSWER, Role, Via};
use crate::stop::Stop;

/// The ports 443 and 8080 of one main server.
pub(crate) struct DirectTransport {
    runtime: Option<Runtime>,
    tls: Tls,
    limits: TimeLimits,
    conduct: &'static dyn Conduct,
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
    proxy: Option<ProxyRoute>,
    via: Option<Via>,
    way: OnceLock<Way>,
}

/// The names looked up, and a client that connects to nothing else.
struct Way {
    client: Client,
    /// Where the proxy is; empty without one.
    proxy: Vec<SocketAddr>,
    /// The main server, as a proxy is to call it.
    target: String,
}

impl DirectTransport {
    /// The way to the main server of a trust file. It gives up what is under way when it is told to stop.
    ///
    /// # Errors
    /// [`Failure::Proxy`] if the system's proxy cannot be used.
    pub(crate) fn new(
        trust: &TrustFile,
        tls: Tls,
        settings: &Network,
        conduct: &'static dyn Conduct,
        stop: Stop,
    ) -> Result<Self, Failure> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| Failure::TlsFailed {
            at: trust.https.clone(),
            detail: format!("this computer gives no network: {error}"),
        })?;
        let https = Port::new(Role::Https, &trust.https, &settings.proxy)?;
        let http = Port::new(Role::Http, &trust.http, &settings.proxy)?;
        Ok(Self { runtime: Some(runtime), tls, limits: settings.limits, conduct, stop, https, http })
    }

    const fn port(&self, role: Role) -> &Port {
        match role {
            Role::Https => &self.https,
            Role::Http => &self.http,
        }
    }

    /// Waits for an exchange. A thread that a runtime already has may not wait for another one, so a second one does.
    fn run<T: Send>(&self, exchange: impl Future<Output = Result<T, Failure>> + Send) -> Result<T, Failure> {
        let runtime = self.runtime.as_ref().expect("the runtime is there until drop");
        let exchange = async {
            tokio::select! {
                done = exchange => done,
                () = self.stop.told() => Err(Failure::Stopped),
            }
        };
        if Handle::try_current().is_err() {
            return runtime.block_on(exchange);
        }
        let waited = std::thread::scope(|threads| threads.spawn(|| runtime.block_on(exchange)).join());
        waited.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    async fn exchange(
        &self,
        port: &Port,
        at_most: usize,
        request: impl FnOnce(&Client) -> RequestBuilder + Send,
    ) -> Result<HttpAnswer, Failure> {
        let at = port.at();
        let via = port.via.as_ref();
        let place = Place { role: port.role, at: &at, via, limits: self.limits, presented: &self.tls.presented };
        let way = match port.way.get() {
            Some(way) => way,
            None => {
                let way = self.way(port, &place).await?;
                self.try_the_password(port, &way).await?;
                port.way.get_or_init(|| way)
            }
        };
        let answer = match request(&way.client).send().await {
            Ok(answer) => answer,
            Err(error) => {
                let at_the_proxy = self.failure_of_the_proxy(port, way, &error).await;
                return Err(at_the_proxy.unwrap_or_else(|| place.classify(&error)));
            }
        };
        let answer = read(answer, at.clone(), at_most).await.map_err(|error| place.classify(&error))?;
        Ok(HttpAnswer { via: port.via.clone(), ..answer })
    }

    /// Where user and password go to a proxy that carries bytes, it is asked in stages before the exchange: a wrong
    /// password is sent once then, which a proxy that locks its users out counts.
    async fn try_the_password(&self, port: &Port, way: &Way) -> Result<(), Failure> {
        match &port.via {
            Some(via) if via.logs_in && !via.reads_requests => self.ask_the_proxy(port, way).await.map_or(Ok(()), Err),
            _ => Ok(()),
        }
    }

    /// What the proxy says to being asked again, in stages; nothing where it is not to blame.
    async fn failure_of_the_proxy(&self, port: &Port, way: &Way, error: &reqwest::Error) -> Option<Failure> {
        let asks = port.via.as_ref().is_some_and(|via| !via.reads_requests) && Place::is_before_tls(error);
        if asks { self.ask_the_proxy(port, way).await } else { None }
    }

    async fn ask_the_proxy(&self, port: &Port, way: &Way) -> Option<Failure> {
        let (Some(proxy), Some(via)) = (&port.proxy, &port.via) else { return None };
        let (host, port, limit) = (&*way.target, port.port, self.limits.connect);
        let word = Probe { proxy, addresses: &way.proxy, host, port, limit }.ask().await;
        via.judge(word).map(Failure::Proxy)
    }

    /// Looks up the names that this computer has to know, which has its own failures: the proxy's where there is one,
    /// and the main server's where no proxy looks it up.
    async fn way(&self, port: &Port, place: &Place<'_>) -> Result<Way, Failure> {
        let mut client = Client::builder()
            .tls_backend_preconfigured(self.tls.config.clone())
            .no_proxy()
            .http1_only()
            .redirect(if self.conduct.follows_redirects() { Policy::default() } else { Policy::none() })
            .referer(false)
            .retry(reqwest::retry::never())
            .tcp_nodelay(true)
            .connect_timeout(self.limits.connect)
            .timeout(self.limits.total);
        let (mut target, mut proxy_addresses) = (port.host.clone(), Vec::new());
        if port.proxy.as_ref().is_none_or(|proxy| proxy.kind == ProxyKind::Socks5) {
            let failed = |detail| Failure::NameLookupFailed { host: port.host.clone(), detail };
            let addresses = self.look_up(&port.host, port.port).await.map_err(failed)?;
            target = addresses.first().map_or(target, |address| address.ip().to_string());
            client = client.resolve_to_addrs(&port.host, &addresses);
        }
        if let (Some(proxy), Some(via)) = (&port.proxy, &port.via) {
            let failed = |detail| Failure::Proxy(via.unreachable(format!("its name could not be looked up: {detail}")));
            proxy_addresses = self.look_up(&proxy.host, proxy.port).await.map_err(failed)?;
            client = client
                .resolve_to_addrs(&proxy.host, &proxy_addresses)
                .proxy(proxy.for_client().map_err(|error| place.classify(&error))?);
        }
        let client = client.build().map_err(|error| place.classify(&error))?;
        Ok(Way { client, proxy: proxy_addresses, target })
    }

    async fn look_up(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
        match timeout(self.limits.connect, tokio::net::lookup_host((host, port))).await {
            Ok(Ok(addresses)) => Ok(addresses.collect()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("no answer within {} s", self.limits.connect.as_secs_f32())),
        }
    }
}

impl Connection for DirectTransport {
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

    fn get_health(&self) -> Result<HttpAnswer, Failure> {
        let url = format!("{}/health", self.https.address);
        self.run(self.exchange(&self.https, MAX_ANSWER, |client| client.get(url)))
    }

    fn proxy(&self, role: Role) -> Option<String> {
        self.port(role).via.as_ref().map(|via| via.proxy.clone())
    }

    fn issuer(&self) -> Option<String> {
        self.tls.presented.last().map(|certificate| certificate.issuer)
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
    fn new(role: Role, address: &str, settings: &ProxySettings) -> Result<Self, Failure> {
        let url: Uri = address.parse().map_err(|error: InvalidUri| Failure::NameLookupFailed {
            host: address.to_owned(),
            detail: error.to_string(),
        })?;
        let usual = match role {
            Role::Https => 443,
            Role::Http => 80, // what the scheme `http` means without a port
        };
        let (host, port) = (bare_host(&url).to_owned(), url.port_u16().unwrap_or(usual));
        let proxy = settings.route(&url).map_err(Failure::Proxy)?;
        let via = proxy.as_ref().map(|proxy| Via {
            proxy: proxy.name.clone(),
            target: host_and_port(&host, port),
            role,
            logs_in: proxy.logs_in(),
            reads_requests: role == Role::Http && proxy.kind == ProxyKind::Http,
        });
        Ok(Self { role, address: address.to_owned(), host, port, proxy, via, way: OnceLock::new() })
    }

    fn at(&self) -> String {
        self.via.as_ref().map_or_else(|| host_and_port(&self.host, self.port), Via::at)
    }
}

fn host_and_port(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
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
        via: None,
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

//! What a proxy says, asked in stages after an exchange through it has failed: to connect to it, to log in, to be passed
//! on to the main server. The HTTP client tells these apart only in the text of its errors.
//!
//! The few bytes of SOCKS5 are spoken by hand so that the proxy is asked for exactly what the HTTP client asks for (one
//! method, no more) and its own bytes come back; libraries offer other methods, and have errors of their own.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hyper::client::conn::http1;
use hyper::header::{HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION};
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use zeroize::Zeroizing;

use super::proxy::ProxyKind;
use super::route::{ProxyLogin, ProxyRoute};
use crate::core::ProxyWord;

/// Who is asked for, and how long it may take.
pub(super) struct Probe<'a> {
    pub(super) proxy: &'a ProxyRoute,
    /// Where the proxy is.
    pub(super) addresses: &'a [SocketAddr],
    /// The main server, as the proxy is to call it: without brackets.
    pub(super) host: &'a str,
    pub(super) port: u16,
    pub(super) limit: Duration,
}

const SOCKS5: u8 = 5;
const NO_LOGIN: u8 = 0;
const USER_AND_PASSWORD: u8 = 2;

impl Probe<'_> {
    /// Goes through the stages, and gives the word that ended them.
    pub(super) async fn ask(&self) -> ProxyWord {
        let deadline = Instant::now() + self.limit;
        let stream = match timeout_at(deadline, TcpStream::connect(self.addresses)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return ProxyWord::NoConnection(error.to_string()),
            Err(_) => return ProxyWord::NoConnection(self.nothing("no connection")),
        };
        match self.proxy.kind {
            ProxyKind::Http => match timeout_at(deadline, self.connect(stream)).await {
                Ok(word) => word,
                Err(_) => ProxyWord::Silent(self.nothing("no answer")),
            },
            ProxyKind::Socks5 | ProxyKind::Socks5h => self.socks(stream, deadline).await,
        }
    }

    fn nothing(&self, what: &str) -> String {
        format!("{what} within {} s", self.limit.as_secs_f32())
    }

    async fn connect(&self, stream: TcpStream) -> ProxyWord {
        let Ok((mut sender, connection)) = http1::handshake(TokioIo::new(stream)).await else {
            return ProxyWord::Closed;
        };
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.to_owned() };
        let target = format!("{host}:{}", self.port);
        let mut request = hyper::Request::connect(&target).header(HOST, &target);
        if let ProxyLogin::Basic(login) = &self.proxy.login {
            request = request.header(PROXY_AUTHORIZATION, login);
        }
        let Ok(request) = request.body(String::new()) else {
            return ProxyWord::NoProxy("no HTTP proxy can be asked for such an address");
        };
        let driver = tokio::spawn(connection);
        let answer = sender.send_request(request).await;
        driver.abort();
        match answer {
            Ok(answer) => match (answer.status(), other_logins(&answer)) {
                (StatusCode::PROXY_AUTHENTICATION_REQUIRED, Some(ways)) => ProxyWord::OtherLogin(ways),
                (status, _) => ProxyWord::Connect(status.as_u16()),
            },
            Err(error) if error.is_parse() => ProxyWord::NoProxy("it does not speak HTTP"),
            Err(_) => ProxyWord::Closed,
        }
    }

    async fn socks(&self, mut stream: TcpStream, deadline: Instant) -> ProxyWord {
        match timeout_at(deadline, self.greet(&mut stream)).await {
            Ok(Ok(None)) => {}
            Ok(Ok(Some(word))) => return word,
            Ok(Err(_)) => return ProxyWord::Closed,
            Err(_) => return ProxyWord::NoConnection(self.nothing("it takes the connection, and no answer")),
        }
        match timeout_at(deadline, self.request(&mut stream)).await {
            Ok(Ok(word)) => word,
            Ok(Err(_)) => ProxyWord::Closed,
            Err(_) => ProxyWord::Silent(self.nothing("no answer")),
        }
    }

    /// RFC 1928, section 3, and RFC 1929. Gives the word only where it is a no.
    async fn greet(&self, stream: &mut TcpStream) -> io::Result<Option<ProxyWord>> {
        let offered = match self.proxy.login {
            ProxyLogin::Socks { .. } => USER_AND_PASSWORD,
            ProxyLogin::Basic(_) | ProxyLogin::None => NO_LOGIN,
        };
        stream.write_all(&[SOCKS5, 1, offered]).await?;
        let [version, method] = answer(stream).await?;
        if version != SOCKS5 {
            return Ok(Some(ProxyWord::NoProxy("it does not speak SOCKS5")));
        }
        if method != offered {
            return Ok(Some(ProxyWord::SocksMethod(method)));
        }
        let ProxyLogin::Socks { user, password } = &self.proxy.login else { return Ok(None) };
        let mut login = Zeroizing::new(vec![1]);
        for part in [user.as_str(), password.expose_secret()] {
            login.push(length(part));
            login.extend_from_slice(part.as_bytes());
        }
        stream.write_all(&login).await?;
        let [_version, status] = answer(stream).await?;
        Ok((status != 0).then_some(ProxyWord::SocksLogin(status)))
    }

    /// RFC 1928, sections 4 and 6. What follows the reply is of no interest.
    async fn request(&self, stream: &mut TcpStream) -> io::Result<ProxyWord> {
        let mut request = vec![SOCKS5, 1, 0];
        match self.host.parse() {
            Ok(IpAddr::V4(address)) => request.extend([1].into_iter().chain(address.octets())),
            Ok(IpAddr::V6(address)) => request.extend([4].into_iter().chain(address.octets())),
            Err(_) => request.extend([3, length(self.host)].into_iter().chain(self.host.bytes())),
        }
        request.extend(self.port.to_be_bytes());
        stream.write_all(&request).await?;
        let [version, reply] = answer(stream).await?;
        Ok(if version == SOCKS5 {
            ProxyWord::SocksReply(reply)
        } else {
            ProxyWord::NoProxy("it does not speak SOCKS5")
        })
    }
}

/// The ways to log in that a proxy names, a field for each, where `Basic` is none of them.
fn other_logins<B>(answer: &Response<B>) -> Option<String> {
    let fields = answer.headers().get_all(PROXY_AUTHENTICATE).iter().filter_map(|field| field.to_str().ok());
    let ways: Vec<&str> = fields.filter_map(|field| field.split([' ', ',']).next()).collect();
    let basic = ways.iter().any(|way| way.eq_ignore_ascii_case("basic"));
    (!ways.is_empty() && !basic).then(|| format!("{:.60}", ways.join(", ")))
}

/// Longer than 255 bytes is no host, and no login that was let in.
fn length(text: &str) -> u8 {
    u8::try_from(text.len()).unwrap_or(u8::MAX)
}

async fn answer(stream: &mut TcpStream) -> io::Result<[u8; 2]> {
    let mut answer = [0; 2];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

//! Proxies of a test: HTTP and SOCKS5, honest, or saying no in one of the ways that a real one rarely does on demand.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rustls::ServerConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// What a proxy does when it is asked to pass on.
#[derive(Clone)]
pub(crate) enum Does {
    PassesOn,
    /// Answers with these bytes, and closes.
    Says(&'static str),
    /// Takes what is said, and says nothing.
    Nothing,
    /// Says that it passes on, and ends TLS itself.
    Intercepts(Arc<ServerConfig>),
}

/// An HTTP proxy.
#[derive(Clone)]
pub(crate) struct HttpProxy {
    /// The value of `Proxy-Authorization` that it wants.
    pub(crate) wants: Option<&'static str>,
    pub(crate) on_connect: Does,
    pub(crate) on_plain: Does,
}

/// A SOCKS5 proxy.
#[derive(Clone)]
pub(crate) struct SocksProxy {
    pub(crate) wants: Option<(&'static str, &'static str)>,
    /// Where it replies with the code below, and does not pass on; `None` is everywhere.
    pub(crate) only_to: Option<String>,
    /// 0 passes on.
    pub(crate) reply: u8,
}

/// A proxy that runs until it is dropped.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    asked_for: Log,
    task: JoinHandle<()>,
}

pub(crate) type Log = Arc<Mutex<Vec<String>>>;

pub(crate) const WANTS_A_PASSWORD: &str = "HTTP/1.1 407 Proxy Authentication Required\r\n\
    Proxy-Authenticate: Basic realm=\"test\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// What serves one connection after the other.
pub(crate) trait TestProxy: Clone + Send + Sync + 'static {
    fn serve(&self, stream: TcpStream, log: &Log) -> impl Future<Output = std::io::Result<()>> + Send;

    async fn start(self) -> Running {
        Running::start(move |stream, log| {
            let proxy = self.clone();
            async move { proxy.serve(stream, &log).await }
        })
        .await
    }
}

impl HttpProxy {
    pub(crate) const HONEST: Self = Self { wants: None, on_connect: Does::PassesOn, on_plain: Does::PassesOn };
}

impl TestProxy for HttpProxy {
    async fn serve(&self, mut stream: TcpStream, log: &Log) -> std::io::Result<()> {
        let Some(head) = read_head(&mut stream).await? else { return Ok(()) };
        let mut words = head.split_whitespace();
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let header = |name: &str| {
            head.lines()
                .filter_map(|line| line.split_once(": "))
                .find(|(n, _)| n.eq_ignore_ascii_case(name))
                .map(|h| h.1)
        };
        if self.wants.is_some() && header("proxy-authorization") != self.wants {
            return stream.write_all(WANTS_A_PASSWORD.as_bytes()).await;
        }
        log.lock().unwrap().push(format!("{method} {target}"));
        if method == "CONNECT" {
            return self.connect(stream, target).await;
        }
        match &self.on_plain {
            Does::PassesOn => {
                let (authority, path) = target.trim_start_matches("http://").split_once('/').unwrap_or_default();
                let mut onward = TcpStream::connect(authority).await?;
                let request = format!("{method} /{path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n\r\n");
                onward.write_all(request.as_bytes()).await?;
                copy_bidirectional(&mut stream, &mut onward).await.map(drop)
            }
            other => answer(stream, other).await,
        }
    }
}

impl HttpProxy {
    async fn connect(&self, mut stream: TcpStream, target: &str) -> std::io::Result<()> {
        const ESTABLISHED: &[u8] = b"HTTP/1.1 200 Connection established\r\n\r\n";
        match &self.on_connect {
            Does::PassesOn => {
                let mut onward = TcpStream::connect(target).await?;
                stream.write_all(ESTABLISHED).await?;
                copy_bidirectional(&mut stream, &mut onward).await.map(drop)
            }
            Does::Intercepts(config) => {
                stream.write_all(ESTABLISHED).await?;
                TlsAcceptor::from(Arc::clone(config)).accept(stream).await.map(drop)
            }
            other => answer(stream, other).await,
        }
    }
}

async fn answer(mut stream: TcpStream, does: &Does) -> std::io::Result<()> {
    match does {
        Does::Says(bytes) => stream.write_all(bytes.as_bytes()).await,
        _ => hold(stream).await,
    }
}

/// Keeps a connection until the other side ends it.
async fn hold(mut stream: TcpStream) -> std::io::Result<()> {
    let mut ignored = [0; 1024];
    while stream.read(&mut ignored).await? > 0 {}
    Ok(())
}

async fn read_head(stream: &mut TcpStream) -> std::io::Result<Option<String>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return Ok(None),
        }
    }
    Ok(Some(String::from_utf8_lossy(&head).into_owned()))
}

impl SocksProxy {
    pub(crate) const HONEST: Self = Self { wants: None, only_to: None, reply: 0 };
}

impl TestProxy for SocksProxy {
    async fn serve(&self, mut stream: TcpStream, log: &Log) -> std::io::Result<()> {
        if !self.lets_in(&mut stream).await? {
            return Ok(());
        }
        let mut start = [0; 4];
        stream.read_exact(&mut start).await?;
        let host = match start[3] {
            1 => std::net::Ipv4Addr::from(stream.read_u32().await?).to_string(),
            3 => {
                let mut name = vec![0; stream.read_u8().await?.into()];
                stream.read_exact(&mut name).await?;
                format!("name {}", String::from_utf8_lossy(&name))
            }
            other => panic!("address type {other}"),
        };
        let port = stream.read_u16().await?;
        let target = format!("{host}:{port}");
        log.lock().unwrap().push(target.clone());
        if self.reply != 0 && self.only_to.as_ref().is_none_or(|only| *only == target) {
            return stream.write_all(&[5, self.reply, 0, 1, 0, 0, 0, 0, 0, 0]).await;
        }
        let mut onward = TcpStream::connect(target).await?;
        stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
        copy_bidirectional(&mut stream, &mut onward).await.map(drop)
    }
}

impl SocksProxy {
    async fn lets_in(&self, stream: &mut TcpStream) -> std::io::Result<bool> {
        let _version = stream.read_u8().await?;
        let mut methods = vec![0; stream.read_u8().await?.into()];
        stream.read_exact(&mut methods).await?;
        let method = if self.wants.is_some() { 2 } else { 0 };
        if !methods.contains(&method) {
            stream.write_all(&[5, 0xFF]).await?;
            return Ok(false);
        }
        stream.write_all(&[5, method]).await?;
        let Some((user, password)) = self.wants else { return Ok(true) };
        let _version = stream.read_u8().await?;
        let mut given = Vec::new();
        for _ in 0..2 {
            let mut part = vec![0; stream.read_u8().await?.into()];
            stream.read_exact(&mut part).await?;
            given.push(part);
        }
        let right = given == [user.as_bytes(), password.as_bytes()];
        stream.write_all(&[1, u8::from(!right)]).await?;
        Ok(right)
    }
}

/// A port that takes connections and says nothing at all.
pub(crate) async fn silent() -> Running {
    Running::start(|stream, _| hold(stream)).await
}

/// A server of something else, which speaks first.
pub(crate) async fn greets(says: &'static str) -> Running {
    Running::start(move |mut stream, _| async move {
        stream.write_all(says.as_bytes()).await?;
        hold(stream).await
    })
    .await
}

impl Running {
    async fn start<F: Future<Output = std::io::Result<()>> + Send + 'static>(
        serve: impl Fn(TcpStream, Log) -> F + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked_for = Log::default();
        let log = Arc::clone(&asked_for);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&log)));
            }
        });
        Self { address, asked_for, task }
    }

    /// What it was asked to pass on to, in order.
    pub(crate) fn asked_for(&self) -> Vec<String> {
        self.asked_for.lock().unwrap().clone()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

//! Load in a process of its own: License Servers whose keys and requests are ready before the clock starts, and whose
//! HTTP is as little as will do, so that it is the simulator that is measured.
//!
//! It speaks in lines. `ready` when requests are ready; a line on its standard input starts them; then [`Went`].

use std::io::{BufRead as _, Write as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde::{Deserialize, Serialize};
use solme_sync_protocol::{
    PublicJwk, Receipt, Request, RequestId, SealingKey, Signature, Signed, SigningKey, TrustFile, UtcTime, VERSION,
    VerifyEs384,
};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::Failure;

/// The word before the arguments that makes this benchmark the load.
pub(crate) const LOAD: &str = "load";

/// Who synchronizes, and how.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Load {
    /// The simulator's.
    pub(crate) trust: TrustFile,
    pub(crate) ids: Vec<String>,
    /// So often does each synchronize.
    pub(crate) times: usize,
    /// At once.
    pub(crate) connections: usize,
    /// One connection for all, made before the clock starts; or a new one for each synchronization, as a License Server
    /// has it.
    pub(crate) keep_alive: bool,
}

/// How one synchronization of each went.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Went {
    pub(crate) took: Duration,
    /// Of each synchronization, sorted.
    pub(crate) latencies: Vec<Duration>,
}

/// A load that is ready to start.
pub(crate) struct Prepared {
    process: Child,
    stdin: ChildStdin,
    lines: tokio::io::Lines<tokio::io::BufReader<ChildStdout>>,
}

impl Prepared {
    /// Starts the process, and waits until the first requests are ready.
    pub(crate) async fn new(load: &Load) -> Result<Self, Failure> {
        use std::process::Stdio;
        let mut command = Command::new(std::env::current_exe()?);
        command.args([LOAD, &serde_json::to_string(load)?]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.kill_on_drop(true).spawn()?;
        let stdin = process.stdin.take().ok_or("the load has no input")?;
        let stdout = process.stdout.take().ok_or("the load has no output")?;
        let lines = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(stdout));
        let mut prepared = Self { process, stdin, lines };
        prepared.wait_until_ready().await?;
        Ok(prepared)
    }

    /// Lets each synchronize.
    pub(crate) async fn run(&mut self) -> Result<Went, Failure> {
        tokio::io::AsyncWriteExt::write_all(&mut self.stdin, b"\n").await?;
        let line = self.lines.next_line().await?.ok_or("the load has ended")?;
        Ok(serde_json::from_str(&line)?)
    }

    /// Waits until the next requests are ready.
    pub(crate) async fn wait_until_ready(&mut self) -> Result<(), Failure> {
        match self.lines.next_line().await? {
            Some(line) if line == "ready" => Ok(()),
            _ => Err(format!("the load has failed: {:?}", self.process.wait().await?).into()),
        }
    }
}

/// What the process does.
pub(crate) async fn main(load: &str) -> Result<(), Failure> {
    let load: Load = serde_json::from_str(load)?;
    let keys: Vec<Keys> = load.ids.iter().map(|_| Keys::generate()).collect();
    let mut receipts: Vec<Option<String>> = vec![None; load.ids.len()];
    let place = Arc::new(Place::of(&load.trust)?);
    let mut kept: Vec<Option<Connections>> = (0..load.connections).map(|_| None).collect();
    if load.keep_alive {
        for connection in &mut kept {
            *connection = Some(place.connect().await.map_err(|failed| failed.to_string())?);
        }
    }
    for round in 0..load.times {
        let requests = requests(&load, round, &keys, &receipts)?;
        println!("ready");
        std::io::stdin().lock().read_line(&mut String::new())?;
        let (went, answers) = synchronize_all(&place, &mut kept, requests).await?;
        receipts = answers.into_iter().map(Some).collect();
        println!("{}", serde_json::to_string(&went)?);
        std::io::stdout().flush()?;
    }
    Ok(())
}

/// Of one License Server, made before its first request. A sealing key for each request would be the load's work only.
struct Keys {
    signing: SigningKey,
    sealing_jwk: PublicJwk,
}

impl Keys {
    fn generate() -> Self {
        Self { signing: SigningKey::generate(), sealing_jwk: SealingKey::generate().public_jwk() }
    }
}

fn requests(load: &Load, round: usize, keys: &[Keys], receipts: &[Option<String>]) -> Result<Vec<String>, Failure> {
    let of = |((id, keys), last_receipt): ((&String, &Keys), &Option<String>)| {
        let mut request_id = [0; 16]; // another one for each id, and each round
        request_id[..8].copy_from_slice(&keys.sealing_jwk.to_sec1()[1..9]);
        request_id[8..].copy_from_slice(&u64::try_from(round)?.to_be_bytes());
        let request = Request {
            version: VERSION,
            license_server_id: id.parse()?,
            main_server_id: load.trust.main_server_id.clone(),
            request_id: RequestId::from_random(request_id),
            made_at: UtcTime::from_secs(1),
            sealing_jwk: keys.sealing_jwk,
            last_receipt: last_receipt.clone(),
            high_water_mark: UtcTime::from_secs(0),
            product: "benchmark".to_owned(),
            product_version: "1".to_owned(),
        };
        Ok(Signed::sign(&request, &keys.signing).as_str().to_owned())
    };
    load.ids.iter().zip(keys).zip(receipts).map(of).collect()
}

/// Each connection takes its share.
async fn synchronize_all(
    place: &Arc<Place>,
    kept: &mut Vec<Option<Connections>>,
    requests: Vec<String>,
) -> Result<(Went, Vec<String>), Failure> {
    let connections = kept.len();
    let mut shares: Vec<Vec<(usize, String)>> = vec![Vec::new(); connections];
    for (number, request) in requests.into_iter().enumerate() {
        shares[number % connections].push((number, request));
    }
    let began = Instant::now();
    let share = |(share, kept)| tokio::spawn(synchronize_share(Arc::clone(place), kept, share));
    let tasks: Vec<_> = shares.into_iter().zip(kept.drain(..)).map(share).collect();
    let mut all = Vec::new();
    for task in tasks {
        let (done, connection) = task.await?.map_err(|failed| failed.to_string())?;
        all.extend(done);
        kept.push(connection);
    }
    let took = began.elapsed();
    all.sort_by_key(|(number, ..)| *number);
    let (mut latencies, receipts): (Vec<_>, _) =
        all.into_iter().map(|(_, latency, receipt)| (latency, receipt)).unzip();
    latencies.sort();
    Ok((Went { took, latencies }, receipts))
}

type Failed = Box<dyn std::error::Error + Send + Sync>;
type Done = Vec<(usize, Duration, String)>;

async fn synchronize_share(
    place: Arc<Place>,
    mut kept: Option<Connections>,
    share: Vec<(usize, String)>,
) -> Result<(Done, Option<Connections>), Failed> {
    let mut done = Vec::new();
    for (number, request) in share {
        let began = Instant::now();
        let receipt = match &mut kept {
            Some(connections) => connections.synchronize(&place, &request).await?,
            None => place.connect().await?.synchronize(&place, &request).await?,
        };
        done.push((number, began.elapsed(), receipt));
    }
    Ok((done, kept))
}

/// Where the main server is.
struct Place {
    https: String,
    http: String,
    tls: TlsConnector,
    signing_jwks: Vec<PublicJwk>,
}

impl Place {
    fn of(trust: &TrustFile) -> Result<Self, Failure> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(trust.ca_certificate.as_bytes())?)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        // Whoever comes once a day has nothing to resume.
        tls.resumption = Resumption::disabled();
        let authority = |url: &str| url.rsplit('/').next().unwrap_or_default().to_owned();
        let (https, http) = (authority(&trust.https), authority(&trust.http));
        Ok(Self { https, http, tls: TlsConnector::from(Arc::new(tls)), signing_jwks: trust.signing_jwks.clone() })
    }

    async fn connect(&self) -> Result<Connections, Failed> {
        let name = self.https.rsplit_once(':').map_or(self.https.as_str(), |(host, _)| host).to_owned();
        let (https, http) = (TcpStream::connect(&self.https).await?, TcpStream::connect(&self.http).await?);
        https.set_nodelay(true)?;
        http.set_nodelay(true)?;
        Ok(Connections { https: self.tls.connect(ServerName::try_from(name)?, https).await?, http })
    }
}

/// One to each port.
struct Connections {
    https: TlsStream<TcpStream>,
    http: TcpStream,
}

impl Connections {
    async fn synchronize(&mut self, place: &Place, request: &str) -> Result<String, Failed> {
        let head = format!(
            "POST /synchronize HTTP/1.1\r\nhost: {}\r\ncontent-type: application/jose\r\ncontent-length: {}\r\n\r\n",
            place.https,
            request.len()
        );
        let receipt = String::from_utf8(exchange(&mut self.https, &(head + request)).await?)?;
        let content = Signed::<Receipt>::parse(&receipt)?.verify(&NotNeeded, &place.signing_jwks)?.read()?;
        let get = format!("GET /payloads/{} HTTP/1.1\r\nhost: {}\r\n\r\n", content.payload_name, place.http);
        let payload = exchange(&mut self.http, &get).await?;
        if payload.len() as u64 == content.payload_size { Ok(receipt) } else { Err("a payload of another size".into()) }
    }
}

/// The body of the answer, which has to be 200 and tell its length.
async fn exchange(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), request: &str) -> Result<Vec<u8>, Failed> {
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    let mut answer = Vec::with_capacity(8 << 10);
    let (body, length) = loop {
        if stream.read_buf(&mut answer).await? == 0 {
            return Err("the connection has ended".into());
        }
        let Some(end) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).ok_or("no length")?;
        if !head.starts_with("http/1.1 200 ") {
            return Err(format!("not 200: {head}").into());
        }
        break (end + 4, length.trim().parse::<usize>()?);
    };
    while answer.len() < body + length {
        if stream.read_buf(&mut answer).await? == 0 {
            return Err("the connection has ended".into());
        }
    }
    Ok(answer.split_off(body))
}

/// Checks nothing: the load would be all signature checks. The receipts are verified where they come back as the last.
struct NotNeeded;

impl VerifyEs384 for NotNeeded {
    fn verify(&self, _: &PublicJwk, _: &[u8], _: &Signature) -> bool {
        true
    }
}

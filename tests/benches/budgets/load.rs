//! Load in a process of its own: License Servers whose keys and requests are ready before the clock starts, so that it is
//! the simulator that is measured.
//!
//! It speaks in lines. `ready` when requests are ready; a line on its standard input starts them; then [`Went`].

use std::io::{BufRead as _, Write as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::Client;
use rustls::client::Resumption;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use serde::{Deserialize, Serialize};
use solme_sync_protocol::{
    PublicJwk, Receipt, Request, RequestId, SealingKey, Signature, Signed, SigningKey, TrustFile, UtcTime, VERSION,
    VerifyEs384,
};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::Failure;

/// The word before the arguments that makes this benchmark the load.
pub(crate) const LOAD: &str = "load";

/// Who synchronizes, and how.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Load {
    /// The simulator's.
    pub(crate) trust: TrustFile,
    /// Each synchronizes for the first time, and once more.
    pub(crate) ids: Vec<String>,
    /// At once.
    pub(crate) connections: usize,
    /// One connection for all, or a new one for each synchronization, as a License Server has it.
    pub(crate) keep_alive: bool,
}

/// How one half of it went.
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

    /// Runs the next half.
    pub(crate) async fn run(&mut self) -> Result<Went, Failure> {
        tokio::io::AsyncWriteExt::write_all(&mut self.stdin, b"\n").await?;
        let line = self.lines.next_line().await?.ok_or("the load has ended")?;
        Ok(serde_json::from_str(&line)?)
    }

    /// Waits until the requests of the second half are ready.
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
    let keys: Vec<SigningKey> = load.ids.iter().map(|_| SigningKey::generate()).collect();
    let mut receipts: Vec<Option<String>> = vec![None; load.ids.len()];
    for _ in 0..2 {
        let requests = requests(&load, &keys, &receipts)?;
        println!("ready");
        std::io::stdin().lock().read_line(&mut String::new())?;
        let (went, answers) = synchronize_all(&load, requests).await?;
        receipts = answers.into_iter().map(Some).collect();
        println!("{}", serde_json::to_string(&went)?);
        std::io::stdout().flush()?;
    }
    Ok(())
}

fn requests(load: &Load, keys: &[SigningKey], receipts: &[Option<String>]) -> Result<Vec<String>, Failure> {
    let of = |((id, key), last_receipt): ((&String, &SigningKey), &Option<String>)| {
        let sealing_jwk = SealingKey::generate().public_jwk();
        let request = Request {
            version: VERSION,
            license_server_id: id.parse()?,
            main_server_id: load.trust.main_server_id.clone(),
            request_id: RequestId::from_random(sealing_jwk.to_sec1()[1..17].try_into()?),
            made_at: UtcTime::from_secs(1),
            sealing_jwk,
            last_receipt: last_receipt.clone(),
            high_water_mark: UtcTime::from_secs(0),
            product: "benchmark".to_owned(),
            product_version: "1".to_owned(),
        };
        Ok(Signed::sign(&request, key).as_str().to_owned())
    };
    load.ids.iter().zip(keys).zip(receipts).map(of).collect()
}

/// Each connection takes its share.
async fn synchronize_all(load: &Load, requests: Vec<String>) -> Result<(Went, Vec<String>), Failure> {
    let mut shares: Vec<Vec<(usize, String)>> = vec![Vec::new(); load.connections];
    for (number, request) in requests.into_iter().enumerate() {
        shares[number % load.connections].push((number, request));
    }
    let began = Instant::now();
    let tasks: Vec<_> = shares
        .into_iter()
        .map(|share| tokio::spawn(synchronize_share(load.trust.clone(), load.keep_alive, share)))
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await?.map_err(|failed| failed.to_string())?);
    }
    let took = began.elapsed();
    all.sort_by_key(|(number, ..)| *number);
    let (mut latencies, receipts): (Vec<_>, _) =
        all.into_iter().map(|(_, latency, receipt)| (latency, receipt)).unzip();
    latencies.sort();
    Ok((Went { took, latencies }, receipts))
}

type Failed = Box<dyn std::error::Error + Send + Sync>;

async fn synchronize_share(
    trust: TrustFile,
    keep_alive: bool,
    share: Vec<(usize, String)>,
) -> Result<Vec<(usize, Duration, String)>, Failed> {
    let client = client(&trust, keep_alive)?;
    let mut done = Vec::new();
    for (number, request) in share {
        let began = Instant::now();
        let receipt = synchronize(&client, &trust, request).await?;
        done.push((number, began.elapsed(), receipt));
    }
    Ok(done)
}

fn client(trust: &TrustFile, keep_alive: bool) -> Result<Client, Failed> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trust.ca_certificate.as_bytes())?)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    // Whoever comes once a day has nothing to resume.
    tls.resumption = Resumption::disabled();
    let client = Client::builder().no_proxy().tls_backend_preconfigured(tls);
    Ok(if keep_alive { client } else { client.pool_max_idle_per_host(0) }.build()?)
}

async fn synchronize(client: &Client, trust: &TrustFile, request: String) -> Result<String, Failed> {
    let url = format!("{}/synchronize", trust.https);
    let answer = client.post(url).header("content-type", "application/jose").body(request).send().await?;
    let receipt = answer.error_for_status()?.text().await?;
    let content = Signed::<Receipt>::parse(&receipt)?.verify(&NotNeeded, &trust.signing_jwks)?;
    let content = content.read()?;
    let url = format!("{}/payloads/{}", trust.http, content.payload_name);
    let payload = client.get(url).send().await?.error_for_status()?.bytes().await?;
    if payload.len() as u64 == content.payload_size { Ok(receipt) } else { Err("a payload of another size".into()) }
}

/// Checks nothing: the load would be all signature checks. The receipts are verified where they come back as the last.
struct NotNeeded;

impl VerifyEs384 for NotNeeded {
    fn verify(&self, _: &PublicJwk, _: &[u8], _: &Signature) -> bool {
        true
    }
}

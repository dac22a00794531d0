//! The budgets of the project, measured: `cargo bench -p tests`. Ratios are taken in one run, in turns, on one machine.
//! It ends with 1 where a budget is exceeded. `cargo bench -p tests -- license-server` measures the License Server alone.
//! Linux only: the CPU time of a process is read from /proc.

mod license_server;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P384_SHA384_FIXED, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, UnparsedPublicKey,
};
use reqwest::{Certificate, Client};
use rustls::crypto::aws_lc_rs::hpke::DH_KEM_P384_HKDF_SHA384_AES_256;
use rustls::crypto::hpke::{Hpke as _, HpkePublicKey};
use solme_sync_harness::programs::{MainServer, Programs};
use solme_sync_protocol::{Receipt, Request, RequestId, SealingKey, Signed, SigningKey, TrustFile, UtcTime, VERSION};
use tokio::process::Command;

const SUBJECT: &str = env!("CARGO_BIN_EXE_subject");
/// So often are the sides of a ratio measured in turn.
const ROUNDS: u32 = 5;
/// License Servers in a round. Each synchronizes twice: for the first time, and once more.
const IDS_A_ROUND: u32 = 200;
const SYNCHRONIZATIONS: u32 = ROUNDS * IDS_A_ROUND * 2;
/// Repetitions of what takes milliseconds.
const REPETITIONS: usize = 41;

type Failure = Box<dyn std::error::Error>;

#[tokio::main(worker_threads = 1)]
async fn main() -> Result<ExitCode, Failure> {
    if cfg!(debug_assertions) {
        return Err("the budgets are those of a release build: run `cargo bench -p tests`".into());
    }
    let programs = Programs::at(SUBJECT);
    let directory = tempfile::tempdir()?;
    let path = |name: &str| directory.path().join(name);
    let mut table = Table::default();

    let only_the_license_server = std::env::args().any(|argument| argument == "license-server");
    println!("{:<62} {:>10} {:>10}", "", "measured", "budget");
    if !only_the_license_server {
        cost_of_a_synchronization(&programs, &path("few"), &path("many"), &mut table).await?;
        table.row("simulator: first answer after the start", first_answer(&programs).await?, 60.0, "ms");
    }
    let server = Server::start(&programs, &path("data"), 3).await?;
    license_server::budgets(&programs, directory.path(), &server, &mut table).await?;
    drop(server);
    if only_the_license_server {
        return Ok(table.verdict());
    }
    let suites = suite("client").await? + suite("server").await?;
    table.row("both conformance suites over ours", suites.as_secs_f64(), 15.0, "s");
    Ok(table.verdict())
}

/// Prints as it goes.
#[derive(Default)]
struct Table {
    exceeded: bool,
}

impl Table {
    fn verdict(&self) -> ExitCode {
        if self.exceeded { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }

    fn row(&mut self, what: &str, measured: f64, budget: f64, unit: &str) {
        let exceeded = measured > budget;
        let remark = if exceeded { "  EXCEEDED" } else { "" };
        println!("{what:<62} {measured:>8.2} {unit:<3} {budget:>6} {unit:<3}{remark}");
        self.exceeded |= exceeded;
    }
}

/// A synchronization against its cryptography, and with a million ids against a thousand.
async fn cost_of_a_synchronization(
    programs: &Programs,
    few: &Path,
    many: &Path,
    table: &mut Table,
) -> Result<(), Failure> {
    let mut few = Server::start(programs, few, 1_000).await?;
    let mut many = Server::start(programs, many, 1_000_000).await?;
    let mut cryptography = Cryptography::new()?;
    let (mut of_few, mut of_many, mut of_cryptography) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    for round in 0..ROUNDS {
        of_few += few.round(round).await?;
        of_many += many.round(round).await?;
        of_cryptography += cryptography.round()?;
    }
    let each = |total: Duration| (total / SYNCHRONIZATIONS).as_secs_f64() * 1e6;
    println!("{:<62} {:>8.0} us", "  verify + sign + seal, CPU", each(of_cryptography));
    println!("{:<62} {:>8.0} us", "  direct synchronization, durable, keep-alive, CPU", each(of_few));
    println!("{:<62} {:>8.0} us", "  the same at 1,000,000 ids", each(of_many));
    let ratio = |a: Duration, b: Duration| a.as_secs_f64() / b.as_secs_f64();
    table.row("simulator: CPU against verify + sign + seal", ratio(of_few, of_cryptography), 1.25, "x");
    table.row("simulator: CPU at 1,000,000 ids against 1,000", ratio(of_many, of_few), 1.2, "x");
    table.row("simulator: resident memory at 1,000,000 ids", resident(many.process)?, 400.0, "MiB");
    Ok(())
}

/// A simulator with durable data, and somebody who synchronizes with it.
struct Server {
    main: MainServer,
    process: u32,
    trust: TrustFile,
    trust_file: PathBuf,
    ids: u32,
    client: Client,
    key: SigningKey,
}

impl Server {
    /// Starts with so many ids. They are written into its database: to add a million over the admin API takes minutes.
    async fn start(programs: &Programs, data: &Path, ids: u32) -> Result<Self, Failure> {
        let main = MainServer::start_command(programs, MainServer::command(programs, data)).await?;
        main.admin(["ids", "add", "BENCH"]).await?.done()?;
        main.admin(["licenses", "add", "BENCH"]).await?.done()?;
        main.kill().await?;
        fill(data, ids)?;
        let main = MainServer::start_command(programs, MainServer::command(programs, data)).await?;
        let process = main.process_id().ok_or("the simulator has ended")?;
        let trust_file = PathBuf::from(main.ready("trust_file")?);
        let trust = TrustFile::parse(&std::fs::read(&trust_file)?)?;
        let ca = Certificate::from_pem(trust.ca_certificate.as_bytes())?;
        let client = Client::builder().no_proxy().tls_certs_only([ca]).build()?;
        Ok(Self { main, process, trust, trust_file, ids, client, key: SigningKey::generate() })
    }

    /// Some License Servers synchronize twice, one after the other. The CPU time of the simulator is the answer.
    async fn round(&mut self, round: u32) -> Result<Duration, Failure> {
        let before = cpu(self.process)?;
        for n in 0..IDS_A_ROUND {
            // All over the table.
            let id = format!("BENCH-{:07}", self.ids / (ROUNDS * IDS_A_ROUND) * (round * IDS_A_ROUND + n));
            let receipt = self.synchronize(&id, None).await?;
            self.synchronize(&id, Some(receipt)).await?;
        }
        Ok(cpu(self.process)? - before)
    }

    async fn synchronize(&self, id: &str, last_receipt: Option<String>) -> Result<String, Failure> {
        let sealing_jwk = SealingKey::generate().public_jwk();
        let request = Request {
            version: VERSION,
            license_server_id: id.parse()?,
            main_server_id: self.trust.main_server_id.clone(),
            request_id: RequestId::from_random(sealing_jwk.to_sec1()[1..17].try_into()?),
            made_at: UtcTime::from_secs(1),
            sealing_jwk,
            last_receipt,
            high_water_mark: UtcTime::from_secs(0),
            product: "benchmark".to_owned(),
            product_version: "1".to_owned(),
        };
        let request = Signed::sign(&request, &self.key).as_str().to_owned();
        let url = format!("{}/synchronize", self.trust.https);
        let answer = self.client.post(url).header("content-type", "application/jose").body(request).send().await?;
        let receipt = answer.error_for_status()?.text().await?;
        let signed =
            Signed::<Receipt>::parse(&receipt)?.verify(&solme_sync_protocol::RustCrypto, &self.trust.signing_jwks)?;
        let url = format!("{}/payloads/{}", self.trust.http, signed.read()?.payload_name);
        let payload = self.client.get(url).send().await?.error_for_status()?.bytes().await?;
        assert_eq!(payload.len() as u64, signed.read()?.payload_size);
        Ok(receipt)
    }
}

/// Copies the id `BENCH` so often.
fn fill(data: &Path, ids: u32) -> Result<(), Failure> {
    let database = rusqlite::Connection::open(data.join("state.sqlite"))?;
    let numbers = "WITH RECURSIVE number(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n + 1 < ?)";
    for (table, key) in [("license_server", "id"), ("allocation", "license_server_id")] {
        let mut columns = Vec::new();
        database.pragma(None, "table_info", table, |row| {
            columns.push(row.get::<_, String>("name")?);
            Ok(())
        })?;
        let others = columns.into_iter().filter(|column| column != key).collect::<Vec<_>>().join(", ");
        let copy = format!(
            "{numbers} INSERT INTO {table} ({key}, {others}) SELECT printf('BENCH-%07d', n), {others}
             FROM number CROSS JOIN {table} WHERE {key} = 'BENCH'"
        );
        database.execute(&copy, [ids])?;
    }
    Ok(())
}

/// What no main server can do without: the same calls as the simulator's.
struct Cryptography {
    pair: EcdsaKeyPair,
    sealing: HpkePublicKey,
    signature: Vec<u8>,
}

/// As long as what a synchronization signs, and as an allocation of one license.
const TEXT: [u8; 1_000] = [b'x'; 1_000];

impl Cryptography {
    fn new() -> Result<Self, Failure> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING)?;
        let signature = pair.sign(&SystemRandom::new(), &TEXT)?.as_ref().to_vec();
        let sealing = HpkePublicKey(SealingKey::generate().public_jwk().to_sec1().to_vec());
        Ok(Self { pair, sealing, signature })
    }

    fn round(&mut self) -> Result<Duration, Failure> {
        let before = cpu(std::process::id())?;
        for _ in 0..IDS_A_ROUND * 2 {
            let key = UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, self.pair.public_key().as_ref());
            key.verify(&TEXT, &self.signature)?;
            self.signature = self.pair.sign(&SystemRandom::new(), &TEXT)?.as_ref().to_vec();
            DH_KEM_P384_HKDF_SHA384_AES_256.seal(b"info", b"", &TEXT[..500], &self.sealing)?;
        }
        Ok(cpu(std::process::id())? - before)
    }
}

/// From the start of a process with a fresh CA to an answer over TLS. Milliseconds.
async fn first_answer(programs: &Programs) -> Result<f64, Failure> {
    let mut times = Vec::new();
    for _ in 0..REPETITIONS {
        let began = Instant::now();
        let main = MainServer::start(programs, [] as [&str; 0]).await?;
        let trust = TrustFile::parse(&std::fs::read(main.ready("trust_file")?)?)?;
        let ca = Certificate::from_pem(trust.ca_certificate.as_bytes())?;
        let client = Client::builder().no_proxy().tls_certs_only([ca]).build()?;
        client.get(format!("{}/health", trust.https)).send().await?.error_for_status()?;
        times.push(began.elapsed());
    }
    Ok(p50(times))
}

async fn suite(name: &str) -> Result<Duration, Failure> {
    let began = Instant::now();
    let ended = Command::new(SUBJECT).args(["conformance", name, "--subject", "ours"]).output().await?;
    let took = began.elapsed();
    if ended.status.success() { Ok(took) } else { Err(format!("the {name} suite does not pass over ours").into()) }
}

/// The middle one, in milliseconds.
fn p50(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1e3
}

/// The CPU time that a process has used, all its threads.
fn cpu(process: u32) -> Result<Duration, Failure> {
    const TICKS_A_SECOND: u32 = 100; // USER_HZ, the same on every Linux
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // What stands behind the name of the program, which may have blanks.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let (user, system): (u64, u64) = (fields[11].parse()?, fields[12].parse()?);
    Ok(Duration::from_millis((user + system) * 1_000 / u64::from(TICKS_A_SECOND)))
}

/// MiB.
fn resident(process: u32) -> Result<f64, Failure> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let fields: BTreeMap<&str, &str> = status.lines().filter_map(|line| line.split_once(':')).collect();
    let kilobytes = fields.get("VmRSS").ok_or("no VmRSS")?.trim().trim_end_matches(" kB");
    Ok(kilobytes.parse::<f64>()? / 1024.0)
}

//! The budgets of the License Server: one that stays in memory, and processes that start and end.

use std::cell::RefCell;
use std::path::Path;
use std::time::Instant;

use license_server::{Connection, Direct, Failure as Unreached, HttpAnswer, Network, PayloadName, Transport};
use reqwest::{Certificate, Client};
use solme_sync_harness::programs::{LicenseServer, MainServer, Programs};
use solme_sync_protocol::TrustFile;

use crate::{Failure, REPETITIONS, Table, p50};

/// All of them, and how long the simulator takes until it answers the first.
pub(crate) async fn measure(programs: &Programs, folder: &Path, table: &mut Table) -> Result<(), Failure> {
    let path = |name: &str| folder.join(name);
    table.row("simulator: first answer after the start", first_answer(programs).await?, 15.0, "ms");
    let server = MainServer::start_command(programs, MainServer::command(programs, &path("data"))).await?;
    for id in ["LIBRARY", "WARM", "COLD"] {
        server.admin(["ids", "add", id]).await?.done()?;
        server.admin(["licenses", "add", id]).await?.done()?;
    }
    let trust = server.ready("trust_file")?;
    tokio::task::block_in_place(|| library(trust, &path("library"), table))?;
    let warm = tokio::task::block_in_place(|| warm(trust, &path("warm")))?;
    table.row("License Server: a synchronization, warm, in process, p50", warm, 5.0, "ms");
    let [status, synchronize] = cold(programs, &path("cold"), trust).await?;
    table.row("License Server: a cold `synchronize`, p50", synchronize, 20.0, "ms");
    table.row("License Server: a cold `status`, p50", status, 5.0, "ms");
    Ok(())
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

/// A way to the main server that notes when it is used.
struct Watched<'a> {
    inner: Direct,
    moments: &'a RefCell<Vec<Instant>>,
}

struct WatchedConnection<'a> {
    inner: Box<dyn Connection + 'a>,
    moments: &'a RefCell<Vec<Instant>>,
}

impl Transport for Watched<'_> {
    fn connect<'a>(&'a self, main_server: &TrustFile) -> Result<Box<dyn Connection + 'a>, Unreached> {
        self.moments.borrow_mut().push(Instant::now());
        Ok(Box::new(WatchedConnection { inner: self.inner.connect(main_server)?, moments: self.moments }))
    }
}

impl WatchedConnection<'_> {
    fn watch<T>(&self, exchange: impl FnOnce() -> T) -> T {
        self.moments.borrow_mut().push(Instant::now());
        let done = exchange();
        self.moments.borrow_mut().push(Instant::now());
        done
    }
}

impl Connection for WatchedConnection<'_> {
    fn post_request(&self, request: &str) -> Result<HttpAnswer, Unreached> {
        self.watch(|| self.inner.post_request(request))
    }

    fn get_payload(&self, name: &PayloadName, at_most: usize) -> Result<HttpAnswer, Unreached> {
        self.watch(|| self.inner.get_payload(name, at_most))
    }

    fn get_health(&self) -> Result<HttpAnswer, Unreached> {
        self.inner.get_health()
    }
}

const PHASES: [&str; 6] = [
    "open the state",
    "prepare the network; make, sign and store the request",
    "443: connect, TLS, request and receipt",
    "check the receipt",
    "8080: connect, payload",
    "open the payload, and store it",
];

/// What a program pays that has the License Server in it: the whole, and each phase.
fn library(trust: &str, state: &Path, table: &mut Table) -> Result<(), Failure> {
    let trust = TrustFile::parse(&std::fs::read(trust)?)?;
    let local = license_server::LicenseServer::init(state, "LIBRARY".parse()?, &trust)?;
    let moments = RefCell::default();
    let direct = Watched { inner: Direct::new(Network::default()), moments: &moments };
    let (mut whole, mut phases) = (Vec::new(), PHASES.map(|phase| (phase, Vec::new())));
    for round in 0..=REPETITIONS {
        moments.replace(vec![Instant::now()]);
        assert!(local.synchronize(&direct)?.is_synchronized());
        moments.borrow_mut().push(Instant::now());
        let moments = moments.borrow();
        if round == 0 {
            continue; // the first one is not warm
        }
        whole.push(moments[PHASES.len()] - moments[0]);
        for (n, (_, times)) in phases.iter_mut().enumerate() {
            times.push(moments[n + 1] - moments[n]);
        }
    }
    table.row("License Server: a synchronization, warm, library, p50", p50(whole), 5.0, "ms");
    for (phase, times) in phases {
        println!("  {phase:<60} {:>8.2} ms", p50(times));
    }
    Ok(())
}

/// Milliseconds.
fn warm(trust: &str, state: &Path) -> Result<f64, Failure> {
    let run = |words: &[&str]| {
        let state = state.to_str().unwrap_or_default();
        let args = ["license-server", "--state", state, "--json"].into_iter().chain(words.iter().copied());
        let seams =
            license_server::testing::Seams::default().on_report(|said| assert!(said["cure"].is_null(), "{said:?}"));
        let began = Instant::now();
        license_server::testing::run(args.map(Into::into), seams);
        began.elapsed()
    };
    run(&["init", "--id", "WARM", "--trust", trust]);
    run(&["synchronize"]);
    Ok(p50((0..REPETITIONS).map(|_| run(&["synchronize"])).collect()))
}

/// Milliseconds: a `status`, and a `synchronize`.
async fn cold(programs: &Programs, state: &Path, trust: &str) -> Result<[f64; 2], Failure> {
    let local = LicenseServer::new(programs, state.to_owned());
    local.run(["init", "--id", "COLD", "--trust", trust]).await?.done()?;
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..REPETITIONS {
        for (verb, times) in ["status", "synchronize"].into_iter().zip(&mut times) {
            let began = Instant::now();
            local.run([verb]).await?.done()?;
            times.push(began.elapsed());
        }
    }
    Ok(times.map(p50))
}

//! The main server under load: what a synchronization costs it, beside its cryptography.

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use solme_sync_harness::programs::{MainServer, Programs};
use solme_sync_protocol::TrustFile;

use crate::cryptography::{Cryptography, handshake};
use crate::load::{Load, Prepared};
use crate::{Failure, Table, cpu, median, resident};

/// So often are the sides of a ratio measured in turn.
const ROUNDS: usize = 5;
/// License Servers in a round. Each synchronizes twice: for the first time, and once more.
const IDS_A_ROUND: usize = 200;

/// Enough for every side that uses them.
const FEW: usize = 5 * ROUNDS * IDS_A_ROUND;
const MANY: usize = 1_000_000;

/// What is measured in turns.
struct Side {
    name: &'static str,
    server: usize,
    connections: usize,
    keep_alive: bool,
    rounds: Vec<Round>,
}

/// One round of one side.
#[derive(Clone, Copy)]
struct Round {
    /// CPU time of the simulator for one synchronization, in microseconds: for the first time, and once more.
    first: f64,
    later: f64,
    /// Synchronizations a second.
    rate: f64,
    /// Milliseconds.
    p50: f64,
    p99: f64,
}

impl Side {
    fn new(name: &'static str, server: usize, connections: usize, keep_alive: bool) -> Self {
        Self { name, server, connections, keep_alive, rounds: Vec::new() }
    }

    /// The mean: the operating system counts CPU time in ticks of 10 ms.
    fn cpu(&self) -> f64 {
        (self.mean(|round| round.first) + self.mean(|round| round.later)) / 2.0
    }

    fn mean(&self, of: impl Fn(&Round) -> f64) -> f64 {
        self.rounds.iter().map(of).sum::<f64>() / self.rounds.len() as f64
    }

    fn median(&self, of: impl Fn(&Round) -> f64) -> f64 {
        median(self.rounds.iter().map(of).collect())
    }

    fn print(&self) {
        println!(
            "  {:<40} {:>6.0} us at first, {:>6.0} us later, {:>6.0}/s, p50 {:>6.2} ms, p99 {:>6.2} ms",
            self.name,
            self.mean(|round| round.first),
            self.mean(|round| round.later),
            self.median(|round| round.rate),
            self.median(|round| round.p50),
            self.median(|round| round.p99),
        );
    }
}

/// Measures the simulator, and beside it another one where `against` is a program built from another commit.
pub(crate) async fn measure(
    programs: &Programs,
    against: Option<&Path>,
    directory: &Path,
    table: &mut Table,
) -> Result<(), Failure> {
    let mut servers = vec![
        Server::durable(programs, &directory.join("few"), FEW).await?,
        Server::durable(programs, &directory.join("many"), MANY).await?,
        Server::in_memory(programs).await?,
    ];
    let mut sides = vec![
        Side::new("durable, 1 connection", 0, 1, true),
        Side::new("durable, 16 connections", 0, 16, true),
        Side::new("durable, 64 connections", 0, 64, true),
        Side::new("durable, 1 at a time, each a new connection", 0, 1, false),
        Side::new("durable, 1 connection, 1,000,000 ids", 1, 1, true),
        Side::new("in memory, 16 connections", 2, 16, true),
    ];
    if let Some(program) = against {
        servers.push(Server::durable(&Programs::at(program), &directory.join("against"), FEW).await?);
        sides.push(Side::new("the other program, 1 connection", 3, 1, true));
        sides.push(Side::new("the other program, 16 connections", 3, 16, true));
        sides.push(Side::new("the other program, 64 connections", 3, 64, true));
    }
    let mut cryptography = Cryptography::new()?;
    let (mut of_cryptography, mut of_handshakes) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        for side in &mut sides {
            let round = servers[side.server].round(side.connections, side.keep_alive).await?;
            side.rounds.push(round);
        }
        of_cryptography.push(cryptography.round()?);
        of_handshakes.push(handshake()?);
    }
    let (cryptography, handshake) = (median(of_cryptography), median(of_handshakes));
    println!("  verify + sign + seal: {cryptography:.0} us; the handshake of TLS: {handshake:.0} us");
    sides.iter().for_each(Side::print);

    let [one, sixteen, many_connections, new, many, _, others @ ..] = &sides[..] else {
        return Err("there are six sides, and perhaps others".into());
    };
    let on_top = new.cpu() - one.cpu();
    let rate = |side: &Side| side.median(|round| round.rate);
    table.row("simulator, 16 connections: CPU against verify + sign + seal", sixteen.cpu() / cryptography, 1.4, "x");
    table.row("simulator, 1 connection: the same", one.cpu() / cryptography, 1.7, "x");
    table.row("simulator, a new connection each: CPU on top against a handshake", on_top / handshake, 1.5, "x");
    table.row("simulator: rate at 1 connection against 64", rate(one) / rate(many_connections), 1.0, "x");
    let tail = many_connections.median(|round| round.p99 / round.p50);
    table.row("simulator, 64 connections: p99 against p50", tail, 5.0, "x");
    table.row("simulator: CPU at 1,000,000 ids against 5,000", many.cpu() / one.cpu(), 1.2, "x");
    table.row("simulator: resident memory at 1,000,000 ids", resident(servers[1].process)?, 100.0, "MiB");
    if let [other_one, other_16, other_64] = others {
        println!(
            "  against the other program: {:.2} x the rate at 1 connection, {:.2} x at 16, {:.2} x at 64",
            rate(one) / rate(other_one),
            rate(sixteen) / rate(other_16),
            rate(many_connections) / rate(other_64),
        );
    }
    Ok(())
}

/// A simulator, and the ids that have not synchronized yet.
struct Server {
    /// It runs as long as this is held.
    _main: MainServer,
    process: u32,
    trust: TrustFile,
    ids: Box<dyn Iterator<Item = String>>,
}

impl Server {
    /// Starts one with so many ids. They are written into its database: over the admin API a million takes minutes.
    async fn durable(programs: &Programs, data: &Path, ids: usize) -> Result<Self, Failure> {
        let main = MainServer::start_command(programs, MainServer::command(programs, data)).await?;
        main.admin(["ids", "add", "BENCH"]).await?.done()?;
        main.admin(["licenses", "add", "BENCH"]).await?.done()?;
        main.kill().await?;
        fill(data, ids)?;
        let main = MainServer::start_command(programs, MainServer::command(programs, data)).await?;
        // All over the table, and each but once.
        let step = if ids == MANY { 617 } else { 1 };
        Self::new(main, (0..ids).step_by(step).map(|number| format!("BENCH-{number:07}")))
    }

    async fn in_memory(programs: &Programs) -> Result<Self, Failure> {
        let main = MainServer::start(programs, [] as [&str; 0]).await?;
        let (admin, token) = (main.ready("admin")?.to_owned(), main.ready("admin_token")?.to_owned());
        let client = reqwest::Client::builder().no_proxy().build()?;
        let ids = (0..ROUNDS * IDS_A_ROUND).map(|number| format!("BENCH-{number:07}"));
        for id in ids.clone() {
            let post = |path: &str, body| client.post(format!("{admin}{path}")).bearer_auth(&token).json(&body);
            post("/ids", json!({ "license_server_id": id })).send().await?.error_for_status()?;
            post(&format!("/ids/{id}/licenses"), json!({})).send().await?.error_for_status()?;
        }
        Self::new(main, ids)
    }

    fn new(main: MainServer, ids: impl Iterator<Item = String> + 'static) -> Result<Self, Failure> {
        let process = main.process_id().ok_or("the simulator has ended")?;
        let trust = TrustFile::parse(&std::fs::read(main.ready("trust_file")?)?)?;
        Ok(Self { _main: main, process, trust, ids: Box::new(ids) })
    }

    /// Some License Servers synchronize twice.
    async fn round(&mut self, connections: usize, keep_alive: bool) -> Result<Round, Failure> {
        let ids: Vec<_> = self.ids.by_ref().take(IDS_A_ROUND).collect();
        if ids.len() < IDS_A_ROUND {
            return Err("more rounds than ids".into());
        }
        let mut load = Prepared::new(&Load { trust: self.trust.clone(), ids, connections, keep_alive }).await?;
        let started = cpu(self.process)?;
        let at_first = load.run().await?;
        let first = cpu(self.process)?;
        load.wait_until_ready().await?;
        let between = cpu(self.process)?;
        let later = load.run().await?;
        let ended = cpu(self.process)?;
        let each = |total: Duration| total.as_secs_f64() * 1e6 / IDS_A_ROUND as f64;
        let mut latencies: Vec<f64> =
            at_first.latencies.iter().chain(&later.latencies).map(|latency| latency.as_secs_f64() * 1e3).collect();
        latencies.sort_by(f64::total_cmp);
        Ok(Round {
            first: each(first - started),
            later: each(ended - between),
            rate: 2.0 * IDS_A_ROUND as f64 / (at_first.took + later.took).as_secs_f64(),
            p50: latencies[latencies.len() / 2],
            p99: latencies[latencies.len() * 99 / 100],
        })
    }
}

/// Copies the id `BENCH` so often.
fn fill(data: &Path, ids: usize) -> Result<(), Failure> {
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

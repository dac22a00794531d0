//! The main server under load: what a synchronization costs it, beside its cryptography.

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use solme_sync_harness::programs::{MainServer, Programs};
use solme_sync_protocol::TrustFile;

use crate::load::{Load, Prepared};
use crate::measured::{self, Yardstick, Yardsticks};
use crate::{Failure, Table, cpu, cryptography, median, resident};

/// So often are the sides of a ratio measured in turn, unless it is told otherwise.
pub(crate) const ROUNDS: usize = 5;
/// License Servers in a round. Each synchronizes twice: for the first time, and once more.
const IDS_A_ROUND: usize = 200;

/// Ids of a simulator that one side has for itself: enough for its rounds.
const FEW: usize = ROUNDS * IDS_A_ROUND;
/// Ids of the simulator that sides share.
const MANY: usize = 1_000_000;

/// In a soak each of these synchronizes again and again,
const IDS_IN_A_SOAK: usize = 1_000;
/// and so often at least: with 20,000 the cache of SQLite, 32 MiB then, was still filling in the second half.
const SHORTEST_SOAK: usize = 200_000;

/// What is measured in turns.
struct Side {
    name: String,
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
    /// Resident memory of the simulator afterwards, in MiB.
    memory: f64,
}

impl Side {
    fn new(of: &str, server: usize, connections: usize, keep_alive: bool) -> Self {
        let kept = if keep_alive { "" } else { ", a new connection each" };
        let name = format!("{of}, {connections} at once{kept}");
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

    fn measured(&self) -> measured::Load {
        measured::Load {
            what: self.name.clone(),
            connections: self.connections,
            first: self.mean(|round| round.first),
            later: self.mean(|round| round.later),
            rate: self.median(|round| round.rate),
            p50: self.median(|round| round.p50),
            p99: self.median(|round| round.p99),
            memory: self.memory(),
        }
    }

    fn memory(&self) -> f64 {
        self.rounds.iter().map(|round| round.memory).fold(0.0, f64::max)
    }

    fn print(&self) {
        let measured::Load { what, first, later, rate, p50, p99, memory, .. } = self.measured();
        println!(
            "  {what:<56} {first:>5.0} us at first, {later:>5.0} us later, {rate:>5.0}/s, \
             p50 {p50:>6.2} ms, p99 {p99:>6.2} ms, {memory:>3.0} MiB"
        );
    }
}

/// Simulators, and what each is measured for.
#[derive(Default)]
struct Stand {
    servers: Vec<Server>,
    sides: Vec<Side>,
}

/// Connections of the sides of a stand: at first those that are kept, then new ones.
const AT_ONCE: [usize; 3] = [1, 16, 64];

impl Stand {
    /// Each side has a simulator of its own.
    async fn own(programs: &Programs, directory: &Path, of: &str, keep_alive: &[bool]) -> Result<Self, Failure> {
        let mut stand = Self::default();
        std::fs::create_dir_all(directory)?;
        for keep_alive in keep_alive {
            for connections in AT_ONCE {
                let data = directory.join(stand.servers.len().to_string());
                stand.sides.push(Side::new(of, stand.servers.len(), connections, *keep_alive));
                stand.servers.push(Server::durable(programs, &data, FEW).await?);
            }
        }
        Ok(stand)
    }

    async fn in_memory(programs: &Programs, of: &str) -> Result<Self, Failure> {
        let mut stand = Self::default();
        for keep_alive in [true, false] {
            for connections in AT_ONCE {
                stand.sides.push(Side::new(of, stand.servers.len(), connections, keep_alive));
                stand.servers.push(Server::in_memory(programs).await?);
            }
        }
        Ok(stand)
    }

    /// All sides have one simulator.
    async fn shared(programs: &Programs, data: &Path, of: &str) -> Result<Self, Failure> {
        let sides = [true, false].into_iter().flat_map(|keep_alive| {
            AT_ONCE.into_iter().map(move |connections| Side::new(of, 0, connections, keep_alive))
        });
        Ok(Self { servers: vec![Server::durable(programs, data, MANY).await?], sides: sides.collect() })
    }

    async fn round(&mut self) -> Result<(), Failure> {
        for side in &mut self.sides {
            let round = self.servers[side.server].round(side.connections, side.keep_alive).await?;
            side.rounds.push(round);
        }
        Ok(())
    }

    /// The sides with one, 16 and 64 connections that are kept.
    fn kept(&self) -> Result<&[Side; 3], Failure> {
        self.sides.first_chunk().ok_or_else(|| "a side for each number of connections".into())
    }
}

/// Measures the simulator, and beside it another one where `against` is a program built from another commit.
pub(crate) async fn measure(
    programs: &Programs,
    against: Option<&Path>,
    rounds: usize,
    directory: &Path,
    table: &mut Table,
) -> Result<(), Failure> {
    let place = |name: &str| directory.join(name);
    let mut stands = vec![
        Stand::own(programs, &place("few"), "durable, 1,000 ids", &[true, false]).await?,
        Stand::shared(programs, &place("many"), "durable, 1,000,000 ids").await?,
        Stand::in_memory(programs, "in memory, 1,000 ids").await?,
    ];
    if let Some(program) = against {
        stands.push(Stand::own(&Programs::at(program), &place("against"), "the other program", &[true]).await?);
    }
    let (mut alone, mut busy) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        for stand in &mut stands {
            stand.round().await?;
            alone.push(cryptography::alone()?);
            busy.push(cryptography::on_every_core()?);
        }
    }
    let yardsticks = Yardsticks { alone: middle(&alone), busy: middle(&busy) };
    for (of, Yardstick { cryptography, handshake }) in [("alone", yardsticks.alone), ("on every core", yardsticks.busy)]
    {
        println!("  {of}: verify + sign + seal {cryptography:.0} us, the handshake of TLS {handshake:.0} us");
    }
    stands.iter().flat_map(|stand| &stand.sides).for_each(Side::print);
    table.measured.yardsticks = Some(yardsticks);
    table.measured.loads = stands[..3].iter().flat_map(|stand| &stand.sides).map(Side::measured).collect();
    rows(&stands, &yardsticks, table)
}

fn middle(yardsticks: &[Yardstick]) -> Yardstick {
    let of = |of: fn(&Yardstick) -> f64| median(yardsticks.iter().map(of).collect());
    Yardstick { cryptography: of(|one| one.cryptography), handshake: of(|one| one.handshake) }
}

fn rows(stands: &[Stand], yardsticks: &Yardsticks, table: &mut Table) -> Result<(), Failure> {
    let [few, many, ..] = stands else { return Err("few ids, and many".into()) };
    let [one, sixteen, sixty_four] = few.kept()?;
    // Each is a difference of two sums that are uncertain: the mean of all three is less so.
    let new = few.kept()?.iter().zip(&few.sides[AT_ONCE.len()..]);
    let on_top: Vec<f64> =
        new.map(|(kept, new)| (new.cpu() - kept.cpu()) / yardsticks.at(kept.connections).handshake).collect();
    let on_top = on_top.iter().sum::<f64>() / on_top.len() as f64;
    let against = |side: &Side| side.cpu() / yardsticks.at(side.connections).cryptography;
    let rate = |side: &Side| side.median(|round| round.rate);
    let cpu = |sides: &[Side]| sides.iter().map(Side::cpu).sum::<f64>();
    table.row("simulator, 16 connections: CPU against verify + sign + seal", against(sixteen), 1.25, "x");
    table.row("simulator, 1 connection: the same", against(one), 1.7, "x");
    table.row("simulator, a new connection each: CPU on top against a handshake", on_top, 1.5, "x");
    table.row("simulator: rate at 1 connection against 64", rate(one) / rate(sixty_four), 1.0, "x");
    let tail = sixty_four.median(|round| round.p99 / round.p50);
    table.row("simulator, 64 connections: p99 against p50", tail, 5.0, "x");
    let ids = cpu(&many.sides) / cpu(&few.sides);
    table.row("simulator: CPU at 1,000,000 ids against 1,000", ids, 1.2, "x");
    let memory = many.sides.iter().map(Side::memory).fold(0.0, f64::max);
    table.row("simulator: resident memory at 1,000,000 ids", memory, 100.0, "MiB");
    if let [_, _, _, other] = stands {
        for (ours, other) in few.kept()?.iter().zip(other.kept()?) {
            println!(
                "  {} at once: {:.2} x the rate of the other program, {:.2} x its CPU",
                ours.connections,
                rate(ours) / rate(other),
                ours.cpu() / other.cpu()
            );
        }
    }
    Ok(())
}

/// Whether the memory of one simulator grows while it synchronizes so often. By half of it, all that is bounded is full: the
/// journal, and what SQLite keeps of its file.
pub(crate) async fn soak(
    programs: &Programs,
    directory: &Path,
    synchronizations: usize,
    table: &mut Table,
) -> Result<(), Failure> {
    let mut server = Server::durable(programs, &directory.join("soak"), IDS_IN_A_SOAK).await?;
    let ids = server.ids.by_ref().collect();
    let times = synchronizations.max(SHORTEST_SOAK) / IDS_IN_A_SOAK;
    let load = Load { trust: server.trust.clone(), ids, times, connections: 16, keep_alive: true };
    let mut load = Prepared::new(&load).await?;
    let mut at_half = 0.0;
    for round in 1..=times {
        load.run().await?;
        if round == times / 2 {
            at_half = resident(server.process)?;
        }
        if round < times {
            load.wait_until_ready().await?;
        }
        if round.is_power_of_two() {
            println!("  {:>9} synchronizations: {:.0} MiB", round * IDS_IN_A_SOAK, resident(server.process)?);
        }
    }
    let at_the_end = resident(server.process)?;
    let all = thousands(times * IDS_IN_A_SOAK);
    table.row(&format!("simulator: memory after {all} synchronizations"), at_the_end, 100.0, "MiB");
    table.row(&format!("simulator: growth in the second half of {all}"), at_the_end - at_half, 8.0, "MiB");
    Ok(())
}

fn thousands(number: usize) -> String {
    match number / 1_000 {
        thousands @ 0..1_000 => format!("{thousands},000"),
        thousands => format!("{},{:03},000", thousands / 1_000, thousands % 1_000),
    }
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
        Self::new(main, (0..ids).map(move |number| format!("BENCH-{:07}", number * 617 % ids)))
    }

    async fn in_memory(programs: &Programs) -> Result<Self, Failure> {
        let main = MainServer::start(programs, [] as [&str; 0]).await?;
        let (admin, token) = (main.ready("admin")?.to_owned(), main.ready("admin_token")?.to_owned());
        let client = reqwest::Client::builder().no_proxy().build()?;
        let ids = (0..FEW).map(|number| format!("BENCH-{number:07}"));
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
        let mut load =
            Prepared::new(&Load { trust: self.trust.clone(), ids, times: 2, connections, keep_alive }).await?;
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
            memory: resident(self.process)?,
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

//! The budgets of the project, measured: `cargo bench -p tests`. Ratios are taken in one run, in turns, on one machine.
//! It ends with 1 if a budget is exceeded. Linux only: the CPU time of a process is read from /proc.
//!
//! ```text
//! cargo bench -p tests -- [--json FILE] [--against PROGRAM] [--only simulator|license-server|suites|soak] [--rounds N] [--soak N]
//! ```
//!
//! `--json` writes what was measured. `--against` measures a `subject` that was built from another commit beside ours.
//! `--rounds 1` is a try: the simulator is measured five times otherwise. `--soak N` has one simulator synchronize so often, in
//! the end, and looks whether its memory grows.

mod cryptography;
mod license_server;
mod load;
mod measured;
mod simulator;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use solme_sync_harness::programs::Programs;
use tokio::process::Command;

use crate::measured::{Budget, Measured};

const SUBJECT: &str = env!("CARGO_BIN_EXE_subject");
/// Repetitions of what takes milliseconds.
const REPETITIONS: usize = 41;

type Failure = Box<dyn std::error::Error>;

#[tokio::main(worker_threads = 1)]
async fn main() -> Result<ExitCode, Failure> {
    if cfg!(debug_assertions) {
        return Err("the budgets are those of a release build: run `cargo bench -p tests`".into());
    }
    if let [_, word, of] = &std::env::args().collect::<Vec<_>>()[..]
        && word == load::LOAD
    {
        return load::main(of).await.map(|()| ExitCode::SUCCESS);
    }
    let options = Options::read(std::env::args().skip(1))?;
    let wanted = |name: &str| options.only.as_deref().is_none_or(|only| only == name);
    let programs = Programs::at(SUBJECT);
    let directory = tempfile::tempdir()?;
    let mut table = Table::new(options.rounds)?;
    if wanted("simulator") {
        let against = options.against.as_deref();
        simulator::measure(&programs, against, options.rounds, directory.path(), &mut table).await?;
    }
    if wanted("license-server") {
        license_server::measure(&programs, directory.path(), &mut table).await?;
    }
    if wanted("suites") {
        let suites = suite("client").await? + suite("server").await?;
        table.row("both conformance suites over ours", suites.as_secs_f64(), 6.0, "s");
    }
    if let Some(synchronizations) = options.soak {
        simulator::soak(&programs, directory.path(), synchronizations, &mut table).await?;
    }
    if let Some(file) = options.json {
        std::fs::write(file, serde_json::to_string_pretty(&table.measured)? + "\n")?;
    }
    let exceeded = table.measured.budgets.iter().any(Budget::exceeded);
    Ok(if exceeded { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Where files are that the command line names: cargo runs a benchmark in the folder of its package.
fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What the command line asks for.
struct Options {
    json: Option<PathBuf>,
    against: Option<PathBuf>,
    only: Option<String>,
    rounds: usize,
    soak: Option<usize>,
}

impl Options {
    fn read(mut args: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let mut options = Self { json: None, against: None, only: None, rounds: simulator::ROUNDS, soak: None };
        while let Some(flag) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{flag} needs a value"));
            match flag.as_str() {
                "--json" => options.json = Some(workspace().join(value()?)),
                "--against" => options.against = Some(workspace().join(value()?)),
                "--only" => options.only = Some(part(value()?)?),
                "--rounds" => options.rounds = number(&flag, &value()?)?,
                "--soak" => options.soak = Some(number(&flag, &value()?)?),
                "--bench" => {} // cargo's
                _ => {
                    let known = "--json FILE, --against PROGRAM, --only PART, --rounds N, --soak N";
                    return Err(format!("{flag} is not an option; use {known}").into());
                }
            }
        }
        if let Some(file) = &options.json {
            let place = File::options().append(true).create(true).open(file);
            place
                .map_err(|error| format!("--json {}: {error}; name a file in a folder that exists", file.display()))?;
        }
        if options.only.as_deref() == Some("soak") && options.soak.is_none() {
            return Err("--only soak needs --soak N".into());
        }
        if !(1..=simulator::ROUNDS).contains(&options.rounds) {
            return Err(format!("--rounds is 1 to {}", simulator::ROUNDS).into());
        }
        Ok(options)
    }
}

fn number(flag: &str, value: &str) -> Result<usize, Failure> {
    value.parse().map_err(|error| format!("{flag}: {error}").into())
}

fn part(name: String) -> Result<String, Failure> {
    const PARTS: [&str; 4] = ["simulator", "license-server", "suites", "soak"];
    if PARTS.contains(&name.as_str()) {
        return Ok(name);
    }
    Err(format!("{name} is not a part; use {}", PARTS.join(", ")).into())
}

/// Prints as it goes.
struct Table {
    measured: Measured,
}

impl Table {
    fn new(rounds: usize) -> Result<Self, Failure> {
        let load_average = std::fs::read_to_string("/proc/loadavg")?;
        let load_average = load_average.split(' ').next().unwrap_or_default().parse()?;
        let cores = std::thread::available_parallelism()?.get();
        println!("  {cores} cores; load average {load_average}");
        Ok(Self { measured: Measured { load_average, cores, rounds, ..Measured::default() } })
    }

    fn row(&mut self, what: &str, measured: f64, budget: f64, unit: &str) {
        let row = Budget { what: what.to_owned(), measured, budget, unit: unit.to_owned() };
        let remark = if row.exceeded() { "  EXCEEDED" } else { "" };
        println!("{what:<66} {measured:>8.2} {unit:<3} {budget:>6} {unit:<3}{remark}");
        self.measured.budgets.push(row);
    }
}

async fn suite(name: &str) -> Result<Duration, Failure> {
    let began = Instant::now();
    let ended = Command::new(SUBJECT).args(["conformance", name, "--subject", "ours"]).output().await?;
    let took = began.elapsed();
    if ended.status.success() { Ok(took) } else { Err(format!("the {name} suite does not pass over ours").into()) }
}

/// The middle one, in milliseconds.
fn p50(times: Vec<Duration>) -> f64 {
    median(times.into_iter().map(|time| time.as_secs_f64() * 1e3).collect())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The CPU time that this thread has used.
fn thread_cpu() -> Result<Duration, Failure> {
    let schedstat = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(Duration::from_nanos(schedstat.split_whitespace().next().unwrap_or_default().parse()?))
}

/// The CPU time that a process has used, all its threads.
fn cpu(process: u32) -> Result<Duration, Failure> {
    const TICKS_A_SECOND: u32 = 100; // USER_HZ, the same on every Linux
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // After the name of the program, which may have blanks.
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

//! `harness fleet`: many License Servers against one main server, faults included, and a ledger of all that they were told.
//!
//! The License Servers are the shipping library, each with a state directory and cryptography of its own; the main server is
//! a process with durable data, which may be killed. `plan.rs` is what goes wrong, `timetable.rs` who is due, `crew.rs`
//! the work, `ledger.rs` the verdict, `report/` what is told of it.

mod chance;
mod crew;
mod ledger;
mod main_server;
mod member;
mod plan;
mod report;
mod seconds;
mod thieves;
mod timetable;

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, Result};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use mock_solme::quirks::{Fault, Operation, Quirk};
use solme_sync_protocol::LicenseServerId;
use tempfile::TempDir;
use tokio::sync::Notify;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};

use self::chance::{Chance, Share};
use self::crew::{Crew, News, WORKERS, locked};
use self::ledger::Kind;
use self::main_server::{Site, Start};
use self::member::Member;
use self::plan::{Event, Plan};
use self::report::{Happened, InTime, Report, Run};
use self::thieves::Flood;
use self::timetable::Timetable;
use crate::failure::Failure;
use crate::main_server_mutants::{self, Mutant};
use crate::programs::Programs;
use crate::scenario::{seed, span};
use crate::stop::Stop;
use crate::voice::{Voice, can_be_written, json, write};
use crate::work_folders;

/// License Servers, so that their state fits into memory.
const SERVERS_AT_MOST: usize = 10_000;
/// Synchronizations that the ledger has room for.
const ANSWERS_AT_MOST: f64 = 1_000_000.0;
/// After the end of the faults, the whole fleet has so long to synchronize once more, and each License Server adds a bit.
const LAST_ROUND: Duration = Duration::from_secs(60);
const LAST_ROUND_EACH: Duration = Duration::from_millis(30);

/// Arguments of `harness fleet`.
#[derive(clap::Args)]
#[command(after_help = format!("{}\n{}", plan::help(), EXAMPLE))]
pub(crate) struct Arguments {
    /// License Servers
    #[arg(long, value_name = "N", default_value = "200", value_parser = servers)]
    servers: NonZeroUsize,
    /// Synchronizations to begin in each second
    #[arg(long, value_name = "R", default_value = "50", value_parser = rate)]
    rate: f64,
    /// How long they go on; afterwards all synchronize once more, without faults
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = span)]
    duration: Duration,
    /// What goes wrong, and when; `none`, or a list as below
    #[arg(long, value_name = "PLAN", default_value = "none")]
    faults: Plan,
    /// Seed of everything that is left to chance [default: a new one, shown in the report]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = seed::<u32>)]
    seed: Option<u32>,
    /// Give the main server this bug, which the fleet must find; `harness clauses` names them
    #[arg(long, value_name = "NAME", value_parser = main_server_mutants::named)]
    mutant: Option<&'static Mutant>,
    /// Write the report as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the report as one HTML page
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

const EXAMPLE: &str = "The exit code is the verdict: 0 if nothing was lost, bound twice or wrongly refused, and
everybody synchronized at the end.

Example: harness fleet --servers 500 --html fleet.html --faults restart-main-server@20s,thief=3%";

fn servers(text: &str) -> Result<NonZeroUsize, String> {
    let number = text.parse().ok().filter(|number: &NonZeroUsize| number.get() <= SERVERS_AT_MOST);
    number.ok_or_else(|| format!("use a number from 1 to {SERVERS_AT_MOST}"))
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate: &f64| *rate > 0.0 && *rate <= 100_000.0);
    rate.ok_or_else(|| "use a number above 0, at most 100000".to_owned())
}

impl Arguments {
    /// What no single argument can say of itself.
    fn check(&self) -> Result<(), Failure> {
        let wrong = |text: String| Err(Failure::CommandLine(text));
        if self.plan_ends_late() {
            return wrong("--faults: the last one ends after --duration, and would not count; let it begin earlier, or name a longer --duration".to_owned());
        }
        if self.duration.is_zero() || self.rate * self.duration.as_secs_f64() > ANSWERS_AT_MOST {
            return wrong(format!(
                "--duration: the ledger has room for {ANSWERS_AT_MOST} synchronizations, and needs one; use another --duration or --rate"
            ));
        }
        Ok(())
    }

    fn plan_ends_late(&self) -> bool {
        self.faults.ends_at() >= self.duration
    }

    fn quirks(&self) -> Vec<Fault> {
        let lost = |operation, share: Share| {
            (share != Share::NONE)
                .then(|| Fault::new(Quirk::DropReply).operation(operation).probability(share.probability()))
        };
        let Plan { drop_replies, drop_payloads, .. } = self.faults;
        [lost(Operation::Synchronize, drop_replies), lost(Operation::Payload, drop_payloads)]
            .into_iter()
            .flatten()
            .collect()
    }
}

/// Runs a fleet, and tells what came of it.
pub(crate) async fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    arguments.check()?;
    let files: Vec<&Path> = [&arguments.json, &arguments.html].into_iter().flatten().map(PathBuf::as_path).collect();
    can_be_written(&files)?;
    let voice = Voice::beside(files);
    let stop = Stop::on_signals()?;
    let report = fleet(arguments, &stop).await.map_err(|error| Failure::FleetEnded(format!("{error:#}")))?;
    let Some(report) = report else { return Err(Failure::Interrupted(stop.exit_code().unwrap_or(1))) };
    voice.say(report.text().trim_end());
    if let Some(path) = &arguments.json {
        write(path, &json(&report))?;
    }
    if let Some(path) = &arguments.html {
        write(path, &report.html())?;
    }
    Ok(match stop.exit_code() {
        Some(code) => ExitCode::from(code),
        None if report.nothing_found() => ExitCode::SUCCESS,
        None => ExitCode::FAILURE,
    })
}

/// The report; none if it was told to stop before anything began.
async fn fleet(arguments: &Arguments, stop: &Stop) -> Result<Option<Report>> {
    let seed = arguments.seed.unwrap_or_else(|| Timestamp::now().subsec_nanosecond().unsigned_abs() % 1_000_000);
    // Durable data go to a disk, the License Servers' into memory.
    let data = tempfile::tempdir()?;
    work_folders::in_memory();
    let folder = tempfile::tempdir()?;
    let start = Start {
        programs: Programs::in_this_executable()?,
        mutant: arguments.mutant,
        data: data.path().join("main-server"),
        seed,
        at_once: arguments.faults.at_once,
        faults: arguments.quirks(),
    };
    let mut site = Site::start(start).await.context("the main server does not start")?;
    let bar = progress(arguments.servers.get() as u64, "{bar:24} {pos} of {len} License Servers set up, {elapsed}");
    let Some(members) = set_up(arguments.servers.get(), folder.path(), &site, &bar, stop).await? else {
        return Ok(None);
    };
    bar.finish_and_clear();
    let crew = Crew::new(members, site.trust.clone(), site.admin.clone(), arguments.faults.clone(), seed.into());
    let conductor = Conductor { arguments, seed, stop, data: &data, crew: Arc::new(crew), happened: Vec::new() };
    conductor.conduct(&mut site).await.map(Some)
}

/// Sets the License Servers up, and adds them to the main server. None if it was told to stop.
async fn set_up(
    servers: usize,
    folder: &Path,
    site: &Site,
    bar: &ProgressBar,
    stop: &Stop,
) -> Result<Option<Vec<Member>>> {
    let (admin, trust, folder) = (site.admin.clone(), site.trust.clone(), folder.to_owned());
    let (bar, stop) = (bar.clone(), stop.clone());
    let set_up = move || {
        let (next, members) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        std::thread::scope(|threads| {
            let work = || -> Result<()> {
                loop {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    if number >= servers || stop.exit_code().is_some() {
                        return Ok(());
                    }
                    let id: LicenseServerId = format!("FLEET-{number:05}").parse().context("an id of the fleet")?;
                    let member = Member::set_up(folder.join(id.as_str()), id, &trust)?;
                    admin.add(&member.id, member.thumbprint())?;
                    locked(&members).push(member);
                    bar.inc(1);
                }
            };
            let workers: Vec<_> = (0..WORKERS.min(servers)).map(|_| threads.spawn(work)).collect();
            let mut ended = workers.into_iter().map(|worker| worker.join());
            ended.try_for_each(|ended| ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        })?;
        let mut members = members.into_inner().unwrap_or_default();
        members.sort_by(|one: &Member, other| one.id.cmp(&other.id));
        Ok(Some(members).filter(|members| members.len() == servers))
    };
    spawn_blocking(set_up).await?
}

/// Lets the events of the plan happen, watches, and writes the report.
struct Conductor<'a> {
    arguments: &'a Arguments,
    seed: u32,
    stop: &'a Stop,
    data: &'a TempDir,
    crew: Arc<Crew>,
    happened: Vec<Happened>,
}

impl Conductor<'_> {
    async fn conduct(mut self, site: &mut Site) -> Result<Report> {
        let order = Chance::of(self.seed.into(), 0).order(self.crew.ids.len());
        let table = Timetable::new(order, self.arguments.rate, self.arguments.duration);
        let (tell, news) = channel();
        let over = Arc::new(Notify::new());
        let (crew, sender, ended) = (Arc::clone(&self.crew), tell.clone(), Arc::clone(&over));
        let work = spawn_blocking(move || {
            let table = crew.work(table, &news, &sender);
            ended.notify_one();
            table
        });
        let bar = progress(self.arguments.duration.as_secs().max(1), "{bar:24} {pos} of {len} s{msg}");
        let (mut stopped, mut in_time) = (false, None);
        for (at, event) in self.arguments.faults.events.clone() {
            stopped = stopped || self.watch_until(at, site, &bar, None).await;
            if !stopped {
                self.happens(event, site, &tell, &bar).await?;
            }
        }
        if !stopped && !self.watch_until(self.arguments.duration, site, &bar, None).await {
            in_time = Some(InTime { done: locked(&self.crew.seconds).done(), waiting: self.crew.waiting() });
            site.admin.disarm().await?;
            let _ = tell.send(News::LastRound);
            let limit = LAST_ROUND + LAST_ROUND_EACH * u32::try_from(self.crew.ids.len()).unwrap_or(u32::MAX);
            self.watch_until(self.crew.now() + limit, site, &bar, Some(&over)).await;
        }
        let _ = tell.send(News::Stop);
        let table = work.await?;
        bar.finish_and_clear();
        let interrupted = self.stop.exit_code().is_some();
        self.compare(site, &table, interrupted).await?;
        let run = Run::of(self.arguments, self.seed);
        Ok(Report::new(run, &self.crew, table.asked(), in_time, &self.happened))
    }

    /// What the main server has of all that was told.
    async fn compare(&self, site: &Site, table: &Timetable, interrupted: bool) -> Result<()> {
        let records = site.admin.ids().await.context("the main server does not list its ids")?;
        let mut ledger = locked(&self.crew.ledger);
        ledger.compare(&records);
        if !interrupted {
            for number in table.not_home() {
                let what = "it has not synchronized, long after the last fault had ended".to_owned();
                ledger.found(Kind::NotRecovered, &self.crew.ids[number], what);
            }
        }
        Ok(())
    }

    /// Watches until then, or until the work is over; true if it is, or if it was told to stop.
    async fn watch_until(&self, until: Duration, site: &Site, bar: &ProgressBar, over: Option<&Notify>) -> bool {
        let until = Instant::now() + until.saturating_sub(self.crew.now());
        let mut ticks = interval(Duration::from_millis(500));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let watched = async {
            loop {
                tokio::select! {
                    _ = ticks.tick() => self.look(site, bar),
                    () = self.stop.told() => return true,
                    () = told(over) => return true,
                }
            }
        };
        timeout_at(until, watched).await.unwrap_or(false)
    }

    /// Notes what is in memory, and shows how it goes.
    fn look(&self, site: &Site, bar: &ProgressBar) {
        let (main_server, fleet) = (site.process_id().and_then(resident), resident(std::process::id()));
        let now = self.crew.now();
        let mut seconds = locked(&self.crew.seconds);
        let second = seconds.at(now);
        (second.main_server, second.fleet) = (main_server, fleet);
        let last = now.saturating_sub(Duration::from_secs(1));
        let lately = seconds.between(last, now);
        let p99 = lately.percentiles().map_or(0.0, |percentiles| percentiles.p99);
        bar.set_position(now.as_secs().min(self.arguments.duration.as_secs()));
        let ledger = locked(&self.crew.ledger);
        let found: u64 = Kind::ALL.into_iter().map(|kind| ledger.count(kind)).sum();
        bar.set_message(format!(
            ", {}/s, p99 {p99:.0} ms, {} waiting, {found} found",
            lately.count(),
            self.crew.waiting()
        ));
    }

    async fn happens(&mut self, event: Event, site: &mut Site, tell: &Sender<News>, bar: &ProgressBar) -> Result<()> {
        let at = self.crew.now();
        match event {
            Event::Storm => drop(tell.send(News::Storm)),
            Event::Restart => {
                site.kill().await?;
                site.start_again().await.context("the main server does not start again")?;
            }
            Event::Flood(lasts) => {
                let flood = Flood::begin(&site.trust, &self.crew.ids);
                self.watch_until(at + lasts, site, bar, None).await;
                let tally = spawn_blocking(|| flood.end()).await??;
                let now = self.crew.now();
                let mut ledger = locked(&self.crew.ledger);
                for receipt in tally.served {
                    let what = format!("a thief was served, with {}", receipt.key_thumbprint);
                    ledger.found(Kind::BoundTwice, &receipt.license_server_id, what);
                }
                let mut seconds = locked(&self.crew.seconds);
                tally.codes.iter().for_each(|(code, times)| seconds.thief(now, code, *times));
            }
            Event::RollBack(lasts) => {
                let kept = self.data.path().join("kept");
                site.kill().await?;
                site.keep_disk(&kept)?;
                site.start_again().await?;
                self.watch_until(at + lasts, site, bar, None).await;
                site.kill().await?;
                site.put_disk_back(&kept)?;
                fs::remove_dir_all(&kept)?;
                site.start_again().await?;
            }
        }
        self.happened.push(Happened { event, at, until: self.crew.now() });
        Ok(())
    }
}

/// Waits until it is told; for ever where nobody tells.
async fn told(over: Option<&Notify>) {
    match over {
        Some(over) => over.notified().await,
        None => std::future::pending().await,
    }
}

fn progress(length: u64, template: &str) -> ProgressBar {
    let bar = ProgressBar::new(length);
    bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

/// Bytes that a process has in memory, on Linux.
fn resident(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok().map(|kib: u64| kib * 1024)
}

//! What is told of a fleet: one model, as text, JSON, and a page.

mod page;
mod plot;
mod text;

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::Serialize;

use super::Arguments;
use super::crew::{Crew, locked};
use super::ledger::{Finding, Kind};
use super::plan::Event;
use super::seconds::{Percentiles, Second, Seconds};

/// Of what was asked for, so much is reached when the machine keeps the rate.
const KEPT: f64 = 0.95;
/// Fewer synchronizations say nothing about a latency.
const ENOUGH: usize = 20;

/// What a fleet was asked to do.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Run {
    harness: &'static str,
    seed: u32,
    servers: usize,
    rate: f64,
    seconds: f64,
    faults: String,
    mutant: Option<&'static str>,
}

impl Run {
    pub(super) fn of(arguments: &Arguments, seed: u32) -> Self {
        Self {
            harness: env!("CARGO_PKG_VERSION"),
            seed,
            servers: arguments.servers.get(),
            rate: arguments.rate,
            seconds: arguments.duration.as_secs_f64(),
            faults: arguments.faults.text.clone(),
            mutant: arguments.mutant.map(|mutant| mutant.name),
        }
    }
}

/// An event of the plan, which has happened.
#[derive(Debug, Clone, Copy)]
pub(super) struct Happened {
    pub(super) event: Event,
    pub(super) at: Duration,
    pub(super) until: Duration,
}

/// How it stood when time was up.
#[derive(Debug, Clone, Copy)]
pub(super) struct InTime {
    pub(super) done: usize,
    pub(super) waiting: usize,
}

/// What came of a fleet.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Report {
    #[serde(flatten)]
    run: Run,
    verdict: Verdict,
    /// Synchronizations, those of the last round among them.
    done: usize,
    lost: u64,
    bound_twice: u64,
    wrongly_refused: u64,
    not_recovered: u64,
    findings: Vec<Finding>,
    /// Synchronizations that were to begin in a second, storms among them.
    asked_per_second: f64,
    /// Synchronizations that were done in a second. None if it was interrupted.
    reached_per_second: Option<f64>,
    /// License Servers that waited for a core when time was up.
    waiting: usize,
    /// Of a try that succeeded, before the last round; milliseconds.
    latency: Option<Percentiles>,
    /// With all tries in vain; milliseconds.
    from_due_to_done: Option<Percentiles>,
    shed: u64,
    kills: u64,
    clears: usize,
    refusals: BTreeMap<String, u64>,
    failures: BTreeMap<String, u64>,
    thieves: BTreeMap<String, u64>,
    floods: Vec<FloodReport>,
    events: Vec<EventReport>,
    /// The most that each has had in memory; bytes.
    main_server_memory: Option<u64>,
    fleet_memory: Option<u64>,
    by_second: Vec<SecondReport>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    /// Nothing was found.
    Passed,
    /// Something was.
    Failed,
    /// It was told to stop; what is known by then.
    Interrupted,
}

/// How a flood of thieves has slowed down those who hold the key pairs.
#[derive(Debug, Clone, Copy, Serialize)]
struct FloodReport {
    from: f64,
    until: f64,
    before: Option<Percentiles>,
    within: Option<Percentiles>,
    /// Of the medians.
    factor: Option<f64>,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct EventReport {
    event: &'static str,
    from: f64,
    until: f64,
}

/// What happened in one second.
#[derive(Debug, Clone, Copy, Serialize)]
struct SecondReport {
    done: usize,
    latency: Option<Percentiles>,
    shed: u64,
    refused: u64,
    failed: u64,
    thieves: u64,
    main_server_memory: Option<u64>,
    fleet_memory: Option<u64>,
}

impl Report {
    pub(super) fn new(run: Run, crew: &Crew, asked: u64, in_time: Option<InTime>, happened: &[Happened]) -> Self {
        let (ledger, seconds) = (locked(&crew.ledger), locked(&crew.seconds));
        let count = |kind| ledger.count(kind);
        let found: u64 = Kind::ALL.into_iter().map(count).sum();
        let verdict = match in_time {
            None => Verdict::Interrupted,
            Some(_) if found == 0 => Verdict::Passed,
            Some(_) => Verdict::Failed,
        };
        let most = |of: fn(&Second) -> Option<u64>| seconds.seconds.iter().filter_map(of).max();
        Self {
            verdict,
            done: seconds.done(),
            lost: count(Kind::Lost),
            bound_twice: count(Kind::BoundTwice),
            wrongly_refused: count(Kind::WronglyRefused),
            not_recovered: count(Kind::NotRecovered),
            findings: ledger.findings().to_vec(),
            asked_per_second: asked as f64 / run.seconds,
            reached_per_second: in_time.map(|in_time| in_time.done as f64 / run.seconds),
            waiting: in_time.map_or(0, |in_time| in_time.waiting),
            latency: seconds.between(Duration::ZERO, Duration::from_secs_f64(run.seconds)).percentiles(),
            from_due_to_done: seconds.from_due.percentiles(),
            shed: seconds.shed,
            kills: seconds.kills,
            clears: crew.clears.load(Ordering::SeqCst),
            refusals: seconds.refusals.clone(),
            failures: seconds.failures.clone(),
            thieves: seconds.thieves.clone(),
            floods: happened.iter().filter_map(|happened| flood(happened, &seconds)).collect(),
            events: happened.iter().map(EventReport::of).collect(),
            main_server_memory: most(|second| second.main_server),
            fleet_memory: most(|second| second.fleet),
            by_second: seconds.seconds.iter().map(SecondReport::of).collect(),
            run,
        }
    }

    /// Whether nothing was lost, bound twice or wrongly refused, and everybody synchronized at the end.
    pub(super) const fn nothing_found(&self) -> bool {
        matches!(self.verdict, Verdict::Passed)
    }

    fn counts(&self) -> [(Kind, u64); 4] {
        let Self { lost, bound_twice, wrongly_refused, not_recovered, .. } = *self;
        let counts = [lost, bound_twice, wrongly_refused, not_recovered];
        std::array::from_fn(|at| (Kind::ALL[at], counts[at]))
    }

    /// That the machine has not kept the rate, in words.
    fn not_kept(&self) -> Option<String> {
        let reached = self.reached_per_second?;
        let asked = self.asked_per_second;
        (reached < asked * KEPT).then(|| {
            let waited = match self.waiting {
                0 => String::new(),
                waiting => format!(", and {} waited when time was up", number(waiting as u64)),
            };
            format!("The rate was not kept: asked {asked:.0}/s, reached {reached:.0}/s{waited}.")
        })
    }

    /// In one sentence.
    fn headline(&self) -> String {
        let found: u64 = self.counts().iter().map(|(_, count)| count).sum();
        match self.verdict {
            Verdict::Passed => "nothing lost, nobody bound twice, nobody wrongly refused, all recovered".to_owned(),
            Verdict::Failed => format!("{} found that must not be", number(found)),
            Verdict::Interrupted => format!("interrupted; {} found by then", number(found)),
        }
    }
}

fn flood(happened: &Happened, seconds: &Seconds) -> Option<FloodReport> {
    let Event::Flood(lasts) = happened.event else { return None };
    let before = seconds.between(happened.at.saturating_sub(lasts), happened.at);
    // The second in which it begins has both.
    let within = seconds.between(happened.at + Duration::from_secs(1), happened.until);
    let said = |latencies: &super::seconds::Latencies| latencies.percentiles().filter(|_| latencies.count() >= ENOUGH);
    let (before, within) = (said(&before), said(&within));
    let factor = before.zip(within).map(|(before, within)| within.p50 / before.p50);
    Some(FloodReport { from: happened.at.as_secs_f64(), until: happened.until.as_secs_f64(), before, within, factor })
}

impl EventReport {
    fn of(happened: &Happened) -> Self {
        let event = match happened.event {
            Event::Restart => "main server restarted",
            Event::Storm => "storm",
            Event::Flood(_) => "flood of thieves",
            Event::RollBack(_) => "main server's disk rolled back",
        };
        Self { event, from: happened.at.as_secs_f64(), until: happened.until.as_secs_f64() }
    }
}

impl SecondReport {
    fn of(second: &Second) -> Self {
        Self {
            done: second.latencies.count(),
            latency: second.latencies.percentiles(),
            shed: second.shed,
            refused: second.refused,
            failed: second.failed,
            thieves: second.thieves,
            main_server_memory: second.main_server,
            fleet_memory: second.fleet,
        }
    }
}

/// With a comma at every thousand.
fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn milliseconds(percentiles: Percentiles) -> String {
    let Percentiles { p50, p90, p99, max } = percentiles;
    format!("p50 {p50:.1} ms, p90 {p90:.1} ms, p99 {p99:.1} ms, max {max:.0} ms")
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}

/// Codes and how often each was heard.
fn tally(codes: &BTreeMap<String, u64>) -> String {
    codes.iter().map(|(code, times)| format!("{code} {}", number(*times))).collect::<Vec<_>>().join(", ")
}

/// What there is to say in numbers: a word, and the rest.
fn facts(report: &Report) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    let reached = report.reached_per_second.map_or(String::new(), |reached| format!(", reached {reached:.1}/s"));
    facts.push(("done", format!("{}; asked {:.1}/s{reached}", number(report.done as u64), report.asked_per_second)));
    facts.extend(report.latency.map(|latency| ("latency", milliseconds(latency))));
    facts.extend(report.from_due_to_done.map(|latency| ("due to done", milliseconds(latency))));
    if report.shed > 0 {
        facts.push(("shed", format!("{} with temporarily-unavailable and Retry-After", number(report.shed))));
    }
    if report.kills > 0 {
        facts.push(("killed", format!("{} License Servers in a synchronization", number(report.kills))));
    }
    if report.clears > 0 {
        facts.push(("cleared", format!("{} key pairs, after a reinstallation", number(report.clears as u64))));
    }
    for (word, codes) in [("refused", &report.refusals), ("failed", &report.failures), ("thieves", &report.thieves)] {
        if !codes.is_empty() {
            facts.push((word, tally(codes)));
        }
    }
    facts.extend(report.floods.iter().map(|flood| ("flood", flood.in_words())));
    if let (Some(main_server), Some(fleet)) = (report.main_server_memory, report.fleet_memory) {
        let memory = format!("main server at most {}, fleet {}", mebibytes(main_server), mebibytes(fleet));
        facts.push(("memory", memory));
    }
    facts
}

impl FloodReport {
    fn in_words(self) -> String {
        let window = format!("from {:.0} s to {:.0} s", self.from, self.until);
        match (self.before, self.within, self.factor) {
            (Some(before), Some(within), Some(factor)) => {
                format!("{window}: p50 {:.1} ms before, {:.1} ms within: {factor:.1} x", before.p50, within.p50)
            }
            _ => format!("{window}: too few synchronizations to compare"),
        }
    }
}

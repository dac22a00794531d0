//! `harness conformance`, `harness list`: from arguments to a verdict.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use super::report::{self, Report};
use super::runner::matches;
use super::{Deviations, Options, Verdict, requirement};
use crate::suite::Suite;

/// Longer than a case takes on a busy machine, a subject's 20 seconds for a verb included.
const CASE_LIMIT: Duration = Duration::from_secs(60);

/// Arguments of `harness conformance client|server`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The subject's command, see harness/SUBJECT.md; `ours` is our own program
    #[arg(long, value_name = "CMD")]
    subject: String,
    /// Only cases whose id matches: a whole id, a clause, or a pattern with `*`
    #[arg(long, value_name = "GLOB")]
    only: Option<String>,
    /// Everything random follows from it; without, a new one is drawn and shown
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Cases at a time
    #[arg(long, value_name = "N", default_value_t = 4)]
    parallel: usize,
    /// A verb of the subject that needs longer hangs
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    verb_limit: u64,
    /// Run again and again, with seeds that count up, until a case fails
    #[arg(long)]
    repeat_until_failure: bool,
    /// What the subject does not implement fails too
    #[arg(long)]
    require_all: bool,
    /// Expected deviations: TOML, [[deviation]] with `case` and `reason`
    #[arg(long, value_name = "FILE")]
    deviations: Option<PathBuf>,
    /// Write the report as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the report as JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write the report in the Test Anything Protocol
    #[arg(long, value_name = "FILE")]
    tap: Option<PathBuf>,
    /// Write the report as one HTML page
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// Runs a suite over a subject and writes the reports. True where the subject conforms.
pub(crate) async fn run(suite: Suite, arguments: &Arguments) -> Result<bool> {
    let deviations = arguments.deviations.as_deref().map(Deviations::read).transpose()?.unwrap_or_default();
    let mut options = Options {
        suite: suite.name(),
        subject: arguments.subject.clone(),
        only: arguments.only.clone(),
        seed: arguments.seed.unwrap_or_else(random_seed),
        parallel: arguments.parallel,
        time_limit: CASE_LIMIT,
        verb_limit: Duration::from_secs(arguments.verb_limit),
        require_all: arguments.require_all,
        deviations,
    };
    loop {
        let report = suite.run(&options, |case| anstream::println!("{}", report::line(case))).await?;
        anstream::print!("{}", report::summary(&report));
        write_reports(arguments, &report)?;
        if !arguments.repeat_until_failure || report.verdict == Verdict::Failed {
            return Ok(report.verdict == Verdict::Passed);
        }
        options.seed = options.seed.wrapping_add(1);
    }
}

/// Prints the cases of a suite that `only` lets through: id, level, requirement. False where there is none.
pub(crate) fn list(suite: Suite, only: Option<&str>) -> bool {
    let mut cases = suite.list();
    cases.retain(|(id, _)| only.is_none_or(|pattern| matches(pattern, id)));
    for (id, level) in &cases {
        let clause = id.split('/').next().unwrap_or_default();
        anstream::println!("{id} ({level})\n    {}", requirement(clause));
    }
    !cases.is_empty()
}

fn write_reports(arguments: &Arguments, report: &Report) -> Result<()> {
    let require_all = arguments.require_all;
    if let Some(path) = &arguments.json {
        write(path, &(serde_json::to_string_pretty(report)? + "\n"))?;
    }
    if let Some(path) = &arguments.junit {
        write(path, &report::junit(report, require_all)?)?;
    }
    if let Some(path) = &arguments.tap {
        write(path, &report::tap(report, require_all))?;
    }
    if let Some(path) = &arguments.html {
        let title = format!("{} conformance of {}", report.suite, report.subject);
        write(path, &report::html(&title, std::slice::from_ref(report)))?;
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// Small enough to be typed again.
fn random_seed() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(()) % 1_000_000
}

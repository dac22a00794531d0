//! `harness conformance`, `harness list`: from arguments to a verdict.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::progress::Progress;
use super::report::{self, Report};
use super::runner::matches;
use super::{CaseReport, Deviations, Options, Subject, Verdict, requirement};
use crate::suite::Suite;

/// Longer than a case takes on a busy machine, a subject's 20 seconds for a verb included.
const CASE_LIMIT: Duration = Duration::from_secs(60);

/// Arguments of `harness conformance client|server`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The subject's command, see harness/SUBJECT.md; `ours` is our own program. Repeat it to judge several side by side
    #[arg(long = "subject", value_name = "CMD", required = true)]
    subjects: Vec<String>,
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
    /// Expected deviations: TOML, [[deviation]] with `case` and `reason`, and `subject` if it is about one of several
    #[arg(long, value_name = "FILE")]
    deviations: Option<PathBuf>,
    /// Write the report as JSON; with several subjects, an array of reports
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

/// Runs a suite over each subject and writes the reports. True where every subject conforms.
pub(crate) async fn run(suite: Suite, arguments: &Arguments) -> Result<bool> {
    let subjects = arguments.subjects.as_slice();
    for (index, subject) in subjects.iter().enumerate() {
        if subjects[..index].contains(subject) {
            bail!("--subject {subject} stands twice; name each subject once");
        }
        // The second is not to fail on this when the first has been judged for a minute.
        Subject::parse(subject, suite.our_subject(), Duration::from_secs(arguments.verb_limit))?;
    }
    let deviations = arguments.deviations.as_deref().map(Deviations::read).transpose()?.unwrap_or_default();
    let mut seed = arguments.seed.unwrap_or_else(random_seed);
    loop {
        let mut reports = Vec::new();
        for subject in subjects {
            reports.push(judge(suite, subject, seed, &deviations, arguments).await?);
        }
        write_reports(arguments, &reports)?;
        let conform = reports.iter().all(|report| report.verdict == Verdict::Passed);
        if !arguments.repeat_until_failure || !conform {
            return Ok(conform);
        }
        seed = seed.wrapping_add(1);
    }
}

/// Runs the suite over one subject, and tells how it goes.
async fn judge(
    suite: Suite,
    subject: &str,
    seed: u64,
    deviations: &Deviations,
    arguments: &Arguments,
) -> Result<Report> {
    let options = Options {
        suite: suite.name(),
        subject: subject.to_owned(),
        only: arguments.only.clone(),
        seed,
        parallel: arguments.parallel,
        time_limit: CASE_LIMIT,
        verb_limit: Duration::from_secs(arguments.verb_limit),
        require_all: arguments.require_all,
        deviations: deviations.of(subject),
    };
    let progress = Progress::begin(suite.list().iter().filter(|(id, _)| options.selects(id)).count());
    let mut failed = 0;
    let tell = |case: &CaseReport| {
        progress.say(&report::line(case));
        progress.one_more();
        if case.fails(options.require_all) {
            failed += 1;
            progress.failed(failed);
        }
    };
    let report = suite.run(&options, tell).await?;
    progress.end();
    anstream::print!("{}", report::summary(&report));
    Ok(report)
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

fn write_reports(arguments: &Arguments, reports: &[Report]) -> Result<()> {
    let require_all = arguments.require_all;
    if let Some(path) = &arguments.json {
        let json = match reports {
            [report] => serde_json::to_string_pretty(report)?,
            _ => serde_json::to_string_pretty(reports)?,
        };
        write(path, &(json + "\n"))?;
    }
    if let Some(path) = &arguments.junit {
        write(path, &report::junit(reports, require_all)?)?;
    }
    if let Some(path) = &arguments.tap {
        write(path, &report::tap(reports, require_all))?;
    }
    if let Some(path) = &arguments.html {
        let whose = match reports {
            [report] => report.subject.clone(),
            _ => format!("{} subjects", reports.len()),
        };
        write(path, &report::html(&format!("Conformance of {whose}"), reports))?;
    }
    Ok(())
}

/// Writes a report.
pub(crate) fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// Small enough to be typed again.
fn random_seed() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(()) % 1_000_000
}

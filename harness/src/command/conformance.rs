//! `harness conformance`, `harness list`: from arguments to a verdict.

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use super::progress::Progress;
use super::report_files::Files;
use crate::adapters::guide;
use crate::both_suites::Suite;
use crate::conformance::{Deviations, Foreign, Level, News, Options, Report, Verdict, matches, report, requirement};
use crate::failure::Failure;
use crate::nearest::nothing_matches;
use crate::scenario::seed;
use crate::stop::Stop;
use crate::subject::Subject;
use crate::voice::{Voice, print};
use crate::work_folders;

/// Longer than a case takes on a busy machine, a subject's 20 seconds for a verb included.
const CASE_LIMIT: Duration = Duration::from_secs(60);

/// Arguments of `harness conformance client|server`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The subject's command, as in harness/SUBJECT.md, or `ours` for our own program. Repeat it for several
    #[arg(long = "subject", value_name = "CMD", required = true)]
    subjects: Vec<String>,
    /// Only cases whose id matches: an id, a clause, or a pattern with `*`. Repeat it for more
    #[arg(long, value_name = "GLOB")]
    only: Vec<String>,
    /// Seed of everything random [default: a new one, shown in the report]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = seed::<u64>)]
    seed: Option<u64>,
    /// Cases to run at a time
    #[arg(long, value_name = "N", default_value = "4")]
    parallel: NonZeroUsize,
    /// How long a verb of the subject may take
    #[arg(long, value_name = "SECONDS", default_value = "20")]
    verb_limit: NonZeroU64,
    /// Start a process for each verb, even if the subject has workers
    #[arg(long)]
    no_workers: bool,
    /// Run again with the next seed until a case fails
    #[arg(long)]
    repeat_until_failure: bool,
    /// Count what the subject does not implement as failed
    #[arg(long)]
    require_all: bool,
    /// Say what to implement or fix next, and why
    #[arg(long)]
    guide: bool,
    /// Expected deviations: TOML, [[deviation]] with `case`, `reason` and, for one of several subjects, `subject`
    #[arg(long, value_name = "FILE")]
    deviations: Option<PathBuf>,
    #[command(flatten)]
    files: Files,
}

/// Runs a suite over each subject and writes the reports. Success where every subject conforms.
pub(crate) async fn run(suite: Suite, arguments: &Arguments) -> Result<ExitCode, Failure> {
    work_folders::in_memory();
    let voice = arguments.files.voice()?;
    selected(suite, &arguments.only)?;
    let deviations = arguments.deviations.as_deref().map(Deviations::read).transpose()?;
    let deviations = deviations.unwrap_or_default();
    can_be_judged(suite, arguments).await?;
    let stop = Stop::on_signals()?;
    let mut seed = arguments.seed.unwrap_or_else(random_seed);
    loop {
        let mut reports: Vec<Report> = Vec::new();
        for subject in &arguments.subjects {
            if stop.exit_code().is_none() {
                let options = options(suite, subject, seed, &deviations, arguments, &stop);
                let meanwhile = |report| {
                    let reports: Vec<Report> = reports.iter().cloned().chain([report]).collect();
                    // What cannot be written is told at the end.
                    let _ = arguments.files.write_meanwhile(&reports, arguments.require_all);
                };
                let report = judge(suite, &options, voice, meanwhile).await?;
                reports.push(report);
            }
        }
        arguments.files.write(&reports, arguments.require_all)?;
        if arguments.guide {
            for report in &reports {
                voice.say(&guide(suite, report, arguments.only.is_empty()));
            }
        }
        if let Some(code) = stop.exit_code() {
            return Ok(ExitCode::from(code));
        }
        let conform = reports.iter().all(|report| report.verdict == Verdict::Passed);
        if !arguments.repeat_until_failure || !conform {
            return Ok(if conform { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        seed = seed.wrapping_add(1);
    }
}

/// Each subject is a command that starts, and is named once: the second is not to fail on this when the first has been
/// judged for a minute.
async fn can_be_judged(suite: Suite, arguments: &Arguments) -> Result<(), Failure> {
    let mut commands = Vec::new();
    for (index, subject) in arguments.subjects.iter().enumerate() {
        if arguments.subjects[..index].contains(subject) {
            return Err(Failure::SubjectTwice(subject.clone()));
        }
        let limit = Duration::from_secs(arguments.verb_limit.get());
        commands.push(Subject::parse(subject, suite.our_subject(), limit)?);
    }
    for (command, subject) in commands.iter().zip(&arguments.subjects) {
        command.probe(suite.first_verb()).await.map_err(|why| Failure::SubjectNotStarted {
            subject: subject.clone(),
            detail: Foreign::from(why).line(),
        })?;
    }
    Ok(())
}

fn options(
    suite: Suite,
    subject: &str,
    seed: u64,
    deviations: &Deviations,
    arguments: &Arguments,
    stop: &Stop,
) -> Options {
    Options {
        suite: suite.name(),
        subject: subject.to_owned(),
        only: arguments.only.clone(),
        seed,
        parallel: arguments.parallel.get(),
        time_limit: CASE_LIMIT,
        verb_limit: Duration::from_secs(arguments.verb_limit.get()),
        workers: !arguments.no_workers,
        require_all: arguments.require_all,
        deviations: deviations.of(subject),
        stop: stop.clone(),
    }
}

/// Runs the suite over one subject, and tells how it goes; `meanwhile` has what is known, now and then.
async fn judge(suite: Suite, options: &Options, voice: Voice, meanwhile: impl Fn(Report)) -> Result<Report, Failure> {
    let progress = Progress::begin(suite.list().iter().filter(|(id, _)| options.selects(id)).count(), voice);
    let mut failed = 0;
    let tell = |news: News<'_>| {
        let case = match news {
            News::Ended(case) => case,
            News::SoFar(report) => return meanwhile(report),
        };
        progress.say(&report::line(case));
        progress.one_more();
        if case.fails(options.require_all) {
            failed += 1;
            progress.failed(failed);
        }
    };
    let report = suite.run(options, tell).await?;
    progress.end();
    voice.say(&report::summary(&report));
    Ok(report)
}

/// The cases of a suite that `only` lets through; all of them where it is empty.
///
/// # Errors
/// Where a pattern lets none through.
fn selected(suite: Suite, only: &[String]) -> Result<Vec<(String, Level)>, Failure> {
    let mut cases = suite.list();
    for pattern in only {
        if !cases.iter().any(|(id, _)| matches(pattern, id)) {
            return Err(nothing_matches("--only", pattern, cases.iter().map(|(id, _)| id.as_str())));
        }
    }
    cases.retain(|(id, _)| only.is_empty() || only.iter().any(|pattern| matches(pattern, id)));
    Ok(cases)
}

/// Prints the cases of a suite that `only` lets through: id, level, requirement.
pub(crate) fn list(suite: Suite, only: &[String]) -> Result<(), Failure> {
    let lines = selected(suite, only)?.into_iter().map(|(id, level)| {
        let clause = id.split('/').next().unwrap_or_default();
        format!("{id} ({level})\n    {}\n", requirement(clause))
    });
    print(&lines.collect::<String>())
}

/// Small enough to be typed again.
fn random_seed() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(()) % 1_000_000
}

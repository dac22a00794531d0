//! `harness mutants`: the referee refereed. Subjects of ours with one bug each; a case has to notice every one.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;

use super::progress::Progress;
use crate::both_suites::Suite;
use crate::conformance::{CaseReport, CaseResult, Deviations, News, Options, Report, Verdict, report, shell_word};
use crate::failure::Failure;
use crate::nearest::nothing_matches;
use crate::scenario::seed;
use crate::stop::Stop;
use crate::subject::{OURS, this_executable};
use crate::voice::{Voice, can_be_replaced, can_be_written, json, write};
use crate::work_folders;

/// Arguments of `harness mutants client|server`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only this mutant
    #[arg(long, value_name = "NAME")]
    mutant: Option<String>,
    /// Run the cases of a mutant's clause first, and the others only if none of them kills it
    #[arg(long)]
    until_killed: bool,
    /// Seed of everything random
    #[arg(long, value_name = "N", default_value_t = 1, allow_negative_numbers = true, value_parser = seed::<u64>)]
    seed: u64,
    /// Cases to run at a time
    #[arg(long, value_name = "N", default_value = "4")]
    parallel: NonZeroUsize,
    /// Write the kill matrix and the failed cases as one HTML page
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write the kill matrix as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// The kill matrix as JSON.
#[derive(Serialize)]
struct Matrix<'a> {
    /// `client` or `server`.
    suite: &'static str,
    seed: u64,
    /// Whether there are mutants that were not judged: it was told to stop, or killed.
    interrupted: bool,
    /// Whether the subject conforms without a bug: were it not to, the kills would say nothing. Null until that is known.
    conforms: Option<bool>,
    mutants: Vec<Row<'a>>,
}

/// The row of a mutant in the kill matrix.
#[derive(Serialize)]
struct Row<'a> {
    mutant: &'a str,
    /// The cases that noticed it. None: it survives.
    killed_by: Vec<&'a str>,
}

/// Runs a suite over all mutants of its subject, and over the subject as it is. True where that one passes, and no mutant
/// survives.
pub(crate) async fn run(suite: Suite, arguments: &Arguments) -> Result<ExitCode, Failure> {
    work_folders::in_memory();
    let mut mutants = suite.mutants();
    if let Some(name) = &arguments.mutant {
        if !mutants.iter().any(|(known, _)| known == name) {
            return Err(nothing_matches("--mutant", name, mutants.iter().map(|(known, _)| *known)));
        }
        mutants.retain(|(known, _)| known == name);
    }
    let ours = format!("{} {}", shell_word(&this_executable()?), suite.our_subject());
    let files: Vec<&Path> = [&arguments.html, &arguments.json].into_iter().flatten().map(PathBuf::as_path).collect();
    can_be_written(&files)?;
    let voice = Voice::beside(files);
    let stop = Stop::on_signals()?;
    // Were it to fail as it is, the failures of the mutants would say nothing.
    let progress = Progress::begin(suite.list().len() * (mutants.len() + 1), voice);
    write_reports(suite, arguments, &[], true, can_be_replaced)?;
    let unchanged = judge(suite, OURS, &ours, Vec::new(), arguments, &stop, &progress).await?;
    let conforms = unchanged.verdict == Verdict::Passed;
    if !conforms {
        progress.say(&report::summary(&unchanged));
    }
    let mut reports = vec![unchanged];
    for (mutant, clause) in &mutants {
        let command = format!("{ours} --mutant {mutant}");
        let cases = format!("{clause}/");
        let has_cases = suite.list().iter().any(|(id, _)| id.starts_with(&cases));
        let only = (arguments.until_killed && has_cases).then(|| format!("{cases}*"));
        let mut report = None;
        if let Some(only) = only {
            let judged = judge(suite, mutant, &command, vec![only], arguments, &stop, &progress).await?;
            report = Some(judged).filter(|report| !row(report).killed_by.is_empty());
        }
        let report = match report {
            Some(report) => report,
            None => judge(suite, mutant, &command, Vec::new(), arguments, &stop, &progress).await?,
        };
        let row = row(&report);
        if stop.exit_code().is_some() && row.killed_by.is_empty() {
            break; // whether it survives is not known
        }
        progress.say(&match row.killed_by.as_slice() {
            [] => format!("{} SURVIVES", row.mutant),
            [first] => format!("{} is killed by {first}", row.mutant),
            [first, more @ ..] => format!("{} is killed by {first} and {} more", row.mutant, more.len()),
        });
        reports.push(report);
        // What cannot be written is told at the end.
        let _ = write_reports(suite, arguments, &reports, true, can_be_replaced);
    }
    progress.end();
    let survivors = reports[1..].iter().filter(|report| row(report).killed_by.is_empty()).count();
    let interrupted = stop.exit_code().is_some();
    let remark = if interrupted { "interrupted: " } else { "" };
    let plural = if reports.len() == 2 { "" } else { "s" };
    voice.say(&format!("{remark}{} mutant{plural}, {survivors} survive", reports.len() - 1));
    write_reports(suite, arguments, &reports, interrupted, |_| true)?;
    Ok(match stop.exit_code() {
        Some(code) => ExitCode::from(code),
        None if conforms && survivors == 0 => ExitCode::SUCCESS,
        None => ExitCode::FAILURE,
    })
}

/// Writes the kill matrix where it was asked for and `to` says yes. The first report is that of the subject without a bug.
fn write_reports(
    suite: Suite,
    arguments: &Arguments,
    reports: &[Report],
    interrupted: bool,
    to: impl Fn(&Path) -> bool,
) -> Result<(), Failure> {
    let (unchanged, mutants) = (reports.first(), reports.get(1..).unwrap_or_default());
    if let Some(path) = arguments.json.as_deref().filter(|path| to(path)) {
        let (suite, seed, conforms) =
            (suite.name(), arguments.seed, unchanged.map(|report| report.verdict == Verdict::Passed));
        let matrix = Matrix { suite, seed, interrupted, conforms, mutants: mutants.iter().map(row).collect() };
        write(path, &json(&matrix))?;
    }
    if let (Some(path), Some(unchanged)) = (arguments.html.as_deref().filter(|path| to(path)), unchanged) {
        let remark = if interrupted { "interrupted: " } else { "" };
        let title = format!("{remark}Mutants of the {} suite", suite.name());
        write(path, &report::mutants(&title, unchanged, mutants))?;
    }
    Ok(())
}

async fn judge(
    suite: Suite,
    name: &str,
    command: &str,
    only: Vec<String>,
    arguments: &Arguments,
    stop: &Stop,
    progress: &Progress,
) -> Result<Report, Failure> {
    let options = Options {
        suite: suite.name(),
        subject: command.to_owned(),
        only,
        seed: arguments.seed,
        parallel: arguments.parallel.get(),
        time_limit: Duration::from_secs(60),
        verb_limit: Duration::from_secs(20),
        workers: true,
        require_all: true,
        deviations: Deviations::default(),
        stop: stop.clone(),
    };
    let mut report = suite
        .run(&options, |news| {
            if let News::Ended(_) = news {
                progress.one_more();
            }
        })
        .await?;
    report.subject = name.into();
    if name != OURS {
        // What a bug keeps a subject from reaching is no news beside the cases that noticed it.
        report.reached.clear();
        if !row(&report).killed_by.is_empty() {
            report.remarks.clear();
        }
    }
    // What went well needs no evidence, and there are many of it.
    for case in report.cases.iter_mut().filter(|case| case.result == CaseResult::Passed) {
        case.wire.clear();
    }
    Ok(report)
}

fn row(report: &Report) -> Row<'_> {
    let killers = report.cases.iter().filter(|case: &&CaseReport| case.fails(true));
    Row { mutant: &report.subject, killed_by: killers.map(|case| case.id.as_str()).collect() }
}

//! The entry point: reads the command line, runs one verb, says what came of it.

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

use clap::error::ErrorKind;
use serde_json::json;
use solme_sync_protocol::{printable, printable_lines};

use crate::cli::{Cli, Verb};
use crate::clock::Span;
use crate::command::{self, Context};
use crate::manager;
use crate::output::{Error, Exit, Report};
use crate::seams::Seams;
use crate::settings::Settings;

/// Runs `license-server` with these arguments, the first of which is the program's name.
///
/// Standard output carries what the command says, with `--json` exactly one JSON object. The exit codes are in
/// `license-server --help`.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    run_with(args, Seams::default())
}

/// Runs `license-server` as [`crate::run()`] does, with other seams.
pub fn run_with(args: impl IntoIterator<Item = OsString>, seams: Seams) -> ExitCode {
    keep_memory_off_the_disk();
    let args: Vec<OsString> = args.into_iter().collect();
    let cli = match Cli::read(&args) {
        Ok(cli) => cli,
        Err(error) => return wrong_command_line(&error, &args),
    };
    let as_json = cli.json;
    let on_report = seams.on_report.clone();
    let report = execute(cli, seams);
    match on_report {
        Some(receive) => receive(&report.json),
        None => report.print(as_json),
    }
    report.exit.into()
}

/// What crashes leaves no core dump: keys would be in it.
fn keep_memory_off_the_disk() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}

pub(crate) fn execute(cli: Cli, seams: Seams) -> Report {
    let offset = cli.clock_offset.unwrap_or(Span { seconds: 0 });
    let shape = error_shape(&cli.verb);
    let asks_may_issue = matches!(cli.verb, Verb::MayIssue { .. });
    let done = command::run_without_state(&cli.verb).unwrap_or_else(|| {
        let settings = Settings::resolve(cli.flags(), &|name| std::env::var_os(name))?;
        if let Verb::Config { .. } = cli.verb {
            return Ok(Report::new(Exit::Done, settings.to_json(), settings.to_text()));
        }
        if let Verb::Manager { port, open, server_name, .. } = cli.verb {
            let options = manager::Options { port, open, server_name };
            return manager::run(settings, offset, options, cli.json);
        }
        command::run(&mut Context::new(settings, offset, seams), cli.verb, cli.json)
    });
    let mut report = done.unwrap_or_else(|error| Report::error(error, shape));
    // A caller that asks whether a license may be issued gets one exit code for every no, a broken state included.
    if asks_may_issue && matches!(report.exit, Exit::LocalState) {
        report.exit = Exit::MayNotIssue;
    }
    if offset.seconds != 0 {
        report.json.insert("clock_offset_seconds".to_owned(), json!(offset.seconds));
        report.text.warn(format_args!("the local clock was shifted by {} s for simulation", offset.seconds));
    }
    report
}

/// What the JSON of a verb has even when it could not be carried out, so that scripts need to know one shape only.
fn error_shape(verb: &Verb) -> serde_json::Value {
    match verb {
        Verb::Synchronize { .. } | Verb::ImportResponse { .. } => {
            json!({ "outcome": "failed", "changes": { "added": [], "removed": [], "changed": [] } })
        }
        Verb::MayIssue { .. } => json!({ "may_issue": false }),
        _ => json!({ "outcome": "failed" }),
    }
}

/// What is wrong, without the usage and the advice that clap adds for people.
fn first_paragraph(text: &str) -> String {
    let paragraph = text.split("\n\n").next().unwrap_or(text);
    paragraph.trim_start_matches("error: ").split_whitespace().collect::<Vec<_>>().join(" ")
}

fn wrong_command_line(error: &clap::Error, args: &[OsString]) -> ExitCode {
    let asked_for = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    if args.iter().any(|argument| argument == "--json") && !asked_for {
        let error = Error {
            exit: Exit::Usage,
            code: "usage",
            message: first_paragraph(&error.render().to_string()),
            cure: "See `license-server --help`.".to_owned(),
        };
        Report::error(error, json!({ "outcome": "failed" })).print(true);
    } else if args.iter().map(|argument| argument.to_string_lossy()).all(|text| printable(&text).is_as_given()) {
        let _ = error.print();
    } else {
        // It repeats what was given. Without colour it can be told from the rest.
        let text = error.render().to_string();
        let _ = std::io::stderr().write_all(printable_lines(&text).to_string().as_bytes());
    }
    if asked_for { Exit::Done.into() } else { Exit::Usage.into() }
}

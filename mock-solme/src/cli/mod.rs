//! The command line: `serve`, and the admin verbs, which use the admin API of one that serves.

mod admin;
mod args;
mod events;
mod failure;
mod pages;
mod quirks;
mod render;
mod serve;
mod values;

use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::parser::ValueSource;
use clap::{Arg, Command, CommandFactory as _, FromArgMatches as _};
use solme_sync_protocol::{printable, printable_json};
use tracing_subscriber::Layer as _;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::{self, format};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use self::args::{Cli, LogFormat, Verb};
use crate::seams::Seams;

/// The main server has said no, or something has failed.
const FAILED: u8 = 1;
/// The command line cannot be understood.
const USAGE: u8 = 2;
/// The main server was not reached.
const NOT_REACHED: u8 = 3;

/// The program `mock-solme`: everything that its `main` does. `args` begin with the name of the program.
pub fn run(args: impl IntoIterator<Item = OsString>, seams: Seams) -> ExitCode {
    keep_memory_off_the_disk();
    let cli = match parse(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors, and go to stdout. Where that is closed, nobody reads them.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { USAGE } else { 0 });
        }
    };
    log_to_stderr(match &cli.verb {
        Verb::Serve(args) => args.log,
        _ => LogFormat::Text,
    });
    match cli.verb {
        Verb::Serve(args) => serve::run(args, seams),
        Verb::Completions { shell } => pages::completions(shell),
        Verb::Openapi => pages::openapi(),
        Verb::ManPages { directory } => pages::man_pages(&directory),
        verb => admin::run(cli.global, verb),
    }
}

/// What crashes leaves no core dump: keys would be in it.
fn keep_memory_off_the_disk() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}

/// Verbs that use no running simulator.
const ALONE: [&str; 4] = ["serve", "completions", "man-pages", "openapi"];

/// Flags of the verbs that do, by id and by name.
const GLOBAL: [(&str, &str); 5] =
    [("data", "data"), ("admin_url", "admin-url"), ("token", "token"), ("operator", "operator"), ("json", "json")];

/// The command line. Flags of the verbs that use a running simulator are no flags of the others.
fn command() -> Command {
    command_with(ALONE)
}

/// The command line where, of the verbs that use no running simulator, only these refuse the flags of the others. The rest is
/// not called, and not worth the time.
fn command_with(alone: impl IntoIterator<Item = &'static str>) -> Command {
    alone.into_iter().fold(Cli::command(), |command, verb| {
        // An argument of the same name keeps the global one out. `serve` has a --data of its own.
        let strange = GLOBAL.iter().filter(|(name, _)| (verb, *name) != ("serve", "data"));
        let arguments: Vec<Arg> = strange.map(|(name, flag)| no_flag_of(name, flag)).collect();
        command.mut_subcommand(verb, |verb| verb.args(arguments))
    })
}

/// Taken with and without a value: it is refused as a whole, in words of ours.
fn no_flag_of(name: &'static str, flag: &'static str) -> Arg {
    Arg::new(name).long(flag).hide(true).num_args(0..=1).default_missing_value("")
}

fn no_flag(verb: &str, name: &str, flag: &str) -> String {
    let cure = match (verb, name) {
        ("serve", "token") => "to set the token of the admin API use --admin-token",
        _ => "leave it out",
    };
    format!("--{flag} has no effect: {verb} does not use a running simulator; {cure}")
}

fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let args: Vec<OsString> = args.into_iter().collect();
    let mut command = command_with(ALONE.into_iter().filter(|verb| args.iter().any(|arg| arg == verb)));
    let matches = command.try_get_matches_from_mut(args)?;
    if let Some((verb, after)) = matches.subcommand().filter(|(verb, _)| ALONE.contains(verb)) {
        let given =
            |name: &str| [&matches, after].map(|at| at.value_source(name)).contains(&Some(ValueSource::CommandLine));
        let strange = GLOBAL.into_iter().filter(|(name, _)| (verb, *name) != ("serve", "data"));
        if let Some((name, flag)) = strange.into_iter().find(|(name, _)| given(name)) {
            return Err(command.error(clap::error::ErrorKind::ArgumentConflict, no_flag(verb, name, flag)));
        }
    }
    Cli::from_arg_matches(&matches)
}

/// What is logged: warnings, and more of ours where RUST_LOG names a level alone; libraries speak only where it names
/// them.
fn filter(rust_log: Option<&str>) -> Targets {
    let rust_log = rust_log.map(str::trim).filter(|text| !text.is_empty()).unwrap_or("warn");
    let warnings = Targets::new().with_default(LevelFilter::WARN);
    match rust_log.parse::<LevelFilter>() {
        Ok(level) => Targets::new().with_default(level.min(LevelFilter::WARN)).with_target("mock_solme", level),
        // The parser takes nothing before or after a `=` for something.
        Err(_) if !rust_log.split(',').all(|part| part.split('=').all(|side| !side.trim().is_empty())) => warnings,
        Err(_) => rust_log.parse().unwrap_or(warnings),
    }
}

/// To stderr, in colours only on a terminal. Text of others is escaped. Where a caller of [`run`] logs already, its way
/// is kept.
fn log_to_stderr(format: LogFormat) {
    let log = match format {
        LogFormat::Json => fmt::layer().json().flatten_event(true).with_writer(|| Border(std::io::stderr())).boxed(),
        LogFormat::Text => {
            let colours =
                std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|no| no.is_empty());
            let fields = format::debug_fn(|writer, field, value| match field.name() {
                "message" => write!(writer, "{}", printable(&format!("{value:?}"))),
                name => write!(writer, "{name}={}", printable(&format!("{value:?}"))),
            });
            fmt::layer().fmt_fields(fields.delimited(" ")).with_ansi(colours).with_writer(std::io::stderr).boxed()
        }
    };
    let filter = filter(std::env::var("RUST_LOG").ok().as_deref());
    let _ = tracing_subscriber::registry().with(log.with_filter(filter)).try_init();
}

/// Lines of JSON, with the characters escaped that would act on a terminal.
struct Border(std::io::Stderr);

impl std::io::Write for Border {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        write!(self.0, "{}", printable_json(&String::from_utf8_lossy(line)))?;
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_alone_is_about_ours_and_libraries_speak_where_they_are_named() {
        for (rust_log, directives) in [
            (None, "mock_solme=warn,warn"),
            (Some(""), "mock_solme=warn,warn"),
            (Some("info"), "mock_solme=info,warn"),
            (Some("debug"), "mock_solme=debug,warn"),
            (Some("error"), "mock_solme=error,error"),
            (Some("rustls=debug"), "rustls=debug"),
            (Some("rustls=debug,mock_solme=trace"), "mock_solme=trace,rustls=debug"),
            (Some("=,="), "warn"),
            (Some("rustls="), "warn"),
            (Some("mock_solme=loud"), "warn"),
        ] {
            assert_eq!(filter(rust_log).to_string(), directives, "{rust_log:?}");
        }
    }
}

//! The command line of `harness`.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::adapters;
use crate::both_suites::Suite;
use crate::command::{clauses, conformance, diff, mutants, pages};
use crate::conformance::Foreign;
use crate::programs::{LICENSE_SERVER_SUBJECT, MOCK_SOLME_SUBJECT};
use crate::scenario;
use crate::subject::{our_license_server, our_main_server};
use crate::usage::Usage;

/// The referee for license-server synchronization.
#[derive(Parser)]
#[command(
    name = "harness",
    version,
    about,
    after_help = "Also `harness license-server ...` and `harness mock-solme ...`: the two programs themselves.\n\n\
                  Exit codes: 0 all came as expected, 1 something did not, 2 usage, or a subject that cannot be started,\n\
                  130, 143 interrupted.\n\n\
                  Example: harness demo"
)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Tell the key-pair story step by step, with real processes and real files
    Demo(scenario::Telling),
    /// Play scenarios: stories in TOML, with real processes and virtual time
    Scenario(scenario::Arguments),
    /// Judge somebody's License Server, or main server
    Conformance {
        /// What the subject is
        suite: Suite,
        #[command(flatten)]
        arguments: conformance::Arguments,
    },
    /// Write a subject to begin with, which implements nothing and is judged
    NewAdapter(adapters::Arguments),
    /// Judge the judge: run a suite over subjects of ours that have one bug each
    Mutants {
        /// What the mutants are
        suite: Suite,
        #[command(flatten)]
        arguments: mutants::Arguments,
    },
    /// Write the completions of a shell to standard output
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the man pages into a directory
    ManPages {
        /// The directory; it must exist
        directory: PathBuf,
    },
    /// List the cases of a suite with their requirements
    List {
        /// What the subject would be
        suite: Suite,
        /// Only cases whose id matches: a whole id, a clause, or a pattern with `*`
        #[arg(long, value_name = "GLOB")]
        only: Vec<String>,
    },
    /// Compare two reports in JSON: what got better, worse, new and gone; exit code 1 where something got worse
    Diff(diff::Arguments),
    /// Show which clause of PROTOCOL.md is seen by which case
    Clauses(clauses::Arguments),
}

/// Runs `harness` with these arguments, the program's name first. With a subject's name as the first argument it is that
/// subject: `ours`, which the suites start.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    match args.get(1).and_then(|arg| arg.to_str()) {
        Some(LICENSE_SERVER_SUBJECT) => return our_license_server::run(args.into_iter().skip(1)),
        Some(MOCK_SOLME_SUBJECT) => return our_main_server::run(args.into_iter().skip(1)),
        _ => {}
    }
    let arguments = match Arguments::try_parse_from(args) {
        Ok(arguments) => arguments,
        Err(error) => error.exit(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = runtime.map_err(Into::into).and_then(|runtime| match &arguments.verb {
        Verb::Demo(telling) => runtime.block_on(scenario::demo(telling)).map(verdict),
        Verb::Scenario(arguments) => runtime.block_on(scenario::run(arguments)).map(verdict),
        Verb::Conformance { suite, arguments } => runtime.block_on(conformance::run(*suite, arguments)),
        Verb::NewAdapter(arguments) => adapters::run(arguments).map(|()| ExitCode::SUCCESS),
        Verb::Mutants { suite, arguments } => runtime.block_on(mutants::run(*suite, arguments)),
        Verb::Completions { shell } => {
            pages::completions(Arguments::command(), *shell);
            Ok(ExitCode::SUCCESS)
        }
        Verb::ManPages { directory } => pages::man_pages(Arguments::command(), directory).map(|()| ExitCode::SUCCESS),
        Verb::List { suite, only } => conformance::list(*suite, only).map(|()| ExitCode::SUCCESS),
        Verb::Diff(arguments) => diff::run(arguments).map(verdict),
        Verb::Clauses(arguments) => clauses::run(arguments).map(|()| ExitCode::SUCCESS),
    });
    outcome.unwrap_or_else(|error| failed(&error))
}

/// Whether all came as expected, for the shell.
fn verdict(well: bool) -> ExitCode {
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    let gone = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    };
    // Whoever was reading has gone away, and knows it.
    if !error.chain().any(gone) {
        anstream::eprintln!("harness: {}", Foreign::from(format!("{error:#}")).indented(4));
    }
    if error.is::<Usage>() { ExitCode::from(2) } else { ExitCode::FAILURE }
}

//! The command line of `harness`.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};
use solme_sync_protocol::{printable, printable_lines};

use crate::adapters;
use crate::both_suites::Suite;
use crate::command::{clauses, conformance, diff, mutants, pages};
use crate::failure::Failure;
use crate::fleet;
use crate::main_server_mutants;
use crate::programs::{LICENSE_SERVER_SUBJECT, MOCK_SOLME_MUTANT, MOCK_SOLME_SUBJECT};
use crate::scenario;
use crate::subject::{our_license_server, our_main_server};

/// The referee for license-server synchronization.
#[derive(Parser)]
#[command(
    name = "harness",
    version,
    about,
    after_help = "`harness license-server ...` and `harness mock-solme ...` are the two programs themselves.\n\n\
                  Exit codes: 0 all as expected, 1 something was not, or failed on the way,\n\
                  2 usage, an input that cannot be used, or a subject that cannot be started, 130, 143 interrupted.\n\n\
                  Example: harness demo"
)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Tell the key-pair story step by step, with real processes and files
    Demo(scenario::Telling),
    /// Play scenarios: stories in TOML, with real processes and virtual time
    Scenario(scenario::Arguments),
    /// Test a License Server or a main server for conformance
    Conformance {
        /// The kind of subject
        suite: Suite,
        #[command(flatten)]
        arguments: conformance::Arguments,
    },
    /// Write a skeleton of a subject to start from
    NewAdapter(adapters::Arguments),
    /// Check the suites against programs with one known bug each
    Mutants {
        /// The kind of subject
        suite: Suite,
        #[command(flatten)]
        arguments: mutants::Arguments,
    },
    /// Run many License Servers against one main server with faults: nothing may be lost
    Fleet(fleet::Arguments),
    /// Write shell completions to standard output
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the man pages into a directory
    ManPages {
        /// An existing directory
        directory: PathBuf,
    },
    /// List the cases of a suite with their requirements
    List {
        /// The kind of subject
        suite: Suite,
        /// Only cases whose id matches: an id, a clause, or a pattern with `*`
        #[arg(long, value_name = "GLOB")]
        only: Vec<String>,
    },
    /// Compare two JSON reports; exit code 1 if a case got worse
    Diff(diff::Arguments),
    /// Show which cases and mutants cover each clause of PROTOCOL.md
    Clauses(clauses::Arguments),
}

/// Runs `harness` with these arguments, the program's name first. With a subject's name as the first argument it is that
/// subject: `ours`, which the suites start.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    match args.get(1).and_then(|arg| arg.to_str()) {
        Some(LICENSE_SERVER_SUBJECT) => return our_license_server::run(args.into_iter().skip(1)),
        Some(MOCK_SOLME_SUBJECT) => return our_main_server::run(args.into_iter().skip(1)),
        Some(MOCK_SOLME_MUTANT) => return main_server_mutants::run(args.into_iter().skip(1)),
        _ => {}
    }
    let arguments = match Arguments::try_parse_from(&args) {
        Ok(arguments) => arguments,
        Err(error) => return wrong_command_line(error, &args),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Failure::system("begin")(error).report(&args),
    };
    let outcome = match &arguments.verb {
        Verb::Demo(telling) => runtime.block_on(scenario::demo(telling)).map(verdict),
        Verb::Scenario(arguments) => runtime.block_on(scenario::run(arguments)).map(verdict),
        Verb::Conformance { suite, arguments } => runtime.block_on(conformance::run(*suite, arguments)),
        Verb::NewAdapter(arguments) => adapters::run(arguments).map(|()| ExitCode::SUCCESS),
        Verb::Mutants { suite, arguments } => runtime.block_on(mutants::run(*suite, arguments)),
        Verb::Fleet(arguments) => runtime.block_on(fleet::run(arguments)),
        Verb::Completions { shell } => pages::completions(Arguments::command(), *shell).map(|()| ExitCode::SUCCESS),
        Verb::ManPages { directory } => pages::man_pages(Arguments::command(), directory).map(|()| ExitCode::SUCCESS),
        Verb::List { suite, only } => conformance::list(*suite, only).map(|()| ExitCode::SUCCESS),
        Verb::Diff(arguments) => diff::run(arguments).map(verdict),
        Verb::Clauses(arguments) => clauses::run(arguments).map(|()| ExitCode::SUCCESS),
    };
    // Somebody may still be waited for: an Enter that never comes.
    runtime.shutdown_background();
    outcome.unwrap_or_else(|failure| failure.report(&args))
}

/// Help and version are no errors, and go to standard output. Where that is closed, nobody reads them.
fn wrong_command_line(error: clap::Error, args: &[OsString]) -> ExitCode {
    if !error.use_stderr() {
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let text = error.render();
    let failure = Failure::from(error);
    if failure.as_json(args) {
        return failure.report(args);
    }
    // It repeats what was given. Without colour it can be told from the rest.
    let given = args.iter().map(|argument| argument.to_string_lossy());
    let _ = if given.into_iter().all(|text| printable(&text).is_as_given()) {
        write!(anstream::stderr(), "{}", text.ansi())
    } else {
        write!(io::stderr(), "{}", printable_lines(&text.to_string()))
    };
    failure.exit_code()
}

/// Whether all came as expected, for the shell.
fn verdict(well: bool) -> ExitCode {
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

//! The command line: `serve`, and the admin verbs, which use the admin API of one that serves.

mod admin;
mod args;
mod pages;
mod quirks;
mod render;
mod serve;
mod values;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;
use tracing_subscriber::EnvFilter;

use self::args::{Cli, Verb};
use crate::seams::Seams;

/// The main server has said no, or something has failed.
const FAILED: u8 = 1;
/// The command line cannot be understood.
const USAGE: u8 = 2;
/// The main server was not reached.
const NOT_REACHED: u8 = 3;

/// The program `mock-solme`: everything that its `main` does. `args` begin with the name of the program.
pub fn run(args: impl IntoIterator<Item = OsString>, seams: Seams) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors, and go to stdout. Where that is closed, nobody reads them.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { USAGE } else { 0 });
        }
    };
    log_to_stderr();
    match cli.verb {
        Verb::Serve(args) => serve::run(args, seams),
        Verb::Completions { shell } => pages::completions(shell),
        Verb::ManPages { directory } => pages::man_pages(&directory),
        verb => admin::run(cli.global, verb),
    }
}

/// Quiet unless RUST_LOG says otherwise. Where a caller of [`run`] logs already, its way is kept.
fn log_to_stderr() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}

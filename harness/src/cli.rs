//! The command line of `harness`.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::demo;

/// The referee for license-server synchronization.
#[derive(Parser)]
#[command(
    name = "harness",
    version,
    about,
    after_help = "Also `harness license-server ...` and `harness mock-solme ...`: the two programs themselves.\n\n\
                  Exit codes: 0 all came as expected, 1 something did not, 2 usage.\n\n\
                  Example: harness demo"
)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Tell the key-pair story step by step, with real processes and real files
    Demo(demo::Arguments),
}

/// Runs `harness` with these arguments, the program's name first.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(args) {
        Ok(arguments) => arguments,
        Err(error) => error.exit(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = runtime.map_err(Into::into).and_then(|runtime| match &arguments.verb {
        Verb::Demo(arguments) => runtime.block_on(demo::run(arguments)),
    });
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            anstream::eprintln!("harness: {error:#}");
            ExitCode::FAILURE
        }
    }
}

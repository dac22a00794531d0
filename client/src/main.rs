//! The binary `license-server`.

use std::process::ExitCode;

fn main() -> ExitCode {
    client::run(std::env::args_os(), client::Seams::default())
}

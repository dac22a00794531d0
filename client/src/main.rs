//! The binary `license-server`.

use std::process::ExitCode;

fn main() -> ExitCode {
    license_server::run(std::env::args_os())
}

//! The program `mock-solme`.

use std::process::ExitCode;

fn main() -> ExitCode {
    mock_solme::run(std::env::args_os(), mock_solme::testing::Seams::default())
}

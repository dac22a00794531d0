//! `completions`, `man-pages` and `openapi`: what packages ship beside the program.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap_complete::Shell;

use super::FAILED;
use super::failure::{pretty, print};

pub(super) fn completions(shell: Shell) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut super::command(), "mock-solme", &mut script);
    // A reader that has gone away is no reason to fail.
    let _ = std::io::stdout().write_all(&script);
    ExitCode::SUCCESS
}

pub(super) fn openapi() -> ExitCode {
    let _ = print(&pretty(&crate::admin::openapi()));
    ExitCode::SUCCESS
}

pub(super) fn man_pages(directory: &Path) -> ExitCode {
    match clap_mangen::generate_to(super::command(), directory) {
        Ok(()) => {
            println!("Wrote the man pages. Next: `man -l {}`", directory.join("mock-solme.1").display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("Cannot write the man pages into {}: {error}.", directory.display());
            eprintln!("Next: name a directory that exists and is writable");
            ExitCode::from(FAILED)
        }
    }
}

//! `completions` and `man-pages`: what packages ship beside the program.

use std::io::Write as _;
use std::path::Path;

use clap_complete::Shell;
use serde_json::json;

use crate::cli;
use crate::output::{Error, Exit, Report, Text};

pub(super) fn completions(shell: Shell) -> Report {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut cli::command(), "license-server", &mut script);
    // A closed pipe is no reason to fail.
    let _ = std::io::stdout().write_all(&script);
    let json = json!({ "outcome": "done", "code": "written", "shell": shell.to_string() });
    Report { stdout_is_taken: true, ..Report::new(Exit::Done, json, Text::default()) }
}

pub(super) fn man_pages(directory: &Path) -> Result<Report, Error> {
    clap_mangen::generate_to(cli::command(), directory).map_err(|error| Error {
        exit: Exit::FileNotUsable,
        code: "file-not-written",
        message: format!("the man pages cannot be written into {}: {error}", directory.display()),
        cure: "Name a directory that exists and that you may write to.".to_owned(),
    })?;
    let mut text = Text::default();
    text.good(format_args!("The man pages were written into {}.", directory.display()));
    text.next(format_args!("`man -l {}`.", directory.join("license-server.1").display()));
    Ok(Report::new(Exit::Done, json!({ "outcome": "done", "code": "written", "directory": directory }), text))
}

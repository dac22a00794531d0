//! Where words go: to people on standard output, or on standard error while a report takes standard output.

use std::io::{self, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result};

/// The file name that means standard output.
const STANDARD_OUTPUT: &str = "-";

/// Where people are told how it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Voice {
    /// On standard output.
    Output,
    /// On standard error.
    Errors,
}

impl Voice {
    /// Beside files of these names.
    pub(crate) fn beside<'a>(files: impl IntoIterator<Item = &'a Path>) -> Self {
        if files.into_iter().any(is_standard_output) { Self::Errors } else { Self::Output }
    }

    /// Says a line. A reader that has gone away is no reason to fail: the exit code still has the verdict.
    pub(crate) fn say(self, line: &str) {
        match self {
            Self::Output => anstream::println!("{line}"),
            Self::Errors => anstream::eprintln!("{line}"),
        }
    }
}

/// Whether a report under this name goes to standard output.
pub(crate) fn is_standard_output(path: &Path) -> bool {
    path.as_os_str() == STANDARD_OUTPUT
}

/// Writes a report to the file, or to standard output for `-`.
///
/// # Errors
/// Where it cannot be written.
pub(crate) fn write(path: &Path, text: &str) -> Result<()> {
    if is_standard_output(path) {
        let mut output = io::stdout().lock();
        return output.write_all(text.as_bytes()).and_then(|()| output.flush()).context("cannot write the report");
    }
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

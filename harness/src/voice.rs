//! Where words go: to people on standard output, or on standard error while a report takes standard output.

use std::io::{self, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::usage::Usage;

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
    replace(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// Replaces a file as a whole: whoever reads it, or kills us, has the text of before or this one. What is no file, such as
/// a pipe, is written to.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let name = path.file_name().filter(|_| path.metadata().map_or(true, |file| file.is_file()));
    let Some(name) = name else { return std::fs::write(&path, text) };
    let mut partial = name.to_owned();
    partial.push(".partial");
    let partial = path.with_file_name(partial);
    let replaced = std::fs::write(&partial, text).and_then(|()| std::fs::rename(&partial, &path));
    if replaced.is_err() {
        // In vain, where not even this can be written.
        let _ = std::fs::remove_file(&partial);
    }
    replaced
}

/// Whether the reports can go where they are to go, as far as that shows before there is anything to write.
///
/// # Errors
/// Where two want standard output or the same file, or a folder is missing or stands in place of a file.
pub(crate) fn can_be_written(reports: &[&Path]) -> Result<(), Usage> {
    for (index, path) in reports.iter().enumerate() {
        if reports[..index].contains(path) {
            let both = if is_standard_output(path) { "standard output".into() } else { path.display().to_string() };
            return Err(Usage(format!("two reports cannot both go to {both}; name a file for each")));
        }
        if is_standard_output(path) {
            continue;
        }
        if path.is_dir() {
            return Err(Usage(format!("{} is a directory; name a file in it", path.display())));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
            return Err(Usage(format!("there is no directory {}; create it, or name another", folder.display())));
        }
    }
    Ok(())
}

/// Whether a report can be written there again and again: standard output and a pipe have it once, at the end.
pub(crate) fn can_be_replaced(path: &Path) -> bool {
    !is_standard_output(path) && path.metadata().map_or(true, |file| file.is_file())
}

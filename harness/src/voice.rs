//! Where words go: to people on standard output, or on standard error while a report takes standard output.

use std::io::{self, Write as _};
use std::path::Path;

use serde::Serialize;

use crate::failure::{Failure, NoPlace};

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

    /// Says a line. That it cannot be written is no reason to fail: the exit code still has the verdict.
    pub(crate) fn say(self, line: &str) {
        let _ = match self {
            Self::Output => writeln!(anstream::stdout(), "{line}"),
            Self::Errors => writeln!(anstream::stderr(), "{line}"),
        };
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
pub(crate) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    if is_standard_output(path) {
        return print(text);
    }
    replace(path, text).map_err(|error| Failure::not_written(Some(path), &error))
}

/// Writes what was asked for to standard output.
///
/// # Errors
/// Where it cannot be written.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut output = io::stdout().lock();
    let written = output.write_all(text.as_bytes()).and_then(|()| output.flush());
    written.map_err(|error| Failure::not_written(None, &error))
}

/// A report as JSON.
pub(crate) fn json(report: &impl Serialize) -> String {
    serde_json::to_string_pretty(report).expect("reports have string keys") + "\n"
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
pub(crate) fn can_be_written(reports: &[&Path]) -> Result<(), Failure> {
    for (index, path) in reports.iter().enumerate() {
        if reports[..index].contains(path) {
            return Err(Failure::SamePlace(Some(path.to_path_buf()).filter(|path| !is_standard_output(path))));
        }
        if is_standard_output(path) {
            continue;
        }
        if path.is_dir() {
            return Err(Failure::no_place(path, NoPlace::IsADirectory));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
            return Err(Failure::no_place(folder, NoPlace::NoDirectory));
        }
    }
    Ok(())
}

/// Whether a report can be written there again and again: standard output and a pipe have it once, at the end.
pub(crate) fn can_be_replaced(path: &Path) -> bool {
    !is_standard_output(path) && path.metadata().map_or(true, |file| file.is_file())
}

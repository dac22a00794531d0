//! What a command says: one JSON object, or text for people that ends with the next step.
//!
//! The border of output: whatever is said goes through `printable` here, whoever's text it is. Line breaks and styles
//! are added after it, so only ours get through.

use std::fmt::Display;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};
use solme_sync_protocol::{UtcTime, printable, printable_json};
use textwrap::{Options, WordSplitter, fill};

use crate::core::{Changes, FileFailure};
use crate::store::LocalStateFailure;

pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(crate) const WARN: Style = AnsiColor::Yellow.on_default();
pub(crate) const NAME: Style = Style::new().dimmed();
pub(crate) const PLAIN: Style = Style::new();

/// How a command ends, as `--help` documents it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Done = 0,
    Usage = 2,
    Refused = 10,
    NotReached = 11,
    FileNotUsable = 12,
    LocalState = 13,
    MayNotIssue = 14,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// What could not be done, and whose fault that is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{message}. {cure}")]
pub struct Error {
    #[serde(rename = "fault", serialize_with = "fault")]
    pub(crate) exit: Exit,
    /// The code, as in SUBJECT.md and in the JSON of the command line.
    pub code: &'static str,
    /// What is wrong, for people.
    pub message: String,
    /// What to do next, for people.
    pub cure: String,
}

/// Whose fault it is that something could not be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The caller's: an argument cannot be used.
    Caller,
    /// The network's, or the main server's.
    Network,
    /// A file's.
    File,
    /// The local state's: its directory, key file or database.
    LocalState,
}

impl Error {
    /// Whose fault it is.
    pub const fn fault(&self) -> Fault {
        match self.exit {
            Exit::Usage => Fault::Caller,
            Exit::NotReached => Fault::Network,
            Exit::FileNotUsable => Fault::File,
            _ => Fault::LocalState,
        }
    }
}

fn fault<S: Serializer>(exit: &Exit, serializer: S) -> Result<S::Ok, S::Error> {
    let error = Error { exit: *exit, code: "", message: String::new(), cure: String::new() };
    error.fault().serialize(serializer)
}

impl From<LocalStateFailure> for Error {
    fn from(error: LocalStateFailure) -> Self {
        Self { exit: Exit::LocalState, code: error.code(), message: error.to_string(), cure: error.cure().to_owned() }
    }
}

impl From<FileFailure> for Error {
    fn from(failure: FileFailure) -> Self {
        let (message, cure) = (failure.to_string(), failure.cure());
        Self { exit: Exit::FileNotUsable, code: failure.code(), message, cure }
    }
}

/// Text for people, line by line: no text can begin a line of its own, or have a colour. Colour reaches only a terminal.
#[derive(Debug, Default)]
pub(crate) struct Text {
    lines: Vec<Line>,
    next: Option<String>,
}

/// One line, with styles, and without anything else that acts.
#[derive(Debug)]
struct Line {
    text: String,
    /// For a row of a table: how far its further lines are indented. Other lines are sentences.
    indent: Option<usize>,
}

impl Text {
    pub(crate) fn good(&mut self, text: impl Display) {
        self.add(None, "", GOOD, text, "");
    }

    pub(crate) fn bad(&mut self, text: impl Display) {
        self.add(None, "", BAD, text, "");
    }

    pub(crate) fn warn(&mut self, text: impl Display) {
        self.add(None, "", WARN, format_args!("Note: {text}."), "");
    }

    pub(crate) fn line(&mut self, text: impl Display) {
        self.add(None, "", PLAIN, "", text);
    }

    /// A value with its name.
    pub(crate) fn value(&mut self, name: &str, value: impl Display) {
        self.row(22, NAME, format_args!("{name:<22}"), value);
    }

    /// A row of a table, the first part of it in a style. Where it is too long it goes on with that indent.
    pub(crate) fn row(&mut self, indent: usize, style: Style, text: impl Display, after: impl Display) {
        self.add(Some(indent), "", style, text, after);
    }

    /// The next step. It comes last, whatever is added later.
    pub(crate) fn next(&mut self, text: impl Display) {
        self.next = Some(sentence(&text.to_string()));
    }

    /// Added, removed and changed licenses.
    pub(crate) fn changes(&mut self, changes: &Changes) {
        if changes.is_empty() {
            self.line("No license was added, removed or changed.");
        }
        let mut row = |style, sign, what: &dyn Display| self.add(Some(4), "  ", style, sign, what);
        for number in &changes.added {
            row(GOOD, "+", &format_args!(" {number} added"));
        }
        for number in &changes.removed {
            row(BAD, "-", &format_args!(" {number} removed"));
        }
        for number in &changes.changed {
            let differences = changes.differences.get(number).map(|lines| lines.join("; ")).unwrap_or_default();
            row(WARN, "~", &format_args!(" {number} changed: {differences}"));
        }
    }

    /// Adds one line, a part of it in a style: the one place where text is added.
    fn add(
        &mut self,
        indent: Option<usize>,
        before: &'static str,
        style: Style,
        text: impl Display,
        after: impl Display,
    ) {
        let (text, after) = (text.to_string(), after.to_string());
        let text = format!("{before}{style}{}{style:#}{}", printable(&text), printable(&after));
        self.lines.push(Line { text, indent });
    }

    /// Wrapped to `columns`. Without a screen, tables have 80, and sentences stay on one line so that they can be searched.
    pub(crate) fn for_screen(&self, columns: Option<usize>) -> String {
        let mut lines: String = self.lines.iter().map(|line| line.wrapped(columns)).collect();
        if let Some(next) = &self.next {
            lines += &Line { text: format!("Next: {}", printable(next)), indent: None }.wrapped(columns);
        }
        lines
    }
}

impl Line {
    fn wrapped(&self, columns: Option<usize>) -> String {
        let columns = match (columns, self.indent) {
            (None, None) => return format!("{}\n", self.text),
            (columns, _) => columns.unwrap_or(80).max(40),
        };
        let indent = " ".repeat(self.indent.unwrap_or_default());
        let options = Options::new(columns).subsequent_indent(&indent).word_splitter(WordSplitter::NoHyphenation);
        format!("{}\n", fill(&self.text, options))
    }
}

/// Columns of the screen, if there is one.
fn columns() -> Option<usize> {
    let set = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    set.or_else(|| std::io::stdout().is_terminal().then(textwrap::termwidth))
}

#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) exit: Exit,
    pub(crate) json: Map<String, Value>,
    pub(crate) text: Text,
    /// Standard output carries a file.
    pub(crate) stdout_is_taken: bool,
    /// The text is what was asked for, whatever it says.
    pub(crate) is_the_answer: bool,
}

impl Report {
    pub(crate) fn new(exit: Exit, json: Value, text: Text) -> Self {
        let Value::Object(json) = json else { unreachable!("every report is a JSON object") };
        Self { exit, json, text, stdout_is_taken: false, is_the_answer: false }
    }

    /// The report of a command that did what it should, or could say how that ended.
    pub(crate) fn of(exit: Exit, result: &impl Serialize, text: Text) -> Self {
        Self::new(exit, serde_json::to_value(result).expect("results have string keys"), text)
    }

    /// The report of a command that could not do what it should. `shape` is what its JSON has beside the usual.
    pub(crate) fn error(error: Error, shape: Value) -> Self {
        let Error { exit, code, message, cure } = error;
        let mut text = Text::default();
        text.bad(sentence(&message));
        text.next(&cure);
        let mut report = Self::new(exit, shape, text);
        report.json.extend([
            ("code".to_owned(), json!(code)),
            ("message".to_owned(), json!(message)),
            ("cure".to_owned(), json!(cure)),
        ]);
        report
    }

    /// Says it. A closed pipe is no reason to fail.
    pub(crate) fn print(&self, as_json: bool) {
        if as_json {
            let _ = std::io::stdout().write_all(json_line(&self.json).as_bytes());
        } else if !self.stdout_is_taken && (self.is_the_answer || matches!(self.exit, Exit::Done | Exit::MayNotIssue)) {
            let _ = anstream::stdout().write_all(self.text.for_screen(columns()).as_bytes());
        } else {
            let _ = anstream::stderr().write_all(self.text.for_screen(columns()).as_bytes());
        }
    }
}

/// A JSON object as one line of output.
pub(crate) fn json_line(object: &Map<String, Value>) -> String {
    let json = serde_json::to_string(object).expect("a JSON object has string keys");
    format!("{}\n", printable_json(&json))
}

/// That something was done, as every result of that kind says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Done {
    outcome: &'static str,
    /// The code, as in the JSON of the command line.
    pub code: &'static str,
    /// What was done, for people.
    pub message: String,
    cure: (),
}

impl Done {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { outcome: "done", code, message: message.into(), cure: () }
    }
}

/// A time, or one that may be missing, as results are serialized: RFC 3339, UTC.
pub(crate) fn rfc3339<S: Serializer>(
    time: &(impl Copy + Into<Option<UtcTime>>),
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let time: Option<UtcTime> = (*time).into();
    time.map(|time| time.to_string()).serialize(serializer)
}

/// Text as a sentence of its own.
pub(crate) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    let rest = letters.as_str();
    if rest.ends_with(['.', '?', '!']) { format!("{first}{rest}") } else { format!("{first}{rest}.") }
}

//! Why a verb did not do what it is there for: a closed table, and the one place where it is said.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;
use solme_sync_protocol::printable_json;

use crate::conformance::Foreign;

/// What could not be done. A subject that does not conform, and a step that did not come as expected, are verdicts.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line; what clap says.
    CommandLine(String),
    /// A file that was named as an input.
    Unreadable { path: PathBuf, wanted: &'static str, error: String },
    /// A scenario with something wrong in it.
    NotAScenario { name: String, detail: String },
    /// A file of deviations with something wrong in it.
    NotDeviations { path: PathBuf, detail: String },
    /// An input of `diff` with something wrong in it.
    NotAReport { path: PathBuf, detail: String },
    /// Two reports that cannot be compared.
    NotComparable(String),
    /// `--web` with several stories.
    SeveralStories,
    /// A name that is not there, and the known ones that look most like it.
    NothingMatches { what: &'static str, wanted: String, near: Vec<String> },
    /// `--subject` is not a command line.
    NotACommand { subject: String, detail: String },
    /// `--subject` repeats a subject.
    SubjectTwice(String),
    /// The operating system, or a shell, does not start the subject.
    SubjectNotStarted { subject: String, detail: String },
    /// Two outputs in one place; none is standard output.
    SamePlace(Option<PathBuf>),
    /// The place of an output, which is not one.
    NoPlace { path: PathBuf, why: NoPlace },
    /// The page cannot be served.
    NoPort(String),
    /// No browser opens.
    NoBrowser(String),
    /// An output that could not be written, by then.
    NotWritten { path: Option<PathBuf>, error: String },
    /// Nobody reads standard output any more.
    NobodyReads,
    /// A story that could not be played to its end.
    BrokeOff(String),
    /// A fleet that could not go on.
    FleetEnded(String),
    /// The operating system refuses what every run needs.
    System { what: &'static str, error: String },
    /// SIGINT or SIGTERM, with its exit code.
    Interrupted(u8),
}

/// Why nothing can be written in a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoPlace {
    /// A directory that is not there.
    NoDirectory,
    /// A directory where a file was wanted.
    IsADirectory,
    /// A file that would be overwritten.
    Exists,
    /// A directory with something in it.
    NotEmpty,
}

impl Failure {
    /// A file that cannot be read; `wanted` says what to name in its place.
    pub(crate) fn unreadable(path: &Path, wanted: &'static str, error: &io::Error) -> Self {
        Self::Unreadable { path: path.to_owned(), wanted, error: error.to_string() }
    }

    /// An output that cannot be written; standard output without a path.
    pub(crate) fn not_written(path: Option<&Path>, error: &io::Error) -> Self {
        match (path, error.kind()) {
            (None, io::ErrorKind::BrokenPipe) => Self::NobodyReads,
            _ => Self::NotWritten { path: path.map(Path::to_owned), error: error.to_string() },
        }
    }

    /// What every run needs of the operating system.
    pub(crate) fn system(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::System { what, error: error.to_string() }
    }

    /// A place where nothing can be written.
    pub(crate) fn no_place(path: &Path, why: NoPlace) -> Self {
        Self::NoPlace { path: path.to_owned(), why }
    }

    /// 2 if nothing was judged or played because of what was asked for, 1 if something went wrong on the way.
    const fn exit(&self) -> u8 {
        match self {
            Self::NotWritten { .. }
            | Self::NobodyReads
            | Self::NoBrowser(_)
            | Self::BrokeOff(_)
            | Self::FleetEnded(_)
            | Self::System { .. } => 1,
            Self::Interrupted(code) => *code,
            _ => 2,
        }
    }

    /// For scripts.
    const fn code(&self) -> &'static str {
        match self {
            Self::CommandLine(_) => "usage",
            Self::Unreadable { .. } => "file-unreadable",
            Self::NotAScenario { .. } => "not-a-scenario",
            Self::NotDeviations { .. } => "not-deviations",
            Self::NotAReport { .. } => "not-a-report",
            Self::NotComparable(_) => "not-comparable",
            Self::SeveralStories => "several-stories",
            Self::NothingMatches { .. } => "nothing-matches",
            Self::NotACommand { .. } => "not-a-command",
            Self::SubjectTwice(_) => "subject-twice",
            Self::SubjectNotStarted { .. } => "subject-not-started",
            Self::SamePlace(_) => "same-place",
            Self::NoPlace { why: NoPlace::NoDirectory, .. } => "no-directory",
            Self::NoPlace { why: NoPlace::IsADirectory, .. } => "is-a-directory",
            Self::NoPlace { why: NoPlace::Exists, .. } => "file-exists",
            Self::NoPlace { why: NoPlace::NotEmpty, .. } => "directory-not-empty",
            Self::NoPort(_) => "page",
            Self::NoBrowser(_) => "browser",
            Self::NotWritten { .. } | Self::NobodyReads => "not-written",
            Self::BrokeOff(_) => "broke-off",
            Self::FleetEnded(_) => "fleet-ended",
            Self::System { .. } => "system",
            Self::Interrupted(_) => "interrupted",
        }
    }

    /// What is wrong, for people.
    fn message(&self) -> String {
        match self {
            Self::CommandLine(text) => text.clone(),
            Self::Unreadable { path, error, .. } => format!("cannot read {}: {error}", path.display()),
            Self::NotAScenario { name, detail } => format!("{name} is not a scenario: {}", detail.trim_end()),
            Self::NotDeviations { path, detail } => {
                format!("{} does not list deviations: {}", path.display(), detail.trim_end())
            }
            Self::NotAReport { path, detail } => format!("{} is not a report: {detail}", path.display()),
            Self::NotComparable(why) => why.clone(),
            Self::SeveralStories => "--web has room for one story".to_owned(),
            Self::NothingMatches { what, wanted, .. } => format!("{what} {wanted:?} does not match anything"),
            Self::NotACommand { subject, detail } => format!("--subject {subject:?} is not a command: {detail}"),
            Self::SubjectTwice(subject) => format!("--subject {subject:?} appears twice"),
            Self::SubjectNotStarted { subject, detail } => {
                format!("the subject {subject:?} cannot be started: {detail}")
            }
            Self::SamePlace(None) => "only one output can have standard output".to_owned(),
            Self::SamePlace(Some(path)) => format!("two reports cannot both go to {}", path.display()),
            Self::NoPlace { path, why } => match why {
                NoPlace::NoDirectory => format!("there is no directory {}", path.display()),
                NoPlace::IsADirectory => format!("{} is a directory", path.display()),
                NoPlace::Exists => format!("{} exists already", path.display()),
                NoPlace::NotEmpty => format!("{} is not empty", path.display()),
            },
            Self::NoPort(error) => format!("the page cannot be served: {error}"),
            Self::NoBrowser(error) => format!("no browser opens: {error}"),
            Self::NotWritten { path: Some(path), error } => format!("cannot write {}: {error}", path.display()),
            Self::NotWritten { path: None, error } => format!("cannot write to standard output: {error}"),
            Self::NobodyReads => "nobody reads standard output".to_owned(),
            Self::BrokeOff(why) => format!("the story broke off: {why}"),
            Self::FleetEnded(why) => format!("the fleet could not go on: {why}"),
            Self::System { what, error } => format!("cannot {what}: {error}"),
            Self::Interrupted(_) => "interrupted before the end".to_owned(),
        }
    }

    /// What to do next, for people.
    fn cure(&self) -> String {
        match self {
            Self::CommandLine(_) => "See `harness --help`.".to_owned(),
            Self::Unreadable { wanted, .. } => format!("Name {wanted} that exists and can be read."),
            Self::NotAScenario { .. } => {
                "Correct it; fixtures/scenarios/README.md has every action and member.".to_owned()
            }
            Self::NotDeviations { .. } => {
                "Correct it; each [[deviation]] has a `case`, a `reason`, and maybe a `subject`.".to_owned()
            }
            Self::NotAReport { .. } => "Name a file that `harness conformance --json FILE` has written.".to_owned(),
            Self::NotComparable(_) => "Compare two finished runs of the same suite.".to_owned(),
            Self::SeveralStories => "Name one file.".to_owned(),
            Self::NothingMatches { near, .. } if !near.is_empty() => format!("Did you mean {}?", near.join(", ")),
            Self::NothingMatches { what: "--mutant", .. } => "See `harness clauses`.".to_owned(),
            Self::NothingMatches { .. } => "See `harness list client` and `harness list server`.".to_owned(),
            Self::NotACommand { .. } => "Name a command, or `ours` for our own program.".to_owned(),
            Self::SubjectTwice(_) => "Name each subject once.".to_owned(),
            Self::SubjectNotStarted { .. } => "Run the command by hand, then fix --subject.".to_owned(),
            Self::SamePlace(_) => "Name a file for each.".to_owned(),
            Self::NoPlace { why: NoPlace::NoDirectory, .. } => "Create it, or name a directory that exists.".to_owned(),
            Self::NoPlace { why: NoPlace::IsADirectory, .. } => "Name a file in it.".to_owned(),
            Self::NoPlace { why: NoPlace::Exists | NoPlace::NotEmpty, .. } => "Name another directory.".to_owned(),
            Self::NoPort(_) => "Name another port with --port, or none for a free one.".to_owned(),
            Self::NoBrowser(_) => "Run it again without --open, and open the address that it prints.".to_owned(),
            Self::NotWritten { .. } | Self::NobodyReads => {
                "Check space and permissions there, or name another place; then run it again.".to_owned()
            }
            Self::BrokeOff(_) => "Play it again with --keep DIR, and look at what it leaves there.".to_owned(),
            Self::FleetEnded(_) => {
                "See what the main server said above. Check free space, memory and `ulimit -n`; then run it again."
                    .to_owned()
            }
            Self::System { .. } => "Check free space and permissions, TMPDIR included; then run it again.".to_owned(),
            Self::Interrupted(_) => "Run it again to the end.".to_owned(),
        }
    }

    /// Says it and ends: as JSON where `args` ask for that on standard output, otherwise for people on standard error.
    pub(crate) fn report(&self, args: &[OsString]) -> ExitCode {
        match self {
            // They have gone, and know it.
            Self::NobodyReads => {}
            _ if self.as_json(args) => {
                let (code, message, cure) = (self.code(), self.message(), self.cure());
                let json = json!({ "outcome": "failed", "code": code, "message": message, "cure": cure });
                // The exit code says it as well.
                let _ = crate::voice::print(&format!("{}\n", printable_json(&json.to_string())));
            }
            _ => {
                let message = Foreign::from(self.message());
                anstream::eprintln!("harness: {}\nNext: {}", message.indented(4), Foreign::from(self.cure()).line());
            }
        }
        self.exit_code()
    }

    /// How the program ends.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.exit())
    }

    /// Whether standard output is where JSON goes. Of two outputs that both want it, none gets it.
    pub(crate) fn as_json(&self, args: &[OsString]) -> bool {
        let words: Vec<&str> = args.iter().filter_map(|arg| arg.to_str()).collect();
        let for_itself = matches!(words.get(1), Some(&("demo" | "scenario"))) && words.contains(&"--json");
        let as_a_file = words.contains(&"--json=-") || words.windows(2).any(|pair| pair == ["--json", "-"]);
        !matches!(self, Self::SamePlace(_)) && (for_itself || as_a_file)
    }
}

impl From<clap::Error> for Failure {
    /// What is wrong, without the usage and the advice that clap adds for people.
    fn from(error: clap::Error) -> Self {
        let text = error.render().to_string();
        let paragraph = text.split("\n\n").next().unwrap_or(&text).trim_start_matches("error: ");
        Self::CommandLine(paragraph.split_whitespace().collect::<Vec<_>>().join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_for_whoever_has_standard_output_as_json() {
        for (line, wanted) in [
            ("harness demo --json", true),
            ("harness scenario x.toml --json", true),
            ("harness conformance client --subject ours --json -", true),
            ("harness diff a b --json=-", true),
            ("harness conformance client --subject ours --json report.json", false),
            ("harness list client", false),
        ] {
            let args: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            assert_eq!(Failure::SeveralStories.as_json(&args), wanted, "{line}");
            assert!(!Failure::SamePlace(None).as_json(&args), "{line}");
        }
    }
}

//! A case: one requirement of PROTOCOL.md, and how to see whether a subject meets it.

use std::fmt;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use super::{Foreign, Heard};

/// What a case is about: MUST fails, SHOULD warns (RFC 2119).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Level {
    /// A deviation is a failure.
    Must,
    /// A deviation is a warning.
    Should,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Must => "MUST",
            Self::Should => "SHOULD",
        })
    }
}

/// One case over a stage `S`. Its requirement is the text of its clause.
pub(crate) struct Case<S> {
    /// The clause of PROTOCOL.md that it is about: `9.7`.
    pub(crate) clause: &'static str,
    /// What it sees: the name of its function, or words with hyphens from a table.
    pub(crate) name: &'static str,
    /// What a deviation means.
    pub(crate) level: Level,
    /// Looks. The stage was made for this case alone.
    pub(crate) run: for<'a> fn(&'a S) -> Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>,
}

impl<S> Case<S> {
    /// `9.7/a-resend-is-byte-for-byte`: what `--only` matches and deviations name.
    pub(crate) fn id(&self) -> String {
        format!("{}/{}", self.clause, self.name.trim_start_matches('_').replace('_', "-"))
    }

    /// Whether it may wait for seconds and do nothing: for a connection that nobody takes.
    pub(crate) fn waits(&self) -> bool {
        self.clause == "13.1"
    }
}

/// A case from a table: clause, level, name, and how to look. `look(arguments)` is `look(stage, arguments)`.
macro_rules! case {
    ($clause:expr, $level:ident, $name:expr, $look:ident($($argument:expr),*)) => {
        $crate::conformance::Case {
            clause: $clause,
            name: $name,
            level: $crate::conformance::Level::$level,
            run: |stage| Box::pin($look(stage $(, $argument)*)),
        }
    };
}
pub(crate) use case;

/// A list of cases, each called as the function that looks: `"9.7" Must a_resend_is_byte_for_byte;`. Where one function
/// looks at several cases, it stands behind the name: `= look(arguments)`.
macro_rules! cases {
    (@ $clause:literal $level:ident $name:ident) => {
        $crate::conformance::case!($clause, $level, stringify!($name), $name())
    };
    (@ $clause:literal $level:ident $name:ident $look:ident $($argument:expr),*) => {
        $crate::conformance::case!($clause, $level, stringify!($name), $look($($argument),*))
    };
    ($($clause:literal $level:ident $name:ident $(= $look:ident($($argument:expr),*))?;)*) => {
        vec![$($crate::conformance::cases!(@ $clause $level $name $($look $($argument),*)?)),*]
    };
}
pub(crate) use cases;

/// What a case came to: nothing to say, or a finding.
pub(crate) type Outcome = Result<(), Finding>;

/// Why a case did not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Finding {
    /// The subject does something else than the requirement asks for.
    Deviates {
        /// What was expected.
        expected: String,
        /// What came.
        got: String,
    },
    /// The subject says that it does not implement what the case needs.
    Unimplemented(String),
    /// The case cannot be looked at here, for this reason.
    Skipped(String),
}

impl Finding {
    /// A deviation.
    pub(crate) fn deviates(expected: impl Into<String>, got: impl Into<String>) -> Self {
        Self::Deviates { expected: expected.into(), got: got.into() }
    }

    /// Passes where both are equal.
    pub(crate) fn unless_equal<T: PartialEq + fmt::Debug>(expected: &T, got: &T) -> Outcome {
        if expected == got { Ok(()) } else { Err(Self::deviates(format!("{expected:?}"), format!("{got:?}"))) }
    }
}

/// One exchange, as it went over the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct WireEntry {
    /// Who to whom: `subject -> 443`.
    pub(crate) way: Foreign,
    /// What, shortened for people.
    pub(crate) what: Foreign,
}

/// What went over the wire in one case, and which words of the closed lists were in it. Shared by everything that takes
/// part.
#[derive(Debug, Default)]
pub(crate) struct WireLog {
    entries: Mutex<Vec<WireEntry>>,
    heard: Mutex<Heard>,
}

impl WireLog {
    /// More entries than a person reads say nothing; a flood must not fill the memory.
    const AT_MOST: usize = 200;

    /// Adds one exchange.
    pub(crate) fn add(&self, way: impl Into<Foreign>, what: impl AsRef<str>) {
        let mut entries = locked(&self.entries);
        if entries.len() < Self::AT_MOST {
            entries.push(WireEntry { way: way.into(), what: what.as_ref().into() });
        }
    }

    /// All of it, in order.
    pub(crate) fn entries(&self) -> Vec<WireEntry> {
        locked(&self.entries).clone()
    }

    /// The subject has said a word of a closed list.
    pub(crate) fn hear(&self, list: &'static str, word: impl Into<String>) {
        locked(&self.heard).insert((list, word.into()));
    }

    /// All words that it has said.
    pub(crate) fn heard(&self) -> Heard {
        locked(&self.heard).clone()
    }
}

fn locked<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

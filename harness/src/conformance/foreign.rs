//! Text that is not ours: what a subject says, and what a person named. The model of reports has no other text.

use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Serialize};
use solme_sync_protocol::printable_lines;

/// More than a person reads of one text; a flood must not fill a report.
const CHARACTERS: usize = 8_000;

/// Text of others, made harmless as it comes in: without controls but line breaks, without bidi and invisible characters,
/// and bounded. What is left may still be markup: each form of report escapes what it knows as such.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String")]
pub(crate) struct Foreign(String);

impl Foreign {
    /// It as a part of one line.
    pub(crate) fn line(&self) -> String {
        self.0.replace('\n', " ")
    }

    /// It below its own beginning: no line of it can pass for one of ours.
    pub(crate) fn indented(&self, columns: usize) -> String {
        self.0.replace('\n', &format!("\n{:columns$}", ""))
    }
}

impl From<&str> for Foreign {
    fn from(text: &str) -> Self {
        match text.char_indices().nth(CHARACTERS) {
            Some((end, _)) => Self(format!("{} [and more]", printable_lines(&text[..end]))),
            None => Self(printable_lines(text).to_string()),
        }
    }
}

impl From<String> for Foreign {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl Deref for Foreign {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_is_shown_and_lines_stay_below_their_beginning() {
        let hostile = Foreign::from("\u{1b}[31m\0\u{202e}red\r\nok 999 - forged");
        assert_eq!(&*hostile, "\\u{1b}[31m\\u{0}\\u{202e}red\\u{d}\nok 999 - forged");
        assert_eq!(hostile.indented(4).lines().nth(1), Some("    ok 999 - forged"));
        assert_eq!(hostile.line().lines().count(), 1);
        assert_eq!(Foreign::from(&*hostile), hostile, "twice is as good as once");
        assert!(Foreign::from("x".repeat(1_000_000)).len() < 2 * CHARACTERS);
    }
}

//! What a verb could not do, in the one shape that all verbs have.

use std::io::Write as _;
use std::process::ExitCode;

use serde::{Serialize, Serializer};
use solme_sync_protocol::{printable, printable_json};

/// Why a verb did not do what it is there for.
#[derive(Debug)]
pub(super) struct Failure {
    exit: u8,
    code: String,
    message: String,
    cure: String,
}

impl Failure {
    pub(super) fn new(exit: u8, code: &str, message: impl ToString, cure: &str) -> Self {
        Self { exit, code: code.to_owned(), message: message.to_string(), cure: cure.to_owned() }
    }

    /// Prints it: with `json` on standard output, otherwise for people on standard error.
    pub(super) fn report(&self, json: bool) -> ExitCode {
        if json {
            let _ = print(&printable_json(&pretty(self)).to_string());
        } else {
            let (code, message, cure) = (printable(&self.code), printable(&self.message), printable(&self.cure));
            anstream::eprintln!("mock-solme: {code}: {message}\n  {cure}");
        }
        ExitCode::from(self.exit)
    }
}

/// `outcome`, `code`, `message` and `cure` as of every program of the house; `detail` is the message under the name that
/// problem documents have for it.
impl Serialize for Failure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { code, message, cure, .. } = self;
        let members =
            [("outcome", "failed"), ("code", code), ("message", message), ("detail", message), ("cure", cure)];
        serializer.collect_map(members)
    }
}

/// Everything that is printed comes through here escaped. An error says that the reader has gone away.
pub(super) fn print(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush())
}

/// JSON for people and scripts.
pub(super) fn pretty(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).expect("it has string keys and no failing serializers")
}

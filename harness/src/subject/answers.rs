//! What a subject answers to its verbs (SUBJECT.md), read so that what is wrong is named. `harness/schema/` says the same as
//! JSON Schema, written from these types.

#[cfg(test)]
mod schema;

use std::fmt;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use solme_sync_protocol::{RefusalCode, printable};

use crate::conformance::Finding;

/// The states of a License Server.
pub(crate) const STATES: [&str; 5] = ["unsynchronized", "synchronized", "overdue", "cleared", "tampered"];

/// The codes of a failure of a License Server.
pub(crate) const FAILURES: [&str; 10] = [
    "not-reached",
    "not-the-main-server",
    "receipt-wrong",
    "payload-wrong",
    "payload-not-found",
    "refusal-wrong",
    "main-server-trouble",
    "file-not-usable",
    "response-older",
    "local-state",
];

const CARRIED_OUT: [&str; 2] = ["done", "failed"];
const SYNCHRONIZATION: [&str; 3] = ["synchronized", "refused", "failed"];
const CLEARED: [&str; 3] = ["done", "already-done", "failed"];

/// Reads the answer to a verb.
///
/// # Errors
/// A deviation that names the member, what was expected of it, and what came.
pub(crate) fn read<T: DeserializeOwned>(verb: &str, answer: &Value) -> Result<T, Finding> {
    serde_path_to_error::deserialize(answer).map_err(|error| {
        let member = match error.path().to_string().as_str() {
            "." => String::new(),
            path => format!("{path}: "),
        };
        let expected = format!("{verb} answers as in harness/schema/{verb}.json");
        let wrong = error.inner().to_string(); // quotes the subject, lines and all
        Finding::deviates(expected, format!("{member}{}\n{answer}", printable(&wrong)))
    })
}

/// `status` of a License Server.
#[derive(Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Status {
    #[serde(deserialize_with = "state")]
    #[cfg_attr(test, schemars(extend("enum" = STATES)))]
    pub(crate) state: String,
    /// RFC 7638, SHA-256
    pub(crate) key_thumbprint: String,
    pub(crate) key_generation: Option<u64>,
    pub(crate) sequence: Option<u64>,
    /// In seconds since 1970
    pub(crate) synchronize_by: Option<u64>,
    pub(crate) days_left: Option<u64>,
    /// License numbers
    pub(crate) licenses: Vec<String>,
}

/// As a subject prints it: where two differ, a report shows both.
impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

/// `may-issue` of a License Server.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct MayIssue {
    pub(crate) may_issue: bool,
    /// The rule that decided
    pub(crate) code: Option<String>,
}

/// `synchronize` and `import-response` of a License Server.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Synchronization")]
pub(crate) struct Synchronized(pub(crate) Said);

/// Its other verbs.
#[derive(Debug, Deserialize)]
#[serde(try_from = "CarriedOut")]
pub(crate) struct Done(pub(crate) Said);

/// What a License Server says to both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) outcome: String,
    pub(crate) code: Option<String>,
    pub(crate) cause: Option<String>,
    pub(crate) changes: Option<Changes>,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(extend("allOf" = [schema::code_of_a_refusal(), schema::code_of_a_failure(), schema::changes()])))]
struct Synchronization {
    #[serde(deserialize_with = "synchronization")]
    #[cfg_attr(test, schemars(extend("enum" = SYNCHRONIZATION)))]
    outcome: String,
    code: Option<String>,
    /// The subject's own name for a failure
    cause: Option<String>,
    changes: Option<Changes>,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(extend("allOf" = [schema::code_of_a_failure()])))]
struct CarriedOut {
    #[serde(deserialize_with = "carried_out")]
    #[cfg_attr(test, schemars(extend("enum" = CARRIED_OUT)))]
    outcome: String,
    code: Option<String>,
    /// The subject's own name for a failure
    cause: Option<String>,
}

/// License numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Changes {
    pub(crate) added: Vec<String>,
    pub(crate) removed: Vec<String>,
    pub(crate) changed: Vec<String>,
}

/// The verbs that control a main server.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Controlled {
    #[serde(deserialize_with = "carried_out")]
    #[cfg_attr(test, schemars(extend("enum" = CARRIED_OUT)))]
    pub(crate) outcome: String,
}

/// `clear` of a main server.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Cleared {
    #[serde(deserialize_with = "cleared")]
    #[cfg_attr(test, schemars(extend("enum" = CLEARED)))]
    pub(crate) outcome: String,
}

/// The ready line of `serve`.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Serving {
    /// A path
    pub(crate) trust_file: String,
}

impl TryFrom<Synchronization> for Synchronized {
    type Error = String;

    fn try_from(said: Synchronization) -> Result<Self, String> {
        let Synchronization { outcome, code, cause, changes } = said;
        if outcome == "synchronized" && changes.is_none() {
            return Err("missing field `changes`, which `synchronized` has".to_owned());
        }
        has_its_code(&outcome, code.as_deref())?;
        Ok(Self(Said { outcome, code, cause, changes }))
    }
}

impl TryFrom<CarriedOut> for Done {
    type Error = String;

    fn try_from(CarriedOut { outcome, code, cause }: CarriedOut) -> Result<Self, String> {
        has_its_code(&outcome, code.as_deref())?;
        Ok(Self(Said { outcome, code, cause, changes: None }))
    }
}

/// A refusal and a failure have a code of their closed lists.
fn has_its_code(outcome: &str, code: Option<&str>) -> Result<(), String> {
    let codes = match outcome {
        "refused" => RefusalCode::ALL.iter().map(|code| code.as_str()).collect(),
        "failed" => FAILURES.to_vec(),
        _ => return Ok(()),
    };
    match code {
        Some(code) if codes.contains(&code) => Ok(()),
        Some(code) => {
            Err(format!("code: unknown variant `{code}` of `{outcome}`, expected one of {}", codes.join(", ")))
        }
        None => Err(format!("missing field `code`, which `{outcome}` has")),
    }
}

fn state<'de, D: Deserializer<'de>>(answer: D) -> Result<String, D::Error> {
    one_of(&STATES, answer)
}

fn carried_out<'de, D: Deserializer<'de>>(answer: D) -> Result<String, D::Error> {
    one_of(&CARRIED_OUT, answer)
}

fn synchronization<'de, D: Deserializer<'de>>(answer: D) -> Result<String, D::Error> {
    one_of(&SYNCHRONIZATION, answer)
}

fn cleared<'de, D: Deserializer<'de>>(answer: D) -> Result<String, D::Error> {
    one_of(&CLEARED, answer)
}

fn one_of<'de, D: Deserializer<'de>>(words: &'static [&'static str], answer: D) -> Result<String, D::Error> {
    let word = String::deserialize(answer)?;
    if words.contains(&word.as_str()) { Ok(word) } else { Err(D::Error::unknown_variant(&word, words)) }
}

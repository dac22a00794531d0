//! For a fuzzer, and for it alone: what meets bytes of others, without the programs around it.

use serde_json::Value;

use crate::conformance::Deviations;
use crate::scenario::{Scenario, Step};
use crate::subject;

/// A scenario as it is written again; each of its steps can be told.
///
/// # Errors
/// What is wrong with it.
pub fn scenario(text: &str) -> Result<String, String> {
    let scenario = Scenario::parse(text).map_err(|error| format!("{error:#}"))?;
    let _ = scenario.step.iter().map(Step::in_short).collect::<Vec<_>>();
    Ok(scenario.with_steps(&scenario.step))
}

/// The cases that a file of expected deviations names.
///
/// # Errors
/// What is wrong with it.
pub fn deviations(text: &str) -> Result<Vec<String>, String> {
    Deviations::parse(text).map(|deviations| deviations.stale(&[]).cloned().collect())
}

/// What a subject has printed for a verb, if it is an answer (`SUBJECT.md`).
pub fn answer(stdout: &[u8]) -> Option<Value> {
    subject::one_object(stdout)
}

/// What the line of a worker says, if it is one: the exit code, and the answer.
pub fn worker_line(line: &[u8]) -> Option<(i32, Value)> {
    subject::said(line).map(|said| (said.exit_code, said.json))
}

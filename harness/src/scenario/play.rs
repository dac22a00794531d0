//! Plays a scenario: acts, compares, tells.

use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::actors::Actors;
use super::file::{Scenario, Step};
use crate::programs::Answer;
use crate::step::{Says, Teller};

/// Plays the scenario in `stage`; true if every step came as expected.
pub(super) async fn play(scenario: &Scenario, stage: &Path, mut teller: Teller) -> Result<bool> {
    let mut actors = Actors::enter(stage).await?;
    teller.opening(&scenario.title, &scenario.about)?;
    for (index, step) in scenario.step.iter().enumerate() {
        let what = || format!("step {} ({:?})", index + 1, step.action);
        let answer = actors.act(step).await.with_context(what)?;
        match &step.tell {
            Some(tell) => {
                let (expected, got) = compared(step, &answer);
                teller.tell(tell, expected, got, says(&answer))?;
            }
            None if step.expect.is_empty() => drop(answer.done().with_context(what)?),
            None => {
                let (expected, got) = compared(step, &answer);
                if expected != got {
                    bail!("{}: expected {expected}, got {got}: {}", what(), answer.json);
                }
            }
        }
    }
    Ok(teller.end()?)
}

/// What the step expects, and what came of exactly that.
fn compared(step: &Step, answer: &Answer) -> (String, String) {
    let expected = step.expect.iter().map(|(member, value)| (member, plain(value)));
    let came = step.expect.keys().map(|member| (member, shown(&member_of(answer, member))));
    (in_words(expected), in_words(came))
}

fn in_words<'a>(members: impl Iterator<Item = (&'a String, String)>) -> String {
    members.map(|(member, value)| format!("{} {value}", member.replace('_', " "))).collect::<Vec<_>>().join(", ")
}

/// A member of the answer; lists are counted.
fn member_of(answer: &Answer, member: &str) -> Value {
    let value = match member {
        "exit" => Value::from(answer.exit),
        "list" => answer.json.clone(),
        "added" | "removed" | "changed" => answer.json["changes"][member].clone(),
        _ => answer.json[member].clone(),
    };
    match value {
        Value::Array(list) => Value::from(list.len()),
        other => other,
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "none".to_owned(),
        other => other.to_string(),
    }
}

fn plain(value: &toml::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn says(answer: &Answer) -> Option<Says> {
    let member = |name: &str| answer.json[name].as_str().map(str::to_owned);
    member("message").map(|message| Says { message, cure: member("cure") })
}

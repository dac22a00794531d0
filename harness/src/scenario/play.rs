//! Plays a scenario: acts, compares, tells.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::action::{Action, Who};
use super::actors::Actors;
use super::file::{Scenario, Step};
use super::teller::Teller;
use super::told::{LICENSING_DESK, MAIN_SERVER, Says, Story, Told, WORLD};
use super::wire::{Exchange, Mail};
use crate::programs::Answer;

/// Plays the scenario in `stage`, and tells each step as it has been played.
pub(super) async fn play(scenario: &Scenario, stage: &Path, teller: &mut Teller) -> Result<Story> {
    let mut story =
        Story { title: scenario.title.clone(), about: scenario.about.clone(), steps: Vec::new(), broken: None };
    teller.opening(scenario)?;
    if let Err(error) = play_steps(scenario, stage, teller, &mut story).await {
        story.broken = Some(format!("{error:#}"));
    }
    teller.end(&story)?;
    Ok(story)
}

async fn play_steps(scenario: &Scenario, stage: &Path, teller: &mut Teller, story: &mut Story) -> Result<()> {
    let mut actors = Actors::enter(scenario, stage).await?;
    let mut wire = Vec::new();
    let mut mails = Vec::new();
    for (index, step) in scenario.step.iter().enumerate() {
        let what = || format!("step {} ({})", index + 1, step.action().name());
        if step.tell.is_some() {
            teller.before_a_step().await?;
        }
        let start = Instant::now();
        let answer = actors.act(step).await.with_context(what)?;
        let took = start.elapsed().as_secs_f64();
        let seen = actors.observe(step).await.with_context(what)?;
        wire.extend(seen.wire);
        mails.extend(seen.mails);
        let (expected, got) = compared(step, &answer).with_context(what)?;
        let Some(tell) = &step.tell else {
            if expected != got {
                bail!("{}: expected {expected}, got {got}: {}", what(), answer.json);
            }
            continue;
        };
        let (wire, mails): (Vec<Exchange>, Vec<Mail>) = (std::mem::take(&mut wire), std::mem::take(&mut mails));
        let decided = wire.iter().rev().find(|exchange| exchange.carrier != "8080").or(wire.last());
        let told = Told {
            number: story.steps.len() + 1,
            step: tell.clone(),
            actor: actor(step),
            action: step.action(),
            ok: expected == got,
            expected,
            got,
            clause: decided.map(|exchange| exchange.clause.clone()),
            says: Says::of(&answer),
            wire,
            mails,
            answer: answer.json,
            took,
            decode: step.decode,
        };
        teller.tell(&told)?;
        story.steps.push(told);
    }
    Ok(())
}

/// Who acts, by name.
pub(super) fn actor(step: &Step) -> String {
    match (step.action().form().who, &step.server) {
        (Who::LicenseServer, Some(server)) => server.clone(),
        (Who::LicenseServer | Who::World, _) => WORLD.to_owned(),
        // A request file is carried to the main server by whoever exported it.
        (Who::MainServer, Some(server)) => server.clone(),
        (Who::MainServer, None) => MAIN_SERVER.to_owned(),
        (Who::LicensingDesk, _) => LICENSING_DESK.to_owned(),
    }
}

/// What the step expects, and what came of exactly that. Without `expect`, that it was done.
fn compared(step: &Step, answer: &Answer) -> Result<(String, String)> {
    if step.expect.is_empty() {
        let code = answer.json["code"].as_str().or(answer.json["outcome"].as_str()).unwrap_or_default();
        let got = if answer.exit == 0 { "done".to_owned() } else { format!("exit {} {code}", answer.exit) };
        return Ok(("done".to_owned(), got));
    }
    let (mut expected, mut got) = (Vec::new(), Vec::new());
    for (member, value) in &step.expect {
        expected.push((member, plain(value)));
        let came = member_of(answer, member)
            .with_context(|| format!("the answer has no member `{member}`: {}", answer.json))?;
        got.push((member, shown(&came)));
    }
    Ok((in_words(&expected), in_words(&got)))
}

fn in_words(members: &[(&String, String)]) -> String {
    let words = members.iter().map(|(member, value)| format!("{} {value}", member.replace('_', " ")));
    words.collect::<Vec<_>>().join(", ")
}

/// A member of the answer; lists are counted.
fn member_of(answer: &Answer, member: &str) -> Option<Value> {
    let value = match member {
        "exit" => return Some(Value::from(answer.exit)),
        "list" if answer.json.is_array() => &answer.json,
        "added" | "removed" | "changed" => answer.json.get("changes")?.get(member)?,
        _ => answer.json.get(member)?,
    };
    Some(match value {
        Value::Array(list) => Value::from(list.len()),
        other => other.clone(),
    })
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

/// Whether a step is about mail, so that the outbox may have something new.
pub(super) const fn may_send_mail(action: Action) -> bool {
    matches!(action, Action::Mail | Action::RequestClear | Action::Approve | Action::Reject | Action::ClearKeyPair)
}

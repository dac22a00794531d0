//! Plays a scenario: acts, compares, tells.

use std::io;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::action::{Action, Who};
use super::actors::Actors;
use super::card::{Card, changes};
use super::file::{Scenario, Step};
use super::teller::Teller;
use super::told::{Beat, LICENSING_DESK, MAIN_SERVER, Says, Story, Told, WORLD};
use super::wire::Exchange;
use crate::failure::Failure;
use crate::programs::Answer;

/// Plays the scenario in `stage`, and tells each step as it has been played.
pub(super) async fn play(
    scenario: &Scenario,
    stage: &Path,
    looks: Looks,
    teller: &mut Teller,
) -> Result<Story, Failure> {
    let mut story = Story::new(scenario);
    teller.opening(scenario).map_err(not_told)?;
    match play_steps(scenario, stage, looks, teller, &mut story).await {
        Ok(()) => {}
        Err(Failure::BrokeOff(why)) => story.broken = Some(why),
        Err(failure) => return Err(failure),
    }
    teller.end(&story).map_err(not_told)?;
    Ok(story)
}

async fn play_steps(
    scenario: &Scenario,
    stage: &Path,
    looks: Looks,
    teller: &mut Teller,
    story: &mut Story,
) -> Result<(), Failure> {
    let mut player = Player::enter(scenario, stage, looks).await.map_err(broke_off)?;
    story.cards.clone_from(&player.cards);
    for step in &scenario.step {
        if step.tell.is_some() {
            teller.before_a_step().await.map_err(not_told)?;
        }
        if let Some(told) = player.play(step).await.map_err(broke_off)? {
            teller.tell(&told).map_err(not_told)?;
            story.steps.push(told);
        }
    }
    Ok(())
}

fn not_told(error: io::Error) -> Failure {
    Failure::not_written(None, &error)
}

pub(crate) fn broke_off(error: anyhow::Error) -> Failure {
    Failure::BrokeOff(format!("{error:#}"))
}

/// Whether everyone is looked at after each step, which takes a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Looks {
    AtEveryone,
    AtNobody,
}

/// Plays one step after the other.
pub(crate) struct Player {
    actors: Actors,
    looks: Looks,
    /// What everyone has by now.
    pub(crate) cards: Vec<Card>,
    played: usize,
    told: usize,
    /// Stage directions since the last step that was told.
    directions: Vec<Beat>,
}

impl Player {
    /// Lets everyone enter, on a stage that is empty.
    ///
    /// # Errors
    /// If the programs cannot be started, or do not start.
    pub(crate) async fn enter(scenario: &Scenario, stage: &Path, looks: Looks) -> Result<Self> {
        let mut actors = Actors::enter(scenario, stage).await?;
        let cards = if looks == Looks::AtEveryone { actors.look(None).await? } else { Vec::new() };
        Ok(Self { actors, looks, cards, played: 0, told: 0, directions: Vec::new() })
    }

    /// The ways in which the main server can misbehave.
    ///
    /// # Errors
    /// If it does not say.
    pub(crate) async fn quirks(&self) -> Result<Vec<String>> {
        self.actors.quirks().await
    }

    /// Plays a step. What came of it is told if the step is told.
    ///
    /// # Errors
    /// If it cannot be played, or a stage direction does not succeed.
    pub(crate) async fn play(&mut self, step: &Step) -> Result<Option<Told>> {
        let (answer, took) = self.act(step).await?;
        self.tell(step, answer, took)
    }

    /// Plays a step that nobody has written before: what comes of it is what was expected, and is written into it.
    ///
    /// # Errors
    /// If it cannot be played.
    pub(crate) async fn improvise(&mut self, step: &mut Step) -> Result<Told> {
        if step.tell.is_none() {
            step.tell = Some(format!("{}: {}", actor(step), step.in_short()));
        }
        let (answer, took) = self.act(step).await?;
        step.expect = as_it_came(step, &answer);
        self.tell(step, answer, took)?.context("it is told")
    }

    async fn act(&mut self, step: &Step) -> Result<(Answer, f64)> {
        let what = || format!("step {} ({})", self.played + 1, step.action().name());
        let start = Instant::now();
        let answer = self.actors.act(step).await.with_context(what)?;
        let took = start.elapsed().as_secs_f64();
        let seen = self.actors.observe(step).await.with_context(what)?;
        let mut changed = Vec::new();
        if self.looks == Looks::AtEveryone {
            let cards = self.actors.look(Some(step)).await.with_context(what)?;
            changed = changes(&self.cards, &cards);
            self.cards = cards;
        }
        self.directions.push(Beat {
            actor: actor(step),
            action: step.action(),
            what: step.in_short(),
            wire: seen.wire,
            mails: seen.mails,
            changes: changed,
        });
        self.played += 1;
        Ok((answer, took))
    }

    fn tell(&mut self, step: &Step, answer: Answer, took: f64) -> Result<Option<Told>> {
        let what = || format!("step {} ({})", self.played, step.action().name());
        let (expected, got) = compared(step, &answer).with_context(what)?;
        let Some(tell) = &step.tell else {
            if expected != got {
                bail!("{}: expected {expected}, got {got}: {}", what(), answer.json);
            }
            return Ok(None);
        };
        self.told += 1;
        let beats = std::mem::take(&mut self.directions);
        let wire: Vec<Exchange> = beats.iter().flat_map(|beat| beat.wire.iter().cloned()).collect();
        let decided = wire.iter().rev().find(|exchange| exchange.carrier != "8080").or(wire.last());
        Ok(Some(Told {
            number: self.told,
            step: tell.clone(),
            actor: actor(step),
            action: step.action(),
            ok: expected == got,
            expected,
            got,
            clause: decided.map(|exchange| exchange.clause.clone()),
            says: Says::of(&answer),
            mails: beats.iter().flat_map(|beat| beat.mails.iter().cloned()).collect(),
            wire,
            answer: answer.json,
            took,
            decode: step.decode,
            changes: beats.iter().flat_map(|beat| beat.changes.iter().cloned()).collect(),
            beats,
            cards: self.cards.clone(),
        }))
    }
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

/// What has to come of a step when it is played again: what came of it, as far as it says how it went.
fn as_it_came(step: &Step, answer: &Answer) -> toml::Table {
    const TELLING: [&str; 4] = ["outcome", "may_issue", "code", "state"];
    let answers = step.action().form().answers;
    let telling = TELLING.into_iter().filter(|member| answers.contains(member));
    let came = telling.filter_map(|member| {
        let value = match &answer.json[member] {
            Value::String(text) => toml::Value::from(text.as_str()),
            Value::Bool(flag) => toml::Value::from(*flag),
            _ => return None,
        };
        Some((member.to_owned(), value))
    });
    let mut expect: toml::Table = came.collect();
    if expect.get("code").is_some_and(|code| Some(code) == expect.get("outcome")) {
        expect.remove("code");
    }
    // Of a License Server that was refused, its state is told by its card.
    if expect.contains_key("outcome") || expect.contains_key("may_issue") {
        expect.remove("state");
    }
    if expect.is_empty() && answer.exit != 0 {
        expect.insert("exit".to_owned(), i64::from(answer.exit).into());
    }
    expect
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

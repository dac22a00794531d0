//! A step as it was played: what happened, what went over the wire, what was expected, what came.

use serde::Serialize;
use serde_json::Value;

use super::action::Action;
use super::card::{Card, Change};
use super::file::Scenario;
use super::wire::{Exchange, Mail};
use crate::programs::Answer;

/// The main server, as an actor.
pub(crate) const MAIN_SERVER: &str = "main server";
/// The licensing desk, as an actor.
pub(crate) const LICENSING_DESK: &str = "licensing desk";
/// Whoever is nobody in particular.
pub(crate) const WORLD: &str = "world";

/// A story as it was played.
#[derive(Serialize)]
pub(crate) struct Story {
    pub(crate) title: String,
    pub(crate) about: String,
    /// The License Servers that play, in the order in which they enter.
    pub(crate) servers: Vec<String>,
    /// What everyone had before the first step.
    pub(crate) cards: Vec<Card>,
    pub(crate) steps: Vec<Told>,
    /// Why it broke off.
    pub(crate) broken: Option<String>,
}

impl Story {
    /// The story of a scenario, before its first step.
    pub(crate) fn new(scenario: &Scenario) -> Self {
        Self {
            title: scenario.title.clone(),
            about: scenario.about.clone(),
            servers: scenario.servers().into_iter().map(str::to_owned).collect(),
            cards: Vec::new(),
            steps: Vec::new(),
            broken: None,
        }
    }

    /// Whether every step came as expected, and there was one.
    pub(crate) fn went_well(&self) -> bool {
        self.broken.is_none() && !self.steps.is_empty() && self.steps.iter().all(|step| step.ok)
    }
}

/// A step that was told. In JSON, one object per line.
#[derive(Serialize)]
pub(crate) struct Told {
    /// Counted from 1 over the steps that are told.
    pub(crate) number: usize,
    /// What happens, for people.
    pub(crate) step: String,
    /// Who acts: the name of a License Server, `main server`, `licensing desk` or `world`.
    pub(crate) actor: String,
    /// What is done.
    pub(crate) action: Action,
    pub(crate) expected: String,
    pub(crate) got: String,
    pub(crate) ok: bool,
    /// The clause of PROTOCOL.md by which the main server decided.
    pub(crate) clause: Option<String>,
    /// What the program told its user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) says: Option<Says>,
    /// Exchanges with the main server, stage directions before the step included.
    pub(crate) wire: Vec<Exchange>,
    /// Mails that arrived or left.
    pub(crate) mails: Vec<Mail>,
    /// The whole answer.
    pub(crate) answer: Value,
    /// Seconds that it took.
    pub(crate) took: f64,
    #[serde(skip)]
    pub(crate) decode: bool,
    /// What happened, one after the other: the stage directions before the step, and the step itself.
    #[serde(skip)]
    pub(crate) beats: Vec<Beat>,
    /// What everyone has after the step.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) cards: Vec<Card>,
    /// What the step changed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) changes: Vec<Change>,
}

impl Told {
    /// Why a synchronization sent two requests, if it did (P 12.5).
    pub(crate) fn note(&self) -> Option<&'static str> {
        let of_the_step = self.beats.last()?.wire.iter();
        let mut ids = of_the_step.filter_map(|exchange| exchange.request.as_ref()?.payload.get("jti"));
        let first = ids.next()?;
        ids.any(|id| id != first).then_some(
            "Two requests: first the outstanding one, made earlier, then one more so that the result is current (P 12.5).",
        )
    }
}

/// Something that was done: a stage direction, or the step itself.
pub(crate) struct Beat {
    /// Who acts.
    pub(crate) actor: String,
    pub(crate) action: Action,
    /// What is done, in a few words.
    pub(crate) what: String,
    pub(crate) wire: Vec<Exchange>,
    pub(crate) mails: Vec<Mail>,
    pub(crate) changes: Vec<Change>,
}

/// What a program tells its user.
#[derive(Serialize)]
pub(crate) struct Says {
    pub(crate) message: String,
    pub(crate) cure: Option<String>,
}

impl Says {
    pub(crate) fn of(answer: &Answer) -> Option<Self> {
        let member = |name: &str| answer.json[name].as_str().map(str::to_owned);
        member("message").map(|message| Self { message, cure: member("cure") })
    }
}

//! A step as it was played: what happened, what went over the wire, what was expected, what came.

use serde::Serialize;
use serde_json::Value;

use super::action::Action;
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
    pub(crate) steps: Vec<Told>,
    /// Why it broke off.
    pub(crate) broken: Option<String>,
}

impl Story {
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

//! What everyone who plays has after a step, as facts on a card, and what a step has changed.

use serde::Serialize;
use serde_json::Value;

use super::told::{LICENSING_DESK, MAIN_SERVER};
use crate::programs::Answer;

/// What a card is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Role {
    MainServer,
    LicensingDesk,
    LicenseServer,
}

impl Role {
    /// Of an actor's name.
    pub(crate) fn of(actor: &str) -> Self {
        match actor {
            MAIN_SERVER => Self::MainServer,
            LICENSING_DESK => Self::LicensingDesk,
            _ => Self::LicenseServer,
        }
    }
}

/// What an actor has.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Card {
    /// The actor.
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) facts: Vec<Fact>,
}

/// How a fact is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    Plain,
    /// The thumbprint of a key pair.
    Key,
    Good,
    Bad,
}

/// One line of a card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Fact {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) kind: Kind,
    /// More about it, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
}

/// A fact that a step has changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Change {
    pub(crate) actor: String,
    pub(crate) fact: String,
    /// None if there was no such fact.
    pub(crate) before: Option<String>,
    /// None if there is no such fact any more.
    pub(crate) after: Option<String>,
    /// How both are shown.
    pub(crate) kind: Kind,
}

impl Card {
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), role: Role::of(name), facts: Vec::new() }
    }

    /// A License Server's: what `status` and `may-issue` answer.
    pub(super) fn of_a_license_server(name: &str, status: &Answer, may_issue: &Answer) -> Self {
        let mut card = Self::new(name);
        if status.exit != 0 {
            card.add("state", status.text("code"), Kind::Bad, status.json["message"].as_str());
            return card;
        }
        let state = status.text("state");
        card.plain("id", &status.json["license_server_id"]);
        card.key("key pair", &status.json["key_thumbprint"]);
        let kind = if state == "synchronized" { Kind::Good } else { Kind::Bad };
        card.add("state", state, kind, status.json["state_detail"].as_str());
        card.plain("generation", &status.json["key_generation"]);
        card.plain("sequence", &status.json["sequence"]);
        card.plain("licenses", &Value::from(status.json["licenses"].as_array().map_or(0, Vec::len)));
        card.plain("days left", &status.json["days_left"]);
        let (answer, kind) = match may_issue.json["may_issue"].as_bool() {
            Some(true) => ("yes".to_owned(), Kind::Good),
            _ => (format!("no, {}", may_issue.text("code")), Kind::Bad),
        };
        card.add("may issue", answer, kind, may_issue.json["message"].as_str());
        card
    }

    /// What the main server knows of a license server id, as `ids show` answers it; `prefix` if it knows several.
    pub(super) fn add_id(&mut self, id: &str, prefix: &str, shown: &Value) {
        if prefix.is_empty() {
            self.add("id", id.to_owned(), Kind::Plain, None);
        }
        let named = |name: &str| format!("{prefix}{name}");
        match &shown["key_thumbprint"] {
            Value::Null => self.add(&named("key pair"), "none".to_owned(), Kind::Plain, None),
            key => self.key(&named("key pair"), key),
        }
        self.key(&named("reserved for"), &shown["reserved_for"]);
        self.plain(&named("generation"), &shown["key_generation"]);
        self.plain(&named("sequence"), &shown["sequence"]);
        self.plain(&named("licenses"), &shown["licenses"]);
        if !shown["disabled"].is_null() {
            self.add(&named("id is"), "disabled".to_owned(), Kind::Bad, None);
        }
    }

    pub(super) fn add(&mut self, name: &str, value: String, kind: Kind, note: Option<&str>) {
        let note = note.filter(|note| !note.is_empty()).map(str::to_owned);
        self.facts.push(Fact { name: name.to_owned(), value, kind, note });
    }

    /// A fact, if there is one.
    pub(super) fn plain(&mut self, name: &str, value: &Value) {
        if let Some(value) = shown(value) {
            self.add(name, value, Kind::Plain, None);
        }
    }

    fn key(&mut self, name: &str, value: &Value) {
        if let Some(value) = shown(value) {
            self.add(name, value, Kind::Key, None);
        }
    }

    fn fact(&self, name: &str) -> Option<&Fact> {
        self.facts.iter().find(|fact| fact.name == name)
    }
}

fn shown(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// What is different. Of an actor that was not there before, nothing is.
pub(super) fn changes(before: &[Card], after: &[Card]) -> Vec<Change> {
    let mut changes = Vec::new();
    for new in after {
        let Some(old) = before.iter().find(|old| old.name == new.name) else { continue };
        let gone = old.facts.iter().filter(|fact| new.fact(&fact.name).is_none());
        for (was, is) in
            new.facts.iter().map(|fact| (old.fact(&fact.name), Some(fact))).chain(gone.map(|f| (Some(f), None)))
        {
            if was.map(|fact| &fact.value) == is.map(|fact| &fact.value) {
                continue;
            }
            let Some(shown) = is.or(was) else { continue };
            changes.push(Change {
                actor: new.name.clone(),
                fact: shown.name.clone(),
                before: was.map(|fact| fact.value.clone()),
                after: is.map(|fact| fact.value.clone()),
                kind: if [was, is].into_iter().flatten().any(|fact| fact.kind == Kind::Key) {
                    Kind::Key
                } else {
                    shown.kind
                },
            });
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(facts: &[(&str, &str)]) -> Card {
        let mut card = Card::new("server-a");
        for (name, value) in facts {
            card.add(name, (*value).to_owned(), Kind::Plain, None);
        }
        card
    }

    #[test]
    fn a_change_has_what_was_and_what_is() {
        let before = card(&[("sequence", "1"), ("state", "synchronized"), ("licenses", "2")]);
        let after = card(&[("state", "unsynchronized"), ("licenses", "2"), ("days left", "3")]);
        let told: Vec<_> = changes(std::slice::from_ref(&before), &[after])
            .into_iter()
            .map(|change| format!("{}: {:?} {:?}", change.fact, change.before, change.after))
            .collect();
        assert_eq!(
            told,
            [
                r#"state: Some("synchronized") Some("unsynchronized")"#,
                r#"days left: None Some("3")"#,
                r#"sequence: Some("1") None"#
            ]
        );
        assert!(changes(&[], &[before]).is_empty(), "who enters has changed nothing");
    }
}

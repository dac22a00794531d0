//! The 19 components of AVIX, as published.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The component that every license has; it limits concurrent users.
pub const BASE: &str = "AQDreDAZcXJjzgAE";

/// Name and id of each component.
pub const COMPONENTS: [(&str, &str); 19] = [
    ("Admin", "AQDreDAZcXKbFQAF"),
    ("Balance", "AQDreDAZcXLyygAH"),
    ("Base", BASE),
    ("Connector", "AQHdrCxfcYay1CyT"),
    ("Cost", "b0zI2OZyUfAw87Rr"),
    ("Custom Time System", "AncL4zFxncveMzm5"),
    ("DFX", "AQDreDAZcXMaGwAI"),
    ("Enterprise", "AQF2iwpIzDQzrM1r"),
    ("Ergo", "AQDreDAZcXOETgAJ"),
    ("Ergo SAM", "AQGo7PQrNDFxCfZP"),
    ("Execution Optimizer", "AQF2iwpNuT3oJsjk"),
    ("FMEA", "AQBVEI4Z3btaMwDq"),
    ("Method", "AQDreDAZcXLMpAAG"),
    ("Production Planner", "AQA901hbhpd0Lask"),
    ("Resource Balance", "AQEEaCIgJBtR13tU"),
    ("SAM", "AQEEaCIf2_7dq1NL"),
    ("SMED", "AQFAIakkOflBiByl"),
    ("Stopwatch", "AQF2iwpIz_YyT9pV"),
    ("UAS", "AQFAIakkNGH0tBhv"),
];

/// The name of a published component.
pub fn component_name(id: &str) -> Option<&'static str> {
    COMPONENTS.iter().find(|(_, known)| *known == id).map(|(name, _)| *name)
}

/// The id of a published component, its name compared without regard to case.
pub fn component_id(name: &str) -> Option<&'static str> {
    COMPONENTS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, id)| *id)
}

/// The id of a component: 16 characters, case-sensitive (P 7).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ComponentId(String);

impl ComponentId {
    /// The 16 characters of the id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ComponentId {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if text.len() == 16 && text.bytes().all(allowed) {
            Ok(Self(text))
        } else {
            Err(format!("{text:?} is not a component id. Expected 16 characters A-Z a-z 0-9 - _"))
        }
    }
}

impl FromStr for ComponentId {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::try_from(text.to_owned())
    }
}

impl From<ComponentId> for String {
    fn from(id: ComponentId) -> Self {
        id.0
    }
}

impl fmt::Display for ComponentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_published_component_has_an_id_of_the_right_form_and_its_own_name() {
        for (name, id) in COMPONENTS {
            assert_eq!(id.parse::<ComponentId>().map(String::from), Ok(id.to_owned()));
            assert_eq!(component_name(id), Some(name));
            assert_eq!(component_id(&name.to_uppercase()), Some(id));
        }
    }
}

//! Variants of an answer: the catalogue of defects (`fixtures/src/defects`), by name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use solme_sync_fixtures::Object;
use solme_sync_fixtures::defects::{self, Defect, Kind, Right};

use super::catalogue::Quirk;

/// A defect that an answer can have.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub struct Variant(&'static Defect);

impl Variant {
    /// All defects of what a main server says.
    pub fn all() -> impl Iterator<Item = Self> {
        defects::catalogue()
            .iter()
            .filter(|defect| Quirk::ALL.iter().any(|q| q.changes() == Some(defect.kind)))
            .map(Self)
    }

    /// The defect in the catalogue of `fixtures`.
    pub const fn defect(self) -> &'static Defect {
        self.0
    }

    /// A JSON document with the defect; none where it cannot have it.
    pub(super) fn of_document(self, right: &[u8]) -> Option<Vec<u8>> {
        self.0.apply(&Right::Document(Object::parse(right)?))
    }

    pub(super) const fn kind(self) -> Kind {
        self.0.kind
    }
}

impl Quirk {
    /// What a variant of this quirk is a defect of; none for a quirk that knows no variants.
    pub(super) const fn changes(self) -> Option<Kind> {
        match self {
            Self::ReceiptVariant => Some(Kind::Receipt),
            Self::RefusalVariant => Some(Kind::Refusal),
            Self::AllocationVariant => Some(Kind::Allocation),
            Self::ProblemVariant => Some(Kind::Problem),
            Self::FileVariant => Some(Kind::File),
            _ => None,
        }
    }
}

impl PartialEq for Variant {
    fn eq(&self, other: &Self) -> bool {
        self.0.name == other.0.name
    }
}

impl Eq for Variant {}

impl fmt::Debug for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.name)
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.name)
    }
}

impl FromStr for Variant {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::all().find(|variant| variant.0.name == text);
        known.ok_or_else(|| format!("{text:?} is not a variant; mock-solme quirks list --variants shows them"))
    }
}

impl TryFrom<String> for Variant {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Variant> for &'static str {
    fn from(variant: Variant) -> Self {
        &variant.0.name
    }
}

//! What quirks there are.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::quirks::{Operation, Quirk, Variant};

/// A quirk of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CataloguedQuirk {
    /// Name of the quirk, kebab-case.
    pub quirk: Quirk,
    /// What the main server does.
    pub about: String,
    /// The clause that a License Server is tested on.
    pub clause: String,
    /// Which exchanges it can happen to.
    pub operations: Vec<Operation>,
}

impl From<Quirk> for CataloguedQuirk {
    fn from(quirk: Quirk) -> Self {
        let (about, clause) = (quirk.about().to_owned(), quirk.clause().to_owned());
        Self { quirk, about, clause, operations: quirk.operations().to_vec() }
    }
}

/// A defect for the quirks that take one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CataloguedVariant {
    /// Name of the defect, `<area>_<defect>`.
    #[schemars(with = "crate::form::Variant")]
    pub variant: Variant,
    /// What it is a defect of.
    pub of: String,
    /// The clause that it violates.
    pub clause: String,
    /// What is wrong with the answer.
    pub about: String,
}

impl From<Variant> for CataloguedVariant {
    fn from(variant: Variant) -> Self {
        let defect = variant.defect();
        let (of, clause) = (defect.kind.as_str().to_owned(), defect.clause.to_owned());
        Self { variant, of, clause, about: defect.what.to_string() }
    }
}

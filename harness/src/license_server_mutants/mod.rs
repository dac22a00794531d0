//! License Servers with one bug each, for judging the judge: [`Conduct`] with one method overridden. The License Server
//! itself knows nothing of them.

mod documents;
mod judging;
mod keeping;
mod lenient;
mod reading;
mod sending;

use std::ffi::OsString;

use anyhow::Result;
use license_server::testing::Conduct;
use serde_json::Value;

/// Runs words of the License Server's command line, and gives what it says.
pub(crate) type RunVerb<'a> = dyn Fn(&[&str]) -> Result<Value> + 'a;

/// What is done before a verb of these words.
pub(crate) type Before = fn(&[OsString], &RunVerb<'_>) -> Result<()>;

/// One bug.
#[derive(Clone, Copy)]
pub(crate) struct Mutant {
    /// Its name on a command line.
    pub(crate) name: &'static str,
    /// What is wrong with it, and the clause that it breaks: `P 11.1: takes an answer whoever signed it.`
    pub(crate) about: &'static str,
    /// How it behaves.
    pub(crate) conduct: &'static dyn Conduct,
    /// What it does before each verb, beside the protocol.
    pub(crate) before: Option<Before>,
}

impl Mutant {
    /// The clause that it breaks: `11.1`; a section where its page has no clause.
    pub(crate) fn clause(&self) -> &'static str {
        let about = self.about.trim_start().trim_start_matches("P ");
        about.split(':').next().unwrap_or_default()
    }
}

/// All of them.
pub(crate) fn all() -> impl Iterator<Item = &'static Mutant> {
    [judging::ALL, keeping::ALL, sending::ALL, reading::ALL, documents::ALL].into_iter().flatten()
}

/// The one of this name.
pub(crate) fn named(name: &str) -> Result<Mutant, String> {
    all().find(|mutant| mutant.name == name).copied().ok_or_else(|| format!("there is no mutant {name}"))
}

/// A table of mutants: documentation, type, name on the command line, and the methods of [`Conduct`] that it overrides;
/// optionally, behind `before`, a function for [`Mutant::before`].
macro_rules! mutants {
    (@before) => { None };
    (@before $before:path) => { Some($before) };
    ($($(#[doc = $doc:literal])+ $mutant:ident = $name:literal $(before $before:path)? { $($method:item)* })+) => {
        $(
            $(#[doc = $doc])+
            #[derive(Debug)]
            struct $mutant;
            impl license_server::testing::Conduct for $mutant { $($method)* }
        )+
        pub(super) const ALL: &[super::Mutant] = &[
            $(super::Mutant { name: $name, about: concat!($($doc),+), conduct: &$mutant, before: mutants!(@before $($before)?) }),+
        ];
    };
}
use mutants;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_mutant_has_a_name_of_its_own() {
        let names: BTreeSet<&str> = all().map(|mutant| mutant.name).collect();
        assert_eq!(names.len(), all().count());
        for mutant in all() {
            assert!(!crate::conformance::requirement(mutant.clause()).is_empty(), "{} ignores no clause", mutant.name);
        }
        assert!(all().all(|mutant| named(mutant.name).is_ok()) && named("none").is_err());
    }
}

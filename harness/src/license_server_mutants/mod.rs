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

/// Clauses of a License Server that no mutant ignores, each with its reason.
pub(crate) const NO_MUTANT: &[(&str, &str)] = &[
    ("1.1", "7.1 and 7.2 say it in detail"),
    ("1.2", "the main server's rule; the effect of the refusal is 12.3"),
    ("1.3", "both carriers lead to the same checks, those of section 11"),
    ("1.4", "taking a refusal for something else violates 8.2 and 11.10"),
    ("2.3", "one parser decides what is ignored and what is refused; extra members of a header are 4.3"),
    ("2.7", "a malformed name is refused with its message: 6.1 and 15.1"),
    ("2.8", "as 2.7"),
    ("2.9", "a wrong digest fails 11.3, 11.6 and 11.7"),
    ("3.1", "the keys of a trust file are 15.1; a request with other keys is refused by 9.1"),
    ("3.2", "a thumbprint computed differently matches no receipt"),
    ("3.6", "a key that is not pinned violates 11.1 and 15.3"),
    ("4.5", "the digest covers the received bytes; any other reading of them fails 11.1"),
    ("4.6", "only the main server would notice a comparison of signatures: 9.11"),
    ("5.2", "the main server's rule"),
    ("5.3", "a request that violates it is refused: 9.8"),
    ("6.2", "the check is 11.5"),
    ("6.3", "the check is 11.4"),
    ("7.3", "anything sealed differently does not open: 11.7"),
    ("9.2", "the main server's rule; what the refusal does to the request is 12.3 and 12.4"),
    ("9.6", "the main server's rule; what the refusal does to the state is 12.6"),
    ("9.7", "sending the same bytes again is 12.2"),
    ("11.9", "storing is not a decision of `Conduct`; tests/all/crashes.rs stops it at each durable step"),
    (
        "12.5",
        "the request is a SHOULD, and a warning kills nothing; that a success stays one is not a decision of `Conduct`",
    ),
    ("13.1", "a License Server that uses only one port receives no allocation"),
    ("13.3", "an answer with another status or content type is 13.8"),
    ("13.4", "size, digest and name are 11.6 and 13.5"),
    ("14.1", "section 14 in one sentence"),
    ("14.3", "the form of a request file, which only mail programs need"),
    ("14.4", "a reader that does not survive mail cannot read the files of its cases"),
    ("14.5", "the content of a file gets the checks of section 11"),
    ("14.6", "the main server's rule; the second import is 11.11"),
    ("16.3", "the main server's rule; the generation is 11.4"),
    ("16.4", "the main server's rule; what it does to the state is 12.6"),
    ("16.5", "what the old server does once it is told is 12.6"),
    ("17.6", "a number for people that decides nothing"),
    ("17.8", "its two halves are 11.12 and 12.6"),
];

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
    fn each_clause_that_a_case_is_about_has_a_mutant_or_a_reason_and_not_both() {
        let seen: BTreeSet<&str> = crate::license_server_suite::cases().iter().map(|case| case.clause).collect();
        let holes = seen.into_iter().filter(|clause| {
            let ignored = all().any(|mutant| mutant.clause() == *clause);
            ignored == NO_MUTANT.iter().any(|(of, _)| of == clause)
        });
        assert_eq!(holes.collect::<Vec<_>>(), Vec::<&str>::new());
    }

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

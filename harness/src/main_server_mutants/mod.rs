//! Main servers with one bug each, for judging the server suite: each overrides one thing that a main server does.
//!
//! They enter through [`mock_solme::testing`]; the simulator itself knows nothing of them.

mod answers;
mod carriers;
mod lenient;
mod memory;
mod rules;

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

use mock_solme::testing::{Conduct, Seams};

/// A bug that our own main server can be given.
pub(crate) struct Mutant {
    /// Its name on the command line: what the main server does.
    pub(crate) name: &'static str,
    /// The clause that it violates.
    pub(crate) clause: &'static str,
    conduct: fn() -> Arc<dyn Conduct>,
}

/// A mutant for the tables below.
const fn mutant(name: &'static str, clause: &'static str, conduct: fn() -> Arc<dyn Conduct>) -> Mutant {
    Mutant { name, clause, conduct }
}

impl Mutant {
    /// Its conduct. What it remembers, it remembers since this was called.
    pub(crate) fn conduct(&self) -> Arc<dyn Conduct> {
        (self.conduct)()
    }
}

/// All of them, in the order of their clauses.
pub(crate) fn all() -> Vec<&'static Mutant> {
    let mut all: Vec<&Mutant> =
        [rules::MUTANTS, memory::MUTANTS, lenient::MUTANTS, answers::MUTANTS, carriers::MUTANTS]
            .into_iter()
            .flatten()
            .collect();
    let place = |clause: &str| clause.split('.').map(|part| part.parse().unwrap_or(u32::MAX)).collect::<Vec<_>>();
    all.sort_by_key(|mutant| place(mutant.clause));
    all
}

/// The mutant of this name.
pub(crate) fn named(name: &str) -> Result<&'static Mutant, &'static str> {
    all()
        .into_iter()
        .find(|mutant| mutant.name == name)
        .ok_or("no such mutant; `harness mutants server` names them all")
}

/// The program `mock-solme` with a bug. `args` begin with its word, and the name of the bug.
pub(crate) fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    match args.get(1).and_then(|name| name.to_str()).map_or(Err("name a mutant"), named) {
        Ok(mutant) => {
            let conduct = mutant.conduct();
            mock_solme::run(args.into_iter().skip(1), Seams { conduct, ..Seams::default() })
        }
        Err(why) => {
            anstream::eprintln!("harness: {why}\nNext: `harness clauses` names them all.");
            ExitCode::from(2)
        }
    }
}

/// Clauses of a main server that no mutant violates, each with its reason.
pub(crate) const NO_MUTANT: &[(&str, &str)] = &[
    ("1.1", "7.1 and 7.2 say it in detail"),
    ("1.2", "its rule is 9.9"),
    ("1.3", "both carriers lead to the same rules; violated as 9.7 and in section 14"),
    ("3.5", "an answer signed by another key violates 4.2, one that names another key 4.3"),
    ("3.6", "its rules are 9.9 and 9.10"),
    ("4.5", "what the digest covers is 4.8"),
    ("8.2", "a request that cannot be tied to a key pair never reaches the code that signs refusals"),
    ("13.1", "which listener answers what is not a decision of `Conduct`"),
    ("13.2", "TLS versions, methods and paths are not a decision of `Conduct`"),
    ("13.11", "what never reaches the rules is not a decision of `Conduct`"),
    ("13.8", "the content type of a request does not reach a decision of `Conduct`"),
    ("14.1", "section 14 in one sentence"),
    ("14.6", "its rule is 9.7"),
    ("15.1", "the trust file is written before there is anything to decide"),
    ("16.7", "who may bind a reserved id is 9.9"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::conformance::requirement;

    #[test]
    fn each_clause_that_a_case_is_about_has_a_mutant_or_a_reason_and_not_both() {
        let seen: BTreeSet<&str> = crate::main_server_suite::cases().iter().map(|case| case.clause).collect();
        for clause in seen {
            let violated = all().iter().any(|mutant| mutant.clause == clause);
            let reason = NO_MUTANT.iter().find(|(of, _)| *of == clause);
            assert_ne!(violated, reason.is_some(), "{clause}");
        }
    }

    #[test]
    fn each_mutant_has_a_name_of_its_own_and_violates_a_clause() {
        let names: BTreeSet<&str> = all().iter().map(|mutant| mutant.name).collect();
        assert_eq!(names.len(), all().len());
        for mutant in all() {
            assert!(!requirement(mutant.clause).is_empty(), "{} violates no clause", mutant.name);
            assert_eq!(named(mutant.name).map(|found| found.name), Ok(mutant.name));
        }
    }
}

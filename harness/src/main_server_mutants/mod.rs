//! Main servers with one bug each, for judging the server suite: each overrides one thing that a main server does.
//!
//! They enter through [`mock_solme::testing`]; the simulator itself knows nothing of them.

mod answers;
mod carriers;
mod lenient;
mod memory;
mod rules;

use std::sync::Arc;

use mock_solme::testing::Conduct;

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
        .ok_or("no such mutant; `harness mutants server` lists them all")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::conformance::requirement;

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

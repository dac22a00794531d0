//! `harness clauses`: which clause of PROTOCOL.md is seen by which case, for both kinds of subject.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::Result;

use crate::both_suites::Suite;
use crate::conformance::clauses;
use crate::voice::{can_be_written, write};

/// Arguments of `harness clauses`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Write the table there instead of printing it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

const HEAD: &str = "# Clauses and cases

Which case looks at which clause of [PROTOCOL.md](../protocol/PROTOCOL.md), and why none does where there is none. Written by
`cargo run --bin harness -- clauses --out harness/CLAUSES.md`; `.ci/run` does it again and finds every difference.

A mutant is a program of ours that ignores the clause, and that a case kills: `harness mutants client`, `harness mutants
server`. A clause that has cases has a mutant, or a reason why none stands here.

| clause | cases for License Servers | cases for main servers | mutants of License Servers | mutants of main servers |
|---|---|---|---|---|
";

/// Prints or writes the table.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    match &arguments.out {
        Some(path) => {
            can_be_written(&[path])?;
            write(path, &table())
        }
        None => {
            anstream::print!("{}", table());
            Ok(())
        }
    }
}

fn table() -> String {
    let (client, server) = (Suite::Client.list(), Suite::Server.list());
    let bugs = [Suite::Client, Suite::Server].map(|suite| (suite, suite.mutants()));
    clauses().iter().fold(HEAD.to_owned(), |mut text, clause| {
        let of = |suite: Suite, cases| cell(&clause.id, cases, suite.no_case(&clause.id));
        let cases = [of(Suite::Client, &client), of(Suite::Server, &server)];
        let mutants = bugs.each_ref().map(|(suite, bugs)| mutants(&clause.id, bugs, suite.no_mutant(&clause.id)));
        let _ = writeln!(text, "| {} | {} | {} |", clause.id, cases.join(" | "), mutants.join(" | "));
        text
    })
}

/// The names of the mutants that ignore a clause, or why there is none.
fn mutants(clause: &str, bugs: &[(&str, &str)], no_mutant: Option<&str>) -> String {
    let ignores = bugs.iter().filter(|(_, ignored)| *ignored == clause);
    let names: Vec<String> = ignores.map(|(name, _)| format!("`{name}`")).collect();
    match no_mutant {
        Some(reason) => format!("*none: {reason}*"),
        None if names.is_empty() => "-".to_owned(),
        None => names.join(", "),
    }
}

/// The names of the cases of a clause, or why there is none.
fn cell(clause: &str, cases: &[(String, crate::conformance::Level)], no_case: Option<&str>) -> String {
    let name = |(id, _): &(String, _)| Some(format!("`{}`", id.strip_prefix(clause)?.strip_prefix('/')?));
    let names: Vec<String> = cases.iter().filter_map(name).collect();
    match no_case {
        Some(reason) if names.is_empty() => format!("*none: {reason}*"),
        _ => names.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_as_it_would_be_written_and_has_no_hole() {
        assert_eq!(
            include_str!("../../CLAUSES.md"),
            table(),
            "run: cargo run --bin harness -- clauses --out harness/CLAUSES.md"
        );
        assert_eq!(table().lines().filter(|line| line.contains("|  |")).collect::<Vec<_>>(), Vec::<&str>::new());
    }
}

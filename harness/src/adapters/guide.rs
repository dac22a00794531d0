//! What to implement next, from a report: one verb or one case, why, and the clause.

use std::fmt::Write as _;

use crate::both_suites::Suite;
use crate::conformance::{CaseReport, CaseResult, Foreign, Report, requirement};

/// A verb, what it does for the first time, and the clause to read.
type Step = (&'static str, &'static str, &'static str);

/// In the order in which each needs the ones before it.
const LICENSE_SERVER: [Step; 8] = [
    ("init", "it takes the id and the trust file, and creates the key pair", "15.1"),
    ("status", "it names the key pair, and later shows what a synchronization stored", "3.2"),
    ("synchronize", "one request to port 443, a receipt to check, a payload to fetch and check", "13.1"),
    ("may-issue", "it decides whether a license may be issued", "17.7"),
    ("set-clock", "the cases about time need it; in one of them a year passes", "17.2"),
    ("export-request", "a License Server without a network synchronizes by file", "14.1"),
    ("import-response", "the response file gets the same checks as an answer over the network", "14.5"),
    ("new-key-pair", "it is how a cleared server goes on", "3.3"),
];

const MAIN_SERVER: [Step; 8] = [
    ("process-request", "request files are judged like requests over the network", "14.1"),
    ("disable", "a disabled id is refused", "9.5"),
    ("enable", "an enabled id is served again", "9.5"),
    ("clear", "the licensing desk clears the key pair in use", "16.1"),
    ("reserve", "only one key pair may bind a reserved id", "16.6"),
    ("remove-license", "a removed license is gone from the next allocation", "7.1"),
    ("advance-clock", "the cases about time need it", "17.2"),
    ("snapshot", "a restored main server must say so; implement restore with it", "9.13"),
];

/// What to do next, for people; of `report`, which is of some cases or of all.
pub(crate) fn guide(suite: Suite, report: &Report, of_all: bool) -> String {
    let steps = match suite {
        Suite::Client => LICENSE_SERVER,
        Suite::Server => MAIN_SERVER,
    };
    let broken: Vec<&CaseReport> = report
        .cases
        .iter()
        .filter(|case| case.result == CaseResult::Failed && case.expected_deviation.is_none())
        .collect();
    let waiting = |verb: &str| {
        let said = format!("does not implement {verb}");
        let waits = move |case: &&CaseReport| {
            case.result == CaseResult::Unimplemented && case.got.as_ref().is_some_and(|got| got.line().ends_with(&said))
        };
        report.cases.iter().filter(waits).collect::<Vec<_>>()
    };
    let missing = steps.into_iter().map(|step| (step, waiting(step.0))).find(|(_, cases)| !cases.is_empty());
    match (broken.first(), missing) {
        // Whatever holds up more cases comes first: what is wrong with everything before the next verb, and the next verb
        // before each trust file that is to be refused.
        (Some(first), missing) if missing.as_ref().is_none_or(|(_, cases)| cases.len() < broken.len()) => {
            fix(first, broken.len())
        }
        (_, Some(((verb, why, clause), cases))) => implement(verb, why, clause, &cases),
        _ if of_all => "Next: nothing. Every case that could be judged passes; use --require-all in CI.".to_owned(),
        _ => "Next: run it without --only. Every selected case that could be judged passes.".to_owned(),
    }
}

fn implement(verb: &str, why: &str, clause: &str, waiting: &[&CaseReport]) -> String {
    let cases = if waiting.len() == 1 { "1 case waits".to_owned() } else { format!("{} cases wait", waiting.len()) };
    let mut text = format!("Next: implement {verb} (SUBJECT.md): {why}. {cases} for it.\n");
    let _ = writeln!(text, "  {}", cited(clause, requirement(clause)));
    let _ = write!(text, "Then run one of them: {} --guide", waiting[0].rerun.line());
    text
}

/// A clause as PROTOCOL.md has it. A table after it is to be read there.
fn cited(clause: &str, text: &str) -> String {
    let table = if text.ends_with(':') { " (the table in PROTOCOL.md)" } else { "" };
    format!("P {clause}  {text}{table}")
}

fn fix(case: &CaseReport, broken: usize) -> String {
    let clause = case.id.split('/').next().unwrap_or_default();
    let more = match broken - 1 {
        0 => String::new(),
        more => format!(" {more} more failed, perhaps for the same reason."),
    };
    let said = |text: &Option<Foreign>| text.as_ref().map_or_else(String::new, |text| text.line());
    format!(
        "Next: fix {}.{more}\n  {}\n  expected: {}\n  got: {}\nThen run it again: {} --guide",
        case.id,
        cited(clause, case.requirement),
        said(&case.expected),
        said(&case.got),
        case.rerun.line()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_cites_a_clause_that_there_is() {
        for (verb, _, clause) in LICENSE_SERVER.iter().chain(&MAIN_SERVER) {
            assert!(!requirement(clause).is_empty(), "{verb}: {clause}");
        }
    }
}

//! The closed lists of what a License Server says: SUBJECT.md, and section 10 of PROTOCOL.md.

use solme_sync_protocol::RefusalCode;

use crate::conformance::{ClosedList, Word};
use crate::subject::OURS;
use crate::subject::answers::{FAILURES, STATES};
use crate::subject::our_license_server::{CAUSES, Cause};

pub(super) const STATE: &str = "state";
pub(super) const REFUSAL: &str = "refusal";
pub(super) const FAILURE: &str = "failure";
pub(super) const RULE: &str = "rule of may-issue";
pub(super) const CAUSE: &str = "cause of a failure";

const RULES: [&str; 11] = [
    "may-issue",
    "unsynchronized",
    "overdue",
    "cleared",
    "tampered",
    "local-clock-wrong",
    "license-not-allocated",
    "license-not-yet-valid",
    "license-expired",
    "nothing-allocated",
    "nothing-valid",
];

/// The lists for a subject. Of our own one it is also known how it calls its failures itself.
pub(super) fn lists(subject: &str) -> Vec<ClosedList> {
    let mut lists = vec![
        ClosedList::new(STATE, STATES),
        ClosedList::new(REFUSAL, RefusalCode::ALL.iter().map(|code| code.as_str())),
        ClosedList::new(FAILURE, FAILURES),
        ClosedList::new(RULE, RULES),
    ];
    if subject == OURS {
        let word = |&(code, own, unheard): &Cause| Word { word: cause(code, own), unheard };
        lists.push(ClosedList { name: CAUSE, words: CAUSES.iter().map(word).collect() });
    }
    lists
}

/// A failure with the subject's own name for it, which may be the same for two.
pub(super) fn cause(code: &str, own: &str) -> String {
    format!("{code}: {own}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = include_str!("../../SUBJECT.md");

    /// The words in code type of the lines from `from` up to the next line that begins with `-` or is empty.
    fn words_after(from: &str) -> Vec<&'static str> {
        let start = PAGE.find(from).unwrap_or_else(|| panic!("SUBJECT.md says {from}")) + from.len();
        let item = PAGE[start..].split("\n-").next().unwrap().split("\n\n").next().unwrap();
        item.split('`').skip(1).step_by(2).collect()
    }

    #[test]
    fn the_lists_are_those_of_the_page() {
        assert_eq!(words_after("- `state`: "), STATES);
        assert_eq!(words_after("the rule that decided: "), RULES);
        let table = PAGE.split("| `code` of a failure |").nth(1).unwrap().split("\n\n").next().unwrap();
        let rows: Vec<&str> = table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
        assert_eq!(rows, FAILURES);
    }
}

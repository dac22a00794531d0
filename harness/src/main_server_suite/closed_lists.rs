//! The closed lists of what a main server says (PROTOCOL.md, section 10).

use solme_sync_protocol::{InvalidRequestReason, ProblemCode, RefusalCode};

use super::answer::Answer;
use crate::conformance::{ClosedList, WireLog};

const REFUSAL: &str = "refusal";
const REASON: &str = "reason of invalid-request";
const PROBLEM: &str = "problem";

/// All of them.
pub(super) fn lists() -> [ClosedList; 3] {
    [
        ClosedList::new(REFUSAL, RefusalCode::ALL.iter().map(|code| code.as_str()))
            .except("rate-limited", "an extension that is off by default; the contract has no verb for it (9.4)")
            .except("temporarily-unavailable", "trouble of the main server cannot be provoked (9.14)"),
        ClosedList::new(REASON, InvalidRequestReason::ALL.iter().map(|reason| reason.as_str())),
        ClosedList::new(PROBLEM, ProblemCode::ALL.iter().map(|code| code.as_str())),
    ]
}

/// Takes down what an answer says.
pub(super) fn heard(answer: Answer, wire: &WireLog) -> Answer {
    match &answer {
        Answer::Receipt { .. } => {}
        Answer::Refusal { refusal, .. } => {
            wire.hear(REFUSAL, refusal.code.as_str());
            if let Some(reason) = refusal.reason {
                wire.hear(REASON, reason.as_str());
            }
        }
        Answer::Problem { problem, .. } => wire.hear(PROBLEM, &problem.code),
    }
    answer
}

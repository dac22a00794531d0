//! The suite for License Servers: one stage a case, cases by the section of PROTOCOL.md.

mod allocation;
mod closed_lists;
mod defects;
mod direct;
mod dishonest;
mod file;
mod key_pair;
mod license_server;
mod no_case;
mod outstanding;
mod refusal;
mod request;
mod stage;
mod stored_state;
mod time;
mod trust;

use std::sync::LazyLock;

use crate::conformance::{self, Case, Ended, Finding, News, Options, Report};
use crate::failure::Failure;
use crate::programs::LICENSE_SERVER_SUBJECT;
use crate::subject::Subject;

pub(crate) use no_case::no_case;
pub(crate) use stage::Stage;

/// All cases, in the order of the page.
pub(crate) fn cases() -> &'static [Case<Stage>] {
    static CASES: LazyLock<Vec<Case<Stage>>> = LazyLock::new(|| {
        [
            key_pair::cases(),
            request::cases(),
            allocation::cases(),
            refusal::cases(),
            stored_state::cases(),
            dishonest::cases(),
            defects::cases(),
            outstanding::cases(),
            direct::cases(),
            file::cases(),
            trust::cases(),
            time::cases(),
        ]
        .into_iter()
        .flatten()
        .collect()
    });
    &CASES
}

/// Runs the suite over the subject of `options`.
///
/// # Errors
/// Where the subject is no command.
pub(crate) async fn run(options: &Options, tell: impl FnMut(News<'_>)) -> Result<Report, Failure> {
    let subject = Subject::of(options, LICENSE_SERVER_SUBJECT)?;
    let play = |case: &'static Case<Stage>, seed| {
        let subject = subject.clone();
        async move {
            let set_up = tokio::task::spawn_blocking(move || Stage::set_up(subject, seed)).await;
            let stage = match set_up.map_err(anyhow::Error::from).and_then(|stage| stage) {
                Ok(stage) => stage,
                Err(error) => return Ended::without_a_trace(no_stage(&error)),
            };
            let outcome = (case.run)(&stage).await;
            let (wire, heard) = (stage.wire(), stage.log.heard());
            // To tear it down waits for a thread.
            let _ = tokio::task::spawn_blocking(move || drop(stage)).await;
            Ended { outcome, wire, heard }
        }
    };
    Ok(conformance::run(cases(), &closed_lists::lists(&options.subject), options, play, tell).await)
}

/// The referee could not even begin: that is never a pass.
fn no_stage(error: &anyhow::Error) -> Finding {
    Finding::deviates("a working main server", format!("{error:#}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_clause_has_a_case_or_a_reason() {
        for clause in conformance::clauses() {
            let has_a_case = cases().iter().any(|case| case.clause == clause.id);
            assert!(has_a_case || no_case(&clause.id).is_some(), "{} has neither", clause.id);
        }
    }

    #[test]
    fn every_case_is_about_a_clause_of_the_page_and_has_a_name_of_its_own() {
        let ids: BTreeSet<String> = cases().iter().map(Case::id).collect();
        assert_eq!(ids.len(), cases().len());
        for case in cases() {
            assert!(!conformance::requirement(case.clause).is_empty(), "{} is about no clause", case.id());
            assert!(no_case(case.clause).is_none(), "{} has a case, and a reason why it has none", case.clause);
            assert!(case.id().bytes().all(|b| b.is_ascii_alphanumeric() || b"-./".contains(&b)), "{}", case.id());
        }
    }
}

//! The suite for main servers: one stage a case, cases by the section of PROTOCOL.md.
//!
//! The harness plays the License Servers. Most cases share one main server, each with a license server id of its own;
//! those that touch what is common to all ids, its clock or its storage, have one for themselves. Keys, names and requests
//! follow from the seed; what the main server draws, its id, its receipts and with them the requests that quote them, does
//! not.

mod answer;
mod cases;
mod closed_lists;
mod draft;
mod keys;
mod main_server;
mod no_case;
mod stage;

use std::sync::{Arc, LazyLock};

use self::main_server::MainServer;
pub(crate) use self::no_case::no_case;
use self::stage::Stage;
use crate::conformance::{self, Case, Ended, Finding, News, Options, Report, WireLog};
use crate::failure::Failure;
use crate::programs::MOCK_SOLME_SUBJECT;
use crate::subject::Subject;

/// All cases, in the order of the page.
pub(crate) fn cases() -> &'static [Case<Stage>] {
    static CASES: LazyLock<Vec<Case<Stage>>> = LazyLock::new(cases::all);
    &CASES
}

/// Runs the suite over the subject of `options`.
pub(crate) async fn run(options: &Options, tell: impl FnMut(News<'_>)) -> Result<Report, Failure> {
    let subject = Subject::of(options, MOCK_SOLME_SUBJECT)?;
    // What it says while it starts belongs to no case; where it fails, the finding says all.
    let unseen = WireLog::default();
    let shared = tokio::select! {
        biased;
        () = options.stop.told() => Err(Finding::Skipped("interrupted".to_owned())),
        started = MainServer::start(&subject, &unseen) => started.map(Arc::new),
    };
    let play = |case: &'static Case<Stage>, seed| {
        let stage = Stage::new(subject.clone(), shared.clone(), seed);
        async move {
            let outcome = (case.run)(&stage).await;
            Ended { outcome, wire: stage.wire().entries(), heard: stage.wire().heard() }
        }
    };
    let report = conformance::run(cases(), &closed_lists::lists(), options, play, tell).await;
    if let Some(main_server) = shared.ok().and_then(Arc::into_inner) {
        main_server.end().await;
    }
    Ok(report)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::conformance::{clauses, requirement};

    #[test]
    fn every_case_is_about_a_clause_and_has_an_id_of_its_own() {
        let ids: BTreeSet<String> = cases().iter().map(Case::id).collect();
        assert_eq!(ids.len(), cases().len());
        for case in cases() {
            assert!(!requirement(case.clause).is_empty(), "{} is about no clause", case.id());
        }
    }

    #[test]
    fn every_clause_has_a_case_or_a_reason_and_not_both() {
        for clause in clauses() {
            let has_a_case = cases().iter().any(|case| case.clause == clause.id);
            assert_ne!(has_a_case, no_case(&clause.id).is_some(), "{}", clause.id);
        }
    }
}

//! The one model of results, from which every form of report is written.

#[cfg(test)]
mod hostile;
mod html;
mod junit;
mod markdown;
mod tap;
mod text;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize, Serializer};
use solme_sync_protocol::UtcTime;

use super::reached::Reached;
use super::runner::{Ended, Options};
use super::{Finding, Foreign, Level, WireEntry};

pub(crate) use html::{Page, html, mutants};
pub(crate) use junit::{JUNIT_PROLOG, junit, seconds};
pub(crate) use markdown::{code, markdown};
pub(crate) use tap::{TapVersion, tap};
pub(crate) use text::{line, summary};

/// How a case ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CaseResult {
    /// As required.
    Passed,
    /// Against a MUST.
    Failed,
    /// Against a SHOULD.
    Warning,
    /// The subject does not implement what the case needs.
    Unimplemented,
    /// Not looked at, for a reason.
    Skipped,
}

impl CaseResult {
    /// In words.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Warning => "warning",
            Self::Unimplemented => "unimplemented",
            Self::Skipped => "skipped",
        }
    }
}

/// How it all went. The exit code says the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Verdict {
    /// Nothing failed that was not expected to, and something ran.
    Passed,
    /// Otherwise.
    Failed,
}

/// One case of a report.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct CaseReport {
    /// Clause and name.
    pub(crate) id: String,
    /// The text of the clause.
    pub(crate) requirement: &'static str,
    /// MUST or SHOULD.
    pub(crate) level: Level,
    /// How it ended.
    pub(crate) result: CaseResult,
    /// What was expected; null where it passed.
    pub(crate) expected: Option<Foreign>,
    /// What came; null where it passed.
    pub(crate) got: Option<Foreign>,
    /// The command that runs this case again.
    pub(crate) rerun: Foreign,
    /// Why the subject is expected to deviate here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expected_deviation: Option<Foreign>,
    /// Milliseconds.
    pub(crate) took_ms: u64,
    /// What went over the wire.
    pub(crate) wire: Vec<WireEntry>,
}

/// All cases of one run over one subject.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Report {
    /// The version of the harness.
    pub(crate) harness: &'static str,
    /// The version of the protocol.
    pub(crate) protocol: u64,
    /// When it began, in RFC 3339.
    #[serde(serialize_with = "as_text")]
    pub(crate) started_at: UtcTime,
    /// Milliseconds.
    pub(crate) took_ms: u64,
    /// `client` or `server`.
    pub(crate) suite: &'static str,
    /// The subject, as the command line named it.
    pub(crate) subject: Foreign,
    /// What everything random followed from.
    pub(crate) seed: u64,
    /// How it all went.
    pub(crate) verdict: Verdict,
    /// Whether not all cases had ended: it was told to stop, or killed.
    pub(crate) interrupted: bool,
    /// What is wrong with the run as a whole: no case, stale deviations.
    pub(crate) remarks: Vec<Foreign>,
    /// What is worth knowing, and not wrong.
    #[serde(skip)]
    pub(crate) notes: Vec<Foreign>,
    /// How much of the closed lists was reached.
    pub(crate) reached: Vec<Reached>,
    /// The cases, in the order of the suite.
    pub(crate) cases: Vec<CaseReport>,
}

fn as_text<S: Serializer>(time: &UtcTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(time)
}

impl CaseReport {
    pub(super) fn new(
        id: String,
        requirement: &'static str,
        level: Level,
        ended: Ended,
        took: Duration,
        rerun: String,
        expected_deviation: Option<String>,
    ) -> Self {
        let (result, expected, got) = match (ended.outcome, level) {
            (Ok(()), _) => (CaseResult::Passed, None, None),
            (Err(Finding::Deviates { expected, got }), Level::Must) => (CaseResult::Failed, Some(expected), Some(got)),
            (Err(Finding::Deviates { expected, got }), Level::Should) => {
                (CaseResult::Warning, Some(expected), Some(got))
            }
            (Err(Finding::Unimplemented(what)), _) => (CaseResult::Unimplemented, None, Some(what)),
            (Err(Finding::Skipped(reason)), _) => (CaseResult::Skipped, None, Some(reason)),
        };
        let (expected, got) = (expected.map(Foreign::from), got.map(Foreign::from));
        let (rerun, expected_deviation) = (Foreign::from(rerun), expected_deviation.map(Foreign::from));
        let took_ms = in_ms(took);
        Self { id, requirement, level, result, expected, got, rerun, expected_deviation, took_ms, wire: ended.wire }
    }

    /// Whether this case makes the run fail.
    pub(crate) fn fails(&self, require_all: bool) -> bool {
        let deviates = match self.result {
            CaseResult::Failed => true,
            CaseResult::Unimplemented => require_all,
            CaseResult::Passed | CaseResult::Warning | CaseResult::Skipped => false,
        };
        match self.expected_deviation {
            Some(_) => self.result == CaseResult::Passed,
            None => deviates,
        }
    }
}

fn in_ms(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}

impl Report {
    /// What came of the cases, in a run of `suite` that began at `started`, and that goes on or was interrupted.
    pub(super) fn new(
        options: &Options,
        cases: Vec<CaseReport>,
        suite: &[String],
        reached: Vec<Reached>,
        started: SystemTime,
        interrupted: bool,
    ) -> Self {
        let mut remarks = Vec::new();
        if cases.is_empty() && !interrupted {
            remarks.push("no case was run; `harness list` shows the ids that --only can match".to_owned());
        }
        let judged = |case: &CaseReport| !matches!(case.result, CaseResult::Unimplemented | CaseResult::Skipped);
        if !cases.is_empty() && !interrupted && !cases.iter().any(judged) {
            remarks.push("no case could be judged: each needs a verb that the subject does not implement".to_owned());
        }
        for stale in options.deviations.stale(suite) {
            remarks.push(format!("the deviations name {stale}, which is not a case of this suite; remove the entry"));
        }
        for case in cases.iter().filter(|case| case.expected_deviation.is_some()) {
            if case.result == CaseResult::Passed {
                remarks.push(format!("{} passed, but was expected to deviate; remove its entry", case.id));
            }
        }
        let mut notes = Vec::new();
        // Where cases were selected, most of the lists was left out on purpose.
        if options.only.is_empty() && !interrupted {
            match options.require_all {
                true => remarks.extend(reached.iter().flat_map(Reached::remarks)),
                false => notes.extend(reached.iter().filter_map(Reached::missed)),
            }
        }
        if interrupted {
            let of = suite.iter().filter(|id| options.selects(id)).count();
            remarks.push(format!("interrupted: {} of {of} cases ended", cases.len()));
        }
        let failed = !remarks.is_empty() || cases.iter().any(|case| case.fails(options.require_all));
        let verdict = if failed { Verdict::Failed } else { Verdict::Passed };
        Self {
            harness: env!("CARGO_PKG_VERSION"),
            protocol: solme_sync_protocol::VERSION,
            started_at: UtcTime::from_secs(started.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())),
            took_ms: in_ms(started.elapsed().unwrap_or_default()),
            suite: options.suite,
            subject: options.subject.as_str().into(),
            seed: options.seed,
            verdict,
            interrupted,
            remarks: remarks.into_iter().map(Foreign::from).collect(),
            notes: notes.into_iter().map(Foreign::from).collect(),
            reached,
            cases,
        }
    }

    /// How many cases ended so.
    pub(crate) fn count(&self, result: CaseResult) -> usize {
        self.cases.iter().filter(|case| case.result == result).count()
    }
}

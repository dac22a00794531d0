//! JUnit XML, as CI systems read it.

use std::time::Duration;

use anyhow::Result;
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

use super::{CaseReport, CaseResult, Report};

/// The reports in JUnit XML, a suite a subject.
pub(crate) fn junit(reports: &[Report], require_all: bool) -> Result<String> {
    let mut junit = quick_junit::Report::new("harness");
    junit.add_test_suites(reports.iter().map(|report| suite(report, require_all)));
    Ok(junit.to_string()?)
}

fn suite(report: &Report, require_all: bool) -> TestSuite {
    let mut suite = TestSuite::new(format!("{} conformance: {}", report.suite, report.subject));
    suite.add_property(("seed".to_owned(), report.seed.to_string()));
    for case in &report.cases {
        let mut test = TestCase::new(case.id.clone(), status(case, require_all));
        test.set_classname(format!("{}.{}", report.suite, case.id.split('/').next().unwrap_or_default()));
        test.set_time(Duration::from_millis(case.took_ms));
        suite.add_test_case(test);
    }
    for (index, remark) in report.remarks.iter().enumerate() {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_message(remark.clone());
        suite.add_test_case(TestCase::new(format!("remark {}", index + 1), status));
    }
    suite
}

fn status(case: &CaseReport, require_all: bool) -> TestCaseStatus {
    let said = |status: &mut TestCaseStatus| {
        let expected = case.expected.as_deref().unwrap_or("nothing else");
        let got = case.got.as_deref().unwrap_or("a pass");
        status.set_message(format!("expected {expected}, got {got}"));
        status.set_description(format!("{}\n\nagain: {}", case.requirement, case.rerun));
    };
    if case.fails(require_all) {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        said(&mut status);
        return status;
    }
    match case.result {
        CaseResult::Passed => TestCaseStatus::success(),
        // JUnit knows no warning and no expected deviation: what did not pass and does not fail is skipped, with its story.
        CaseResult::Failed | CaseResult::Warning | CaseResult::Unimplemented | CaseResult::Skipped => {
            let mut status = TestCaseStatus::skipped();
            said(&mut status);
            status
        }
    }
}

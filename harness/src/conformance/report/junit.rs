//! JUnit XML, as the schema has it that Jenkins' xUnit plugin applies (`harness/reports/junit.xsd`).

use std::time::Duration;

use maud::{Markup, PreEscaped, html as xml};

use super::{CaseReport, CaseResult, Report};

/// What the document begins with.
pub(crate) const JUNIT_PROLOG: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/// The reports in JUnit XML, a suite a subject. What is wrong with a run as a whole is a test case with an error.
pub(crate) fn junit(reports: &[Report], require_all: bool) -> String {
    let count = |of: fn(&Report, bool) -> usize| reports.iter().map(|report| of(report, require_all)).sum::<usize>();
    xml! {
        (PreEscaped(JUNIT_PROLOG))
        testsuites name="harness" tests=(count(tests)) failures=(count(failures)) errors=(count(errors))
            time=(seconds(ms(reports.iter().map(|report| report.took_ms).sum()))) {
            @for report in reports { "\n" (suite(report, require_all)) }
            "\n"
        }
    }
    .into_string()
        + "\n"
}

fn tests(report: &Report, _: bool) -> usize {
    report.cases.len() + report.remarks.len()
}

fn failures(report: &Report, require_all: bool) -> usize {
    report.cases.iter().filter(|case| case.fails(require_all)).count()
}

fn errors(report: &Report, _: bool) -> usize {
    report.remarks.len()
}

fn suite(report: &Report, require_all: bool) -> Markup {
    let skipped = report.cases.iter().filter(|case| case.result != CaseResult::Passed && !case.fails(require_all));
    // The schemas of others know no time zone; it is UTC.
    let started_at = report.started_at.to_string();
    xml! {
        testsuite name={ (report.suite) " conformance: " (report.subject.line()) }
            tests=(tests(report, require_all)) failures=(failures(report, require_all))
            errors=(errors(report, require_all)) skipped=(skipped.count())
            time=(seconds(ms(report.took_ms))) timestamp=(started_at.trim_end_matches('Z')) {
            "\n"
            properties {
                property name="harness" value=(report.harness) {}
                property name="protocol" value=(report.protocol) {}
                property name="seed" value=(report.seed) {}
                property name="interrupted" value=(report.interrupted) {}
            }
            "\n"
            @for case in &report.cases { (test_case(report, case, require_all)) "\n" }
            @for (index, remark) in report.remarks.iter().enumerate() {
                testcase name={ "remark " (index + 1) } classname={ (report.suite) ".remark" } time="0.000" {
                    error type=(if report.interrupted { "interrupted" } else { "remark" }) message=(remark.line()) {}
                }
                "\n"
            }
        }
    }
}

fn test_case(report: &Report, case: &CaseReport, require_all: bool) -> Markup {
    let section = case.id.split('/').next().unwrap_or_default();
    xml! {
        testcase name=(case.id) classname={ (report.suite) "." (section) } time=(seconds(ms(case.took_ms))) {
            @if case.fails(require_all) {
                failure type=(kind(case)) message=(message(case)) { (story(case)) }
            } @else if case.result != CaseResult::Passed {
                // JUnit knows no warning and no expected deviation: what did not pass and does not fail is skipped.
                skipped type=(kind(case)) message=(message(case)) { (story(case)) }
            }
            @if !case.wire.is_empty() && (case.result != CaseResult::Passed) {
                system-out { @for entry in &case.wire { (entry.way) "\n  " (entry.what.indented(2)) "\n" } }
            }
        }
    }
}

fn kind(case: &CaseReport) -> &'static str {
    if case.result == CaseResult::Passed { "unexpected-pass" } else { case.result.as_str() }
}

fn message(case: &CaseReport) -> String {
    let expected = case.expected.as_ref().map_or("nothing else".to_owned(), super::Foreign::line);
    let got = case.got.as_ref().map_or("a pass".to_owned(), super::Foreign::line);
    match &case.expected_deviation {
        Some(reason) => format!("expected {expected}, got {got}; known deviation: {}", reason.line()),
        None => format!("expected {expected}, got {got}"),
    }
}

fn story(case: &CaseReport) -> String {
    let got = case.got.as_ref().map_or_else(String::new, |got| format!("\n\ngot: {}", got.indented(2)));
    format!("{}{got}\n\nagain: {}", case.requirement, case.rerun.line())
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// With three digits, as the schema has it.
pub(crate) fn seconds(took: Duration) -> String {
    format!("{}.{:03}", took.as_secs(), took.subsec_millis())
}

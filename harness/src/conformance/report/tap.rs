//! The Test Anything Protocol, version 14.

use std::fmt::Write as _;

use super::{CaseReport, CaseResult, Report, Verdict};

/// The reports in TAP; of several, each is a subtest.
pub(crate) fn tap(reports: &[Report], require_all: bool) -> String {
    let mut text = "TAP version 14\n".to_owned();
    if let [report] = reports {
        points(&mut text, "", report, require_all);
        for remark in &report.remarks {
            let _ = writeln!(text, "Bail out! {}", one_line(remark));
        }
        return text;
    }
    let _ = writeln!(text, "1..{}", reports.len());
    for (index, report) in reports.iter().enumerate() {
        let subject = one_line(&report.subject).replace('#', "\\#");
        let _ = writeln!(text, "# Subtest: {subject}");
        points(&mut text, "    ", report, require_all);
        for remark in &report.remarks {
            let _ = writeln!(text, "    # {}", one_line(remark));
        }
        let ok = if report.verdict == Verdict::Passed { "ok" } else { "not ok" };
        let _ = writeln!(text, "{ok} {} - {subject}", index + 1);
    }
    text
}

/// The plan, and a point a case.
fn points(text: &mut String, indent: &str, report: &Report, require_all: bool) {
    let _ = writeln!(text, "{indent}1..{}", report.cases.len());
    for (index, case) in report.cases.iter().enumerate() {
        let ok = if case.fails(require_all) { "not ok" } else { "ok" };
        let _ = writeln!(text, "{indent}{ok} {} - {}{}", index + 1, case.id, directive(case));
        if let (Some(expected), Some(got)) = (&case.expected, &case.got) {
            let (expected, got, again) = (quoted(expected), quoted(got), quoted(&case.rerun));
            for line in
                ["---", &format!("expected: {expected}"), &format!("got: {got}"), &format!("again: {again}"), "..."]
            {
                let _ = writeln!(text, "{indent}  {line}");
            }
        }
    }
}

fn directive(case: &CaseReport) -> String {
    match (case.result, &case.expected_deviation) {
        (CaseResult::Failed | CaseResult::Warning, Some(reason)) => format!(" # TODO {}", one_line(reason)),
        (CaseResult::Skipped | CaseResult::Unimplemented, _) => {
            let why = one_line(case.got.as_deref().unwrap_or_default());
            format!(" # SKIP {}: {why}", case.result.as_str())
        }
        _ => String::new(),
    }
}

fn one_line(text: &str) -> String {
    text.replace('\n', " ")
}

/// A JSON string is a YAML string.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

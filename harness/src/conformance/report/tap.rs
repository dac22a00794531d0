//! The Test Anything Protocol, version 14.

use std::fmt::Write as _;

use super::{CaseReport, CaseResult, Report};

/// The report in TAP.
pub(crate) fn tap(report: &Report, require_all: bool) -> String {
    let mut text = format!("TAP version 14\n1..{}\n", report.cases.len());
    for (index, case) in report.cases.iter().enumerate() {
        let ok = if case.fails(require_all) { "not ok" } else { "ok" };
        let _ = writeln!(text, "{ok} {} - {}{}", index + 1, case.id, directive(case));
        if let (Some(expected), Some(got)) = (&case.expected, &case.got) {
            let _ = writeln!(
                text,
                "  ---\n  expected: {}\n  got: {}\n  again: {}\n  ...",
                quoted(expected),
                quoted(got),
                quoted(&case.rerun)
            );
        }
    }
    for remark in &report.remarks {
        let _ = writeln!(text, "Bail out! {}", remark.replace('\n', " "));
    }
    text
}

fn directive(case: &CaseReport) -> String {
    match (case.result, &case.expected_deviation) {
        (CaseResult::Failed | CaseResult::Warning, Some(reason)) => format!(" # TODO {}", reason.replace('\n', " ")),
        (CaseResult::Skipped | CaseResult::Unimplemented, _) => {
            let why = case.got.as_deref().unwrap_or_default().replace('\n', " ");
            format!(" # SKIP {}: {why}", case.result.as_str())
        }
        _ => String::new(),
    }
}

/// A JSON string is a YAML string.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

//! The Test Anything Protocol: version 13, which every consumer reads, or 14, whose subtests keep several subjects apart.

use std::fmt::Write as _;

use super::{CaseReport, CaseResult, Foreign, Report, Verdict};

/// Which version of the protocol.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum TapVersion {
    /// One list for all subjects
    #[default]
    #[value(name = "13")]
    V13,
    /// One subtest per subject
    #[value(name = "14")]
    V14,
}

/// The reports in TAP. What is wrong with a run as a whole is a point that is not ok; an interrupted one bails out.
pub(crate) fn tap(reports: &[Report], require_all: bool, version: TapVersion) -> String {
    let mut text = match version {
        TapVersion::V13 => "TAP version 13\n".to_owned(),
        TapVersion::V14 => "TAP version 14\n".to_owned(),
    };
    match (version, reports) {
        (TapVersion::V14, [_, _, ..]) => subtests(&mut text, reports, require_all),
        _ => flat(&mut text, reports, require_all),
    }
    for report in reports.iter().filter(|report| report.interrupted) {
        let _ = writeln!(text, "Bail out! interrupted: {}", report.subject.line());
    }
    text
}

/// One row of points. Of several subjects each says whose it is.
fn flat(text: &mut String, reports: &[Report], require_all: bool) {
    let _ = writeln!(text, "1..{}", reports.iter().map(count).sum::<usize>());
    let mut number = 1;
    for report in reports {
        let whose = if reports.len() > 1 { format!("{}: ", escaped(&report.subject)) } else { String::new() };
        points(text, "", &whose, &mut number, report, require_all);
    }
}

fn subtests(text: &mut String, reports: &[Report], require_all: bool) {
    let _ = writeln!(text, "1..{}", reports.len());
    for (index, report) in reports.iter().enumerate() {
        let subject = escaped(&report.subject);
        let _ = writeln!(text, "# Subtest: {subject}\n    1..{}", count(report));
        points(text, "    ", "", &mut 1, report, require_all);
        let ok = if report.verdict == Verdict::Passed { "ok" } else { "not ok" };
        let _ = writeln!(text, "{ok} {} - {subject}", index + 1);
    }
}

fn count(report: &Report) -> usize {
    report.cases.len() + report.remarks.len()
}

fn points(text: &mut String, indent: &str, whose: &str, number: &mut usize, report: &Report, require_all: bool) {
    let mut point = |text: &mut String, ok: bool, what: &str| {
        let _ = writeln!(text, "{indent}{} {number} - {whose}{what}", if ok { "ok" } else { "not ok" });
        *number += 1;
    };
    for case in &report.cases {
        point(text, !case.fails(require_all), &format!("{}{}", case.id, directive(case)));
        if let (Some(expected), Some(got)) = (&case.expected, &case.got) {
            let (expected, got, again) = (quoted(expected), quoted(got), quoted(&case.rerun));
            for line in
                ["---", &format!("expected: {expected}"), &format!("got: {got}"), &format!("again: {again}"), "..."]
            {
                let _ = writeln!(text, "{indent}  {line}");
            }
        }
    }
    for remark in &report.remarks {
        point(text, false, &escaped(remark));
    }
}

fn directive(case: &CaseReport) -> String {
    match (case.result, &case.expected_deviation) {
        (CaseResult::Failed | CaseResult::Warning, Some(reason)) => format!(" # TODO {}", reason.line()),
        (CaseResult::Skipped | CaseResult::Unimplemented, _) => {
            let why = case.got.as_ref().map(Foreign::line).unwrap_or_default();
            format!(" # SKIP {}: {why}", case.result.as_str())
        }
        _ => String::new(),
    }
}

/// A description: no `#` of it begins a directive.
fn escaped(text: &Foreign) -> String {
    text.line().replace('\\', "\\\\").replace('#', "\\#")
}

/// A JSON string is a YAML string.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

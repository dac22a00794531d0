//! For a terminal: a line a case, the whole story of what did not pass, and a summary.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::{CaseReport, CaseResult, Report, Verdict};

/// One case as it ends.
pub(crate) fn line(case: &CaseReport) -> String {
    let (word, style) = match case.result {
        CaseResult::Passed => ("ok", AnsiColor::Green.on_default()),
        CaseResult::Failed => ("FAILED", AnsiColor::Red.on_default().bold()),
        CaseResult::Warning => ("warning", AnsiColor::Yellow.on_default()),
        CaseResult::Unimplemented => ("unimplemented", AnsiColor::Blue.on_default()),
        CaseResult::Skipped => ("skipped", AnsiColor::Blue.on_default()),
    };
    let expected = if case.expected_deviation.is_some() { " (expected deviation)" } else { "" };
    format!("{style}{word:>13}{style:#}  {}{expected}", case.id)
}

/// What did not pass, and how it all went.
pub(crate) fn summary(report: &Report) -> String {
    let mut text = String::new();
    for case in report.cases.iter().filter(|case| matches!(case.result, CaseResult::Failed | CaseResult::Warning)) {
        story(&mut text, case);
    }
    for remark in report.notes.iter().chain(&report.remarks) {
        let _ = writeln!(text, "\n{remark}");
    }
    let counts = [CaseResult::Failed, CaseResult::Warning, CaseResult::Unimplemented, CaseResult::Skipped];
    let mut counted = format!("{} passed", report.count(CaseResult::Passed));
    for result in counts {
        let _ = write!(counted, ", {} {}", report.count(result), result.as_str());
    }
    let (word, style) = match report.verdict {
        Verdict::Passed => ("Conforms", AnsiColor::Green.on_default().bold()),
        Verdict::Failed => ("Does not conform", AnsiColor::Red.on_default().bold()),
    };
    let _ = writeln!(
        text,
        "\n{style}{word}{style:#}: {} ({}, seed {})\n{counted}",
        report.subject, report.suite, report.seed
    );
    text
}

fn story(text: &mut String, case: &CaseReport) {
    let (bold, dim) = (Style::new().bold(), Style::new().dimmed());
    let absent = String::new();
    let _ = writeln!(text, "\n{bold}{} {}{bold:#}", case.result.as_str(), case.id);
    let _ = writeln!(text, "  {dim}requires{dim:#}  ({}) {}", case.level, case.requirement);
    let _ = writeln!(text, "  {dim}expected{dim:#}  {}", case.expected.as_ref().unwrap_or(&absent));
    let _ = writeln!(text, "  {dim}got{dim:#}       {}", case.got.as_ref().unwrap_or(&absent));
    if let Some(reason) = &case.expected_deviation {
        let _ = writeln!(text, "  {dim}known{dim:#}     {reason}");
    }
    for entry in &case.wire {
        let _ = writeln!(text, "  {dim}wire{dim:#}      {}: {}", entry.way, shortened(&entry.what));
    }
    let _ = writeln!(text, "  {dim}again{dim:#}     {}", case.rerun);
}

/// A terminal wants a line; the JSON and HTML reports have it whole.
fn shortened(what: &str) -> String {
    const CHARACTERS: usize = 160;
    let line: String = what.chars().map(|c| if c.is_control() { ' ' } else { c }).take(CHARACTERS).collect();
    if what.chars().count() > CHARACTERS { line + "..." } else { line }
}

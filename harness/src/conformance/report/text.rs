//! For a terminal: a line a case, the whole story of what did not pass, and a summary.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::{CaseReport, CaseResult, Foreign, Report, Verdict};

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
        let _ = writeln!(text, "\n{}", remark.line());
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
        report.subject.line(),
        report.suite,
        report.seed
    );
    text
}

fn story(text: &mut String, case: &CaseReport) {
    let (bold, dim) = (Style::new().bold(), Style::new().dimmed());
    let _ = writeln!(text, "\n{bold}{} {}{bold:#}", case.result.as_str(), case.id);
    let _ = writeln!(text, "  {dim}requires{dim:#}  ({}) {}", case.level, case.requirement);
    let _ = writeln!(text, "  {dim}expected{dim:#}  {}", below(case.expected.as_ref()));
    let _ = writeln!(text, "  {dim}got{dim:#}       {}", below(case.got.as_ref()));
    if let Some(reason) = &case.expected_deviation {
        let _ = writeln!(text, "  {dim}known{dim:#}     {}", reason.line());
    }
    for entry in &case.wire {
        let _ = writeln!(text, "  {dim}wire{dim:#}      {}: {}", entry.way.line(), shortened(&entry.what));
    }
    let _ = writeln!(text, "  {dim}again{dim:#}     {}", case.rerun.line());
}

/// Below its beginning, so that no line of a subject's passes for one of ours.
fn below(text: Option<&Foreign>) -> String {
    text.map(|text| text.indented(12)).unwrap_or_default()
}

/// A terminal wants a line; the JSON and HTML reports have it whole.
fn shortened(what: &Foreign) -> String {
    const CHARACTERS: usize = 160;
    let line: String = what.line().chars().take(CHARACTERS).collect();
    if what.chars().count() > CHARACTERS { line + "..." } else { line }
}

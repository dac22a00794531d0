//! Markdown for a CI's job page: the verdict, the counts, what failed, and the lines that run it again.

use std::fmt::Write as _;

use super::{CaseReport, CaseResult, Foreign, Report, Verdict};

/// More rows than this are no summary; the other reports have them all.
const ROWS: usize = 50;
/// More characters than this make a row unreadable.
const CHARACTERS: usize = 300;

/// The reports in Markdown, a heading a subject.
pub(crate) fn markdown(reports: &[Report], require_all: bool) -> String {
    let mut text = String::new();
    for report in reports {
        one(&mut text, report, require_all);
    }
    text
}

fn one(text: &mut String, report: &Report, require_all: bool) {
    let (mark, verdict) = match report.verdict {
        Verdict::Passed => ("\u{2705}", "conforms"),
        Verdict::Failed => ("\u{274c}", "does not conform"),
    };
    let _ = writeln!(text, "## {mark} {} {verdict}\n", code(&report.subject));
    let seconds = report.took_ms.div_ceil(1000);
    let _ = writeln!(
        text,
        "{} suite, {}, {seconds} s, seed {}, harness {}, protocol version {}\n",
        report.suite, report.started_at, report.seed, report.harness, report.protocol
    );
    for remark in report.remarks.iter().chain(&report.notes) {
        let _ = writeln!(text, "- {}\n", code(remark));
    }
    let results =
        [CaseResult::Passed, CaseResult::Failed, CaseResult::Warning, CaseResult::Unimplemented, CaseResult::Skipped];
    let cells = |cell: &dyn Fn(CaseResult) -> String| results.map(cell).join(" | ");
    let _ = writeln!(text, "| {} |", cells(&|result| result.as_str().to_owned()));
    let _ = writeln!(text, "| {} |", cells(&|_| "---:".to_owned()));
    let _ = writeln!(text, "| {} |\n", cells(&|result| report.count(result).to_string()));
    let told = |case: &&CaseReport| case.fails(require_all) || case.result == CaseResult::Warning;
    let told: Vec<&CaseReport> = report.cases.iter().filter(told).collect();
    if !told.is_empty() {
        failures(text, &told);
    }
}

fn failures(text: &mut String, cases: &[&CaseReport]) {
    let _ = writeln!(text, "| case | level | result | expected | got |\n| --- | --- | --- | --- | --- |");
    let shown = |text: &Option<Foreign>| text.as_ref().map(code).unwrap_or_default();
    for case in cases.iter().take(ROWS) {
        let (expected, got) = (shown(&case.expected), shown(&case.got));
        let _ = writeln!(text, "| {} | {} | {} | {expected} | {got} |", case.id, case.level, case.result.as_str());
    }
    if let Some(more @ 1..) = cases.len().checked_sub(ROWS) {
        let _ = writeln!(text, "\nand {more} more.");
    }
    let _ = writeln!(text, "\nRun again:\n\n```sh");
    for case in cases.iter().take(ROWS) {
        let _ = writeln!(text, "{}", case.rerun.line());
    }
    let _ = writeln!(text, "```\n");
}

/// Text that is shown and nothing else: each mark that could be Markdown or HTML is written as a number.
pub(crate) fn code(text: &Foreign) -> String {
    let line = text.line();
    let mut shown = "<code>".to_owned();
    for c in line.chars().take(CHARACTERS) {
        if c.is_ascii_punctuation() {
            let _ = write!(shown, "&#{};", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    shown + if line.chars().count() > CHARACTERS { " ...</code>" } else { "</code>" }
}

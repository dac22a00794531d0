//! One self-contained page: the matrix of subjects and cases, and each case with its requirement and wire log.

use maud::{DOCTYPE, Markup, PreEscaped, html as markup};

use super::super::reached::Never;
use super::{CaseReport, CaseResult, Report, Verdict};

/// Readable on paper and on a phone, light and dark; no script, nothing loaded from elsewhere.
const STYLE: &str = include_str!("report.css");

/// The page for these reports of one suite, a column a subject.
pub(crate) fn html(title: &str, reports: &[Report]) -> String {
    markup! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { (title) }
                (verdicts(reports))
                @for report in reports { (remarks(report)) }
                h2 { "Matrix" }
                (matrix(reports))
                @for report in reports { (stories(report)) }
            }
        }
    }
    .into_string()
}

fn verdicts(reports: &[Report]) -> Markup {
    let about = reports.first().map(|report| format!("{} suite, seed {}", report.suite, report.seed));
    markup! {
        p { (about.unwrap_or_default()) }
        div.scroll { table.verdicts {
            thead { tr {
                th { "subject" } th { "verdict" }
                @for result in RESULTS { th { (mark(result)) " " (result.as_str()) } }
            } }
            tbody { @for report in reports { tr {
                th scope="row" { (report.subject) }
                @match report.verdict {
                    Verdict::Passed => { td.passed { "conforms" } },
                    Verdict::Failed => { td.failed { "does not conform" } },
                }
                @for result in RESULTS { td.number { (report.count(result)) } }
            } } }
        } }
    }
}

fn remarks(report: &Report) -> Markup {
    markup! {
        @for remark in &report.remarks { p.failed { (report.subject) ": " (remark) } }
        @for note in &report.notes { p { (report.subject) ": " (note) } }
    }
}

fn matrix(reports: &[Report]) -> Markup {
    let rows = reports.first().map(|report| report.cases.as_slice()).unwrap_or_default();
    // Names that stand upright leave room for more of them.
    let upright = reports.len() > 3;
    markup! {
        div.scroll { table.matrix.upright[upright] {
            thead { tr { th { "case" } @for report in reports { th { span { (report.subject) } } } } }
            tbody { @for row in rows { tr {
                th scope="row" { (row.id) }
                @for report in reports { (cell(report, &row.id)) }
            } } }
        } }
    }
}

/// The mark leads to the story of the case.
fn cell(report: &Report, id: &str) -> Markup {
    match report.cases.iter().find(|case| case.id == id) {
        Some(case) => {
            let (word, mark) = (case.result.as_str(), mark(case.result));
            markup! { td.(word) { a href={ "#" (anchor(report, case)) } title=(word) { (mark) } } }
        }
        None => markup! { td { "" } },
    }
}

const RESULTS: [CaseResult; 5] =
    [CaseResult::Passed, CaseResult::Failed, CaseResult::Warning, CaseResult::Unimplemented, CaseResult::Skipped];

/// Tells the results apart without colours.
const fn mark(result: CaseResult) -> &'static str {
    match result {
        CaseResult::Passed => "\u{2713}",
        CaseResult::Failed => "\u{2717}",
        CaseResult::Warning => "!",
        CaseResult::Unimplemented => "\u{2013}",
        CaseResult::Skipped => "\u{00b7}",
    }
}

fn stories(report: &Report) -> Markup {
    markup! {
        h2 { (report.subject) }
        @if !report.reached.is_empty() { (reached(report)) }
        @for case in &report.cases { (story(report, case)) }
    }
}

/// Which words of the closed lists the subject has said, and why not the others.
fn reached(report: &Report) -> Markup {
    let lists = report.reached.iter().map(|list| {
        let words = list.reached.len() + list.never.len();
        format!("{} of {words} ({})", list.reached.len(), list.list)
    });
    markup! {
        details.case {
            summary { "reached: " (lists.collect::<Vec<_>>().join(", ")) }
            @for list in &report.reached {
                p { b { (list.list) " " } (list.reached.join(", ")) }
                @for never in list.never.chunk_by(|one, next| one.reason == next.reason) { (unheard(never)) }
            }
        }
    }
}

/// Words that were never heard, for one reason.
fn unheard(never: &[Never]) -> Markup {
    let words: Vec<&str> = never.iter().map(|never| never.word.as_str()).collect();
    let reason = never.first().and_then(|never| never.reason);
    markup! {
        p.unheard.failed[reason.is_none()] {
            i { (reason.unwrap_or("never reached")) ":" } " " (words.join(", "))
        }
    }
}

fn story(report: &Report, case: &CaseReport) -> Markup {
    let open = !matches!(case.result, CaseResult::Passed);
    markup! {
        details.case id=(anchor(report, case)) open[open] {
            summary { span.(case.result.as_str()) { (mark(case.result)) " " (case.result.as_str()) } " " (case.id) }
            p { b { (case.level.to_string()) } " " (case.requirement) }
            @if let Some(expected) = &case.expected { p { b { "expected " } (expected) } }
            @if let Some(got) = &case.got { p { b { "got " } (got) } }
            @if let Some(reason) = &case.expected_deviation { p { b { "known deviation " } (reason) } }
            p { b { "again " } code { (case.rerun) } }
            @if !case.wire.is_empty() {
                table.wire { @for entry in &case.wire { tr { th { (entry.way) } td { code { (entry.what) } } } } }
            }
        }
    }
}

fn anchor(report: &Report, case: &CaseReport) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    format!("{}-{}", report.subject, case.id).chars().map(plain).collect()
}

//! One self-contained page: the matrix of subjects and cases, and each case with its requirement and wire log.

use maud::{DOCTYPE, Markup, PreEscaped, html as markup};

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
                @for report in reports { (verdict(report)) }
                h2 { "Matrix" }
                (matrix(reports))
                @for report in reports { (stories(report)) }
            }
        }
    }
    .into_string()
}

fn verdict(report: &Report) -> Markup {
    let (class, word) = match report.verdict {
        Verdict::Passed => ("passed", "conforms"),
        Verdict::Failed => ("failed", "does not conform"),
    };
    markup! {
        p.verdict {
            strong.(class) { (report.subject) " " (word) } br;
            (report.count(CaseResult::Passed)) " passed, "
            (report.count(CaseResult::Failed)) " failed, "
            (report.count(CaseResult::Warning)) " warnings, "
            (report.count(CaseResult::Unimplemented)) " unimplemented, "
            (report.count(CaseResult::Skipped)) " skipped; "
            (report.suite) " suite, seed " (report.seed)
            @for remark in &report.remarks { br; span.failed { (remark) } }
        }
    }
}

fn matrix(reports: &[Report]) -> Markup {
    let rows = reports.first().map(|report| report.cases.as_slice()).unwrap_or_default();
    markup! {
        div.scroll { table {
            thead { tr { th { "case" } @for report in reports { th { (report.subject) } } } }
            tbody { @for row in rows { tr {
                th scope="row" { a href={ "#" (anchor(&reports[0], row)) } { (row.id) } }
                @for report in reports { (cell(report, &row.id)) }
            } } }
        } }
    }
}

fn cell(report: &Report, id: &str) -> Markup {
    match report.cases.iter().find(|case| case.id == id) {
        Some(case) => markup! { td.(case.result.as_str()) { (mark(case.result)) } },
        None => markup! { td { "" } },
    }
}

const fn mark(result: CaseResult) -> &'static str {
    match result {
        CaseResult::Passed => "\u{2713}",
        CaseResult::Failed => "\u{2717} failed",
        CaseResult::Warning => "! warning",
        CaseResult::Unimplemented => "\u{2013} unimplemented",
        CaseResult::Skipped => "\u{2013} skipped",
    }
}

fn stories(report: &Report) -> Markup {
    markup! {
        h2 { (report.subject) }
        @for case in &report.cases { (story(report, case)) }
    }
}

fn story(report: &Report, case: &CaseReport) -> Markup {
    let open = !matches!(case.result, CaseResult::Passed);
    markup! {
        details.case id=(anchor(report, case)) open[open] {
            summary { span.(case.result.as_str()) { (mark(case.result)) } " " (case.id) }
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

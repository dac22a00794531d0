//! One self-contained page that a person works with: what came of the cases, subject by subject, and of the mutants.
//!
//! It can be read without its script, which adds search, filters, keys and copying.

mod cases;
mod matrix;
mod mutants;

use maud::{Markup, html as markup};

use super::super::reached::Never;
use super::{CaseReport, CaseResult, Report, Verdict};

pub(crate) use mutants::mutants;

/// Readable on paper and on a phone, light and dark; nothing loaded from elsewhere.
const STYLE: &str = include_str!("report.css");
const SCRIPT: &str = include_str!("report.js");

/// What a page needs to know beside the reports.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Page<'a> {
    /// Whether what is unimplemented fails.
    pub(crate) require_all: bool,
    /// Where PROTOCOL.md is on the web; without, the page's own copy of the clauses is linked.
    pub(crate) protocol: Option<&'a str>,
}

/// The page for these reports of one suite, a column a subject.
pub(crate) fn html(title: &str, reports: &[Report], page: Page<'_>) -> String {
    document(
        title,
        &markup! {
            (about(reports))
            (verdicts(reports))
            @for report in reports { (remarks(report)) }
            (controls(&filters(reports), "failure", &cases::clauses_with_cases(reports)))
            main id="main" {
                h2 id="matrix" { "Matrix" }
                (matrix::matrix(reports, page))
                h2 id="cases" { "Cases" }
                (cases::cases(reports, page))
                @if reports.iter().any(|report| !report.reached.is_empty()) {
                    h2 { "Closed lists" }
                    @for report in reports { (reached(report)) }
                }
                @if page.protocol.is_none() { (cases::clauses(reports)) }
            }
        },
    )
}

/// The frame of a page.
fn document(title: &str, body: &Markup) -> String {
    let body = markup! {
        a.skip href="#main" { "Skip to the results" }
        h1 { (title) }
        (body)
    };
    crate::page::page(title, STYLE, SCRIPT, &body)
}

/// When, how long, with which versions.
fn about(reports: &[Report]) -> Markup {
    let took: u64 = reports.iter().map(|report| report.took_ms).sum();
    markup! {
        @if let Some(report) = reports.first() {
            p.about {
                (report.suite) " suite · "
                time datetime=(report.started_at) { (report.started_at.to_string().replace('T', " ").replace('Z', " UTC")) }
                " · " (duration(took)) " · seed " (report.seed)
                " · harness " (report.harness) " · protocol version " (report.protocol)
            }
        }
    }
}

fn verdicts(reports: &[Report]) -> Markup {
    markup! {
        div.scroll tabindex="0" role="region" aria-label="Verdicts" { table.verdicts {
            thead { tr {
                th scope="col" { "subject" } th scope="col" { "verdict" }
                @for result in RESULTS { th scope="col" { (mark(result)) " " (result.as_str()) } }
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

/// A result that a page can be filtered by: its class, its mark, and how many have it.
type Filter = (&'static str, &'static str, usize);

fn filters(reports: &[Report]) -> Vec<Filter> {
    let count = |result| reports.iter().map(|report| report.count(result)).sum();
    RESULTS.map(|result| (result.as_str(), mark(result), count(result))).into()
}

/// What the script works with. It stays hidden where there is none.
fn controls(filters: &[Filter], failure: &str, clauses: &[(String, Vec<&str>)]) -> Markup {
    markup! {
        search.controls id="controls" hidden {
            label { "Search " input id="search" type="search" placeholder="id, text, code" autocomplete="off"; }
            @if !clauses.is_empty() {
                label { "Clause " select id="clause" {
                    option value="" { "all" }
                    @for (section, clauses) in clauses { optgroup label=(section) {
                        @let number = section.split(' ').next().unwrap_or_default();
                        option value={ (number) "." } { "all of " (number) }
                        @for clause in clauses { option value={ (clause) "/" } { (clause) } }
                    } }
                } }
                label { "Level " select id="level" {
                    option value="" { "all" } option value="MUST" { "MUST" } option value="SHOULD" { "SHOULD" }
                } }
            }
            fieldset {
                legend.away { "Results" }
                @for (word, mark, count) in filters { @if *count > 0 {
                    label.(word) { input type="checkbox" name="result" value=(word) checked; (mark) " " (word) " " (count) }
                } }
            }
            span.buttons {
                button id="previous" type="button" aria-keyshortcuts="p" { "Previous " (failure) }
                button id="next" type="button" aria-keyshortcuts="n" { "Next " (failure) }
                button id="reset" type="button" { "Show all" }
            }
            output id="shown" for="search" {}
            span.keys { kbd { "/" } " search " kbd { "n" } " " kbd { "p" } " next, previous " (failure) }
        }
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

/// Which words of the closed lists the subject has said, and why not the others.
fn reached(report: &Report) -> Markup {
    let lists = report.reached.iter().map(|list| {
        let words = list.reached.len() + list.never.len();
        format!("{} of {words} ({})", list.reached.len(), list.list)
    });
    markup! {
        @if !report.reached.is_empty() { details.list {
            summary { (report.subject) ": reached " (lists.collect::<Vec<_>>().join(", ")) }
            @for list in &report.reached {
                p { b { (list.list) " " } (list.reached.join(", ")) }
                @for never in list.never.chunk_by(|one, next| one.reason == next.reason) { (unheard(never)) }
            }
        } }
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

/// As a person says it.
fn duration(ms: u64) -> String {
    match ms {
        0..1000 => format!("{ms} ms"),
        1000..60_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        _ => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1000),
    }
}

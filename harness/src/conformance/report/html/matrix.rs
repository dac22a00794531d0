//! All results at a glance: a cell a case, which leads to its story.

use maud::{Markup, html as markup};

use super::cases::{badge, by_section, of};
use super::{Page, Report, mark};

/// Of one subject a row of cells a section, of several a row a case and a column a subject.
pub(super) fn matrix(reports: &[Report], page: Page<'_>) -> Markup {
    match reports {
        [report] => tiles(report, reports, page),
        _ => table(reports),
    }
}

fn tiles(report: &Report, reports: &[Report], page: Page<'_>) -> Markup {
    markup! {
        div.tiles {
            @for (section, ids) in by_section(reports) {
                div.row {
                    a.section href={ "#section-" (section) } { (section) }
                    div.cells { @for id in ids { @if let Some(case) = of(report, id) {
                        a.(case.result.as_str()).fails[case.fails(page.require_all)] href={ "#" (id) } title=(id) data-case=(id) {
                            span aria-hidden="true" { (mark(case.result)) }
                            span.away { (case.result.as_str()) ": " (id) }
                        }
                    } } }
                }
            }
        }
    }
}

fn table(reports: &[Report]) -> Markup {
    // Names that stand upright leave room for more of them.
    let upright = reports.len() > 3;
    markup! {
        div.scroll tabindex="0" role="region" aria-label="Matrix" { table.matrix.upright[upright] {
            thead { tr {
                th scope="col" { "case" }
                @for report in reports { th scope="col" { span { (report.subject) } } }
            } }
            @for (_, ids) in by_section(reports) { tbody {
                @for id in ids { tr data-case=(id) {
                    th scope="row" { a href={ "#" (id) } { (id) } }
                    @for report in reports { (cell(report, id)) }
                } }
            } }
        } }
    }
}

/// The mark leads to the story of the case.
fn cell(report: &Report, id: &str) -> Markup {
    match of(report, id) {
        Some(case) => markup! { td.(case.result.as_str()) { a href={ "#" (id) } { (badge(case, false)) } } },
        None => markup! { td { span.away { "not run" } } },
    }
}

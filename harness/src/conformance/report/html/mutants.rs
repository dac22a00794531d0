//! The kill matrix: a mutant that a case notices is killed, which is good news, and one that survives is bad news.

use maud::{Markup, html as markup};

use super::cases::{badge, ids, inline, story};
use super::{CaseReport, Report, Verdict, about, controls, document, duration};

/// Stories of this many cases with what went over the wire are enough to see why a mutant died.
const WITH_WIRE: usize = 3;

/// The page for these mutants; `unchanged` is the subject without a bug.
pub(crate) fn mutants(title: &str, unchanged: &Report, mutants: &[Report]) -> String {
    let survivors = mutants.iter().filter(|mutant| killers(mutant).is_empty()).count();
    let filters = [("killed", "\u{2713}", mutants.len() - survivors), ("survives", "\u{2717}", survivors)];
    document(
        title,
        &markup! {
            (about(std::slice::from_ref(unchanged)))
            p.headline {
                (mutants.len()) " mutants: " b.passed { (mutants.len() - survivors) " killed" } ", "
                b.(if survivors == 0 { "passed" } else { "failed" }) { (survivors) " survive" }
                @if unchanged.verdict == Verdict::Failed {
                    ". " b.failed { "Without a bug the subject does not conform, so the kills prove nothing" }
                }
            }
            @for remark in &unchanged.remarks { p.failed { (remark) } }
            (controls(&filters, "survivor", &[]))
            main id="main" {
                h2 { "Mutants" }
                div.group { @for mutant in mutants { (fate(mutant)) } }
                h2 { "Kill matrix" }
                (matrix(mutants))
            }
        },
    )
}

fn killers(mutant: &Report) -> Vec<&CaseReport> {
    mutant.cases.iter().filter(|case| case.fails(true)).collect()
}

/// What became of a mutant, and the cases that noticed it.
fn fate(mutant: &Report) -> Markup {
    let killers = killers(mutant);
    let survives = killers.is_empty();
    let (word, mark) = if survives { ("survives", "\u{2717}") } else { ("killed", "\u{2713}") };
    markup! {
        details.case id=(mutant.subject.line()) open[survives] data-fails[survives] data-result=(word) {
            summary {
                span.marks { span.badge.(word) { (mark) " " (word) } }
                span.name {
                    (mutant.subject)
                    @if let Some(first) = killers.first() { span.by { " by " (first.id) } }
                    @if killers.len() > 1 { span.by { " and " (killers.len() - 1) " more" } }
                }
                span.took { (duration(mutant.took_ms)) }
            }
            @if survives { p.failed { "No case notices this bug." } }
            @for (index, case) in killers.iter().enumerate() { (killer(mutant, case, index < WITH_WIRE)) }
        }
    }
}

fn killer(mutant: &Report, case: &CaseReport, with_wire: bool) -> Markup {
    let mut case = case.clone();
    if !with_wire {
        case.wire.clear();
    }
    markup! {
        details.killer id={ (mutant.subject.line()) "/" (case.id) } {
            summary { (case.id) " " (badge(&case, true)) }
            p.requirement { b { (case.level) } " " (inline(case.requirement)) }
            (story(mutant, &case, false))
        }
    }
}

/// A row a case that killed any, a column a mutant.
fn matrix(mutants: &[Report]) -> Markup {
    let kills = |mutant: &Report, id: &str| mutant.cases.iter().any(|case| case.id == id && case.fails(true));
    let deadly = ids(mutants).into_iter().filter(|id| mutants.iter().any(|mutant| kills(mutant, id)));
    markup! {
        div.scroll tabindex="0" role="region" aria-label="Kill matrix" { table.matrix.upright {
            thead { tr {
                th scope="col" { "case" }
                @for mutant in mutants { th scope="col" { a href={ "#" (mutant.subject.line()) } { span { (mutant.subject) } } } }
            } }
            tbody { @for id in deadly { tr {
                th scope="row" { (id) }
                @for mutant in mutants {
                    @if kills(mutant, id) {
                        td.killed { a href={ "#" (mutant.subject.line()) "/" (id) } { "\u{2713}" span.away { " killed" } } }
                    } @else { td {} }
                }
            } } }
        } }
    }
}

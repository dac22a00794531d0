//! The cases, by section of PROTOCOL.md: requirement, what was expected, what came, the wire, and the line that runs it
//! again.

use maud::{Markup, html as markup};

use super::super::super::{clauses as all_clauses, requirement, section_title};
use super::{CaseReport, CaseResult, Page, Report, duration, mark};

/// More failures than this would make a page of open stories.
const OPEN_AT_MOST: usize = 30;

/// The ids of all cases that any subject ran, in the order of the suite.
pub(super) fn ids(reports: &[Report]) -> Vec<&str> {
    let mut ids: Vec<&str> = Vec::new();
    for case in reports.iter().flat_map(|report| &report.cases) {
        if !ids.contains(&case.id.as_str()) {
            ids.push(&case.id);
        }
    }
    ids
}

/// `9` of `9.7/a-name`.
fn section_of(id: &str) -> &str {
    id.split('.').next().unwrap_or_default()
}

/// `9.7` of `9.7/a-name`.
fn clause_of(id: &str) -> &str {
    id.split('/').next().unwrap_or_default()
}

/// The ids by their sections.
pub(super) fn by_section(reports: &[Report]) -> Vec<(&str, Vec<&str>)> {
    let mut sections: Vec<(&str, Vec<&str>)> = Vec::new();
    for id in ids(reports) {
        match sections.iter_mut().find(|(section, _)| *section == section_of(id)) {
            Some((_, ids)) => ids.push(id),
            None => sections.push((section_of(id), vec![id])),
        }
    }
    let number = |text: &str| text.parse::<u32>().unwrap_or(u32::MAX);
    sections.sort_by_key(|(section, _)| number(section));
    for (_, ids) in &mut sections {
        ids.sort_by_key(|id| number(clause_of(id).split('.').nth(1).unwrap_or_default()));
    }
    sections
}

/// `9 Rules of the main server`, and its clauses that have a case.
pub(super) fn clauses_with_cases(reports: &[Report]) -> Vec<(String, Vec<&str>)> {
    by_section(reports)
        .into_iter()
        .map(|(section, ids)| {
            let mut clauses: Vec<&str> = ids.into_iter().map(clause_of).collect();
            clauses.dedup();
            (titled(section), clauses)
        })
        .collect()
}

fn titled(section: &str) -> String {
    format!("{section} {}", section_title(section))
}

/// A case as a subject ran it.
pub(super) fn of<'a>(report: &'a Report, id: &str) -> Option<&'a CaseReport> {
    report.cases.iter().find(|case| case.id == id)
}

pub(super) fn cases(reports: &[Report], page: Page<'_>) -> Markup {
    let failing = ids(reports).iter().filter(|id| fails(reports, id, page)).count();
    markup! {
        @for (section, ids) in by_section(reports) {
            section.group {
                h3 id={ "section-" (section) } { (titled(section)) }
                @for id in ids { (case(reports, id, failing <= OPEN_AT_MOST, page)) }
            }
        }
    }
}

fn fails(reports: &[Report], id: &str, page: Page<'_>) -> bool {
    reports.iter().filter_map(|report| of(report, id)).any(|case| case.fails(page.require_all))
}

/// One case of all subjects. Its id is the anchor, so that a link to it can be written by hand.
fn case(reports: &[Report], id: &str, may_be_open: bool, page: Page<'_>) -> Markup {
    let ran: Vec<(&Report, &CaseReport)> =
        reports.iter().filter_map(|report| Some((report, of(report, id)?))).collect();
    let Some((_, first)) = ran.first() else { return Markup::default() };
    let fails = fails(reports, id, page);
    let results: Vec<&str> = ran.iter().map(|(_, case)| case.result.as_str()).collect();
    let took: u64 = ran.iter().map(|(_, case)| case.took_ms).sum();
    markup! {
        details.case id=(id) open[fails && may_be_open] data-fails[fails]
            data-result=(results.join(" ")) data-level=(first.level) {
            summary {
                span.marks { @for (_, case) in &ran { (badge(case, ran.len() == 1)) } }
                span.name { (id) }
                span.took { (duration(took)) }
            }
            p.requirement {
                b { (first.level) } " " (inline(first.requirement)) " "
                a href=(clause_link(id, page)) { "P " (clause_of(id)) }
                " · " a href={ "#" (id) } { "link to this case" }
            }
            @for (report, case) in &ran { (story(report, case, ran.len() > 1)) }
        }
    }
}

/// The mark of a result, with its word for those who do not see it.
pub(super) fn badge(case: &CaseReport, with_word: bool) -> Markup {
    let (word, known) = (case.result.as_str(), case.expected_deviation.is_some());
    markup! {
        span.badge.(word).known[known] title=(word) {
            (mark(case.result)) " " @if with_word { (word) } @else { span.away { (word) } }
        }
    }
}

/// What came of a case with one subject.
pub(super) fn story(report: &Report, case: &CaseReport, named: bool) -> Markup {
    markup! {
        div.story {
            @if named { h4 { (badge(case, true)) " " (report.subject) } }
            @if case.result != CaseResult::Passed || case.expected_deviation.is_some() {
                dl {
                    @if let Some(expected) = &case.expected { dt { "expected" } dd { code { (expected) } } }
                    @if let Some(got) = &case.got { dt { "got" } dd { code { (got) } } }
                    @if let Some(reason) = &case.expected_deviation { dt { "known deviation" } dd { (reason) } }
                }
            }
            p.again { "again " code { (case.rerun) } " " button.copy type="button" hidden { "Copy" } }
            @if !case.wire.is_empty() {
                details.wires open[case.result != CaseResult::Passed] {
                    summary { "wire, " (case.wire.len()) (if case.wire.len() == 1 { " entry" } else { " entries" }) }
                    ol.wire { @for entry in &case.wire { li { b { (entry.way) } " " code { (entry.what) } } } }
                }
            }
        }
    }
}

/// The clause on the web, or in the page's own copy.
fn clause_link(id: &str, page: Page<'_>) -> String {
    match page.protocol {
        Some(url) => format!("{url}#{}", web_anchor(clause_of(id))),
        None => format!("#P-{}", clause_of(id)),
    }
}

/// The heading of the section, and the first words of the clause: Markdown has no anchor but for headings, and a browser
/// that knows text fragments goes on to the words.
fn web_anchor(clause: &str) -> String {
    let beginning = first_words(clause);
    let words: String = beginning.bytes().fold(String::new(), |mut words, byte| {
        match byte {
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'.' => words.push(char::from(byte)),
            _ => words.push_str(&format!("%{byte:02X}")),
        }
        words
    });
    format!("{}:~:text={words}", heading_anchor(&titled(section_of(clause))))
}

/// As the page shows them: `9.7 [assumption]`.
fn first_words(clause: &str) -> String {
    let first = requirement(clause).split(' ').next().unwrap_or_default();
    format!("{clause} {first}")
}

/// The anchor that renderers of Markdown give a heading.
fn heading_anchor(heading: &str) -> String {
    let kept = heading.to_lowercase().replace(' ', "-");
    kept.chars().filter(|c| c.is_alphanumeric() || *c == '-').collect()
}

/// The clauses of every section that has a case here, so that the page needs no other document.
pub(super) fn clauses(reports: &[Report]) -> Markup {
    let sections = by_section(reports);
    markup! {
        h2 { "Clauses" }
        @for (section, ids) in sections {
            details.list {
                summary { (titled(section)) }
                @for clause in all_clauses().iter().filter(|clause| section_of(&clause.id) == section) {
                    p.clause id={ "P-" (clause.id) } {
                        b { (clause.id) } " " (inline(&clause.text))
                        @for id in ids.iter().filter(|id| clause_of(id) == clause.id) { " " a href={ "#" (id) } { (id) } }
                    }
                }
            }
        }
    }
}

/// Markdown within a line, as far as clauses have it: code and emphasis.
pub(super) fn inline(text: &str) -> Markup {
    markup! {
        @for (index, part) in text.split('`').enumerate() {
            @if index % 2 == 1 { code { (part) } } @else {
                @for (index, part) in part.split('*').enumerate() { @if index % 2 == 1 { em { (part) } } @else { (part) } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_clause_that_is_linked_is_where_the_link_leads() {
        let page = include_str!("../../../../../protocol/PROTOCOL.md");
        let anchors: Vec<String> =
            page.lines().filter_map(|line| line.strip_prefix("## ")).map(heading_anchor).collect();
        let shown = page.replace("**", "");
        for clause in all_clauses() {
            let link = clause_link(&format!("{}/a-case", clause.id), Page { require_all: false, protocol: Some("P") });
            let (anchor, words) = link.strip_prefix("P#").unwrap().split_once(":~:text=").unwrap();
            assert_eq!(anchors.iter().filter(|known| *known == anchor).count(), 1, "{link}");
            assert!(words.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".%".contains(&byte)), "{link}");
            let begins = format!("- {} ", first_words(&clause.id));
            assert_eq!(shown.matches(&begins).count(), 1, "{begins}");
        }
        assert!(anchors.contains(&"9-rules-of-the-main-server".to_owned()), "as GitHub has it: {anchors:?}");
    }
}

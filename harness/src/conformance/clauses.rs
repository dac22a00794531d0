//! The clauses of PROTOCOL.md, read from the page itself: a requirement is never written down twice.

use std::sync::OnceLock;

const PAGE: &str = include_str!("../../../protocol/PROTOCOL.md");

/// A numbered clause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Clause {
    /// `9.7`.
    pub(crate) id: String,
    /// Its text on one line, marks and emphasis included.
    pub(crate) text: String,
}

/// All clauses, in the order of the page.
pub(crate) fn clauses() -> &'static [Clause] {
    static CLAUSES: OnceLock<Vec<Clause>> = OnceLock::new();
    CLAUSES.get_or_init(|| read(PAGE))
}

/// The text of a clause; empty where there is none, which a test of each suite excludes.
pub(crate) fn requirement(clause: &str) -> &'static str {
    clauses().iter().find(|known| known.id == clause).map_or("", |known| &known.text)
}

/// The title of a section: `Rules of the main server` of `9`. Empty where there is none.
pub(crate) fn section_title(section: &str) -> &'static str {
    let titles = PAGE.lines().filter_map(|line| line.strip_prefix("## ")?.split_once(' '));
    titles.into_iter().find(|(number, _)| *number == section).map_or("", |(_, title)| title)
}

/// A clause is a list item that begins with its number in bold, with the lines indented below it.
fn read(page: &str) -> Vec<Clause> {
    let mut clauses: Vec<Clause> = Vec::new();
    let mut open = false;
    for line in page.lines() {
        if let Some((id, text)) = line.strip_prefix("- **").and_then(|rest| rest.split_once("** ")) {
            open = id.split('.').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
            if open {
                clauses.push(Clause { id: id.to_owned(), text: text.to_owned() });
            }
        } else if let (true, Some(text), Some(clause)) = (open, line.strip_prefix("  "), clauses.last_mut()) {
            clause.text.push(' ');
            clause.text.push_str(text.trim());
        } else {
            open = false;
        }
    }
    clauses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_section_of_the_page_has_its_clauses_and_each_number_stands_once() {
        let ids: Vec<&str> = clauses().iter().map(|clause| clause.id.as_str()).collect();
        let sections: std::collections::BTreeSet<&str> = ids.iter().filter_map(|id| id.split('.').next()).collect();
        assert_eq!(sections.len(), 17, "sections 1 to 17 have clauses: {sections:?}");
        let unique: std::collections::BTreeSet<&&str> = ids.iter().collect();
        assert_eq!(unique.len(), ids.len());
        assert!(sections.iter().all(|section| !section_title(section).is_empty()));
        assert!(requirement("9.7").contains("byte for byte"));
        assert!(requirement("11.12").contains("never honoured."), "the lines below belong to it");
    }
}

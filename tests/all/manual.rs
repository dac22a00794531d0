//! The table of the manual page's sentences, `MANUAL.md`: what it names exists, and it names every sentence.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use solme_sync_harness::programs::{LICENSE_SERVER, MOCK_SOLME};
use solme_sync_protocol::Digest;

struct Row {
    number: String,
    sentence: String,
    here: String,
    shown_by: String,
}

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(project().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn rows() -> Vec<Row> {
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [number, sentence, here, shown_by] = cells[..] else { panic!("not four cells: {line}") };
        let [number, sentence, here, shown_by] = [number, sentence, here, shown_by].map(str::to_owned);
        Row { number, sentence, here, shown_by }
    };
    read("MANUAL.md").lines().filter(|line| line.starts_with('|')).skip(2).map(row).collect()
}

/// What stands between backticks.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// Numbers of clauses, as 9.10.
fn clauses(cell: &str) -> BTreeSet<&str> {
    let words = cell.split_whitespace().map(|word| word.trim_end_matches(['.', ',', ';']));
    let number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    words.filter(|word| word.split_once('.').is_some_and(|(a, b)| number(a) && number(b))).collect()
}

/// Whether this source has a test of this name.
fn has_test(source: &str, name: &str) -> bool {
    let function = format!("fn {name}(");
    source.split(&function).next().filter(|before| before.len() < source.len()).is_some_and(|before| {
        let before = before.trim_end();
        before.strip_suffix("async").unwrap_or(before).trim_end().ends_with("test]")
    })
}

#[test]
fn the_rows_are_numbered_without_a_gap() {
    let rows = rows();
    assert!(rows.len() > 30, "{}", rows.len());
    for (index, row) in rows.iter().enumerate() {
        assert_eq!(row.number, (index + 1).to_string(), "{}", row.sentence);
    }
}

#[test]
fn no_sentence_of_the_manual_page_is_missing_or_altered() {
    let sentences: Vec<String> = rows().into_iter().map(|row| row.sentence).collect();
    let text = sentences.join(" ").split_whitespace().collect::<Vec<_>>().join(" ");
    let wanted = Digest::of(&text).to_string();
    let page = read("MANUAL.md");
    let (preface, _) = page.split_once("\n|").unwrap();
    assert!(
        quoted(preface).any(|text| text == wanted),
        "the sentences have the digest {wanted}, and the page another one"
    );
}

#[test]
fn every_sentence_has_a_test_that_exists() {
    for Row { number, sentence, shown_by, .. } in rows() {
        assert!(!shown_by.contains("left out"), "row {number}: {sentence:?} is left out");
        let (mut tests, mut source) = (0, None);
        for name in quoted(&shown_by) {
            if Path::new(name).extension().is_some_and(|extension| extension == "rs") {
                source = Some((name, read(name)));
            } else if name.starts_with("fixtures/scenarios/") {
                assert!(read(name).contains("[[step]]"), "row {number}: {name} is no scenario");
                tests += 1;
            } else {
                let (file, source) = source.as_ref().unwrap_or_else(|| panic!("row {number}: {name} is in no file"));
                assert!(has_test(source, name), "row {number}: {file} has no test {name}");
                tests += 1;
            }
        }
        assert!(tests > 0, "row {number}: no test shows {sentence:?}");
    }
}

#[test]
fn every_clause_exists_and_every_clause_that_the_manual_demands_has_a_row() {
    let protocol = read("protocol/PROTOCOL.md");
    let defined = protocol.lines().filter_map(|line| line.strip_prefix("- **")?.split_once("** ["));
    let (mut all, mut demanded) = (BTreeSet::new(), BTreeSet::new());
    for (clause, kind) in defined {
        all.insert(clause);
        if kind.starts_with("manual]") {
            demanded.insert(clause);
        }
    }
    assert!(demanded.len() > 10, "{demanded:?}");
    let rows = rows();
    for Row { number, here, .. } in &rows {
        let unknown: Vec<_> = clauses(here).into_iter().filter(|clause| !all.contains(clause)).collect();
        assert!(unknown.is_empty(), "row {number}: PROTOCOL.md has no {unknown:?}");
        assert!(here.starts_with("P "), "row {number} begins with its clauses: {here}");
        assert!(!clauses(here).is_empty(), "row {number} has no clause");
    }
    let cited: BTreeSet<&str> = rows.iter().flat_map(|row| clauses(&row.here)).collect();
    let open: Vec<_> = demanded.difference(&cited).collect();
    assert!(open.is_empty(), "[manual] in PROTOCOL.md, and in no row: {open:?}");
}

#[test]
fn every_command_is_one_of_the_programs() {
    let page = read("MANUAL.md");
    let programs = [LICENSE_SERVER, MOCK_SOLME];
    let commands: BTreeSet<&str> =
        quoted(&page).filter(|text| programs.iter().any(|name| text.split(' ').next() == Some(name))).collect();
    for program in programs {
        assert!(commands.iter().filter(|command| command.starts_with(program)).count() > 5, "{program}: {commands:?}");
    }
    for command in commands {
        // A word that is no verb, no flag or no value of its argument is refused before the help is shown.
        let mut program = Command::new(env!("CARGO_BIN_EXE_subject"));
        let shown = program.args(command.split(' ')).arg("--help").stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8_lossy(&shown.stderr);
        assert!(command.contains(' ') && shown.status.success(), "`{command}`: {said}");
    }
}

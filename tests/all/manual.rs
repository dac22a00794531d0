//! MANUAL.md is true: every sentence of the manual page is there, and what is said to show it exists.

use std::path::{Path, PathBuf};
use std::process::Command;

use protocol::Digest;

struct Row {
    number: usize,
    sentence: String,
    here: String,
    shown_by: String,
}

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(project().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn rows(table: &str) -> Vec<Row> {
    let cells = |line: &str| line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let rows = table.lines().map(cells).filter(|cells| cells.len() == 4 && cells[0].parse::<usize>().is_ok());
    rows.map(|mut cells| Row {
        number: cells[0].parse().unwrap(),
        sentence: cells.remove(1),
        here: cells.remove(1),
        shown_by: cells.remove(1),
    })
    .collect()
}

/// What stands between backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

#[test]
fn no_sentence_of_the_manual_page_is_altered_or_missing() {
    let manual = read("MANUAL.md");
    let rows = rows(&manual);
    assert!(rows.len() > 20, "{} rows", rows.len());
    for (n, row) in rows.iter().enumerate() {
        assert_eq!(row.number, n + 1, "{}", row.sentence);
    }
    let sentences: Vec<&str> = rows.iter().map(|row| &*row.sentence).collect();
    let digest = Digest::of(sentences.join(" ")).to_string();
    assert!(manual.contains(&format!("`{digest}`")), "the digest of the sentences is {digest}");
}

#[test]
fn what_shows_a_sentence_exists_and_only_the_managers_window_is_left_out() {
    for Row { number, shown_by, .. } in rows(&read("MANUAL.md")) {
        if shown_by.starts_with("left out:") {
            assert!(shown_by.contains("the Manager's window"), "{number}: {shown_by}");
            continue;
        }
        let (mut file, mut shown) = (String::new(), 0);
        for name in quoted(&shown_by) {
            if name.ends_with(".rs") {
                file = read(name);
            } else if name.ends_with(".toml") {
                assert!(name.starts_with("fixtures/scenarios/") && !read(name).is_empty(), "{number}: {name}");
                shown += 1;
            } else {
                assert!(file.contains(&format!("fn {name}(")), "{number}: there is no test {name}");
                shown += 1;
            }
        }
        assert!(shown > 0, "{number}: nothing shows it");
    }
}

#[test]
fn the_clauses_and_commands_of_the_table_exist() {
    let protocol = read("protocol/PROTOCOL.md");
    let help = |program: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_subject")).args([program, "--help"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let programs = ["license-server", "mock-solme"].map(|program| (program, help(program)));
    for Row { number, here, .. } in rows(&read("MANUAL.md")) {
        for command in quoted(&here) {
            let Some((program, verb)) = command.split_once(' ') else { continue };
            let (_, help) =
                programs.iter().find(|(name, _)| *name == program).unwrap_or_else(|| panic!("{number}: {command}"));
            assert!(help.contains(&format!("\n  {verb} ")), "{number}: {program} has no verb {verb}");
        }
        let clauses = here.split_once("P ").map_or("", |(_, clauses)| clauses.trim_end_matches('.'));
        for clause in clauses.split(", ").filter(|clause| clause.starts_with(|c: char| c.is_ascii_digit())) {
            assert!(protocol.contains(&format!("- **{clause}** ")), "{number}: there is no clause {clause}");
        }
    }
}

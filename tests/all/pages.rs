//! What packages ship beside the three programs.

use std::process::{Command, Output};

/// `subject` is all three.
fn program(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_subject"));
    // They need neither a state nor a home.
    command.args(words).env_remove("HOME").env_remove("XDG_STATE_HOME").output().unwrap()
}

fn programs() -> [(&'static str, &'static [&'static str]); 3] {
    [("license-server", &["license-server"]), ("mock-solme", &["mock-solme"]), ("harness", &[])]
}

#[test]
fn each_program_writes_its_completions_for_each_shell() {
    for (name, words) in programs() {
        for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
            let written = program(&[words, &["completions", shell]].concat());
            assert_eq!(written.status.code(), Some(0), "{name} {shell}");
            let script = String::from_utf8(written.stdout).unwrap();
            assert!(script.contains(name) && script.contains("man-pages"), "{name} {shell}: {script:.200}");
        }
    }
}

#[test]
fn each_program_writes_a_man_page_for_itself_and_each_command() {
    for (name, words) in programs() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().to_str().unwrap();
        let written = program(&[words, &["man-pages", path]].concat());
        assert_eq!(written.status.code(), Some(0), "{}", String::from_utf8_lossy(&written.stderr));
        let pages: Vec<String> =
            std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        assert!(pages.contains(&format!("{name}.1")) && pages.contains(&format!("{name}-man-pages.1")), "{pages:?}");
        let page = std::fs::read_to_string(directory.path().join(format!("{name}.1"))).unwrap();
        assert!(page.contains(".SH NAME") && page.contains(".SH SYNOPSIS"), "{page:.300}");
    }
}

/// The exit codes of a program, as its help has them: code and meaning, one after another.
fn exit_codes_of(words: &[&str]) -> String {
    let help = String::from_utf8(program(&[words, &["--help"]].concat()).stdout).unwrap();
    let from = help.find("Exit codes:").unwrap_or_else(|| panic!("{words:?} has no exit codes: {help}"));
    let paragraph = help[from..].split("\n\n").next().unwrap().trim_start_matches("Exit codes:");
    paragraph.replace([',', '.', '\n'], " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_exit_codes_of_all_three_programs_are_those_of_one_table() {
    let page = include_str!("../../ARCHITECTURE.md");
    let table = page.split("## Exit codes\n\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let rows: Vec<Vec<&str>> =
        table.lines().map(|row| row.trim_matches('|').split('|').map(str::trim).collect()).collect();
    for (name, words) in programs() {
        let column = rows[0].iter().position(|title| *title == format!("`{name}`")).unwrap();
        let its = rows[2..].iter().filter(|row| !row[column].is_empty());
        let wanted = its.map(|row| format!("{} {}", row[0], row[column]).replace(',', "")).collect::<Vec<_>>();
        assert_eq!(exit_codes_of(words), wanted.join(" "), "{name}");
    }
}

#[test]
fn a_directory_that_is_not_there_is_named_with_the_next_step() {
    for (name, words) in programs() {
        let failed = program(&[words, &["man-pages", "/nowhere/at/all"]].concat());
        assert_ne!(failed.status.code(), Some(0), "{name}");
        let said = String::from_utf8(failed.stderr).unwrap();
        assert!(said.contains("/nowhere/at/all") && said.contains("directory that exists"), "{name}: {said}");
    }
}

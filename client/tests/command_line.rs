//! The program as a process: what it prints where nobody reads, what it is called with, and what it finds on a full disk.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_license-server");
const TRUST: &str = include_str!("../../fixtures/golden/trust.json");

/// A directory of one test: the files of one License Server, which reaches nothing.
struct Local(TempDir);

impl Local {
    fn new() -> Self {
        let local = Self(tempfile::tempdir().unwrap());
        let mut trust: Value = serde_json::from_str(TRUST).unwrap();
        (trust["https"], trust["http"]) = ("https://127.0.0.1:1".into(), "http://127.0.0.1:1".into());
        std::fs::write(local.path().join("trust.json"), trust.to_string()).unwrap();
        local
    }

    fn set_up() -> Self {
        let local = Self::new();
        let init = local.run(&["init", "--id", "DEMO-4711", "--trust", "trust.json"]);
        assert!(init.status.success(), "{init:?}");
        local
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Without settings of whoever runs the test.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.path()).env_clear().env("HOME", self.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, words: &[&str]) -> Output {
        self.command(PROGRAM).args(words).output().unwrap()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_reader_that_has_gone_away_is_no_reason_to_fail() {
    let local = Local::set_up();
    for (words, code) in [
        (&["status"][..], 0),
        (&["status", "--json"], 0),
        (&["history"], 0),
        (&["config"], 0),
        (&["--help"], 0),
        (&["synchronize", "--help"], 0),
        (&["--version"], 0),
        (&["completions", "bash"], 0),
        (&["may-issue"], 14),
        (&["doctor"], 11),
        (&["nonsense"], 2),
        (&["nonsense", "--json"], 2),
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = local.command(PROGRAM).args(words).stdout(writer).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{words:?}: {output:?}");
        assert!(code == 2 || output.stderr.is_empty(), "{words:?}: {output:?}");

        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = local.command(PROGRAM).args(words).stdout(writer.try_clone().unwrap()).stderr(writer).status();
        assert_eq!(output.unwrap().code(), Some(code), "{words:?}");
    }
}

#[test]
fn an_argument_that_acts_on_a_terminal_is_shown_and_does_not_act() {
    let local = Local::new();
    let hostile = "\u{1b}[2J\u{9b}31m\u{7}\u{202e}\u{2066}\u{200b}evil";
    for words in [
        vec![hostile],
        vec!["status", hostile],
        vec!["may-issue", hostile],
        vec!["init", "--id", hostile, "--trust", "trust.json"],
        vec!["init", "--id", "DEMO-4711", "--trust", hostile],
        vec!["automatic-synchronization", hostile],
        vec!["synchronize", "--connect-limit", hostile],
        vec!["synchronize", "--proxy", hostile],
        vec!["completions", hostile],
        vec!["man-pages", hostile],
        vec!["status", "--state", hostile],
        vec!["status", "--config", hostile],
        vec!["status", "--clock-offset", hostile],
        vec!["completions", "bash", "--state", hostile],
    ] {
        for json in [false, true] {
            let mut words = words.clone();
            words.extend(json.then_some("--json"));
            let output = local.run(&words);
            assert!(!output.status.success(), "{words:?}");
            let said = text(&output.stdout) + &text(&output.stderr);
            let acts = |c: &char| (c.is_control() && *c != '\n') || ('\u{200b}'..='\u{206f}').contains(c);
            assert_eq!(said.chars().find(acts), None, "{words:?}: {said:?}");
        }
    }
}

#[test]
fn a_verb_has_no_flags_that_it_has_no_use_for() {
    let local = Local::new();
    for (verb, argument, flags) in [
        ("completions", Some("bash"), &["--state x", "--config x", "--json", "--clock-offset 1d"][..]),
        ("man-pages", Some("."), &["--state x", "--config x", "--clock-offset 1d"]),
        ("config", None, &["--clock-offset 1d"]),
    ] {
        let help = text(&local.run(&[verb, "--help"]).stdout);
        for flag in flags {
            let name = flag.split(' ').next().unwrap();
            assert!(!help.contains(name), "{verb}: {help}");
            let flag = || flag.split(' ');
            for words in [
                [verb].into_iter().chain(argument).chain(flag()).collect::<Vec<_>>(),
                flag().chain([verb]).chain(argument).collect(),
            ] {
                let output = local.run(&words);
                assert_eq!(output.status.code(), Some(2), "{words:?}: {output:?}");
                let said = text(&output.stdout) + &text(&output.stderr);
                assert!(said.contains(verb) && said.contains(name), "{words:?}: {said}");
            }
        }
        assert!(local.run(&[verb].into_iter().chain(argument).collect::<Vec<_>>()).status.success(), "{verb}");
    }
    assert!(text(&local.run(&["config", "--help"]).stdout).contains("--state"));
    let script = text(&local.run(&["completions", "bash"]).stdout);
    assert!(script.contains("--clock-offset"), "{script}");
}

#[test]
fn doctor_finds_that_nothing_more_can_be_written() {
    let local = Local::set_up();
    // A limit on files is like a full disk, and needs no privileges.
    let script = format!("trap '' XFSZ; ulimit -f 200; exec {PROGRAM} doctor --json");
    let output = local.command("sh").args(["-c", &script]).output().unwrap();
    let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    assert_eq!((&said["code"], output.status.code()), (&Value::from("state-no-room"), Some(13)), "{said}");
    assert_eq!((&said["checks"][0]["name"], &said["checks"][0]["ok"]), (&"state".into(), &false.into()));
    let state = local.path().join(".local/state/license-server");
    assert!(state.join("state.sqlite").exists() && !state.join("room.tmp").exists(), "what it tried is gone");
}

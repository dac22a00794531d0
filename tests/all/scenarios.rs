//! Every shipped scenario, played by the harness.

use std::path::Path;
use std::process::Stdio;

use crate::stage::{Stage, done, refused, synchronize, synchronized};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

#[tokio::test]
async fn every_shipped_scenario_comes_as_expected() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/scenarios");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    assert!(files.len() >= 12, "{files:?}");
    for file in files {
        let told = Command::new(env!("CARGO_BIN_EXE_subject")).arg("scenario").arg(&file).output().await.unwrap();
        assert!(told.status.success(), "{}: {}", file.display(), String::from_utf8_lossy(&told.stderr));
        let output = play(&file).await;
        let told = String::from_utf8(output.stdout).unwrap();
        let steps: Vec<serde_json::Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(output.status.success(), "{}:\n{told}{}", file.display(), String::from_utf8_lossy(&output.stderr));
        assert!(steps.len() >= 3 && steps.iter().all(|step| step["ok"] == true), "{}: {told}", file.display());
    }
}

/// Every action once, and two customers.
const EVERY_ACTION: &str = r#"
title = "Every action"
about = "Each action is told once."

[[customer]]
id = "SITE-1"
contacts = ["it@customer.example"]

[[customer]]
id = "SITE-2"
contacts = ["it@other.example"]
servers = ["other"]
"#;

/// `do`, and what else stands in the step.
const STEPS: &[(&str, &str)] = &[
    ("add-license", "license = \"l\"\nusers = 3"),
    ("add-license", "license = \"m\"\nid = \"SITE-2\""),
    ("synchronize", "server = \"a\""),
    ("synchronize", "server = \"other\"\nexpect = { added = 1, license_server_id = \"SITE-2\" }"),
    ("journal", "expect = { list = 4, clause = \"13.4\", license_server_id = \"SITE-2\" }"),
    ("journal", "id = \"SITE-1\"\nexpect = { list = 2, license_server_id = \"SITE-1\" }"),
    ("status", "server = \"a\""),
    ("may-issue", "server = \"a\"\nlicense = \"l\""),
    ("back-up", "server = \"a\""),
    ("export-request", "server = \"a\""),
    ("process-request", "server = \"a\""),
    ("import-response", "server = \"a\"\ndry_run = true"),
    ("import-response", "server = \"a\""),
    ("copy", "server = \"a\"\nto = \"b\""),
    ("restore", "server = \"a\""),
    ("set-clock", "server = \"a\"\ndays = -2"),
    ("new-key-pair", "server = \"a\""),
    ("request-clear", "server = \"a\""),
    ("mail", "from = \"it@other.example\"\nsubject = \"Please clear the key pair of SITE-2\""),
    ("clear-requests", "expect = { list = 2 }"),
    ("approve", "even_so = true\nreserve = true\nreason = \"called back\""),
    ("reject", "reason = \"nobody asked for it\""),
    ("outbox", ""),
    ("show-id", "id = \"SITE-2\""),
    ("show-key-pair", ""),
    ("change-license", "license = \"l\"\nusers = 4"),
    ("remove-license", "license = \"m\""),
    ("disable", ""),
    ("enable", ""),
    ("reinstall", "server = \"a\""),
    ("arm", "quirk = \"drop-reply\"\nnext = 1"),
    ("disarm", ""),
    ("days-pass", "days = 1"),
    ("clear-key-pair", "id = \"SITE-2\"\neven_so = true\nreason = \"by telephone\""),
];

#[tokio::test]
async fn every_action_answers_what_the_page_for_authors_says() {
    let mut scenario = EVERY_ACTION.to_owned();
    for (number, (action, rest)) in STEPS.iter().enumerate() {
        scenario += &format!("[[step]]\ntell = \"{number}\"\ndo = \"{action}\"\n{rest}\n");
    }
    let output = play_text(&scenario, &["--json"]).await;
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    let page = include_str!("../../fixtures/scenarios/README.md");
    let steps: Vec<serde_json::Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut seen = 0;
    for row in page.lines().filter(|line| line.starts_with("| `") && line.matches(" | ").count() == 4) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let action = cells[0].trim_matches('`');
        let step = steps.iter().find(|step| step["action"] == action);
        let step = step.unwrap_or_else(|| panic!("{action} was not played"));
        for member in cells[4].split(", ").map(|member| member.trim_matches('`')).filter(|member| !member.is_empty()) {
            let answer = &step["answer"];
            let there = match member {
                "list" => answer.is_array() || answer.get("list").is_some(),
                "added" | "removed" | "changed" => answer["changes"].get(member).is_some(),
                _ => answer.get(member).is_some(),
            };
            assert!(there, "{action} answers no {member}: {answer}");
        }
        seen += 1;
    }
    assert!(seen >= 30, "{seen} actions");
}

#[tokio::test]
async fn a_story_is_written_as_a_page_and_for_a_ci() {
    let dir = tempfile::tempdir().unwrap();
    let (html, junit) = (dir.path().join("story.html"), dir.path().join("story.xml"));
    let scenario = "title = \"A <b>title</b>\"\nabout = \"\"\"\ntwo\nlines\"\"\"\n[[step]]\ntell = \"Nobody has set it up\"\n\
                    do = \"synchronize\"\nserver = \"s\"\ndecode = true\n";
    let reports = ["--html", html.to_str().unwrap(), "--junit", junit.to_str().unwrap()];
    let output = play_text(scenario, &reports).await;
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    for part in ["P 9.10", "receipt 1, key 1", "high_water_mark", "✓"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let html = std::fs::read_to_string(html).unwrap();
    assert!(
        html.contains("two lines")
            && html.contains("A &lt;b&gt;title")
            && html.contains("sealing_jwk")
            && !html.contains("<b>title"),
        "{html}"
    );
    let junit = std::fs::read_to_string(junit).unwrap();
    assert!(junit.contains("1. Nobody has set it up") && junit.contains("failures=\"0\""), "{junit}");
}

#[tokio::test]
async fn a_report_on_standard_output_has_it_for_itself() {
    let scenario = "title = \"t\"\nabout = \"a\"\n[[step]]\ntell = \"x\"\ndo = \"status\"\nserver = \"s\"\n";
    let output = play_text(scenario, &["--junit", "-"]).await;
    let junit = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && junit.starts_with("<?xml") && junit.trim_end().ends_with('>'), "{junit}");
    let output = play_text(scenario, &["--junit", "-", "--json"]).await;
    let says = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && says.contains("only one"), "{says}");
}

#[tokio::test]
async fn what_is_kept_of_one_story_is_not_mixed_with_another() {
    let dir = tempfile::tempdir().unwrap();
    let kept = dir.path().join("kept");
    let keep = || Command::new(env!("CARGO_BIN_EXE_subject")).args(["demo", "--json", "--keep"]).arg(&kept).output();
    assert!(keep().await.unwrap().status.success());
    assert!(kept.join("main-server").is_dir() && kept.join("server-a").is_dir());
    let again = keep().await.unwrap();
    let says: serde_json::Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!((again.status.code(), &says["code"]), (Some(2), &"directory-not-empty".into()), "{says}");
}

#[tokio::test]
async fn a_scenario_that_does_not_come_as_expected_fails() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("wrong.toml");
    let wrong = "title = \"t\"\nabout = \"a\"\n[[step]]\ntell = \"x\"\ndo = \"synchronize\"\nserver = \"s\"\n\
                 expect = { outcome = \"refused\" }\n";
    std::fs::write(&file, wrong).unwrap();
    let output = play(&file).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("\"ok\":false"));
    std::fs::write(&file, "title = 1").unwrap();
    let output = play(&file).await;
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stdout).contains("is not a scenario"), "{output:?}");
}

#[tokio::test]
async fn what_a_simulator_has_seen_is_a_scenario_that_plays_again() {
    let stage = Stage::begin().await;
    stage.admin(["ids", "add", "SITE-1", "--contact", "it@customer.example"]).await;
    stage.admin(["licenses", "add", "SITE-1", "--component", "Base=7"]).await;
    let (a, b) = (stage.set_up("a", "SITE-1").await, stage.set_up("b", "SITE-1").await);
    assert_eq!(synchronize(&a).await, synchronized());
    assert_eq!(synchronize(&b).await, refused("key-pair-in-use"));
    stage.admin(["quirks", "arm", "drop-reply", "--next", "1"]).await;
    assert_eq!(synchronize(&a).await.0, "failed");
    stage.admin(["clock", "advance", "30d"]).await;
    assert_eq!(synchronize(&a).await, synchronized());
    let smtp = stage.main_server.ready("smtp").unwrap();
    done(&b, ["request-clear", "--smtp", smtp, "--from", "it@customer.example"]).await;
    stage.admin(["clear-requests", "approve", "1", "--even-so", "--reason", "the customer was called back"]).await;
    assert_eq!(synchronize(&b).await, synchronized());
    assert_eq!(synchronize(&a).await, refused("key-pair-cleared"));
    let [request, response] = ["b.request", "b.response"].map(|name| stage.path(name).display().to_string());
    done(&b, ["export-request", &request]).await;
    stage.admin(["process-request", &request, "--out", &response]).await;
    done(&b, ["import-response", &response]).await;
    stage.admin(["ids", "disable", "SITE-1"]).await;
    assert_eq!(synchronize(&b).await, refused("license-server-id-disabled"));
    stage.admin(["ids", "enable", "SITE-1"]).await;

    let file = stage.path("seen.toml");
    stage.admin(["journal", "--scenario", file.to_str().unwrap()]).await;
    let written = std::fs::read_to_string(&file).unwrap();
    let output = play(&file).await;
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{written}\n{told}{}", String::from_utf8_lossy(&output.stderr));
    let steps = told.lines().map(|line| {
        let step: serde_json::Value = serde_json::from_str(line).unwrap();
        ["actor", "got"].map(|member| step[member].as_str().unwrap().to_owned()).join(": ")
    });
    let expected = [
        "server-1: outcome synchronized",
        "server-2: outcome refused, code key-pair-in-use",
        "server-1: outcome failed",
        "server-1: outcome synchronized",
        "server-2: done",
        "licensing desk: state approved",
        "server-2: outcome synchronized",
        "server-1: outcome refused, code key-pair-cleared",
        "server-2: done",
        "server-2: outcome accepted",
        "server-2: outcome synchronized",
        "main server: done",
        "server-2: outcome refused, code license-server-id-disabled",
        "main server: done",
    ];
    assert_eq!(steps.collect::<Vec<_>>(), expected, "{written}");
    assert!(written.contains("users = 7") && written.contains("days = 30"), "{written}");
    assert!(written.contains("the customer was called back") && !written.contains("is not told"), "{written}");
}

async fn play(file: &Path) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_subject")).arg("scenario").arg(file).arg("--json").output().await.unwrap()
}

/// Plays what comes from standard input.
async fn play_text(scenario: &str, args: &[&str]) -> std::process::Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_subject"));
    command.args(["scenario", "-"]).args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut playing = command.spawn().unwrap();
    playing.stdin.take().unwrap().write_all(scenario.as_bytes()).await.unwrap();
    playing.wait_with_output().await.unwrap()
}

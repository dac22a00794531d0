//! Synchronization via file, over real files.

use std::fs;

use solme_sync_harness::programs::LicenseServer;

use crate::stage::{Stage, done, may_issue, refused, synchronize, synchronized};

/// Exports a request into a file of this name.
async fn export(stage: &Stage, server: &LicenseServer, name: &str) -> String {
    let file = stage.path(&format!("{name}.request")).to_str().unwrap().to_owned();
    done(server, ["export-request", &file]).await;
    file
}

/// Lets the main server process a request file; gives the response file.
async fn process(stage: &Stage, request: &str) -> String {
    let response = format!("{request}.response");
    stage.admin(["process-request", request, "--out", &response]).await;
    response
}

/// Outcome, code and exit code of an import.
async fn import(server: &LicenseServer, file: &str) -> (String, String, i32) {
    let answer = server.run(["import-response", file]).await.unwrap();
    assert!(answer.exit == 0 || !answer.text("cure").is_empty(), "{answer:?}");
    (answer.text("outcome"), answer.text("code"), answer.exit)
}

fn failed(code: &str) -> (String, String, i32) {
    ("failed".to_owned(), code.to_owned(), 12)
}

#[tokio::test]
async fn a_server_that_never_had_a_network_synchronizes_by_file() {
    let stage = Stage::begin().await;
    stage.allocate("SITE-1").await;
    let server = stage.set_up("server", "SITE-1").await;
    let request = export(&stage, &server, "request").await;
    assert_eq!(may_issue(&server).await, Err("unsynchronized".to_owned()));
    let response = process(&stage, &request).await;
    assert_eq!(import(&server, &response).await, synchronized());
    assert_eq!(may_issue(&server).await, Ok(()));
}

#[tokio::test]
async fn the_whole_key_pair_story_runs_by_file_alone() {
    let stage = Stage::begin().await;
    stage.allocate("SITE-1").await;
    let first = stage.set_up("first", "SITE-1").await;
    let request = export(&stage, &first, "first").await;
    assert_eq!(import(&first, &process(&stage, &request).await).await, synchronized());

    let thief = stage.set_up("thief", "SITE-1").await;
    let request = export(&stage, &thief, "thief").await;
    assert_eq!(import(&thief, &process(&stage, &request).await).await, refused("key-pair-in-use"));

    stage.admin(["key-pair", "clear", "SITE-1", "--even-so", "--reason", "asked by the customer"]).await;
    let request = export(&stage, &first, "after the clear").await;
    assert_eq!(import(&first, &process(&stage, &request).await).await, refused("key-pair-cleared"));
    assert_eq!(may_issue(&first).await, Err("cleared".to_owned()));

    done(&first, ["new-key-pair", "--yes"]).await;
    let request = export(&stage, &first, "with a new key pair").await;
    assert_eq!(import(&first, &process(&stage, &request).await).await, synchronized());
    assert_eq!(done(&first, ["status"]).await.json["key_generation"], 2);
    assert_eq!(may_issue(&first).await, Ok(()));
}

#[tokio::test]
async fn there_is_one_outstanding_request_whatever_carries_it() {
    let stage = Stage::begin().await;
    stage.allocate("SITE-1").await;
    let server = stage.set_up("server", "SITE-1").await;
    let request = export(&stage, &server, "once").await;
    let again = export(&stage, &server, "twice").await;
    assert_eq!(fs::read(&request).unwrap(), fs::read(&again).unwrap(), "exporting twice gives the same request");

    let late = process(&stage, &request).await;
    assert_eq!(synchronize(&server).await, synchronized(), "the exported request is sent, and one more (P 12.5)");
    let status = done(&server, ["status"]).await;
    assert_eq!(status.json["sequence"], 2);
    assert_eq!(import(&server, &late).await, failed("response-older"));
    assert_eq!(done(&server, ["status"]).await.json["sequence"], 2);
    assert_eq!(may_issue(&server).await, Ok(()));
}

#[tokio::test]
async fn importing_twice_is_a_success_and_a_dry_run_stores_nothing() {
    let stage = Stage::begin().await;
    let number = stage.allocate("SITE-1").await;
    let server = stage.set_up("server", "SITE-1").await;
    let request = export(&stage, &server, "request").await;
    let response = process(&stage, &request).await;

    let dry = done(&server, ["import-response", &response, "--dry-run"]).await;
    assert_eq!(dry.json["changes"]["added"][0], number.as_str(), "{dry:?}");
    assert_eq!(done(&server, ["status"]).await.text("state"), "unsynchronized");
    assert_eq!(may_issue(&server).await, Err("unsynchronized".to_owned()));

    assert_eq!(import(&server, &response).await.0, "synchronized");
    let status = done(&server, ["status"]).await.json;
    let (outcome, _, exit) = import(&server, &response).await;
    assert_eq!((outcome.as_str(), exit), ("synchronized", 0), "applied before: a success");
    let again = done(&server, ["status"]).await.json;
    for member in ["sequence", "synchronize_by", "licenses", "last_synchronized_at", "state"] {
        assert_eq!(status[member], again[member], "{member}");
    }
}

#[tokio::test]
async fn each_wrong_file_has_its_own_message_and_changes_nothing() {
    let stage = Stage::begin().await;
    stage.allocate("SITE-1").await;
    stage.allocate("SITE-2").await;
    let server = stage.set_up("server", "SITE-1").await;
    let other_site = stage.set_up("other", "SITE-2").await;
    let request = export(&stage, &server, "request").await;
    let response = process(&stage, &request).await;
    let text = fs::read_to_string(&response).unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = stage.path(name);
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };

    let other_request = export(&stage, &other_site, "request of SITE-2").await;
    let of_other_site = process(&stage, &other_request).await;
    let elsewhere = Stage::begin().await;
    elsewhere.allocate("SITE-1").await;
    let of_another_main_server = {
        let stranger = elsewhere.set_up("stranger", "SITE-1").await;
        let request = export(&elsewhere, &stranger, "request").await;
        process(&elsewhere, &request).await
    };
    let (head, payload) = text.split_at(text.find("\"payload\"").unwrap());
    let first_piece = payload.lines().nth(1).unwrap().trim().to_owned();
    let changed: String = first_piece.chars().rev().collect();
    let damaged = format!(
        "{head}{}",
        payload.replacen(first_piece.trim_matches(&['"', ','][..]), changed.trim_matches(&['"', ','][..]), 1)
    );

    let cases = [
        (write("truncated", &text.as_bytes()[..text.len() / 2]), "file-truncated"),
        (write("damaged", damaged.as_bytes()), "file-damaged"),
        (write("no json", b"Dear customer, the file is attached."), "not-a-response-file"),
        (write("empty", b""), "not-a-response-file"),
        (write("version 9", text.replacen("\"version\": 1", "\"version\": 9", 1).as_bytes()), "file-version"),
        (request.clone(), "request-file-instead"),
        (of_other_site, "other-license-server-id"),
        (of_another_main_server, "other-main-server"),
        (stage.path("no such file").to_str().unwrap().to_owned(), "file-unreadable"),
    ];
    for (file, code) in cases {
        assert_eq!(import(&server, &file).await, failed(code), "{file}");
        assert_eq!(done(&server, ["status"]).await.text("state"), "unsynchronized", "{file}");
    }
    assert_eq!(import(&server, &response).await, synchronized(), "after all that, the right file still works");

    done(&server, ["new-key-pair", "--yes"]).await;
    assert_eq!(import(&server, &response).await, failed("other-key-pair"));
}

#[tokio::test]
async fn a_response_survives_what_mail_does_to_it() {
    let stage = Stage::begin().await;
    stage.allocate("SITE-1").await;
    let server = stage.set_up("server", "SITE-1").await;
    let request = export(&stage, &server, "request").await;
    let mailed = |text: &str| {
        let quoted = text.replace('\n', "\r\n");
        format!("\u{feff}Dear Solme,\r\n\r\nplease process this.\r\n\r\n{quoted}\r\n-- \r\nIT department\r\n")
    };
    fs::write(&request, mailed(&fs::read_to_string(&request).unwrap())).unwrap();
    let response = process(&stage, &request).await;
    fs::write(&response, mailed(&fs::read_to_string(&response).unwrap())).unwrap();
    assert_eq!(import(&server, &response).await, synchronized());
}

#[tokio::test]
async fn files_say_what_they_are_for_which_id_and_what_to_do_with_them() {
    let stage = Stage::begin().await;
    stage.allocate("SITE-1").await;
    let server = stage.set_up("server", "SITE-1").await;
    let request = export(&stage, &server, "request").await;
    let response = process(&stage, &request).await;
    for file in [request, response] {
        let text = fs::read_to_string(&file).unwrap();
        let head: String = text.lines().take_while(|line| !line.contains("\"message\"")).collect();
        assert!(head.contains("SITE-1"), "{text}");
        assert!(text.lines().all(|line| line.len() <= 100), "no line is too long for mail: {text}");
    }
}

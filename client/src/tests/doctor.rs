//! The diagnosis: what it finds, and that it changes nothing.

use serde_json::{Value, json};
use solme_sync_protocol::RefusalCode;

use super::Environment;
use super::environment::Answer;
use crate::output::Exit;
use crate::tests::world::{MAIN_TIME, http};

const NAMES: [&str; 11] = [
    "state",
    "key-pair",
    "clock",
    "name-lookup",
    "proxy",
    "port-443",
    "tls",
    "port-8080",
    "main-server",
    "last-answer",
    "deadline",
];

/// Name and code of each check that is not well.
fn not_well(answer: &Answer) -> Vec<(String, String)> {
    let checks = answer.json["checks"].as_array().unwrap();
    let names: Vec<&str> = checks.iter().map(|check| check["name"].as_str().unwrap()).collect();
    assert_eq!(names, NAMES);
    let not_ok = checks.iter().filter(|check| check["ok"] == false);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    not_ok
        .inspect(|check| assert!(text(&check["cure"]).ends_with('.'), "{check}"))
        .map(|check| (text(&check["name"]), text(&check["code"])))
        .collect()
}

fn one(name: &str, code: &str) -> Vec<(String, String)> {
    vec![(name.to_owned(), code.to_owned())]
}

#[test]
fn nothing_is_in_the_way_of_a_server_that_synchronizes() {
    let local = Environment::synchronized();
    let answer = local.run("doctor");
    assert_eq!((answer.exit, answer.code()), (Exit::Done, "all-well"), "{answer:?}");
    assert_eq!(not_well(&answer), []);
    let message = |name: &str| {
        let checks = answer.json["checks"].as_array().unwrap();
        checks.iter().find(|check| check["name"] == name).unwrap()["message"].as_str().unwrap().to_owned()
    };
    assert!(message("tls").contains("CN=Solme") && message("deadline").starts_with("366 days left"), "{answer:?}");
}

#[test]
fn it_changes_nothing_and_never_synchronizes() {
    let local = Environment::synchronized();
    local.days_pass(1);
    let files = || {
        let mut files: Vec<_> = std::fs::read_dir(local.state()).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.retain(|file| file.file_name().is_some_and(|name| !name.to_string_lossy().contains("lock")));
        files.sort();
        files.into_iter().map(|file| (file.clone(), std::fs::read(&file).unwrap())).collect::<Vec<_>>()
    };
    let before = files();
    local.run("doctor");
    assert!(files() == before, "the state is another one");
    assert_eq!(local.main().requests.len(), 1);
}

#[test]
fn a_state_that_is_not_there_leaves_nothing_else_to_check() {
    let local = Environment::empty();
    let answer = local.run("doctor");
    assert_eq!((answer.exit, answer.code()), (Exit::LocalState, "not-initialized"));
    let found = not_well(&answer);
    assert_eq!(found.len(), NAMES.len());
    assert!(found[1..].iter().all(|(_, code)| code == "not-checked"), "{found:?}");
}

#[test]
fn a_lost_key_a_tampered_state_and_a_cleared_key_pair_are_different_findings() {
    let local = Environment::synchronized();
    std::fs::remove_file(local.state().join("signing-key.pem")).unwrap();
    let answer = local.run("doctor");
    assert_eq!((answer.exit, answer.code()), (Exit::LocalState, "key-file-missing"));
    let found = not_well(&answer);
    assert_eq!(found.len(), 3, "state and deadline cannot be told without it; the network can: {answer:?}");
    assert!(found.contains(&("key-pair".to_owned(), "key-file-missing".to_owned())), "{found:?}");
    assert!(found.contains(&("state".to_owned(), "not-checked".to_owned())), "{found:?}");

    let local = Environment::synchronized();
    local.edit_database("UPDATE applied SET allocation = x'00'");
    let answer = local.run("doctor");
    assert_eq!((answer.exit, &*not_well(&answer)[0].1), (Exit::LocalState, "tampered"));

    let local = Environment::synchronized();
    local.main().refuse = Some(RefusalCode::KeyPairCleared);
    local.run("synchronize");
    let answer = local.run("doctor");
    assert_eq!((answer.exit, answer.code()), (Exit::LocalState, "cleared"));
    assert!(answer.json["cure"].as_str().unwrap().contains("new-key-pair"), "{answer:?}");
}

#[test]
fn what_the_main_server_said_last_is_told_with_its_cure() {
    let local = Environment::new();
    local.main().refuse = Some(RefusalCode::KeyPairInUse);
    local.run("synchronize");
    let answer = local.run("doctor");
    assert_eq!((answer.exit, answer.code()), (Exit::Refused, "key-pair-in-use"));
    assert!(answer.json["cure"].as_str().unwrap().contains("licensing@solme.se"), "{answer:?}");
    assert_eq!(not_well(&answer)[1], ("deadline".to_owned(), "unsynchronized".to_owned()));
    // A failure since is no answer.
    local.main().answer = Some(Ok(http(503, "text/plain", "later")));
    local.run("synchronize");
    local.main().answer = None;
    assert_eq!(local.run("doctor").code(), "key-pair-in-use");
}

#[test]
fn a_clock_that_is_wrong_is_told_against_the_main_servers() {
    let local = Environment::synchronized();
    for (offset, word) in [(3_600, "1 h 0 min fast"), (-3_600, "1 h 0 min slow")] {
        *local.clock.borrow_mut() = MAIN_TIME.offset(offset);
        let answer = local.run("doctor");
        assert_eq!((answer.exit, not_well(&answer)), (Exit::LocalState, one("clock", "local-clock-wrong")));
        assert!(answer.json["message"].as_str().unwrap().contains(word), "{answer:?}");
    }
    *local.clock.borrow_mut() = MAIN_TIME.offset(-3 * 86_400);
    assert_eq!(local.run("doctor").code(), "local-clock-wrong");
    *local.clock.borrow_mut() = MAIN_TIME;
    assert_eq!(local.run("doctor").exit, Exit::Done);
}

#[test]
fn an_overdue_server_is_told_so() {
    let local = Environment::synchronized();
    local.days_pass(366);
    let answer = local.run("doctor");
    assert_eq!((answer.exit, not_well(&answer)), (Exit::MayNotIssue, one("deadline", "overdue")));
}

#[test]
fn a_main_server_that_does_not_tell_how_it_is_is_one_all_the_same() {
    let local = Environment::synchronized();
    local.main().answer = Some(Ok(http(404, "application/problem+json", "{}")));
    let answer = local.run("doctor");
    assert_eq!((answer.exit, not_well(&answer)), (Exit::Done, vec![]), "{answer:?}");
    for (status, content_type, body) in [
        (200, "text/html", "<h1>Log in</h1>"),
        (404, "text/html", "<h1>Not found</h1>"),
        (200, "application/json", "{}"),
        (200, "application/json", r#"{"main_server_id":"another","main_server_time":0}"#),
    ] {
        local.main().answer = Some(Ok(http(status, content_type, body)));
        let answer = local.run("doctor");
        assert_eq!((answer.exit, answer.code()), (Exit::NotReached, "not-the-main-server"), "{body}");
        assert_eq!(not_well(&answer)[1].0, "main-server", "{answer:?}");
        assert_eq!(not_well(&answer)[0], ("clock".to_owned(), "not-checked".to_owned()), "{answer:?}");
    }
}

#[test]
fn synchronize_names_the_check_of_its_failure() {
    let local = Environment::synchronized();
    local.main().answer = Some(Ok(http(200, "text/html", "<h1>Log in</h1>")));
    let failed = local.run("synchronize");
    assert_eq!((&failed.json["check"], failed.code()), (&json!("main-server"), "not-the-main-server"));
    assert!(failed.json["notes"].to_string().contains("`license-server doctor`"), "{failed:?}");
    local.main().answer = None;
    assert_eq!(local.run("synchronize").json["check"], Value::Null);
}

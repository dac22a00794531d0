//! Text of others in every place that it can come from. [`Environment::run`] looks at what is said of it, each time, in
//! text and in JSON; here it is seen that it was said at all, and made no line of its own.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;

use serde_json::json;
use solme_sync_protocol::{Problem, RefusalCode, SyncFile, UtcTime};

use super::Environment;
use super::environment::Answer;
use crate::core::{Failure, PortFault, ProxyFailure, Role};
use crate::output::Exit;
use crate::tests::world::http;

/// Clears the screen, rings, begins a line, turns the reading order around, hides.
const HOSTILE: &str =
    "evil\u{1b}[2J\u{9b}31m\u{7}\u{8}\r\nforged: ok\u{85}\u{2028}\u{202e}\u{2066}\u{200b}\u{feff}\u{e0041}\u{7f}";

/// What is left of it where no control character may stand.
const HIDDEN: &str = "evil \u{202e}\u{2066}\u{200b}\u{feff}\u{e0041}";

fn assert_told(answer: &Answer, what: &str) {
    assert!(answer.text.contains("evil"), "{what}: {}", answer.text);
    assert!(!answer.text.lines().any(|line| line.starts_with("forged")), "{what}: {}", answer.text);
}

#[test]
fn a_trust_file() {
    let local = Environment::empty();
    local.main.server.trust.to_json();
    let mut trust: serde_json::Value = serde_json::from_slice(&local.read("trust.json")).unwrap();
    trust["name"] = json!(HIDDEN);
    trust[HOSTILE] = json!(HOSTILE);
    local.write("trust.json", trust.to_string().as_bytes());
    let init = local.run("init --id DEMO-4711 --trust trust.json");
    assert_eq!(init.exit, Exit::Done, "{init:?}");
    assert_told(&init, "init");
    assert_told(&local.run("status"), "status");
    assert_eq!(local.run("status").json["main_server"]["name"], HIDDEN, "the value stays what it is");

    let twice = format!(r#"{{{0}:1,{0}:2}}"#, json!(HOSTILE));
    local.write("twice.json", twice.as_bytes());
    assert_told(&local.run("init --id DEMO-4711 --trust twice.json"), "a member that appears twice");
}

#[test]
fn an_allocation() {
    let local = Environment::new();
    for license in &mut local.main().allocation.licenses {
        license.properties.insert(HOSTILE.to_owned(), HOSTILE.to_owned());
        license.components[0].name = HOSTILE.to_owned();
    }
    let first = local.run("synchronize");
    if first.exit == Exit::Done {
        assert_told(&local.run("status"), "status");
        local.main().allocation.revision = 2;
        for license in &mut local.main().allocation.licenses {
            license.components[0].max_users += 1;
            license.properties.insert("owner".to_owned(), HOSTILE.to_owned());
        }
        assert_told(&local.run("synchronize"), "changes");
    } else {
        assert_told(&first, "synchronize");
    }
}

#[test]
fn refusals_and_problems() {
    let local = Environment::synchronized();
    local.main().refuse = Some(RefusalCode::KeyPairInUse);
    local.main().edit_refusal = Some(|refusal| refusal.text = HOSTILE.to_owned());
    assert_told(&local.run("synchronize"), "a signed refusal");
    assert_told(&local.run("history"), "history");
    assert_told(&local.run("doctor"), "doctor");
    local.run("export-request request.json");
    local.process("request.json", "response.json");
    assert_told(&local.run("import-response response.json"), "a refusal in a file");
    local.main().edit_refusal = Some(|refusal| refusal.cure = HOSTILE.to_owned());
    local.run("synchronize");

    let local = Environment::synchronized();
    let mut problem =
        Problem::carrying(RefusalCode::RateLimited, HOSTILE.to_owned(), HOSTILE.to_owned(), String::new());
    (problem.refusal, problem.code) = (None, HOSTILE.to_owned());
    let body = serde_json::to_vec(&problem).unwrap();
    local.main().answer = Some(Ok(http(429, "application/problem+json", body)));
    assert_told(&local.run("synchronize"), "an unsigned problem");
    problem.refusal = Some(HOSTILE.to_owned());
    local.main().answer = Some(Ok(http(409, "application/problem+json", serde_json::to_vec(&problem).unwrap())));
    local.run("synchronize");
}

#[test]
fn header_fields_of_both_ports() {
    let local = Environment::synchronized();
    for status in [200, 302, 404, 429, 503] {
        let mut answer = http(status, HOSTILE, HOSTILE);
        answer.content_encoding = Some(HOSTILE.to_owned());
        answer.location = Some(HOSTILE.to_owned());
        answer.retry_after = Some(HOSTILE.to_owned());
        local.main().answer = Some(Ok(answer.clone()));
        assert_told(&local.run("synchronize"), "443");
        assert_told(&local.run("doctor"), "443, doctor");
        local.main().answer = None;
        local.main().payload_answers = vec![Ok(answer.clone()), Ok(answer)];
        local.run("synchronize");
    }
}

#[test]
fn the_details_of_failures() {
    let evil = || HOSTILE.to_owned();
    let local = Environment::synchronized();
    for failure in [
        Failure::NameLookupFailed { host: evil(), detail: evil() },
        Failure::Port { role: Role::Https, fault: PortFault::TimedOut, at: evil(), detail: evil() },
        Failure::TlsNotSolme { at: evil(), issuer: evil() },
        Failure::TlsFailed { at: evil(), detail: evil() },
        Failure::LocalClockWrong { at: evil(), local_clock: UtcTime::from_secs(0) },
        Failure::NotTheMainServer { role: Role::Https, at: evil(), found: evil() },
        Failure::AnswerInterrupted { role: Role::Https, at: evil(), detail: evil() },
        Failure::MainServerTrouble { role: Role::Https, at: evil(), found: evil() },
        Failure::Proxy(ProxyFailure::NotSupported { proxy: evil(), found: evil() }),
        Failure::Proxy(ProxyFailure::OwnPage { proxy: evil(), found: evil() }),
    ] {
        local.main().answer = Some(Err(failure.clone()));
        for words in ["synchronize", "doctor", "history"] {
            assert_told(&local.run(words), &format!("{words}: {failure:?}"));
        }
    }
}

#[test]
fn files_that_are_imported_and_names_that_are_given() {
    let local = Environment::synchronized();
    let file = SyncFile::Response { message: HOSTILE.to_owned(), payload: Some(HOSTILE.as_bytes().to_vec()) };
    local.write("response.json", &file.to_bytes(&[HOSTILE.to_owned()]));
    assert_eq!(local.run("import-response response.json").exit, Exit::FileNotUsable);
    let member = json!({ "solme_sync_file": 1, "kind": HOSTILE, HOSTILE: HOSTILE }).to_string();
    local.write("response.json", member.as_bytes());
    assert_eq!(local.run("import-response response.json").exit, Exit::FileNotUsable);
    assert_told(&local.run_words(["import-response", &format!("{HOSTILE}.json")]), "a name of a file");
    assert_told(&local.run_words(["request-clear", "--from", HOSTILE]), "a sender");
    assert_told(&local.run_words(["request-clear", "--smtp", HOSTILE]), "a mail server's name");
}

#[test]
fn a_configuration_file() {
    let local = Environment::new();
    let quoted = json!(HOSTILE.replace('\u{7f}', ""));
    for text in [format!("{quoted} = 1"), format!("no_proxy = {quoted}"), format!("evil = {HOSTILE}")] {
        local.write("config.toml", text.as_bytes());
        let answer = local.run("config --config config.toml");
        assert_eq!(answer.exit, Exit::Usage, "{text:?}");
        assert!(answer.text.contains("evil") || answer.text.contains("in line 1"), "{}", answer.text);
        assert_eq!(answer.text.lines().count(), 2, "{}", answer.text);
    }
}

#[test]
fn the_database_and_who_holds_its_lock() {
    let local = Environment::synchronized();
    let hostile = HOSTILE.replace('\'', "''");
    local.edit_database(&format!("UPDATE history SET event = '{hostile}', code = '{hostile}', message = '{hostile}'"));
    local.edit_database(&format!("INSERT INTO automatic_last VALUES (1, 0, '{hostile}', '{hostile}', '{hostile}')"));
    assert_told(&local.run("history"), "history");
    assert_told(&local.run("status"), "the last automatic synchronization");
    let lock = std::fs::OpenOptions::new().write(true).open(local.state().join("lock")).unwrap();
    lock.lock().unwrap();
    (&lock).write_all(HOSTILE.as_bytes()).unwrap();
    let held = local.run_with("status", local.seams().with_patience(std::time::Duration::ZERO));
    assert_told(&held, "the holder of the lock");
    drop(lock);
    local.edit_database(&format!("UPDATE setup SET license_server_id = '{hostile}'"));
    assert_eq!(local.run("status").exit, Exit::LocalState);
}

#[test]
fn a_mail_server() {
    let local = Environment::synchronized();
    for greeting in ["220 ready", "554 evil"] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            write!(stream, "{greeting} {}\r\n", HOSTILE.replace(['\r', '\n'], "")).unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap());
            while lines.read_line(&mut String::new()).is_ok_and(|n| n > 0) {
                if write!(stream, "550 {}\r\n", HOSTILE.replace(['\r', '\n'], "")).is_err() {
                    break;
                }
            }
        });
        let answer = local.run_words(["request-clear", "--smtp", &at.to_string()]);
        assert_eq!(answer.exit, Exit::NotReached);
        assert_told(&answer, "its reply");
        server.join().unwrap();
    }
}

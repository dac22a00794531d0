//! Synchronization via file, and the mail that asks for a clear.

use serde_json::json;
use solme_sync_protocol::{RefusalCode, SyncFile};

use super::Environment;
use super::environment::copy_directory;
use crate::output::Exit;
use crate::tests::world::{NUMBERS, allocation};

#[test]
fn a_server_that_never_had_a_network_synchronizes_by_file() {
    let local = Environment::new();
    assert_eq!(local.run("export-request request.json").exit, Exit::Done);
    local.process("request.json", "response.json");
    let preview = local.run("import-response response.json --dry-run");
    assert_eq!((preview.exit, &preview.json["changes"]["added"]), (Exit::Done, &json!([NUMBERS[0], NUMBERS[1]])));
    assert_eq!(local.run("may-issue").code(), "unsynchronized", "a dry run stores nothing");
    let done = local.run("import-response response.json");
    assert_eq!((done.exit, done.code()), (Exit::Done, "synchronized"));
    assert_eq!(local.run("may-issue").exit, Exit::Done);
}

#[test]
fn a_dry_run_leaves_every_byte_of_the_state() {
    let local = Environment::new();
    local.run("export-request request.json");
    local.process("request.json", "response.json");
    local.days_pass(3);
    let before = local.read("state/state.sqlite");
    local.run("import-response response.json --dry-run");
    local.run("import-response trust.json --dry-run");
    assert!(before == local.read("state/state.sqlite"));
}

#[test]
fn exporting_twice_gives_the_same_request_and_direct_synchronization_sends_it() {
    let local = Environment::new();
    local.run("export-request a.json");
    assert_eq!(local.run("export-request b.json").code(), "exported-again");
    assert!(local.read("a.json") == local.read("b.json"));
    local.process("a.json", "late.json");
    assert_eq!(local.run("synchronize").exit, Exit::Done);
    let requests = local.main().requests.clone();
    assert_eq!((requests[0] == requests[1], requests.len()), (true, 3), "the exported one, and one more (P 12.5)");
    let late = local.run("import-response late.json");
    assert_eq!((late.exit, late.code()), (Exit::FileNotUsable, "response-older"));
}

#[test]
fn importing_twice_is_a_success_that_changes_nothing() {
    let local = Environment::new();
    local.run("export-request request.json");
    local.process("request.json", "response.json");
    local.run("import-response response.json");
    let again = local.run("import-response response.json");
    assert_eq!(
        (again.exit, again.code(), &again.json["outcome"]),
        (Exit::Done, "already-applied", &json!("synchronized"))
    );
    assert_eq!(local.run("status").json["sequence"], 1);
}

#[test]
fn each_file_that_is_of_no_use_has_its_own_message_and_changes_nothing() {
    let local = Environment::new();
    local.run("export-request request.json");
    local.process("request.json", "good.json");
    let good = local.read("good.json");
    let Ok(SyncFile::Response { message, payload }) = SyncFile::parse(&good) else { panic!() };
    let with = |message: &str, payload: Option<Vec<u8>>| {
        SyncFile::Response { message: message.to_owned(), payload }.to_bytes(&[])
    };
    let flipped = |at: usize| {
        let mut payload = payload.clone().unwrap();
        payload[at] ^= 1;
        with(&message, Some(payload))
    };
    let foreign = Environment::new();
    foreign.run("export-request request.json");
    foreign.process("request.json", "good.json");
    let other = Environment::empty();
    other.write("trust.json", &local.read("trust.json"));
    other.run("init --id OTHER-1 --trust trust.json");
    other.run("export-request request.json");
    other.write("local.json", &other.read("request.json"));
    local.write("other-request.json", &other.read("request.json"));
    local.process("other-request.json", "other.json");
    let cases = [
        (good[..good.len() / 2].to_vec(), "file-truncated"),
        (b"{\"a\": 1}".to_vec(), "not-a-response-file"),
        (b"Dear customer".to_vec(), "not-a-response-file"),
        (vec![b' '; solme_sync_protocol::limits::FILE + 1], "file-too-large"),
        (local.read("request.json"), "request-file-instead"),
        (with(&message, None), "file-damaged"),
        (with(&message[1..], payload.clone()), "file-damaged"),
        (with(&message.replacen('.', ".A", 1), payload.clone()), "file-damaged"),
        (flipped(5), "file-damaged"),
        (foreign.read("good.json"), "other-main-server"),
        (local.read("other.json"), "other-license-server-id"),
        (
            String::from_utf8(good.clone()).unwrap().replace("\"version\": 1", "\"version\": 2").into_bytes(),
            "file-version",
        ),
    ];
    for (bytes, code) in cases {
        local.write("case.json", &bytes);
        let failed = local.run("import-response case.json");
        assert_eq!((failed.exit, failed.code()), (Exit::FileNotUsable, code), "{failed:?}");
        assert!(failed.json["cure"].as_str().unwrap().ends_with('.'));
        assert_eq!(local.run("status").json["state"], "unsynchronized");
    }
    assert_eq!(local.run("import-response missing.json").code(), "file-unreadable");
    assert_eq!(local.run("import-response good.json").exit, Exit::Done, "nothing stood in its way");
}

#[test]
fn an_answer_to_another_request_or_another_key_pair_is_named_as_that() {
    let local = Environment::new();
    local.run("export-request request.json");
    local.process("request.json", "response.json");
    local.run("new-key-pair --yes");
    assert_eq!(local.run("import-response response.json").code(), "other-key-pair");

    let local = Environment::new();
    local.run("export-request first.json");
    local.main().refuse = Some(RefusalCode::InvalidRequest);
    local.process("first.json", "refused.json");
    assert_eq!(local.run("import-response refused.json").code(), "invalid-request");
    local.main().refuse = None;
    local.process("first.json", "response.json");
    assert_eq!(local.run("import-response response.json").code(), "other-request", "none is outstanding");
    local.run("export-request second.json");
    assert_eq!(local.run("import-response response.json").code(), "other-request");
}

#[test]
fn each_refusal_in_a_file_means_what_it_means_over_the_network() {
    for code in RefusalCode::ALL {
        let local = Environment::synchronized();
        local.run("export-request request.json");
        local.main().refuse = Some(*code);
        local.process("request.json", "response.json");
        let preview = local.run("import-response response.json --dry-run");
        assert_eq!((preview.exit, preview.code()), (Exit::Refused, code.as_str()));
        assert_eq!(local.run("status").json["state"], "synchronized");
        let refused = local.run("import-response response.json");
        assert_eq!((refused.exit, refused.code()), (Exit::Refused, code.as_str()));
        assert!(!refused.json["cure"].as_str().unwrap().contains("`license-server synchronize`"), "{refused:?}");
        let cleared = *code == RefusalCode::KeyPairCleared;
        assert_eq!(local.run("may-issue").exit == Exit::Done, !cleared, "{code}");
    }
}

#[test]
fn a_response_that_was_on_its_way_when_the_key_pair_was_cleared_revives_nothing() {
    let local = Environment::new();
    local.run("export-request request.json");
    local.process("request.json", "late.json");
    local.main().refuse = Some(RefusalCode::KeyPairCleared);
    local.run("synchronize");
    let late = local.run("import-response late.json");
    assert_eq!((late.exit, late.code()), (Exit::Refused, "key-pair-cleared"));
    assert_eq!(local.run("export-request next.json").code(), "key-pair-cleared");
    assert_eq!(local.run("may-issue").code(), "cleared");
}

#[test]
fn an_old_response_that_was_held_back_does_not_turn_the_clock_back() {
    let local = Environment::synchronized();
    local.run("export-request request.json");
    local.process("request.json", "response.json");
    let at_first = local.run("status").json["synchronize_by"].clone();
    local.days_pass(400);
    assert_eq!(local.run("import-response response.json").exit, Exit::Done);
    assert_eq!(local.run("status").json["synchronize_by"], at_first);
    assert_eq!(local.run("may-issue").code(), "overdue");
}

#[test]
fn a_copied_state_that_imports_the_same_response_is_found_out_later() {
    let local = Environment::synchronized();
    let copy = local.path("copy");
    copy_directory(&local.state(), &copy);
    local.main().allocation = allocation(2, &[0]);
    local.run("synchronize");
    // What the main server then says to the copy is its own matter; the copy still holds its old state, whole.
    std::fs::remove_dir_all(local.state()).unwrap();
    std::fs::rename(&copy, local.state()).unwrap();
    local.main().refuse = Some(RefusalCode::StateDiverged);
    let refused = local.run("synchronize");
    assert_eq!((refused.exit, refused.code()), (Exit::Refused, "state-diverged"));
    assert_eq!(local.run("may-issue").exit, Exit::Done);
}

#[test]
fn the_mail_names_the_id_and_the_key_pair_that_the_clear_is_about() {
    let local = Environment::synchronized();
    let thumbprint = local.run("status").json["key_thumbprint"].as_str().unwrap().to_owned();
    let asked = local.run("request-clear --from admin@plant.example --out mail.eml");
    assert_eq!((asked.exit, &asked.json["key_pair_is_new"]), (Exit::Done, &json!(false)));
    let mail = String::from_utf8(local.read("mail.eml")).unwrap();
    assert!(mail.contains("To: licensing@solme.se\r\n") && mail.contains("DEMO-4711"), "{mail}");
    assert!(mail.contains(&format!("Key pair in use: {thumbprint}")), "{mail}");
    let new = local.run("new-key-pair --yes").json["key_thumbprint"].as_str().unwrap().to_owned();
    local.run("request-clear --out mail.eml");
    let mail = String::from_utf8(local.read("mail.eml")).unwrap();
    assert!(mail.contains(&format!("New key pair: {new}")), "{mail}");
}

#[test]
fn a_mail_server_that_is_not_there_is_named_and_the_file_is_offered() {
    let local = Environment::new();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for (server, exit, code) in [
        (format!("localhost:{port}"), Exit::NotReached, "mail-not-sent"),
        ("localhost".to_owned(), Exit::Usage, "usage"),
        ("localhost:0".to_owned(), Exit::Usage, "usage"),
    ] {
        let failed = local.run(&format!("request-clear --smtp {server}"));
        assert_eq!((failed.exit, failed.code()), (exit, code), "{server}");
    }
}

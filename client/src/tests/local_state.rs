//! The local state: set up once, verified at every start, and never half of anything.

use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use serde_json::json;
use solme_sync_protocol::{RefusalCode, limits};

use super::Environment;
use crate::LicenseServer;
use crate::core::State;
use crate::output::Exit;
use crate::seams::{DurableStep, Moment};
use crate::tests::world::{MAIN_TIME, MainServer, NUMBERS};

#[test]
fn init_again_never_replaces_the_key_pair() {
    let local = Environment::synchronized();
    let before = local.run("status").json["key_thumbprint"].clone();
    assert_eq!(local.run("init --id DEMO-4711 --trust trust.json").code(), "already-initialized");
    let mut trust = local.main.server.trust.clone();
    trust.https = "https://127.0.0.1:443".to_owned();
    local.write("trust.json", &trust.to_json());
    assert_eq!(local.run("init --id DEMO-4711 --trust trust.json").code(), "trust-updated");
    let status = local.run("status").json;
    assert_eq!((&status["key_thumbprint"], &status["state"]), (&before, &json!("synchronized")));
    assert_eq!(status["main_server"]["https"], "https://127.0.0.1:443");
}

#[test]
fn another_id_or_another_main_server_is_refused_and_both_are_named() {
    let local = Environment::new();
    let other_id = local.run("init --id OTHER --trust trust.json");
    assert_eq!((other_id.exit, other_id.code()), (Exit::LocalState, "other-license-server-id"));
    local.write("other.json", &MainServer::new().trust.to_json());
    let other_main = local.run("init --id DEMO-4711 --trust other.json");
    assert_eq!((other_main.exit, other_main.code()), (Exit::LocalState, "other-main-server"));
    let message = other_main.json["message"].as_str().unwrap();
    assert_eq!(message.matches("SOLME-TEST").count(), 2, "{message}");
}

#[test]
fn a_trust_file_that_cannot_be_used_sets_nothing_up() {
    let local = Environment::empty();
    let mut broken = local.main.server.trust.clone();
    broken.ca_certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned();
    local.write("broken-ca.json", &broken.to_json());
    local.write("text.json", b"trust me");
    for file in ["broken-ca.json", "text.json", "missing.json"] {
        let failed = local.run(&format!("init --id DEMO-4711 --trust {file}"));
        assert_eq!((failed.exit, failed.code()), (Exit::FileNotUsable, "trust-file-not-usable"), "{file}");
    }
    assert!(!local.state().exists());
}

#[test]
fn what_is_not_set_up_says_so() {
    let local = Environment::empty();
    for verb in ["synchronize", "status", "history", "new-key-pair --yes", "export-request a.json"] {
        let failed = local.run(verb);
        assert_eq!((failed.exit, failed.code()), (Exit::LocalState, "not-initialized"), "{verb}");
    }
    let no = local.run("may-issue");
    assert_eq!((no.exit, no.code()), (Exit::MayNotIssue, "not-initialized"), "one exit code for every no");
    assert_eq!(no.json["may_issue"], false);
    assert!(!local.state().exists());
}

#[cfg(unix)]
#[test]
fn only_the_owner_reads_the_key_and_the_directory() {
    use std::os::unix::fs::PermissionsExt as _;
    let local = Environment::new();
    local.run("new-key-pair --yes");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&local.state()), 0o700);
    for file in ["signing-key.pem", "state.sqlite", "setup.json"] {
        assert_eq!(mode(&local.state().join(file)), 0o600, "{file}");
    }
}

#[test]
fn the_one_time_key_is_on_disk_only_while_its_request_is_outstanding() {
    let local = Environment::new();
    local.run("export-request request.json");
    let secret: Vec<u8> = {
        let db = rusqlite::Connection::open(local.state().join("state.sqlite")).unwrap();
        db.query_row("SELECT sealing_key FROM outstanding", [], |row| row.get(0)).unwrap()
    };
    assert!(on_disk(&local.state(), &secret), "the test would see it");
    local.process("request.json", "response.json");
    let (state, watched) = (local.state(), secret.clone());
    // Before the database is closed, which would empty the log by itself.
    let seams = local.seams().on_durable_step(move |step: DurableStep| {
        if (step.name, step.moment) == ("one-time key erased from the log", Moment::After) {
            assert!(!on_disk(&state, &watched));
        }
    });
    assert_eq!(local.run_with("import-response response.json", seams).exit, Exit::Done);
    assert!(!on_disk(&local.state(), &secret));
}

#[test]
fn a_refusal_that_ends_a_request_erases_its_one_time_key_and_no_other_refusal_does() {
    for (code, ends) in [(RefusalCode::UnsupportedVersion, true), (RefusalCode::RateLimited, false)] {
        let local = Environment::new();
        local.main().refuse = Some(code);
        let erased = Rc::new(std::cell::Cell::new(false));
        let seen = Rc::clone(&erased);
        let seams = local.seams().on_durable_step(move |step: DurableStep| {
            seen.set(seen.get() || step.name == "one-time key erased from the log");
        });
        assert_eq!(local.run_with("synchronize", seams).code(), code.as_str());
        assert_eq!(erased.get(), ends, "{code}");
    }
}

#[test]
fn a_key_file_of_two_halves_that_are_no_pair_is_not_adopted() {
    let other = Environment::new();
    let pem = std::fs::read_to_string(other.state().join("signing-key.pem")).unwrap();
    let local = Environment::empty();
    std::fs::create_dir(local.state()).unwrap();
    std::fs::write(local.state().join("signing-key.pem"), with_another_private_half(&pem)).unwrap();
    assert_eq!(local.run("init --id DEMO-4711 --trust trust.json").code(), "key-file-damaged");
    std::fs::write(local.state().join("signing-key.pem"), &pem).unwrap();
    assert_eq!(local.run("init --id DEMO-4711 --trust trust.json").exit, Exit::Done);
}

fn on_disk(directory: &Path, secret: &[u8]) -> bool {
    let files = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    files.into_iter().any(|path| std::fs::read(path).unwrap().windows(48).any(|window| window == secret))
}

#[test]
fn the_archive_holds_the_old_state_without_the_one_time_key() {
    let local = Environment::synchronized();
    local.run("export-request request.json");
    let archive = local.run("new-key-pair --yes").json["archive"].as_str().unwrap().to_owned();
    let db = rusqlite::Connection::open(format!("{archive}/state.sqlite")).unwrap();
    let key: Vec<u8> = db.query_row("SELECT sealing_key FROM outstanding", [], |row| row.get(0)).unwrap();
    assert!(key.is_empty());
    assert!(Path::new(&archive).join("signing-key.pem").exists());
    assert!(archive.ends_with(&(MAIN_TIME.to_string().replace(['-', ':'], "") + "-1")), "{archive}");
    assert_eq!(local.run("history").json["events"].as_array().unwrap().len(), 4);
}

#[test]
fn a_hand_edited_state_is_named_issues_nothing_and_is_healed_by_a_synchronization() {
    let edits = [
        (
            "UPDATE applied SET allocation = CAST(replace(CAST(allocation AS TEXT), 'DEMO002', 'DEMO009') AS BLOB)",
            "P 11.7",
        ),
        ("UPDATE applied SET receipt = replace(receipt, '.', '.A')", "P 11.1"),
        ("UPDATE applied SET receipt = ''", "P 11.1"),
        ("DELETE FROM applied", "P 11.12"),
        ("UPDATE history SET receipt = NULL", "P 11.12"),
        ("UPDATE times SET high_water_mark = 0", "P 17.5"),
    ];
    for (edit, clause) in edits {
        let local = Environment::synchronized();
        if clause == "P 17.5" {
            *local.clock.borrow_mut() = MAIN_TIME.offset(-3_600);
        }
        local.edit_database(edit);
        let status = local.run("status").json;
        assert_eq!((&status["state"], &status["licenses"]), (&json!("tampered"), &json!([])), "{edit}");
        assert!(status["state_detail"].as_str().unwrap().contains(clause), "{edit}: {status}");
        let no = local.run("may-issue");
        assert_eq!((no.exit, no.code()), (Exit::MayNotIssue, "tampered"), "{edit}");
        assert_eq!(local.run("synchronize").exit, Exit::Done, "{edit}");
        assert_eq!(local.run("may-issue").exit, Exit::Done, "{edit}");
        assert_eq!(local.run("status").json["sequence"], 2, "{edit}");
    }
}

#[test]
fn what_may_change_is_sealed_so_that_days_cannot_be_won_with_an_editor() {
    for column in ["high_water_mark", "local_clock", "set_back", "advanced"] {
        for by in ["+ 1", "- 60"] {
            let local = Environment::synchronized();
            local.days_pass(30);
            local.run("status");
            *local.clock.borrow_mut() = MAIN_TIME.plus(29 * 86_400 + 3_600);
            local.run("status");
            let edit = format!("UPDATE times SET {column} = {column} {by}");
            local.edit_database(&edit);
            assert_sealed(&local, &edit, "the stored times");
        }
    }
    let local = Environment::synchronized();
    local.edit_database("CREATE TABLE kept AS SELECT * FROM times; CREATE TABLE seals AS SELECT * FROM seal");
    local.days_pass(30);
    local.run("status");
    let back = "INSERT OR REPLACE INTO times SELECT * FROM kept";
    local.edit_database(&format!("{back}; INSERT OR REPLACE INTO seal SELECT * FROM seals WHERE part = 'times'"));
    assert_sealed(&local, "an older row with its own seal", "the stored times");
    let local = Environment::synchronized();
    local.edit_database("DELETE FROM seal");
    assert_sealed(&local, "no seal", "the stored times");
}

#[test]
fn which_request_is_outstanding_is_sealed() {
    let local = Environment::synchronized();
    local.run("export-request request.json");
    local.edit_database("CREATE TABLE kept AS SELECT * FROM outstanding");
    local.edit_database("DELETE FROM outstanding");
    assert_sealed(&local, "no request", "the outstanding request");
    local.edit_database("INSERT OR REPLACE INTO outstanding SELECT * FROM kept");
    assert_sealed(&local, "an older request", "the outstanding request");
}

#[test]
fn a_cleared_key_pair_cannot_be_brought_back_with_an_editor() {
    let local = Environment::synchronized();
    local.main().refuse = Some(RefusalCode::KeyPairCleared);
    local.run("synchronize");
    assert_eq!(local.run("may-issue").code(), "cleared");
    local.edit_database("DELETE FROM cleared");
    let no = local.run("may-issue");
    assert_eq!((no.exit, no.code()), (Exit::MayNotIssue, "tampered"));
    assert!(no.json["message"].as_str().unwrap().contains("whether the key pair was cleared"), "{no:?}");
    assert_eq!(local.run("synchronize").code(), "key-pair-cleared");
    assert_eq!(local.run("may-issue").code(), "cleared", "the main server says so again");
}

/// It is named, stays so whatever is written meanwhile, and a synchronization heals it.
fn assert_sealed(local: &Environment, edit: &str, part: &str) {
    for words in ["may-issue", "status", "automatic-synchronization daily", "export-request again.json", "may-issue"] {
        local.run(words);
        let no = local.run("may-issue");
        assert_eq!((no.exit, no.code()), (Exit::MayNotIssue, "tampered"), "{edit}, {words}: {no:?}");
        assert!(no.json["message"].as_str().unwrap().contains(part), "{edit}: {no:?}");
    }
    assert_eq!(local.run("synchronize").exit, Exit::Done, "{edit}");
    assert_eq!(local.run("may-issue").exit, Exit::Done, "{edit}");
}

#[test]
fn a_mark_that_was_lowered_by_hand_stays_broken_when_the_clock_raises_it_again() {
    let local = Environment::synchronized();
    local.edit_database("UPDATE times SET high_water_mark = high_water_mark - 3600");
    for _ in 0..3 {
        assert_eq!(local.run("may-issue").code(), "tampered");
    }
    assert_eq!(local.run("synchronize").exit, Exit::Done);
    assert_eq!(local.run("may-issue").exit, Exit::Done);
}

#[test]
fn an_older_receipt_put_back_by_hand_is_found() {
    let local = Environment::synchronized();
    local.edit_database("CREATE TABLE kept AS SELECT * FROM applied");
    local.run("synchronize");
    local.edit_database("DELETE FROM applied; INSERT INTO applied SELECT * FROM kept");
    assert_eq!(local.run("may-issue").code(), "tampered");
}

#[test]
fn key_files_that_are_missing_damaged_or_foreign_are_told_apart() {
    let local = Environment::synchronized();
    let key = local.state().join("signing-key.pem");
    let foreign = Environment::new();
    let own = std::fs::read_to_string(&key).unwrap();
    std::fs::write(&key, foreign.read("state/signing-key.pem")).unwrap();
    assert_eq!(local.run("may-issue").code(), "key-file-foreign");
    std::fs::write(&key, "-----BEGIN PRIVATE KEY-----\n").unwrap();
    assert_eq!(local.run("may-issue").code(), "key-file-damaged");
    std::fs::write(&key, with_another_private_half(&own)).unwrap();
    for words in ["may-issue", "status", "synchronize", "export-request request.json", "doctor"] {
        assert_eq!(local.run(words).code(), "key-file-damaged", "{words}");
    }
    assert_eq!(local.main().requests.len(), 1, "nothing was signed with it");
    std::fs::remove_file(&key).unwrap();
    let missing = local.run("may-issue");
    assert_eq!((missing.exit, missing.code()), (Exit::MayNotIssue, "key-file-missing"));
    assert_eq!(local.run("init --id DEMO-4711 --trust trust.json").code(), "key-file-missing");
    assert_eq!(local.run("new-key-pair --yes").exit, Exit::Done);
    assert_eq!(local.run("status").json["state"], "unsynchronized");
}

/// The key file after a bit of the private half has changed.
fn with_another_private_half(pem: &str) -> String {
    let lines: Vec<&str> = pem.lines().collect();
    // The private half is in the bytes 35 to 82, which begin in the first line and end in the second.
    let changed = if lines[1].ends_with('A') { "B" } else { "A" };
    let first = format!("{}{changed}", &lines[1][..lines[1].len() - 1]);
    [&[lines[0], &first], &lines[2..]].concat().join("\n") + "\n"
}

#[test]
fn what_a_program_has_verified_is_verified_again_when_it_changes() {
    let flip = "substr(receipt, 1, length(receipt) - 1) || iif(receipt LIKE '%A', 'B', 'A')";
    let receipt = format!("UPDATE applied SET receipt = {flip}; UPDATE history SET receipt = {flip}");
    let allocation = "UPDATE applied SET allocation = CAST(allocation || ' ' AS BLOB)".to_owned();
    for (change, found) in [(receipt, "receipt does not verify"), (allocation, "allocation")] {
        let local = Environment::synchronized();
        let clock = std::sync::Arc::new(|| MAIN_TIME);
        let server = LicenseServer::open(local.state()).unwrap().with_clock(clock);
        for _ in 0..3 {
            assert!(server.may_issue_any().unwrap().may_issue);
        }
        local.edit_database(&change);
        let status = server.status().unwrap();
        assert_eq!(status.state, State::Tampered);
        assert!(status.state_detail.as_deref().unwrap().contains(found), "{status:?}");
        assert!(!server.may_issue_any().unwrap().may_issue);
    }
}

#[test]
fn databases_that_are_missing_damaged_or_newer_are_told_apart() {
    let local = Environment::synchronized();
    let file = local.state().join("state.sqlite");
    let before = local.run("status").json["key_thumbprint"].clone();
    local.edit_database("PRAGMA user_version = 99");
    assert_eq!(local.run("status").code(), "state-newer");
    std::fs::write(&file, "not a database, and longer than a header of one hundred bytes ".repeat(20)).unwrap();
    let damaged = local.run("status");
    assert_eq!((damaged.exit, damaged.code()), (Exit::LocalState, "database-damaged"));
    assert_eq!(local.run("init --id DEMO-4711 --trust trust.json").code(), "database-damaged");
    std::fs::remove_file(&file).unwrap();
    assert_eq!(local.run("status").code(), "database-missing");
    assert_eq!(local.run("init --id DEMO-4711 --trust trust.json").exit, Exit::Done);
    assert_eq!(local.run("status").json["key_thumbprint"], before, "the key pair is kept");
}

#[test]
fn a_trust_file_of_the_largest_size_is_kept_and_outlives_a_lost_database() {
    let local = Environment::empty();
    let mut trust = local.main.server.trust.clone();
    let room = limits::TRUST_FILE - serde_json::to_vec(&trust).unwrap().len();
    trust.ca_certificate += &"\n".repeat(room / r"\n".len());
    local.write("trust.json", &serde_json::to_vec(&trust).unwrap());
    assert_eq!(local.run("init --id DEMO-4711 --trust trust.json").exit, Exit::Done);
    assert_eq!(local.run("synchronize").exit, Exit::Done);
    std::fs::remove_file(local.state().join("state.sqlite")).unwrap();
    assert_eq!(local.run("new-key-pair --yes").exit, Exit::Done);
    assert_eq!(local.run("synchronize").exit, Exit::Done);
}

#[test]
fn a_state_of_a_newer_program_is_left_as_it_is() {
    let local = Environment::synchronized();
    local.edit_database("PRAGMA user_version = 1000");
    for words in ["status", "new-key-pair --yes"] {
        assert_eq!((local.run(words).exit, local.run(words).code()), (Exit::LocalState, "state-newer"), "{words}");
    }
    assert!(!local.state().join("archive").exists());
}

#[test]
fn a_key_file_that_cannot_be_archived_is_not_replaced() {
    let local = Environment::synchronized();
    let key = local.state().join("signing-key.pem");
    std::fs::remove_file(&key).unwrap();
    std::fs::create_dir(&key).unwrap();
    assert_eq!(local.run("new-key-pair --yes").exit, Exit::LocalState);
    assert!(key.is_dir());
    let key_pairs = rusqlite::Connection::open(local.state().join("state.sqlite")).unwrap();
    let history: i64 = key_pairs.query_row("SELECT count(*) FROM history", [], |row| row.get(0)).unwrap();
    assert_eq!(history, 2, "initialized and synchronized");
}

#[test]
fn a_new_key_pair_is_the_way_out_of_a_lost_database_and_keeps_id_and_trust() {
    type Damage = fn(&Path);
    let damages: [Damage; 2] =
        [|file| std::fs::write(file, "x".repeat(5_000)).unwrap(), |file| std::fs::remove_file(file).unwrap()];
    for damage in damages {
        let local = Environment::synchronized();
        damage(&local.state().join("state.sqlite"));
        let new = local.run("new-key-pair --yes");
        assert_eq!((new.exit, &new.json["license_server_id"]), (Exit::Done, &json!("DEMO-4711")), "{new:?}");
        assert!(Path::new(new.json["archive"].as_str().unwrap()).join("signing-key.pem").exists());
        assert_eq!(local.run("status").json["state"], "unsynchronized");
        assert_eq!(local.run("synchronize").exit, Exit::Done);
    }
}

#[test]
fn a_second_process_is_told_who_uses_the_state() {
    let local = Environment::new();
    let lock = std::fs::File::open(local.state().join("lock")).unwrap();
    lock.lock().unwrap();
    let impatient = || local.seams().with_patience(Duration::ZERO);
    let busy = local.run_with("status", impatient());
    assert_eq!((busy.exit, busy.code()), (Exit::LocalState, "state-in-use"));
    assert!(busy.json["message"].as_str().unwrap().contains("license-server init"), "{busy:?}");
    drop(lock);
    assert_eq!(local.run("status").exit, Exit::Done);
}

#[test]
fn beside_a_synchronization_that_waits_for_the_network_only_another_one_is_held_up() {
    let local = Rc::new(Environment::synchronized());
    let outstanding = Rc::new(std::cell::RefCell::new(String::new()));
    *local.main.meanwhile.borrow_mut() = Some(Box::new({
        let (local, outstanding) = (Rc::downgrade(&local), outstanding.clone());
        move || {
            let local = local.upgrade().unwrap();
            assert_eq!(local.run("may-issue").exit, Exit::Done);
            assert_eq!(local.run("status").json["state"], "synchronized");
            assert_eq!(local.run("export-request request.json").code(), "exported-again");
            local.process("request.json", "response.json");
            for words in ["synchronize", "import-response response.json", "new-key-pair --yes"] {
                let held_up = local.run_with(words, local.seams().with_patience(Duration::ZERO));
                assert_eq!((held_up.exit, held_up.code()), (Exit::LocalState, "synchronization-under-way"), "{words}");
                let message = held_up.json["message"].as_str().unwrap().to_owned();
                assert!(message.contains("`license-server synchronize`"), "{message}");
            }
            outstanding.replace(local.run("status").json["outstanding_request"]["request_id"].to_string());
        }
    }));
    assert_eq!(local.run("synchronize").exit, Exit::Done);
    assert!(outstanding.borrow().len() > 10, "it was looked at meanwhile");
    assert_eq!(local.run("status").json["sequence"], 2, "one request, answered once");
}

#[test]
fn a_state_that_someone_changes_by_hand_meanwhile_is_named_and_kept() {
    let local = Rc::new(Environment::synchronized());
    *local.main.meanwhile.borrow_mut() = Some(Box::new({
        let local = Rc::downgrade(&local);
        move || local.upgrade().unwrap().edit_database("DELETE FROM outstanding")
    }));
    let changed = local.run("synchronize");
    assert_eq!((changed.exit, changed.code()), (Exit::LocalState, "state-changed-meanwhile"));
    let status = local.run("status").json;
    assert_eq!(status["state"], "tampered", "whether a request is outstanding is sealed");
}

#[test]
fn a_stored_request_that_was_damaged_gives_way_to_a_new_one() {
    for edit in ["UPDATE outstanding SET request = 'x'", "UPDATE outstanding SET sealing_key = zeroblob(48)"] {
        let local = Environment::new();
        local.run("export-request request.json");
        local.edit_database(edit);
        assert!(local.run("status").json["notes"].to_string().contains("makes a new request"), "{edit}");
        assert_eq!(local.run("synchronize").exit, Exit::Done, "{edit}");
    }
}

#[test]
fn a_license_about_to_expire_is_worth_a_note() {
    let local = Environment::synchronized();
    let notes = local.run("status").json["notes"].to_string();
    assert!(notes.contains(NUMBERS[1]) && !notes.contains(NUMBERS[0]), "{notes}");
}

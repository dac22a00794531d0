//! Files that are not what they should be: pipes and devices in their place, and modes that let others in.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use super::Environment;
use crate::core::{Failure, PortFault, Role};
use crate::output::Exit;
use crate::tests::world::http;

fn mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Puts something else in the place of a file.
fn replace(path: &Path, with: &str) {
    let _ = std::fs::remove_file(path);
    match with {
        "a pipe" => assert!(Command::new("mkfifo").arg(path).status().unwrap().success()),
        "a directory" => std::fs::create_dir(path).unwrap(),
        device => std::os::unix::fs::symlink(device, path).unwrap(),
    }
}

#[test]
fn a_pipe_or_a_device_in_the_place_of_a_file_is_named_and_never_waited_for() {
    for with in ["a pipe", "/dev/zero", "/dev/null", "/dev/full", "a directory"] {
        for (file, code) in [("signing-key.pem", "key-file-unusable"), ("state.sqlite", "database-unusable")] {
            let local = Environment::synchronized();
            replace(&local.state().join(file), with);
            for words in ["may-issue", "synchronize", "doctor", "export-request request.json"] {
                let answer = local.run(words);
                assert_eq!(answer.code(), code, "{with} as {file}, {words}: {answer:?}");
                let what = if with == "a directory" { with } else { "a pipe or a device" };
                assert!(answer.json["message"].to_string().contains(&format!("it is {what}, expected a file")));
            }
        }
        let local = Environment::synchronized();
        replace(&local.path("other.json"), with);
        assert_eq!(local.run("init --id DEMO-4711 --trust other.json").code(), "trust-file-not-usable", "{with}");
        let import = local.run("import-response other.json");
        assert_eq!((import.exit, import.code()), (Exit::FileNotUsable, "file-unreadable"), "{with}");
        assert!(import.json["message"].as_str().unwrap().contains("other.json"), "it is named: {import:?}");
        assert_eq!(local.run("status --config other.json").code(), "configuration", "{with}");
        assert_eq!(local.run("synchronize").exit, Exit::Done, "nothing was harmed");
    }
}

#[test]
fn an_output_that_is_a_device_or_a_pipe_takes_the_bytes_and_stays_what_it_is() {
    for words in ["export-request out.json", "request-clear --out out.json"] {
        let local = Environment::synchronized();
        replace(&local.path("out.json"), "/dev/null");
        assert_eq!(local.run(words).exit, Exit::Done);
        assert_eq!(std::fs::read_link(local.path("out.json")).unwrap(), Path::new("/dev/null"), "{words}");
        replace(&local.path("out.json"), "/dev/full");
        let full = local.run(words);
        assert_eq!((full.exit, full.code()), (Exit::FileNotUsable, "file-not-written"), "{full:?}");
    }
}

#[test]
fn nothing_is_written_through_a_symbolic_link() {
    let links = ["out.json", "out.json.tmp", "state/lock", "state/setup.json", "state/signing-key.next.pem.tmp"];
    for (name, words) in links.into_iter().flat_map(|name| {
        ["export-request out.json", "new-key-pair --yes", "synchronize", "doctor"].map(|words| (name, words))
    }) {
        let local = Environment::synchronized();
        let victim = local.path("victim");
        std::fs::write(&victim, "untouched").unwrap();
        replace(&local.path(name), victim.to_str().unwrap());
        let answer = local.run(words);
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "untouched", "{name}, {words}: {answer:?}");
        assert!(answer.exit == Exit::Done || answer.json["cure"].is_string(), "{name}, {words}: {answer:?}");
        let _ = std::fs::remove_file(local.path(name));
        assert_eq!(local.run("status").exit, Exit::Done, "{name}, {words}: nothing was harmed");
    }
}

#[test]
fn a_key_file_that_is_a_symbolic_link_is_read_and_a_new_key_pair_takes_the_place_of_the_link() {
    let local = Environment::synchronized();
    let (key, elsewhere) = (local.state().join("signing-key.pem"), local.path("elsewhere.pem"));
    std::fs::rename(&key, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &key).unwrap();
    let before = std::fs::read(&elsewhere).unwrap();
    assert_eq!(local.run("may-issue").exit, Exit::Done);
    assert_eq!(local.run("new-key-pair --yes").exit, Exit::Done);
    assert_eq!(std::fs::read(&elsewhere).unwrap(), before);
    assert!(key.symlink_metadata().unwrap().is_file());
    assert_eq!(local.run("synchronize").exit, Exit::Done);
}

#[test]
fn an_empty_directory_that_others_could_write_to_is_closed_before_a_key_is_in_it() {
    let local = Environment::empty();
    std::fs::create_dir(local.state()).unwrap();
    mode(&local.state(), 0o777);
    assert_eq!(local.run("init --id DEMO-4711 --trust trust.json").exit, Exit::Done);
    assert_eq!(std::fs::metadata(local.state()).unwrap().permissions().mode() & 0o777, 0o700);
    // A directory that holds something may be someone else's as well: it is only said.
    let local = Environment::empty();
    std::fs::create_dir(local.state()).unwrap();
    std::fs::write(local.state().join("theirs"), "").unwrap();
    mode(&local.state(), 0o755);
    local.run("init --id DEMO-4711 --trust trust.json");
    assert_eq!(std::fs::metadata(local.state()).unwrap().permissions().mode() & 0o777, 0o755);
}

#[test]
fn a_key_that_others_may_read_and_a_state_that_they_may_change_are_named_by_doctor_and_status() {
    for (file, bits, code, check) in [
        ("signing-key.pem", 0o640, "key-file-exposed", "key-pair"),
        ("signing-key.pem", 0o604, "key-file-exposed", "key-pair"),
        ("state.sqlite", 0o660, "state-exposed", "state"),
        ("", 0o707, "state-exposed", "state"),
    ] {
        let local = Environment::synchronized();
        mode(&local.state().join(file), bits);
        let doctor = local.run("doctor");
        let found = doctor.json["checks"].as_array().unwrap().iter().find(|found| found["code"] == code).unwrap();
        assert_eq!(found["name"], check);
        assert_eq!((doctor.exit, doctor.code()), (Exit::LocalState, code), "{file} {bits:o}: {doctor:?}");
        assert!(doctor.json["cure"].as_str().unwrap().contains("chmod"), "{doctor:?}");
        assert!(local.run("status").json["notes"].to_string().contains("others than its owner"), "{file} {bits:o}");
        assert_eq!(local.run("may-issue").exit, Exit::Done, "it is no reason to stop");
    }
}

#[test]
fn every_file_of_a_state_is_its_owners_alone() {
    let local = Environment::synchronized();
    local.run("new-key-pair --yes");
    local.run("doctor");
    let mut directories = vec![local.state()];
    while let Some(directory) = directories.pop() {
        assert_eq!(std::fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o700, "{directory:?}");
        for entry in std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap()) {
            match entry.file_type().unwrap().is_dir() {
                true if entry.file_name() == "archive" => {
                    directories.extend(std::fs::read_dir(entry.path()).unwrap().map(|entry| entry.unwrap().path()))
                }
                true => directories.push(entry.path()),
                false => assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{entry:?}"),
            }
        }
    }
}

#[test]
fn a_payload_beyond_the_limit_is_told_with_the_limit() {
    let local = Environment::synchronized();
    local.main().edit = Some(|receipt| receipt.payload_size = 8_388_609);
    let mut long = http(200, "application/octet-stream", vec![0; 8_388_609]);
    long.too_long = true;
    local.main().payload_answers = vec![Ok(long.clone())];
    let wrong = local.run("synchronize");
    assert_eq!(wrong.code(), "payload-wrong");
    assert!(wrong.json["message"].as_str().unwrap().contains("at most (P 18)"), "{wrong:?}");
    let local = Environment::synchronized();
    local.main().payload_answers = vec![Ok(long)];
    let wrong = local.run("synchronize");
    assert!(wrong.json["message"].as_str().unwrap().contains("more than the"), "{wrong:?}");
}

#[test]
fn a_port_of_this_computer_that_refuses_has_no_firewall_to_blame() {
    let local = Environment::synchronized();
    for (at, own) in [
        ("127.0.0.1:8443", true),
        ("[::1]:8443", true),
        ("localhost:8443", true),
        ("192.0.2.1:443", false),
        ("solme.example:443", false),
    ] {
        let detail = String::new();
        let failure = Failure::Port { role: Role::Https, fault: PortFault::Refused, at: at.to_owned(), detail };
        local.main().answer = Some(Err(failure));
        let answer = local.run("synchronize");
        assert_eq!(answer.code(), "443-refused");
        assert_eq!(answer.text.contains("simulator, running?"), own, "{answer:?}");
        assert_eq!(answer.text.contains("firewall"), !own, "{answer:?}");
    }
}

#[test]
fn a_web_page_with_status_404_is_the_same_to_doctor_and_to_synchronize() {
    let local = Environment::synchronized();
    let page = || Ok(http(404, "text/html", "<h1>Not found</h1>"));
    for words in ["synchronize", "doctor"] {
        local.main().payload_answers = vec![page()];
        let answer = local.run(words);
        assert_eq!((answer.exit, answer.code()), (Exit::NotReached, "not-the-main-server"), "{words}: {answer:?}");
    }
}

#[test]
fn every_time_in_json_is_written_as_rfc_3339() {
    fn numbers(value: &serde_json::Value, found: &mut Vec<u64>) {
        match value {
            serde_json::Value::Number(number) => found.extend(number.as_u64()),
            serde_json::Value::Array(values) => values.iter().for_each(|value| numbers(value, found)),
            serde_json::Value::Object(members) => members.values().for_each(|value| numbers(value, found)),
            _ => {}
        }
    }
    let local = Environment::synchronized();
    local.run("export-request request.json");
    local.process("request.json", "response.json");
    for words in [
        "import-response response.json --dry-run",
        "import-response response.json",
        "synchronize",
        "status",
        "may-issue",
        "history",
        "automatic-synchronization daily",
        "doctor",
        "config",
        "export-request request.json",
    ] {
        let mut found = Vec::new();
        numbers(&local.run(words).json, &mut found);
        assert!(found.iter().all(|number| *number < 1_000_000_000), "{words}: {found:?}");
    }
}

//! `serve --data`: what a second start finds, and what it makes of a directory that is not as it was left.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Output};

use mock_solme::MockSolme;
use serde_json::Value;

use crate::license_server::LicenseServer;
use crate::program::{Served, program};

fn serve(data: &Path) -> Served {
    Served::start(&["serve", "--data", data.to_str().unwrap()])
}

/// A start that fails, and what it says.
fn refused(data: &Path) -> String {
    let Output { status, stdout, stderr } = program(&["serve", "--data", data.to_str().unwrap()]).output().unwrap();
    let told = String::from_utf8(stderr).unwrap();
    assert_eq!((status.code(), stdout.len()), (Some(1), 0), "{told}");
    told
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn the_next_start_has_the_same_addresses_and_token_unless_flags_say_otherwise() {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    let first = serve(&data);
    let said = ["https", "http", "admin", "smtp", "admin_token"].map(|member| first.text(member).to_owned());
    let trust = fs::read(data.join("trust.json")).unwrap();
    drop(first);
    let second = serve(&data);
    assert_eq!(["https", "http", "admin", "smtp", "admin_token"].map(|member| second.text(member).to_owned()), said);
    assert_eq!(fs::read(data.join("trust.json")).unwrap(), trust);
    drop(second);
    let other = Served::start(&["serve", "--data", data.to_str().unwrap(), "--http", "0", "--admin-token", "mine"]);
    assert_eq!((other.text("https"), other.text("admin_token")), (said[0].as_str(), "mine"));
}

#[test]
fn the_next_start_has_the_same_public_names_and_one_line_says_what_is_open() {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    let log = tempfile::NamedTempFile::new().unwrap();
    let start = |flags: &[&str]| {
        let mut command = program(&[&["serve", "--data", data.to_str().unwrap()], flags].concat());
        command.stderr(log.reopen().unwrap());
        Served::run(command)
    };
    let first = start(&["--http", "0.0.0.0:0", "--public-name", "Solme", "--public-https", "https://mapped:1"]);
    let told = fs::read_to_string(log.path()).unwrap();
    assert!(told.starts_with("mock-solme: open to other machines: 8080 role 0.0.0.0:") && told.lines().count() == 1);
    let said = ["https", "http", "admin"].map(|member| first.text(member).to_owned());
    assert_eq!(said[0], "https://mapped:1");
    assert!(said[1].starts_with("http://solme:"), "{said:?}");
    drop(first);
    let second = start(&[]);
    assert_eq!(["https", "http", "admin"].map(|member| second.text(member).to_owned()), said);
    let at = |words: &[&str]| program(&[words, &["--data", data.to_str().unwrap()]].concat()).output().unwrap();
    let trust: Value = serde_json::from_slice(&at(&["trust-file", "--http", "http://a:2"]).stdout).unwrap();
    assert_eq!((&trust["https"], &trust["http"]), (&Value::from("https://mapped:1"), &Value::from("http://a:2")));
    assert_eq!(at(&["health"]).status.code(), Some(0));
    drop(second);
    assert_eq!(at(&["health"]).status.code(), Some(3));
    let other = start(&["--public-name", "localhost"]);
    assert!(other.text("https").starts_with("https://localhost:"));
}

#[test]
fn a_remembered_port_that_is_taken_is_named_with_the_new_one() {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    let https = serve(&data).text("https").to_owned();
    let _squatter = std::net::TcpListener::bind(https.strip_prefix("https://").unwrap()).unwrap();
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut command = program(&["serve", "--data", data.to_str().unwrap()]);
    command.stderr(log.reopen().unwrap());
    let moved = Served::run(command);
    assert_ne!(moved.text("https"), https);
    let told = fs::read_to_string(log.path()).unwrap();
    for word in
        [https.strip_prefix("https://").unwrap(), moved.text("https").strip_prefix("https://").unwrap(), "--trust"]
    {
        assert!(told.contains(word), "{word}: {told}");
    }
}

#[test]
fn a_directory_of_which_something_is_gone_is_not_set_up_anew() {
    for missing in ["signing-key.pk8", "ca-key.pem", "ca.pem", "state.sqlite"] {
        let root = tempfile::tempdir().unwrap();
        let data = root.path().join("data");
        drop(serve(&data));
        fs::remove_file(data.join(missing)).unwrap();
        let told = refused(&data);
        assert!(told.contains(missing) && told.contains("backup"), "{told}");
        assert!(!data.join(missing).exists());
    }
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    drop(serve(&data));
    for wrong in [&b""[..], b"this is no database, and it is long enough to be looked at"] {
        fs::write(data.join("state.sqlite"), wrong).unwrap();
        let told = refused(&data);
        assert!(told.contains("state.sqlite") && told.contains("backup"), "{told}");
    }
}

#[test]
fn a_directory_of_somebody_else_is_left_alone() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("thesis.txt"), "x").unwrap();
    set_mode(root.path(), 0o755);
    let told = refused(root.path());
    assert!(told.contains("neither empty nor"), "{told}");
    assert_eq!((mode(root.path()), fs::read_dir(root.path()).unwrap().count()), (0o755, 1));
}

#[test]
fn nobody_else_may_read_it_and_what_was_opened_is_closed_and_said() {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    drop(serve(&data));
    let private = ["signing-key.pk8", "ca-key.pem", "ca.pem", "state.sqlite", "serve.json", "journal.jsonl"];
    let modes = || private.map(|name| mode(&data.join(name)));
    assert_eq!((mode(&data), modes()), (0o700, [0o600; 6]));
    set_mode(&data, 0o777);
    set_mode(&data.join("state.sqlite"), 0o666);
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut command = program(&["serve", "--data", data.to_str().unwrap()]);
    command.stderr(log.reopen().unwrap());
    drop(Served::run(command));
    assert_eq!((mode(&data), modes()), (0o700, [0o600; 6]));
    let told = fs::read_to_string(log.path()).unwrap();
    assert!(
        told.contains("permissions are now 0700")
            && told.contains("permissions are now 0600")
            && told.contains("state.sqlite"),
        "{told}"
    );

    set_mode(&data.join("signing-key.pk8"), 0o644);
    let told = refused(&data);
    assert!(told.contains("signing-key.pk8") && told.contains("chmod 600"), "{told}");
}

#[test]
fn what_stands_in_place_of_a_key_is_named_and_not_waited_for() {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    drop(serve(&data));
    for name in ["signing-key.pk8", "ca-key.pem", "ca.pem", "state.sqlite", "journal.jsonl"] {
        let path = data.join(name);
        let kept = fs::read(&path).unwrap();
        let put = |what: &dyn Fn(), word: &str| {
            fs::remove_file(&path).unwrap();
            what();
            let told = refused(&data);
            assert!(told.contains(name) && told.contains(word), "{name}: {told}");
        };
        put(&|| assert!(Command::new("mkfifo").arg(&path).status().unwrap().success()), "a pipe or a device");
        put(&|| symlink("/dev/zero", &path).unwrap(), "a pipe or a device");
        fs::remove_file(&path).unwrap();
        fs::write(&path, &kept).unwrap();
        set_mode(&path, 0o600);
    }
    for (name, wrong) in [("signing-key.pk8", vec![0; 70_000]), ("signing-key.pk8", vec![1]), ("ca.pem", b"x".to_vec())]
    {
        let kept = fs::read(data.join(name)).unwrap();
        fs::write(data.join(name), wrong).unwrap();
        let told = refused(&data);
        assert!(told.contains(name) && told.contains("backup"), "{told}");
        fs::write(data.join(name), kept).unwrap();
    }
    drop(serve(&data));
}

#[tokio::test]
async fn the_journal_is_there_again_after_a_restart_and_its_numbers_go_on() {
    let data = tempfile::tempdir().unwrap();
    let mock = MockSolme::builder().data(data.path()).start();
    let mut server = LicenseServer::new(&mock);
    server.synchronize().await.unwrap();
    let before = mock.journal();
    assert_eq!(before.len(), 2);
    drop(mock);
    // The power failed in the middle of a line.
    let path = data.path().join("journal.jsonl");
    let whole = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{whole}{{\"number\":3,\"at\":\"20")).unwrap();
    let mock = MockSolme::builder().data(data.path()).start();
    assert_eq!(mock.journal(), before);
    let mut server = server.moved_to(&mock);
    server.synchronize().await.unwrap();
    assert_eq!(mock.journal().iter().map(|entry| entry.number).collect::<Vec<_>>(), [1, 2, 3, 4]);
    drop(mock);
    assert_eq!(MockSolme::builder().data(data.path()).start().journal().len(), 4);
}

#[test]
fn a_file_in_place_of_the_directory_is_named_with_the_next_step() {
    let root = tempfile::tempdir().unwrap();
    let (file, dangling) = (root.path().join("file"), root.path().join("dangling"));
    fs::write(&file, "mine").unwrap();
    symlink(root.path().join("nowhere"), &dangling).unwrap();
    for (data, named) in [(&file, &file), (&file.join("below"), &file), (&dangling, &dangling)] {
        let next = "is not a directory: name an empty directory, or one that does not exist yet";
        assert_eq!(refused(data), format!("mock-solme: {} {next}\n", named.display()));
    }
    assert_eq!(fs::read(&file).unwrap(), b"mine");
}

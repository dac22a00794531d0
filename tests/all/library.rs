//! The License Server as a library: its examples, a crate of one's own, an asynchronous program.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use license_server::testing::with_clock;
use license_server::{Direct, Fault, LicenseNumber, LicenseServer, Network, State, Synchronization};
use mock_solme::{MockSolme, NewLicense};
use serde_json::{Value, to_value};

/// A main server, and a state directory.
struct Stage {
    main_server: MockSolme,
    number: LicenseNumber,
    directory: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        let main_server = MockSolme::start();
        let license = main_server.add_license(main_server.demo_id(), NewLicense::default()).unwrap();
        Self { number: license.number, main_server, directory: tempfile::tempdir().unwrap() }
    }

    fn state(&self) -> PathBuf {
        self.directory.path().join("state")
    }

    fn license_server(&self) -> LicenseServer {
        LicenseServer::init(self.state(), self.main_server.demo_id().clone(), self.main_server.trust()).unwrap()
    }

    /// What the command line says about the same state.
    fn command_line(&self, words: &[&str]) -> Value {
        let fixed = ["license-server", "--json", "--state", self.state().to_str().unwrap()].map(str::to_owned);
        let said = Arc::new(Mutex::new(Value::Null));
        let hear = Arc::clone(&said);
        let seams = license_server::testing::Seams::default()
            .on_report(move |object| *hear.lock().unwrap() = Value::Object(object.clone()));
        let args = fixed.into_iter().chain(words.iter().map(|word| (*word).to_owned()));
        license_server::testing::run(args.map(Into::into), seams);
        let said = said.lock().unwrap();
        said.clone()
    }
}

fn direct() -> Direct {
    Direct::new(Network::default())
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn the_example_of_the_first_page_synchronizes_and_gates_its_own_issuing() {
    let stage = Stage::new();
    let run = |number: &str| {
        let mut example = Command::new(env!("CARGO_BIN_EXE_example-license-server"));
        example.arg(stage.state()).arg(stage.main_server.demo_id().as_str()).arg(stage.main_server.trust_file());
        said(&example.arg(number).output().unwrap())
    };
    let first = run(stage.number.as_str());
    assert!(
        first.starts_with("4 licenses added\n") && first.ends_with(&format!("issued {}\n", stage.number)),
        "{first}"
    );
    let other = run("AVIX1-00000-00000-00000-00000-DEMO009");
    assert!(other.starts_with("0 licenses added\nlicense-not-allocated: "), "{other}");
    stage.main_server.disable(stage.main_server.demo_id()).unwrap();
    let refused = run(stage.number.as_str());
    assert!(refused.starts_with("license-server-id-disabled: ") && refused.contains("\nissued "), "{refused}");
}

#[test]
fn the_example_with_its_own_transport_shows_both_ports() {
    let stage = Stage::new();
    stage.license_server();
    let mut example = Command::new(env!("CARGO_BIN_EXE_example-own-transport"));
    let said = said(&example.arg(stage.state()).output().unwrap());
    let lines: Vec<&str> = said.lines().collect();
    assert!(
        lines[0].starts_with("port 443: status 200, ") && lines[1].starts_with("port 8080: status 200, "),
        "{said}"
    );
    assert_eq!(lines[2], "synchronized");
}

#[tokio::test]
async fn it_works_inside_a_runtime_and_on_another_thread() {
    let stage = Stage::new();
    let server = stage.license_server();
    assert!(matches!(server.synchronize(&direct()).unwrap(), Synchronization::Synchronized(_)));
    let again = server.clone();
    let again = tokio::task::spawn_blocking(move || again.synchronize(&direct()).unwrap()).await.unwrap();
    assert!(again.is_synchronized());
    let checks = server.diagnose(&direct()).checks;
    assert!(checks.iter().all(|check| check.ok), "{checks:?}");
}

#[test]
fn each_result_is_what_the_command_line_prints() {
    let stage = Stage::new();
    let server = stage.license_server();
    let synchronized = to_value(server.synchronize(&direct()).unwrap()).unwrap();
    let by_hand = stage.command_line(&["synchronize"]);
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!((keys(&synchronized), &synchronized["code"]), (keys(&by_hand), &by_hand["code"]));
    let same = |mut ours: Value, words: &[&str]| {
        let mut theirs = stage.command_line(words);
        // The clock may have moved on by a second.
        for value in [&mut ours, &mut theirs] {
            for name in ["clock", "effective_now", "local_clock", "high_water_mark"] {
                value.as_object_mut().unwrap().remove(name);
            }
        }
        assert_eq!(ours, theirs, "{words:?}");
    };
    same(to_value(server.status().unwrap()).unwrap(), &["status"]);
    same(to_value(server.history().unwrap()).unwrap(), &["history"]);
    same(to_value(server.may_issue(&stage.number).unwrap()).unwrap(), &["may-issue", stage.number.as_str()]);
    same(to_value(server.may_issue_any().unwrap()).unwrap(), &["may-issue"]);
    let diagnosis = to_value(server.diagnose(&direct())).unwrap();
    assert_eq!(keys(&diagnosis), keys(&stage.command_line(&["doctor"])));
}

#[test]
fn a_synchronization_via_file_is_previewed_and_then_applied() {
    let stage = Stage::new();
    let server = stage.license_server();
    let [request, response] = ["request", "response"].map(|name| stage.directory.path().join(name));
    server.export_request(&request).unwrap();
    let processed = stage.main_server.process_request_file(&std::fs::read(&request).unwrap()).unwrap();
    std::fs::write(&response, &processed.bytes).unwrap();
    let preview = server.preview_response(&response).unwrap();
    assert_eq!((preview.dry_run, server.status().unwrap().state), (Some(true), State::Unsynchronized));
    assert!(preview.would_synchronize_by.is_some());
    assert!(server.import_response(&response).unwrap().synchronization.is_synchronized());
    assert_eq!(server.status().unwrap().state, State::Synchronized);
    std::fs::write(&response, "something else").unwrap();
    let error = server.import_response(&response).unwrap_err();
    assert_eq!((error.fault(), error.code), (Fault::File, "not-a-response-file"));
}

#[test]
fn a_test_moves_the_clock_of_a_license_server() {
    let stage = Stage::new();
    let server = stage.license_server();
    server.synchronize(&direct()).unwrap();
    let by = server.status().unwrap().synchronize_by.unwrap();
    let verdict = with_clock(server, move || by).may_issue(&stage.number).unwrap();
    assert_eq!((verdict.may_issue, verdict.code), (false, "overdue"));
}

#[test]
fn what_was_not_set_up_is_the_local_states_fault() {
    let nowhere = tempfile::tempdir().unwrap();
    let error = LicenseServer::open(nowhere.path()).err().unwrap();
    assert_eq!((error.fault(), error.code), (Fault::LocalState, "not-initialized"));
    let json = to_value(&error).unwrap();
    assert_eq!((&json["fault"], &json["code"]), (&"local_state".into(), &"not-initialized".into()));
}

/// The 30 lines as they stand in the documentation, in a crate that knows nothing of this workspace but two paths.
#[test]
fn a_crate_outside_the_workspace_builds_and_runs_the_30_lines() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let outside = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = outside.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let read = |name: &str| std::fs::read_to_string(root.join(name)).unwrap();
    // The profiles of the workspace, so that what it has built is used again.
    let workspace = read("Cargo.toml");
    let profiles = &workspace[workspace.find("[profile.dev]").unwrap()..];
    let [client, mock_solme] = ["client", "mock-solme"].map(|folder| root.join(folder).display().to_string());
    write(
        "Cargo.toml",
        &format!(
            "[package]\nname = \"outside\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n\
             license-server = {{ path = {client:?} }}\nmock-solme = {{ path = {mock_solme:?} }}\n\n{profiles}"
        ),
    );
    write("Cargo.lock", &read("Cargo.lock"));
    write("src/main.rs", &read("client/examples/license_server.rs"));
    write(
        "src/bin/with_main_server.rs",
        "use mock_solme::{MockSolme, NewLicense};\n\
         fn main() {\n\
             let main_server = MockSolme::start();\n\
             let id = main_server.demo_id();\n\
             let license = main_server.add_license(id, NewLicense::default()).unwrap();\n\
             let outside = std::env::current_exe().unwrap().with_file_name(\"outside\");\n\
             let mut outside = std::process::Command::new(outside);\n\
             outside.arg(std::env::args_os().nth(1).unwrap()).arg(id.as_str()).arg(main_server.trust_file());\n\
             assert!(outside.arg(license.number.as_str()).status().unwrap().success());\n\
         }\n",
    );
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let cargo = |words: &[&str]| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(outside.path()).env("CARGO_TARGET_DIR", &target).env("CARGO_INCREMENTAL", "0").args(words);
        cargo.output().unwrap()
    };
    let built = cargo(&["build", "--offline", "--bins"]);
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let state = outside.path().join("state");
    let said = said(&cargo(&["run", "--offline", "--bin", "with_main_server", "--", state.to_str().unwrap()]));
    assert!(said.starts_with("4 licenses added\nissued "), "{said}");
}

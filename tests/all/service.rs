//! `serve` as a service manager runs it: a real process, real signals.

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use solme_sync_harness::programs::LicenseServer;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStdout};
use tokio::time::timeout;

use crate::stage::{Stage, done, init, may_issue, synchronize, synchronized};

/// Longer than anything takes on a busy machine: what needs more hangs.
const AT_MOST: Duration = Duration::from_secs(60);

/// A `serve` that runs.
struct Service {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Service {
    async fn start(server: &LicenseServer, args: &[&str], terminate_at: Option<&str>) -> Self {
        let mut command = server.command([&["serve"], args].concat());
        if let Some(step) = terminate_at {
            command.env("TERMINATE_AT", step);
        }
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut service = Self { process, lines };
        assert_eq!(service.next().await.unwrap()["event"], "started");
        service
    }

    /// What it says next; `None` when it has ended.
    async fn next(&mut self) -> Option<Value> {
        let line = timeout(AT_MOST, self.lines.next_line()).await.expect("it says something, or ends").unwrap()?;
        Some(serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}")))
    }

    async fn terminate(&self) {
        let id = self.process.id().expect("it runs").to_string();
        let sent = tokio::process::Command::new("kill").args(["-TERM", &id]).status().await.unwrap();
        assert!(sent.success());
    }

    /// What it still says until it ends, well.
    async fn end(self) -> Vec<Value> {
        self.end_after(Vec::new()).await
    }

    /// The same, after what it has said already.
    async fn end_after(mut self, mut said: Vec<Value>) -> Vec<Value> {
        while let Some(line) = self.next().await {
            said.push(line);
        }
        let status = self.process.wait().await.unwrap();
        assert_eq!(status.code(), Some(0), "{said:?}");
        assert_eq!(said.last().map(|last| &last["code"]), Some(&Value::from("stopped")), "{said:?}");
        said
    }
}

/// An unsynchronized License Server that is to synchronize each day.
async fn daily(stage: &Stage, id: &str) -> LicenseServer {
    stage.allocate(id).await;
    let server = stage.set_up(id, id).await;
    done(&server, ["automatic-synchronization", "daily"]).await;
    server
}

#[tokio::test]
async fn it_synchronizes_at_once_where_that_was_never_done_and_shows_it_in_the_status() {
    let stage = Stage::begin().await;
    let server = daily(&stage, "SERVED-1").await;
    let mut service = Service::start(&server, &[], None).await;
    assert_eq!(service.next().await.unwrap()["event"], "synchronized");
    let status = done(&server, ["status"]).await.json;
    let automatic = &status["automatic_synchronization"];
    assert_eq!((&automatic["mode"], &automatic["serving"]), (&Value::from("daily"), &Value::from(true)));
    assert_eq!(automatic["last"]["code"], "synchronized");
    assert!(automatic["next_at"].as_str().unwrap() > status["last_synchronized_at"].as_str().unwrap());
    let second = server.run(["serve"]).await.unwrap();
    assert_eq!((second.exit, second.text("code")), (13, "already-serving".to_owned()));
    service.terminate().await;
    service.end().await;
    assert_eq!(done(&server, ["status"]).await.json["automatic_synchronization"]["serving"], false);
}

#[tokio::test]
async fn a_change_of_the_mode_counts_at_once() {
    let stage = Stage::begin().await;
    stage.allocate("SERVED-2").await;
    let server = stage.set_up("SERVED-2", "SERVED-2").await;
    let mut service = Service::start(&server, &[], None).await;
    done(&server, ["automatic-synchronization", "weekly"]).await;
    assert_eq!(service.next().await.unwrap()["event"], "synchronized");
    service.terminate().await;
    service.end().await;
}

// Only Linux shows from outside that a process waits for its turn.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn whoever_waited_for_a_manual_synchronization_makes_no_second_one() {
    let stage = Stage::begin().await;
    let server = daily(&stage, "SERVED-5").await;
    let turn = server.state.canonicalize().unwrap().join("synchronization.lock");
    let manual = std::fs::File::create(&turn).unwrap();
    manual.lock().unwrap();
    let service = Service::start(&server, &[], None).await;
    let files = format!("/proc/{}/fd", service.process.id().expect("it runs"));
    let it_waits = async {
        let is_the_turn = |file: std::fs::DirEntry| std::fs::read_link(file.path()).is_ok_and(|file| file == turn);
        while !std::fs::read_dir(&files).unwrap().flatten().any(is_the_turn) {
            tokio::task::yield_now().await;
        }
    };
    timeout(AT_MOST, it_waits).await.expect("a synchronization is due, and it waits for its turn");
    // What a manual synchronization leaves, as far as the schedule goes.
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let database = rusqlite::Connection::open(server.state.join("state.sqlite")).unwrap();
    database.busy_timeout(AT_MOST).unwrap();
    database.execute("UPDATE automatic SET since = ?", [now.cast_signed()]).unwrap();
    drop(database);
    drop(manual);
    let its_turn = async {
        while !std::fs::read_to_string(&turn).unwrap().contains("serve") {
            tokio::task::yield_now().await;
        }
    };
    timeout(AT_MOST, its_turn).await.expect("it takes its turn");
    // When that is over, it has looked.
    let over = std::fs::File::open(&turn).unwrap();
    tokio::task::spawn_blocking(move || over.lock().unwrap()).await.unwrap();
    service.terminate().await;
    assert_eq!(service.end().await.len(), 1, "nothing was due any more");
    assert_eq!(done(&server, ["status"]).await.json["state"], "unsynchronized");
}

#[tokio::test]
async fn sigterm_ends_it_while_the_main_server_says_nothing_and_the_request_stays_outstanding() {
    let stage = Stage::begin().await;
    let server = daily(&stage, "SERVED-3").await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let trust_file = stage.main_server.ready("trust_file").unwrap();
    let mut trust: Value = serde_json::from_slice(&std::fs::read(trust_file).unwrap()).unwrap();
    trust["https"] = format!("https://{}", silent.local_addr().unwrap()).into();
    let elsewhere = stage.path("elsewhere.json");
    std::fs::write(&elsewhere, trust.to_string()).unwrap();
    init(&server, "SERVED-3", &elsewhere).await;

    let service = Service::start(&server, &["--connect-limit", "1h", "--total-limit", "1h"], None).await;
    let connection = timeout(AT_MOST, silent.accept()).await.expect("it synchronizes").unwrap();
    service.terminate().await;
    let said = service.end().await;
    drop(connection);
    assert_eq!(said.len(), 1, "neither a failure nor a success: {said:?}");
    let status = done(&server, ["status"]).await.json;
    assert_eq!(status["automatic_synchronization"]["last"], Value::Null);
    let request = status["outstanding_request"]["request_id"].clone();
    assert!(request.is_string(), "{status}");

    init(&server, "SERVED-3", trust_file).await;
    assert_eq!(done(&server, ["status"]).await.json["outstanding_request"]["request_id"], request);
    assert_eq!(synchronize(&server).await, synchronized());
    assert_eq!(may_issue(&server).await, Ok(()));
}

#[tokio::test]
async fn sigterm_at_any_durable_step_ends_it_well_and_nothing_is_lost() {
    let stage = Stage::begin().await;
    let (mut told, mut done_at_the_end) = (0, 0);
    for step in (1..=6).flat_map(|n| [format!("before:{n}"), format!("after:{n}")]) {
        let id = format!("STOPPED-{}", step.replace(':', "-"));
        let server = daily(&stage, &id).await;
        let mut service = Service::start(&server, &[], Some(&step)).await;
        let mut said = Vec::new();
        // A step that comes later than the first synchronization is never reached.
        while let Some(line) = service.next().await {
            let event = line["event"].clone();
            said.push(line);
            if event == "synchronized" {
                service.terminate().await;
                break;
            }
        }
        let said = service.end_after(said).await;
        told += usize::from(said.len() == 1);
        done_at_the_end += usize::from(said.len() == 2);
        assert!(said.iter().all(|line| line["event"] != "failed" && line["event"] != "trouble"), "{step}: {said:?}");
        assert_eq!(synchronize(&server).await, synchronized(), "{step}");
        let status = done(&server, ["status"]).await.json;
        assert_eq!(status["key_generation"], 1, "{step}");
        assert_eq!(may_issue(&server).await, Ok(()), "{step}");
    }
    assert!(
        told > 0 && done_at_the_end > 0,
        "stopped before the answer {told} times, after it {done_at_the_end} times"
    );
}

#[tokio::test]
async fn sigterm_ends_it_while_the_warning_command_runs_and_the_warning_comes_again() {
    let stage = Stage::begin().await;
    stage.allocate("SERVED-4").await;
    let mut server = stage.set_up("SERVED-4", "SERVED-4").await;
    assert_eq!(synchronize(&server).await, synchronized());
    server.clock_offset("290d");
    for command in ["exec sleep 3600", "true"] {
        let mut service = Service::start(&server, &["--warning-command", command], None).await;
        let warning = service.next().await.unwrap();
        assert_eq!(
            (&warning["event"], &warning["days_left"]),
            (&Value::from("warning"), &Value::from(76)),
            "{command}"
        );
        service.terminate().await;
        service.end().await;
    }
}

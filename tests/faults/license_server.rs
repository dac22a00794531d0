//! The durable operations of a License Server.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use mock_solme::{Clear, MockSolme, NewLicense, Snapshot};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::disk::Disk;
use crate::sweep::{Operation, Seen, Told, Under};
use crate::{copy, program};

const ID: &str = "DEMO-4711";

/// A License Server, its main server, and what both were when the operation begins.
pub(crate) struct Site {
    dir: TempDir,
    main_server: MockSolme,
    snapshot: Snapshot,
}

/// What is done, and what was done before.
pub(crate) struct Case {
    name: &'static str,
    before: fn(&Site),
    /// The arguments; `DIR/` begins a file of the site.
    words: &'static str,
}

const fn case(name: &'static str, before: fn(&Site), words: &'static str) -> Case {
    Case { name, before, words }
}

/// All of them.
pub(crate) const CASES: [Case; 16] = [
    case("init", |_| {}, "init --id DEMO-4711 --trust DIR/trust.json"),
    case("init with new addresses", Site::with_old_addresses, "init --id DEMO-4711 --trust DIR/trust.json"),
    case("the first synchronization", Site::set_up, "synchronize"),
    case("a later synchronization", Site::with_a_license_more, "synchronize"),
    case("a synchronization that is refused", Site::disabled, "synchronize"),
    case("export-request", Site::synchronized, "export-request DIR/out.json"),
    case("import-response", Site::with_a_response, "import-response DIR/response.json"),
    case("import-response of a refusal", Site::with_a_refusal, "import-response DIR/response.json"),
    case("automatic-synchronization", Site::synchronized, "automatic-synchronization daily"),
    case(
        "automatic-synchronization on a state of the first version",
        Site::of_the_first_version,
        "automatic-synchronization daily",
    ),
    case("serve, with a synchronization that is due", Site::daily, "--clock-offset=3d serve"),
    case("new-key-pair", Site::set_up, "new-key-pair --yes"),
    case("new-key-pair after a clear", Site::cleared, "new-key-pair --yes"),
    case("new-key-pair when the database is lost", Site::with_a_lost_database, "new-key-pair --yes"),
    case("request-clear", Site::synchronized, "request-clear --out DIR/out.json"),
    case("may-issue when the clock has moved", Site::synchronized, "--clock-offset=2h may-issue"),
];

impl Site {
    fn new() -> Self {
        let main_server = MockSolme::builder().quiet().start();
        let snapshot = main_server.snapshot().unwrap();
        let dir = tempfile::tempdir().unwrap();
        fs::copy(main_server.trust_file(), dir.path().join("trust.json")).unwrap();
        Self { dir, main_server, snapshot }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, words: &str) -> Command {
        let mut command = program("license-server");
        let here = format!("{}/", self.dir.path().display());
        command.arg("--state").arg(self.path("state")).arg("--json");
        command.args(words.split(' ').map(|word| word.replace("DIR/", &here)));
        command
    }

    /// Runs a command: its exit code, and its answer.
    fn run(&self, words: &str) -> (Option<i32>, Value) {
        let output = self.command(words).output().unwrap();
        (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_default())
    }

    fn done(&self, words: &str) -> Value {
        let (exit, answer) = self.run(words);
        assert_eq!(exit, Some(0), "{words}: {answer}");
        answer
    }

    fn set_up(&self) {
        self.done("init --id DEMO-4711 --trust DIR/trust.json");
    }

    fn with_old_addresses(&self) {
        let trust = fs::read_to_string(self.path("trust.json")).unwrap();
        let port = self.main_server.http().rsplit_once(':').unwrap().1;
        fs::write(self.path("old-trust.json"), trust.replace(port, "9")).unwrap();
        self.done("init --id DEMO-4711 --trust DIR/old-trust.json");
    }

    fn synchronized(&self) {
        self.set_up();
        self.done("synchronize");
    }

    fn of_the_first_version(&self) {
        self.synchronized();
        let state = rusqlite::Connection::open(self.path("state/state.sqlite")).unwrap();
        let younger = "DROP TABLE automatic; DROP TABLE automatic_last; DROP TABLE seal; PRAGMA user_version = 1;";
        state.execute_batch(younger).unwrap();
    }

    fn with_a_license_more(&self) {
        self.synchronized();
        self.main_server.add_license(&ID.parse().unwrap(), NewLicense::default()).unwrap();
    }

    fn disabled(&self) {
        self.synchronized();
        self.main_server.disable(&ID.parse().unwrap()).unwrap();
    }

    fn cleared(&self) {
        self.synchronized();
        self.main_server.clear_key_pair(&ID.parse().unwrap(), Clear::default()).unwrap();
    }

    fn with_a_response(&self) {
        self.with_a_license_more();
        self.process();
    }

    fn with_a_refusal(&self) {
        self.cleared();
        self.process();
    }

    fn process(&self) {
        self.done("export-request DIR/request.json");
        let request = fs::read(self.path("request.json")).unwrap();
        let response = self.main_server.process_request_file(&request).unwrap();
        fs::write(self.path("response.json"), response.bytes).unwrap();
    }

    fn daily(&self) {
        self.with_a_license_more();
        self.done("automatic-synchronization daily");
    }

    fn with_a_lost_database(&self) {
        self.set_up();
        fs::write(self.path("state/state.sqlite"), "lost").unwrap();
    }
}

/// A case at its site.
pub(crate) struct AtSite {
    case: &'static Case,
    site: Site,
    state: PathBuf,
    key_before: Value,
    /// The main server when the operation was done for the first time.
    after: Option<Snapshot>,
}

impl Case {
    /// Prepares it.
    pub(crate) fn at_a_site(&'static self) -> Box<dyn Operation> {
        let mut site = Site::new();
        (self.before)(&site);
        site.snapshot = site.main_server.snapshot().unwrap();
        let state = site.path("state");
        if state.exists() {
            copy(&state, &site.path("before"));
        }
        let key_before = site.run("status").1["key_thumbprint"].clone();
        Box::new(AtSite { case: self, site, state, key_before, after: None })
    }
}

impl AtSite {
    /// `serve` goes on, so it is stopped when it has said how its synchronization ended.
    fn serve(&self, mut command: Command) -> Told {
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut told = Told::NotDone;
        for line in BufReader::new(process.stdout.take().unwrap()).lines() {
            let line: Value = serde_json::from_str(&line.unwrap()).unwrap_or_default();
            match line["event"].as_str() {
                Some("started") => {}
                Some("synchronized") => {
                    told = Told::Done;
                    break;
                }
                _ => break,
            }
        }
        terminate(process.id());
        process.wait().unwrap();
        told
    }
}

/// Tells a process to end, or the one that strace has started.
fn terminate(process: u32) {
    let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    let process = children.split_whitespace().next().map_or(process.to_string(), str::to_owned);
    let _ = Command::new("kill").args(["-TERM", &process]).stderr(Stdio::null()).status();
}

impl Operation for AtSite {
    fn name(&self) -> &'static str {
        self.case.name
    }

    fn folder(&self) -> &Path {
        self.site.dir.path()
    }

    fn begin(&mut self) {
        let _ = fs::remove_dir_all(&self.state);
        let _ = fs::remove_file(self.site.path("out.json"));
        let _ = fs::remove_file(self.site.path("out.json.tmp"));
        let before = self.site.path("before");
        if before.exists() {
            copy(&before, &self.state);
        }
        self.site.main_server.restore(&self.site.snapshot).unwrap();
    }

    fn act(&mut self, under: Under<'_>) -> Told {
        let mut command = self.site.command(self.case.words);
        match under {
            Under::Strace(strace) => command = strace.around(&command),
            Under::Abort(at) => drop(command.env("ABORT_AT", at)),
            Under::Disk(disk) => command = disk.under(&self.state, &command),
        }
        let told = match self.case.words.ends_with("serve") {
            true => self.serve(command),
            false => {
                let output = command.output().unwrap();
                let exit = output.status.code();
                if let Under::Disk(_) = under {
                    if !Disk::was_there(exit) {
                        return Told::NotTried;
                    }
                    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
                    assert!(exit == Some(0) || answer["cure"].is_string(), "no next step: {answer}");
                }
                told(self.case, exit)
            }
        };
        self.after.get_or_insert_with(|| self.site.main_server.snapshot().unwrap());
        told
    }

    fn state(&self) -> (&Path, PathBuf) {
        (&self.state, self.site.path("before"))
    }

    fn look(&mut self) -> Seen {
        let (exit, status) = self.site.run("status");
        let out = fs::read(self.site.path("out.json")).map(|out| !out.is_empty()).ok();
        if exit != Some(0) {
            // Damaged, missing or empty: one is as lost as the other.
            let lost = ["database-damaged", "database-missing", "not-initialized"].map(Value::from);
            let code = if lost.contains(&status["code"]) { json!("no database") } else { status["code"].clone() };
            return Seen { state: json!({ "code": code, "out": out }), sequence: 0 };
        }
        let key = if status["key_thumbprint"] == self.key_before { "as before" } else { "new" };
        let state = json!({
            "key": key,
            "state": status["state"],
            "generation": status["key_generation"],
            "revision": status["allocation_revision"],
            "licenses": status["licenses"],
            "automatic": status["automatic_synchronization"]["mode"],
            "http": status["main_server"]["http"],
            "out": out,
        });
        Seen { state, sequence: status["sequence"].as_u64().unwrap_or(0) }
    }

    fn again(&mut self) -> Told {
        if self.case.words.ends_with("serve") {
            return self.serve(self.site.command("--clock-offset=3d serve"));
        }
        told(self.case, self.site.run(self.case.words).0)
    }

    fn other_side_went_on(&mut self) {
        if let Some(after) = &self.after {
            self.site.main_server.restore(after).unwrap();
        }
    }
}

fn told(case: &Case, exit: Option<i32>) -> Told {
    let refused = case.name.contains("refus");
    if exit == Some(if refused { 10 } else { 0 }) { Told::Done } else { Told::NotDone }
}

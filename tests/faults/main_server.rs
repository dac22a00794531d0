//! The durable operations of the main server.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use mock_solme::MockSolme;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::disk::Disk;
use crate::sweep::{Operation, Seen, Told, Under};
use crate::{copy, program};

/// A main server that runs.
pub(crate) struct Running {
    process: Child,
    ready: Value,
    /// It ends when this is closed.
    stdin: Option<ChildStdin>,
}

impl Running {
    /// Starts what is `mock-solme serve`, perhaps under something else. If it ends before it is ready: its exit code.
    pub(crate) fn start(mut command: Command) -> Result<Self, Option<i32>> {
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let stdin = process.stdin.take();
        let Ok(ready) = serde_json::from_str(&line) else {
            return Err(process.wait().unwrap().code());
        };
        Ok(Self { process, ready, stdin })
    }

    pub(crate) fn ready(&self, member: &str) -> &str {
        self.ready[member].as_str().unwrap()
    }

    /// Asks the admin API. None if there is no answer.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &str) -> Option<(u16, Value)> {
        let address = self.ready("admin").trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).ok()?;
        let (token, length) = (self.ready("admin_token"), body.len());
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some((status, serde_json::from_str(body).unwrap_or_default()))
    }

    /// What it is known by: it has to stay, once it was told.
    fn itself(&self) -> Value {
        json!({ "id": self.ready["main_server_id"], "token": self.ready["admin_token"] })
    }

    fn get(&self, path: &str) -> Value {
        let (status, answer) = self.ask("GET", path, "").unwrap();
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    /// Number of the newest exchange. None if there is no answer.
    fn newest_exchange(&self) -> Option<u64> {
        let (_, journal) = self.ask("GET", "/journal", "")?;
        Some(journal.as_array()?.last().map_or(0, |exchange| exchange["number"].as_u64().unwrap()))
    }

    /// Waits until this exchange is in the journal, which is after its answer has left. Asks no more than often enough.
    fn wait_for_exchange(&self, number: u64) {
        let _ = (0..1_000).map_while(|_| self.newest_exchange()).find(|newest| *newest >= number);
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// Kills it while others ask it.
    pub(crate) fn kill_now(&self) {
        let process = self.process_id().to_string();
        assert!(Command::new("kill").args(["-KILL", &process]).status().unwrap().success());
    }

    pub(crate) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// As its operator stops it.
    fn stop(mut self) {
        drop(self.stdin.take());
        self.process.wait().unwrap();
    }
}

/// A main server's data, and what lies beside it.
pub(crate) struct Site {
    dir: TempDir,
    /// Takes the mails that are handed on, as far as they are for the licensing desk.
    mail_server: MockSolme,
}

/// What is done, and what was done before.
pub(crate) struct Case {
    name: &'static str,
    before: &'static [Step],
    step: Step,
}

/// Something that somebody asks of the main server.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// Nothing but to start.
    Start,
    /// Of the admin API: method, path, body.
    Admin(&'static str, &'static str, &'static str),
    /// A License Server's command.
    Server(&'static str),
    /// A License Server synchronizes, and is refused.
    Refused,
    /// The command line's `process-request`.
    ProcessRequest,
    /// A program that restores what the data were before the last step.
    Restore,
}

use Step::{Admin, ProcessRequest, Refused, Restore, Server, Start};

const INIT: Step = Server("init --id DEMO-4711 --trust DIR/data/trust.json");
const SYNCHRONIZE: Step = Server("synchronize");
const EXPORT: Step = Server("export-request DIR/request.json");
const DESK_IS_A_CONTACT: Step = Admin("PATCH", "/ids/DEMO-4711", r#"{"contacts":["licensing@solme.se"]}"#);
const MAIL: Step = Server("request-clear --from it@customer.example --smtp SMTP");
const ADD: Step = Admin("POST", "/ids/DEMO-4711/licenses", r#"{"number":"AAAAA-AAAAA-AAAAA-AAAAA-AAAAA-AAAAAAA"}"#);
const OF_IT: &str = "/ids/DEMO-4711/licenses/AAAAA-AAAAA-AAAAA-AAAAA-AAAAA-AAAAAAA";
const ADD_ID: Step = Admin("POST", "/ids", r#"{"license_server_id":"SITE-1","contacts":["it@customer.example"]}"#);
const KEY: &str = r#"{"reserve_for":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}"#;
const DAY: &str = r#"{"seconds":86400}"#;
const CLEAR: Step = Admin("POST", "/ids/DEMO-4711/key-pair/clear", r#"{"even_so":true,"reason":"lost"}"#);
const APPROVE: &str = r#"{"even_so":true,"reason":"called back"}"#;

const fn case(name: &'static str, before: &'static [Step], step: Step) -> Case {
    Case { name, before, step }
}

/// All of them.
pub(crate) const CASES: [Case; 25] = [
    case("the first start", &[], Start),
    case("a later start", &[Start], Start),
    case("the first synchronization", &[INIT], SYNCHRONIZE),
    case("a later synchronization", &[INIT, SYNCHRONIZE, ADD], SYNCHRONIZE),
    case("a synchronization that is refused", &[INIT, SYNCHRONIZE, CLEAR], Refused),
    case("process-request", &[INIT, EXPORT], ProcessRequest),
    case("ids add", &[Start], ADD_ID),
    case("ids change", &[ADD_ID], Admin("PATCH", "/ids/SITE-1", r#"{"name":"Site"}"#)),
    case("ids disable", &[Start], Admin("POST", "/ids/DEMO-4711/disable", "{}")),
    case("ids enable", &[Admin("POST", "/ids/DEMO-4711/disable", "{}")], Admin("POST", "/ids/DEMO-4711/enable", "{}")),
    case("licenses add", &[Start], ADD),
    case("licenses change", &[ADD], Admin("PATCH", OF_IT, r#"{"display":"Changed"}"#)),
    case("licenses remove", &[ADD], Admin("DELETE", OF_IT, "{}")),
    case("key-pair clear", &[INIT, SYNCHRONIZE], CLEAR),
    case("key-pair reserve", &[ADD_ID], Admin("POST", "/ids/SITE-1/key-pair/reserve", KEY)),
    case("a mail comes in", &[INIT, SYNCHRONIZE], MAIL),
    case("clear-requests approve", &[INIT, SYNCHRONIZE, MAIL], Admin("POST", "/clear-requests/1/approve", APPROVE)),
    case("clear-requests reject", &[INIT, SYNCHRONIZE, MAIL], Admin("POST", "/clear-requests/1/reject", "{}")),
    case("outbox hand-on", &[DESK_IS_A_CONTACT, INIT, SYNCHRONIZE, MAIL], Admin("POST", "/outbox/1/hand-on", "{}")),
    case("clock set", &[Start], Admin("PUT", "/clock", r#"{"now":"2040-01-01T00:00:00Z"}"#)),
    case("clock advance", &[Start], Admin("POST", "/clock/advance", DAY)),
    case("reset of an id", &[INIT, SYNCHRONIZE], Admin("POST", "/ids/DEMO-4711/reset", "{}")),
    case(
        "reset of everything",
        &[INIT, SYNCHRONIZE, ADD, ADD_ID, Admin("POST", "/clock/advance", DAY)],
        Admin("POST", "/reset", "{}"),
    ),
    case("the restoring of a snapshot", &[INIT, SYNCHRONIZE, ADD, Admin("POST", "/clock/advance", DAY)], Restore),
    case("quirks arm", &[Start], Admin("POST", "/quirks/faults", r#"{"quirk":"status-503"}"#)),
];

impl Site {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn serve(&self) -> Command {
        let mut command = program("mock-solme");
        command.args(["serve", "--exit-with-stdin", "--seed", "1", "--data"]).arg(self.path("data"));
        command.args(["--mail-server", &format!("smtp://{}", self.mail_server.smtp())]);
        // strace counts the calls of each thread: on two, the second write to the journal may be the first of either.
        command.env("TOKIO_WORKER_THREADS", "1");
        command
    }

    /// Its library restores a snapshot; no program does.
    fn restore(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_subject"));
        command.arg("restore").arg(self.path("data")).arg(self.path("backup")).stdin(Stdio::null());
        command
    }

    fn start(&self) -> Running {
        Running::start(self.serve()).expect("the main server starts again")
    }

    /// A License Server's command, to its exit code.
    fn server(&self, running: &Running, words: &str) -> Option<i32> {
        let here = format!("{}/", self.dir.path().display());
        let mut command = program("license-server");
        command.arg("--state").arg(self.path("server")).arg("--json");
        let words = words.replace("DIR/", &here).replace("SMTP", running.ready("smtp"));
        command.args(words.split(' ')).output().unwrap().status.code()
    }

    /// Asks for it; whether it was told that it is done.
    fn ask(&self, running: &Running, step: Step) -> Told {
        let newest = running.newest_exchange().unwrap_or_default();
        let done = match step {
            Start => true,
            Restore => unreachable!("it is no step of one that runs"),
            Admin(method, path, body) => {
                running.ask(method, path, body).is_some_and(|(status, _)| (200..300).contains(&status))
            }
            Server(words) => self.server(running, words) == Some(0),
            Refused => self.server(running, "synchronize") == Some(10),
            ProcessRequest => {
                let mut command = program("mock-solme");
                command.args(["--admin-url", running.ready("admin"), "--token", running.ready("admin_token")]);
                command.args(["--json", "process-request"]).arg(self.path("request.json"));
                let output = command.arg("--out").arg(self.path("out.json")).output().unwrap();
                let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
                answer["outcome"] == "accepted"
            }
        };
        // An accepted synchronization is two exchanges, the request and the payload; a refused one is one.
        let exchanges = match step {
            Server("synchronize") => 2,
            Refused => 1,
            _ => 0,
        };
        if !done {
            return Told::NotDone;
        }
        running.wait_for_exchange(newest + exchanges);
        Told::Done
    }
}

/// A case at its site.
pub(crate) struct AtSite {
    case: &'static Case,
    site: Site,
    data: PathBuf,
    /// What the last start that was watched said of itself.
    told: Value,
}

impl Case {
    /// Prepares it.
    pub(crate) fn at_a_site(&'static self) -> Box<dyn Operation> {
        let site = Site { dir: tempfile::tempdir().unwrap(), mail_server: MockSolme::builder().quiet().start() };
        let data = site.path("data");
        if !self.before.is_empty() {
            let running = site.start();
            for step in self.before {
                if let (Restore, Admin(..)) = (self.step, step)
                    && !site.path("backup").exists()
                {
                    copy(&data, &site.path("backup"));
                }
                assert_eq!(site.ask(&running, *step), Told::Done, "{}: {step:?}", self.name);
            }
            running.stop();
            for name in ["data", "server", "backup"].into_iter().filter(|name| site.path(name).exists()) {
                copy(&site.path(name), &site.path(&format!("{name} before")));
            }
        }
        Box::new(AtSite { case: self, site, data, told: Value::Null })
    }
}

impl AtSite {
    /// From now on the calls count: the data as they are now.
    fn watch(&self) {
        let watched = self.site.path("data watched");
        let _ = fs::remove_dir_all(&watched);
        if self.data.exists() {
            copy(&self.data, &watched);
        }
    }
}

/// What is the same for the same state: no times, and nothing random.
fn steady(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let volatile = |name: &str| {
                name.ends_with("_at") || ["at", "now", "raw", "mail", "further", "sequence"].contains(&name)
            };
            members.into_iter().filter(|(name, _)| !volatile(name)).map(|(name, value)| (name, steady(value))).collect()
        }
        Value::Array(values) => values.into_iter().map(steady).collect(),
        other => other,
    }
}

impl Operation for AtSite {
    fn name(&self) -> &'static str {
        self.case.name
    }

    fn folder(&self) -> &Path {
        self.site.dir.path()
    }

    fn state(&self) -> (&Path, PathBuf) {
        (&self.data, self.site.path("data watched"))
    }

    fn beside(&self) -> Option<(PathBuf, PathBuf)> {
        let copy = self.site.path("backup before");
        copy.exists().then(|| (self.site.path("backup"), copy))
    }

    fn begin(&mut self) {
        // Of a backup too: whoever opens it brings its log into its database.
        for name in ["data", "server", "backup"] {
            let (now, before) = (self.site.path(name), self.site.path(&format!("{name} before")));
            let _ = fs::remove_dir_all(&now);
            if before.exists() {
                copy(&before, &now);
            }
        }
        let _ = fs::remove_file(self.site.path("out.json"));
        self.told = Value::Null;
    }

    fn act(&mut self, under: Under<'_>) -> Told {
        let starts = matches!(self.case.step, Start);
        let restores = matches!(self.case.step, Restore);
        let mut serve = if restores { self.site.restore() } else { self.site.serve() };
        self.watch();
        match under {
            Under::Strace(strace) if starts || restores => serve = strace.around(&serve),
            Under::Strace(_) => {}
            Under::Abort(at) => drop(serve.env("ABORT_AT", at)),
            Under::Disk(disk) => serve = disk.under(&self.data, &serve),
        }
        if restores {
            let exit = serve.output().unwrap().status.code();
            return match under {
                Under::Disk(_) if !Disk::was_there(exit) => Told::NotTried,
                _ if exit == Some(0) => Told::Done,
                _ => Told::NotDone,
            };
        }
        let running = match Running::start(serve) {
            Ok(running) => running,
            Err(exit) => return if Disk::was_there(exit) { Told::NotDone } else { Told::NotTried },
        };
        if starts {
            self.told = running.itself();
            running.stop();
            return Told::Done;
        }
        self.watch();
        let attached = match under {
            Under::Strace(strace) => Some(strace.attach(running.process_id())),
            Under::Abort(_) | Under::Disk(_) => None,
        };
        let told = self.site.ask(&running, self.case.step);
        match under {
            Under::Disk(_) => running.stop(),
            _ => running.kill(),
        }
        if let Some(attached) = attached {
            attached.end();
        }
        told
    }

    fn look(&mut self) -> Seen {
        let running = self.site.start();
        let same = self.told.is_null() || self.told == running.itself();
        let ids = running.get("/ids");
        let names: Vec<&str> =
            ids.as_array().unwrap().iter().filter_map(|id| id["license_server_id"].as_str()).collect();
        let of_each: Vec<Value> = names
            .iter()
            .map(|id| json!([running.get(&format!("/ids/{id}/licenses")), running.get(&format!("/ids/{id}/key-pair"))]))
            .collect();
        let sequences = ids.as_array().unwrap().iter().filter_map(|id| id["sequence"].as_u64());
        let sequence = sequences.max().unwrap_or(0);
        let mails = running.get("/outbox");
        let mails = mails.as_array().unwrap().iter();
        let outbox: Vec<Value> = mails.map(|mail| json!([mail["subject"], mail["handed_on_at"].is_null()])).collect();
        let audit: Vec<Value> = running
            .get("/audit")
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["action"].clone())
            .filter(|action| action != "synchronized")
            .collect();
        // A clock that was set is compared by the day.
        let offset = running.get("/clock")["offset"].as_i64().unwrap() / 86_000;
        let seen = json!({
            "who it told it is": same, "ids": ids, "of each": of_each, "requests": running.get("/clear-requests"),
            "outbox": outbox, "audit": audit, "clock": offset,
        });
        running.kill();
        Seen { state: steady(seen), sequence }
    }

    fn again(&mut self) -> Told {
        if let Restore = self.case.step {
            return self.act(Under::Abort("never"));
        }
        let running = self.site.start();
        let told = self.site.ask(&running, self.case.step);
        running.kill();
        told
    }

    fn other_side_went_on(&mut self) {}
}

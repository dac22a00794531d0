//! The program `mock-solme`, as a person or a script uses it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use crate::license_server::LicenseServer;

pub(crate) struct Served {
    process: Child,
    ready: Value,
}

impl Served {
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::run(program(args))
    }

    /// With so many descriptors and no more.
    #[cfg(target_os = "linux")]
    pub(crate) fn with_descriptors(descriptors: u32, args: &[&str]) -> Self {
        let program = program(args);
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("ulimit -n {descriptors} && exec \"$0\" \"$@\"")]);
        shell.arg(program.get_program()).args(program.get_args()).stdin(Stdio::null()).env_remove("RUST_LOG");
        Self::run(shell)
    }

    /// Its greatest resident memory so far, in KiB.
    #[cfg(target_os = "linux")]
    pub(crate) fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    pub(crate) fn run(mut command: Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        Self { process, ready: serde_json::from_str(&line).unwrap() }
    }

    pub(crate) fn admin(&self, args: &[&str]) -> Output {
        let mut command = program(args);
        command.env("MOCK_SOLME_ADMIN_URL", self.text("admin")).env("MOCK_SOLME_TOKEN", self.text("admin_token"));
        command.output().unwrap()
    }

    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let output = self.admin(args);
        assert_eq!(output.status.code(), Some(0), "{args:?} {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    pub(crate) fn text(&self, member: &str) -> &str {
        self.ready[member].as_str().unwrap()
    }
}

impl Served {
    /// An exchange over the 8080 role.
    fn asked_for_payload(&self, name: &str) {
        let mut asker = std::net::TcpStream::connect(self.text("http").strip_prefix("http://").unwrap()).unwrap();
        write!(asker, "GET /payloads/{name} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        asker.read_to_end(&mut Vec::new()).unwrap();
    }

    /// As by `kill -9`: it has no time to tidy up.
    pub(crate) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    pub(crate) fn ended(&mut self) -> std::process::ExitStatus {
        self.process.wait().unwrap()
    }

    pub(crate) fn stdin(&mut self) -> Option<std::process::ChildStdin> {
        self.process.stdin.take()
    }
}

impl Drop for Served {
    /// As a person would: killed, it could not remove its trust file.
    fn drop(&mut self) {
        let asked = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status();
        if !asked.is_ok_and(|status| status.success()) {
            let _ = self.process.kill();
        }
        let _ = self.process.wait();
    }
}

pub(crate) fn program(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mock-solme"));
    command.args(args).stdin(Stdio::null());
    for variable in ["MOCK_SOLME_ADMIN_URL", "MOCK_SOLME_TOKEN", "MOCK_SOLME_DATA", "RUST_LOG"] {
        command.env_remove(variable);
    }
    command
}

#[test]
fn the_ready_line_says_all_that_a_script_needs() {
    let served = Served::start(&["serve", "--seed", "7"]);
    for (member, begins) in [("https", "https://127.0.0.1:"), ("http", "http://127.0.0.1:"), ("smtp", "127.0.0.1:")] {
        assert!(served.text(member).starts_with(begins), "{}", served.ready);
    }
    assert_eq!(served.ready["seed"], 7);
    assert_eq!(served.text("console"), format!("{}/#{}", served.text("admin"), served.text("admin_token")));
    assert_eq!(served.text("demo_license_server_id"), "DEMO-4711");
    let trust = solme_sync_protocol::TrustFile::parse(&std::fs::read(served.text("trust_file")).unwrap()).unwrap();
    assert_eq!(trust.https, served.text("https"));
    assert_eq!(trust.main_server_id.as_str(), served.text("main_server_id"));
    let empty = Served::start(&["serve", "--empty"]);
    assert!(empty.ready.get("demo_license_server_id").is_none());
}

#[test]
fn a_simulator_is_found_by_its_data_directory() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let data = data.to_str().unwrap();
    let served = Served::start(&["serve", "--data", data]);
    let listed = program(&["--data", data, "--json", "ids", "list"]).output().unwrap();
    assert!(String::from_utf8_lossy(&listed.stdout).contains("DEMO-4711"), "{listed:?}");
    for listener in ["https", "http", "admin", "smtp"] {
        let found = program(&["address", listener]).env("MOCK_SOLME_DATA", data).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&found.stdout).trim(), served.text(listener));
    }
    for wrong in [&["--data", dir.path().to_str().unwrap(), "ids", "list"][..], &["ids", "list"], &["address", "smtp"]]
    {
        let output = program(wrong).output().unwrap();
        let says = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && says.contains("--data DIR"), "{wrong:?} {says}");
    }
}

#[cfg(unix)]
#[test]
fn sigterm_ends_it_well_and_its_trust_file_is_gone() {
    let mut served = Served::start(&["serve"]);
    let killed = Command::new("kill").args(["-TERM", &served.process.id().to_string()]).status().unwrap();
    assert!(killed.success());
    assert_eq!(served.process.wait().unwrap().code(), Some(0));
    assert!(!std::path::Path::new(served.text("trust_file")).exists());
}

#[test]
fn the_verbs_use_the_admin_api() {
    let served = Served::start(&["serve", "--empty"]);
    let id = served.json(&["--json", "ids", "add", "SITE-1", "--contact", "it@customer.example"]);
    assert_eq!(id["license_server_id"], "SITE-1");
    let license = served.json(&["licenses", "add", "SITE-1", "--json"]);
    let number = license["number"].as_str().unwrap();
    let change = ["--component", "Base=20", "--component", "Ergo SAM=2", "--expires-at", "never", "--property", "a=b"];
    let changed = served.json(&[&["licenses", "change", "SITE-1", number, "--json"][..], &change].concat());
    assert_eq!((&changed["components"][0]["max_users"], &changed["expires_at"]), (&20.into(), &Value::Null));
    assert_eq!(changed["properties"]["a"], "b");
    assert_eq!(served.json(&["licenses", "list", "SITE-1", "--json"])["licenses"].as_array().unwrap().len(), 1);
    assert_eq!(served.json(&["licenses", "remove", "SITE-1", number, "--json"])["licenses"], serde_json::json!([]));
    assert_eq!(served.json(&["key-pair", "show", "SITE-1", "--json"])["key_thumbprint"], Value::Null);
    assert_eq!(served.json(&["key-pair", "clear", "SITE-1", "--json"])["outcome"], "already-done");
    assert_eq!(served.json(&["clock", "advance", "366d", "--json"])["offset"], 366 * 86_400);
    assert_eq!(served.json(&["clock", "advance", "-366d", "--json"])["offset"], 0);
    let set = served.json(&["clock", "set", "2031-01-31", "--json"]);
    assert!(set["now"].as_str().unwrap().starts_with("2031-01-31T00:00:"), "{set}");
    for list in [&["journal"][..], &["clear-requests", "list"], &["outbox", "list"]] {
        assert_eq!(served.json(&[list, &["--json"]].concat()), serde_json::json!([]));
    }
    assert_eq!(served.json(&["audit", "--json", "--id", "SITE-1"]).as_array().unwrap().len(), 4);
}

#[test]
fn people_read_tables_and_the_next_step() {
    let served = Served::start(&["serve"]);
    let list = String::from_utf8(served.admin(&["licenses", "list", "DEMO-4711"]).stdout).unwrap();
    assert!(list.contains("Engineering, all components") && list.contains("16 more"), "{list}");
    let unknown = served.admin(&["ids", "show", "NOBODY"]);
    let told = String::from_utf8(unknown.stderr).unwrap();
    assert!(told.contains("unknown-license-server-id") && told.contains("List them: mock-solme ids list."), "{told}");
}

#[test]
fn exit_codes_tell_refused_usage_and_not_reached_apart() {
    let served = Served::start(&["serve"]);
    let exit = |output: Output| output.status.code();
    assert_eq!(exit(served.admin(&["ids", "show", "NOBODY"])), Some(1));
    assert_eq!(exit(served.admin(&["--token", "wrong", "ids", "list"])), Some(1));
    assert_eq!(exit(served.admin(&["ids", "show"])), Some(2));
    assert_eq!(exit(program(&["ids", "list"]).output().unwrap()), Some(2));
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{nobody}");
    let not_reached = program(&["--json", "--admin-url", &url, "--token", "t", "ids", "list"]).output().unwrap();
    assert_eq!(not_reached.status.code(), Some(3));
    assert_eq!(serde_json::from_slice::<Value>(&not_reached.stdout).unwrap()["code"], "not-reached");
    assert_eq!(exit(program(&["--help"]).output().unwrap()), Some(0));
}

/// What is logged of three exchanges, one of them refused, and an unreadable one.
async fn logged(rust_log: &str, args: &[&str]) -> String {
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut command = program(&[&["serve"], args].concat());
    command.env("RUST_LOG", rust_log).stderr(log.reopen().unwrap());
    let served = Served::run(command);
    let trust = solme_sync_protocol::TrustFile::parse(&std::fs::read(served.text("trust_file")).unwrap()).unwrap();
    let mut server = LicenseServer::trusting(trust.clone(), &"DEMO-4711".parse().unwrap());
    served.json(&["quirks", "arm", "slow-drip", "--milliseconds", "1", "--operation", "payload", "--json"]);
    server.synchronize().await.unwrap();
    LicenseServer::trusting(trust, &"DEMO-4711".parse().unwrap()).synchronize().await.unwrap_err();
    assert_eq!(server.send("\u{1b}[31m\u{202e}").await.status(), 400);
    drop(served);
    std::fs::read_to_string(log.path()).unwrap()
}

#[tokio::test]
async fn at_info_there_is_a_line_for_each_exchange_without_colour_in_a_file() {
    let log = logged("info", &[]).await;
    let lines: Vec<_> = log.lines().collect();
    assert_eq!(lines.len(), 4, "{log}");
    for (line, words) in lines.iter().zip([
        "exchange id=DEMO-4711 carrier=\"https\" verdict=\"accepted\" clause=\"9.10\"",
        "exchange id=DEMO-4711 carrier=\"http\" verdict=\"payload\" clause=\"13.4\" quirk=slow-drip",
        "exchange id=DEMO-4711 carrier=\"https\" verdict=\"key-pair-in-use\" clause=\"9.9\"",
        "exchange carrier=\"https\" verdict=\"unreadable-request\" clause=\"9.1\"",
    ]) {
        assert!(line.ends_with(words), "{line}");
    }
    assert!(!log.contains('\u{1b}') && !log.contains('\u{202e}'), "{log:?}");
    assert_eq!(logged("warn", &[]).await, "");
}

#[tokio::test]
async fn the_log_can_be_json_and_debug_is_not_drowned_by_libraries() {
    let log = logged("debug", &["--log", "json"]).await;
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().all(|line| line["target"].as_str().unwrap().starts_with("mock_solme")), "{log}");
    let refused = lines.iter().find(|line| line["verdict"] == "key-pair-in-use").unwrap();
    assert_eq!((&refused["id"], &refused["clause"]), (&"DEMO-4711".into(), &"9.9".into()));
}

#[test]
fn flags_of_other_verbs_and_tokens_that_never_work_are_refused() {
    let told = |args: &[&str], variable: Option<&str>| {
        let mut command = program(args);
        if let Some(token) = variable {
            command.env("MOCK_SOLME_ADMIN_TOKEN", token);
        }
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    for args in [&["serve", "--token", "x"][..], &["--token", "x", "serve"]] {
        assert!(told(args, None).contains("to set the token of the admin API use --admin-token"), "{args:?}");
    }
    for args in [&["serve", "--json"][..], &["completions", "bash", "--operator", "x"], &["--json", "man-pages", "."]] {
        assert!(told(args, None).contains("does not use a running simulator"), "{args:?}");
    }
    for (token, word) in [("", "empty"), (" ", "visible"), ("a b", "visible"), ("ä", "visible"), ("a\nb", "visible")] {
        assert!(told(&["serve", "--admin-token", token], None).contains(word), "{token:?}");
        assert!(told(&["serve"], Some(token)).contains(word), "{token:?}");
    }
    for verb in ["serve", "completions", "man-pages"] {
        let help = String::from_utf8(program(&[verb, "--help"]).output().unwrap().stdout).unwrap();
        assert!(!["--admin-url", "--token", "--operator", "--json"].iter().any(|flag| help.contains(flag)), "{help}");
    }
    let reset = String::from_utf8(program(&["reset", "--help"]).output().unwrap().stdout).unwrap();
    assert!(reset.contains("mock-solme reset --all"), "{reset}");
}

#[test]
fn it_ends_with_its_standard_input_if_it_is_asked_to() {
    let mut command = program(&["serve", "--exit-with-stdin"]);
    command.stdin(Stdio::piped());
    let mut served = Served::run(command);
    served.json(&["clock", "show", "--json"]);
    drop(served.stdin());
    assert_eq!(served.ended().code(), Some(0));
}

#[cfg(unix)]
#[test]
fn the_folder_of_a_killed_simulator_is_removed_by_the_next_one_and_that_of_a_living_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let start = || {
        let mut command = program(&["serve"]);
        command.env("TMPDIR", folder.path());
        Served::run(command)
    };
    let (killed, living) = (start(), start());
    let folder_of = |served: &Served| std::path::Path::new(served.text("trust_file")).parent().unwrap().to_owned();
    let (dead, alive) = (folder_of(&killed), folder_of(&living));
    killed.kill();
    let a_while_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3_600);
    for folder in [&dead, &alive] {
        std::fs::File::open(folder).unwrap().set_modified(a_while_ago).unwrap();
    }
    let _next = start();
    assert_eq!((dead.exists(), alive.exists()), (false, true));
}

#[test]
fn what_nobody_reads_any_more_is_no_failure_and_what_is_no_file_is_not_read() {
    let served = Served::start(&["serve"]);
    let mut command = program(&["quirks", "list"]);
    command.env("MOCK_SOLME_ADMIN_URL", served.text("admin")).env("MOCK_SOLME_TOKEN", served.text("admin_token"));
    let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(process.stdout.take());
    let output = process.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));

    let device = served.admin(&["process-request", "/dev/zero", "--out", "/nowhere/x"]);
    assert_eq!(device.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&device.stderr).contains("not a file"));
}

#[test]
fn names_of_strangers_reach_the_terminal_escaped_and_tables_fit_it() {
    let served = Served::start(&["serve", "--empty"]);
    served.json(&["ids", "add", "SITE-1", "--name", "\u{202e}evil and far too long for the screen", "--json"]);
    for words in [&["ids", "list"][..], &["ids", "show", "SITE-1"], &["ids", "show", "SITE-1", "--json"]] {
        let shown = String::from_utf8(served.admin(words).stdout).unwrap();
        assert!(!shown.contains('\u{202e}') && shown.contains("202e"), "{shown}");
    }
    let mut command = program(&["audit"]);
    command.env("MOCK_SOLME_ADMIN_URL", served.text("admin")).env("MOCK_SOLME_TOKEN", served.text("admin_token"));
    let table = String::from_utf8(command.env("COLUMNS", "80").output().unwrap().stdout).unwrap();
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
}

#[test]
fn what_the_console_shows_the_command_line_says_too() {
    let served = Served::start(&["serve", "--seed", "7"]);
    let name = "AAAAAAAAAAAAAAAAAAAAAA";
    served.asked_for_payload(name);
    let says = |words: &[&str]| {
        let output = served.admin(words);
        assert_eq!(output.status.code(), Some(0), "{words:?} {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    for (words, text) in [
        (&["journal", "1"][..], "no such payload. (P 13.4)"),
        (&["journal", "1"], &format!("curl --output payload '{}/payloads/{name}'", served.text("http"))),
        (&["journal", "--verdict", "refused", "--carrier", "http", "--clause", "13"], "no-such-payload"),
        (&["ids", "list", "--begins-with", "DEMO"], "DEMO-4711"),
        (&["settings"], "seed                    7"),
    ] {
        let said = says(words);
        assert!(said.contains(text), "{words:?} {said}");
    }
    for words in [
        &["journal", "--verdict", "accepted", "--json"][..],
        &["journal", "--quirk", "drop-reply", "--json"],
        &["ids", "list", "--begins-with", "X", "--json"],
        &["inbox", "list", "--json"],
    ] {
        assert_eq!(served.json(words), serde_json::json!([]), "{words:?}");
    }
}

#[test]
fn the_journal_is_followed_until_the_simulator_ends() {
    let served = Served::start(&["serve"]);
    let follow = |args: &[&str]| {
        let mut command = program(&[&["journal", "--follow"], args].concat());
        command.env("MOCK_SOLME_ADMIN_URL", served.text("admin")).env("MOCK_SOLME_TOKEN", served.text("admin_token"));
        let mut follower = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(follower.stderr.take().unwrap());
        said.read_line(&mut String::new()).unwrap(); // that it follows
        (BufReader::new(follower.stdout.take().unwrap()).lines(), said, follower)
    };
    let (mut text, mut said, mut follower) = follow(&["--carrier", "http"]);
    let (mut json, _, mut other) = follow(&["--json"]);
    let (mut nothing, _, mut third) = follow(&["--verdict", "accepted"]);
    served.asked_for_payload("AAAAAAAAAAAAAAAAAAAAAA");
    served.asked_for_payload("BBBBBBBBBBBBBBBBBBBBBA");
    for number in [1, 2] {
        let line = text.next().unwrap().unwrap();
        assert!(line.trim_start().starts_with(&format!("{number}  ")) && line.contains("no-such-payload"), "{line}");
        let entry: Value = serde_json::from_str(&json.next().unwrap().unwrap()).unwrap();
        assert_eq!((&entry["number"], &entry["clause"]), (&number.into(), &"13.4".into()), "{entry}");
    }
    drop(served);
    assert_eq!([&mut follower, &mut other, &mut third].map(|follower| follower.wait().unwrap().code()), [Some(3); 3]);
    assert!(nothing.next().is_none() && text.next().is_none());
    let mut failure = String::new();
    said.read_to_string(&mut failure).unwrap();
    assert!(failure.contains("not-reached") && failure.contains("Start mock-solme serve"), "{failure}");
}

#[test]
fn a_taken_port_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = program(&["serve", "--https", &address]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    assert!(String::from_utf8_lossy(&output.stderr).contains(&address));
}

#[test]
fn every_failure_has_outcome_code_message_and_cure() {
    let served = Served::start(&["serve"]);
    let url = served.text("admin").to_owned();
    let nobody = ["--admin-url", "http://127.0.0.1:1", "--token", "x"];
    let ours = ["--admin-url", &url, "--token", served.text("admin_token")];
    for (connection, verb, exit, code) in [
        (ours, ["ids", "show", "SITE-9"], 1, "unknown-license-server-id"),
        (nobody, ["ids", "show", "SITE-9"], 3, "not-reached"),
    ] {
        let shown = program(&[&connection[..], &verb, &["--json"]].concat()).output().unwrap();
        assert_eq!((shown.status.code(), shown.stderr.len()), (Some(exit), 0));
        let failure: Value = serde_json::from_slice(&shown.stdout).unwrap();
        assert_eq!((failure["outcome"].as_str(), failure["code"].as_str()), (Some("failed"), Some(code)), "{failure}");
        assert_eq!(failure["message"], failure["detail"]);
        assert!(["message", "cure"].iter().all(|member| failure[*member].is_string()), "{failure}");
    }
}

//! A whole story at trace level. Every secret that it made is looked for in whatever the programs said, wrote for others
//! and showed to `ps`.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use solme_sync_protocol::base64url;

/// A secret, and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Secret {
    name: String,
    bytes: Vec<u8>,
}

impl Secret {
    fn new(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self { name: name.into(), bytes: bytes.into() }
    }

    /// All that it could look like, in text or bytes.
    fn forms(&self) -> Vec<Vec<u8>> {
        let hex = self.bytes.iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        let numbers = |between: &str| self.bytes.iter().map(u8::to_string).collect::<Vec<_>>().join(between);
        let mut forms = vec![
            self.bytes.clone(),
            hex.to_uppercase().into_bytes(),
            hex.into_bytes(),
            numbers(",").into_bytes(),
            numbers(", ").into_bytes(),
        ];
        // In the middle of something else base64 has three ways to write the same bytes.
        for before in 0..3 {
            let skipped = if before == 0 { 0 } else { 3 - before };
            let whole = &self.bytes[skipped..];
            let whole = &whole[..whole.len() / 3 * 3];
            let url = base64url::encode(whole);
            forms.push(url.replace('-', "+").replace('_', "/").into_bytes());
            forms.push(url.into_bytes());
        }
        forms
    }

    fn is_in(&self, text: &[u8]) -> bool {
        // A PEM body is one line of base64 here.
        let joined: Vec<u8> = text.iter().copied().filter(|byte| !b"\r\n".contains(byte)).collect();
        self.forms().iter().any(|form| {
            [text, &joined].iter().any(|text| text.windows(form.len()).any(|window| window == form.as_slice()))
        })
    }
}

/// The number that a private key is, of a P-384 or P-256 key in PKCS #8: DER, or PEM.
fn private_key(file: &[u8]) -> Option<Vec<u8>> {
    let text = String::from_utf8_lossy(file);
    let der = if text.starts_with("-----BEGIN") {
        let body: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
        base64url::decode(body.replace('+', "-").replace('/', "_").trim_end_matches('=')).ok()?
    } else {
        file.to_vec()
    };
    [48, 32].into_iter().find_map(|length: u8| {
        let at = der.windows(5).position(|window| window == [2, 1, 1, 4, length])? + 5;
        der.get(at..at + usize::from(length)).map(<[u8]>::to_vec)
    })
}

/// The secrets in the files of a folder, however deep.
fn secrets_below(folder: &Path, found: &mut Vec<Secret>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut add = |secret: Secret| {
            if !found.contains(&secret) {
                found.push(secret);
            }
        };
        if path.is_dir() {
            secrets_below(&path, found);
        } else if name.ends_with(".pem") || name.ends_with(".pk8") {
            if let Some(key) = fs::read(&path).ok().as_deref().and_then(private_key) {
                add(Secret::new(format!("the private key in {name}"), key));
            }
        } else if name == "serve.json" || name.ends_with(".page") {
            let kept: Value =
                fs::read(&path).ok().and_then(|kept| serde_json::from_slice(&kept).ok()).unwrap_or_default();
            let token = kept["admin_token"].as_str().or(kept["token"].as_str());
            token.into_iter().for_each(|token| add(Secret::new(format!("the token in {name}"), token)));
        }
    }
}

/// The one-time key of an outstanding request.
fn one_time_key(state: &Path) -> Secret {
    let database = rusqlite::Connection::open(state.join("state.sqlite")).unwrap();
    let key = database.query_row("SELECT sealing_key FROM outstanding", [], |row| row.get::<_, Vec<u8>>(0)).unwrap();
    assert!(key.len() >= 48, "a one-time key");
    Secret::new("the one-time key of a request", key)
}

const PROXY_PASSWORD: &str = "proxy-pass-7Hq2mVx9";
const SMTP_PASSWORD: &str = "smtp-pass-Kd83nWq1";
const ADMIN_TOKEN: &str = "admintokenZ7b4Qe91Lm55Xc";

/// What was said, and by what.
struct Said {
    by: String,
    text: Vec<u8>,
}

/// The story, and where it takes place.
struct Story {
    dir: tempfile::TempDir,
    said: Vec<Said>,
}

impl Story {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, program: &str, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_subject"));
        command.arg(program).env("RUST_LOG", "trace").env("RUST_BACKTRACE", "1").stdin(Stdio::null());
        command.env("MOCK_SOLME_DATA", self.path("data")).env("LICENSE_SERVER_STATE", self.path("server"));
        let here = format!("{}/", self.dir.path().display());
        command.args(words.split(' ').map(|word| word.replace("DIR/", &here)));
        command
    }

    fn say(&mut self, by: &str, command: &mut Command) -> i32 {
        let output = command.output().unwrap();
        self.said.push(Said { by: format!("{by}, standard output"), text: output.stdout });
        self.said.push(Said { by: format!("{by}, standard error"), text: output.stderr });
        output.status.code().unwrap()
    }

    /// A command of the License Server that ends with this exit code.
    fn server(&mut self, words: &str, exit: i32) {
        let mut command = self.command("license-server", words);
        let found = self.say(words, &mut command);
        assert_eq!(found, exit, "{words}: {}", String::from_utf8_lossy(&self.said[self.said.len() - 2].text));
    }

    /// The same, through a proxy that is not there and has a password.
    fn through_a_proxy(&mut self, words: &str) {
        let proxy = format!("http://it:{PROXY_PASSWORD}@127.0.0.1:9");
        let mut command = self.command("license-server", words);
        self.say(words, command.env("LICENSE_SERVER_PROXY", proxy).env("LICENSE_SERVER_PROXY_LOOPBACK", "true"));
        let mut command = self.command("license-server", words);
        command.env("LICENSE_SERVER_PROXY", "socks5://it@127.0.0.1:9").env("LICENSE_SERVER_PROXY_LOOPBACK", "true");
        command.env("LICENSE_SERVER_PROXY_PASSWORD_FILE", self.path("password"));
        self.say(words, &mut command);
    }

    fn operator(&mut self, words: &str) {
        let mut command = self.command("mock-solme", words);
        self.say(words, &mut command);
    }

    fn file(&mut self, name: &str) {
        let text = fs::read(self.path(name)).unwrap();
        self.said.push(Said { by: name.to_owned(), text });
    }
}

/// A main server with its data on disk, and its log in `log`.
fn main_server(story: &mut Story) -> Child {
    let log = fs::File::create(story.path("log")).unwrap();
    let mut command = story.command("mock-solme", "serve --exit-with-stdin");
    command.env("MOCK_SOLME_ADMIN_TOKEN", ADMIN_TOKEN);
    command.env("MOCK_SOLME_MAIL_SERVER", format!("smtp://it:{SMTP_PASSWORD}@127.0.0.1:9"));
    let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
    let mut ready = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut ready).unwrap();
    // Where it says its token, and what is said there is for whoever has started it.
    assert!(ready.contains(ADMIN_TOKEN), "{ready}");
    let seen_by_ps = fs::read(format!("/proc/{}/cmdline", process.id())).unwrap();
    story.said.push(Said { by: "ps".to_owned(), text: seen_by_ps });
    process
}

#[test]
fn no_secret_of_a_whole_story_at_trace_level_is_in_logs_answers_files_or_ps() {
    let mut story = Story { dir: tempfile::tempdir().unwrap(), said: Vec::new() };
    fs::write(story.path("password"), PROXY_PASSWORD).unwrap();
    let mut process = main_server(&mut story);
    let mut secrets: Vec<Secret> = [("the proxy password", PROXY_PASSWORD), ("the SMTP password", SMTP_PASSWORD)]
        .map(|(name, text)| Secret::new(name, text))
        .into();
    secrets_below(story.dir.path(), &mut secrets);

    story.server("init --id DEMO-4711 --trust DIR/data/trust.json", 0);
    secrets_below(story.dir.path(), &mut secrets);
    for words in ["synchronize", "doctor", "config", "config --json", "--json synchronize"] {
        story.through_a_proxy(words);
    }
    story.server("synchronize", 0);
    story.server("export-request DIR/request.json", 0);
    secrets.push(one_time_key(&story.path("server")));
    story.file("request.json");
    story.operator("process-request DIR/request.json --out DIR/response.json");
    story.file("response.json");
    story.server("--json import-response DIR/response.json", 0);
    for words in ["status", "--json status", "history", "doctor", "may-issue", "request-clear --out DIR/mail.eml"] {
        story.server(words, 0);
    }
    story.file("mail.eml");
    story.server("new-key-pair --yes", 0);
    secrets_below(story.dir.path(), &mut secrets);
    story.server("synchronize", 10);
    for words in [
        "licenses list DEMO-4711 --token wrong --admin-url http://127.0.0.1:9",
        "journal --json",
        "journal 1",
        "audit --json",
        "settings --json",
        "outbox hand-on 1",
        "clock advance 1d",
    ] {
        story.operator(words);
    }
    process.kill().unwrap();
    process.wait().unwrap();
    story.file("log");
    story.file("data/journal.jsonl");
    story.file("data/trust.json");

    // A License Server's key pair, before and after; its one-time key; the main server's key and its CA's; the token.
    assert!(secrets.len() >= 8, "{:?}", secrets.iter().map(|secret| &secret.name).collect::<Vec<_>>());
    for said in &story.said {
        for secret in &secrets {
            assert!(!secret.is_in(&said.text), "{} is in: {}", secret.name, said.by);
        }
    }
    // The search finds what it is to find.
    let key = fs::read(story.path("server/signing-key.pem")).unwrap();
    assert!(secrets.iter().any(|secret| secret.name.contains("signing-key.pem") && secret.is_in(&key)));
    let log = story.said.iter().find(|said| said.by == "log").unwrap();
    let log_text = String::from_utf8_lossy(&log.text);
    assert!(log_text.lines().count() >= 4, "each exchange is logged: {log_text}");

    // What is sealed names no license, and neither does the log of the side that sealed it.
    let status = story.said.iter().find(|said| said.by.starts_with("--json status")).unwrap();
    let status: Value = serde_json::from_slice(&status.text).unwrap();
    let licenses = status["licenses"].as_array().unwrap();
    assert_eq!(licenses.len(), 3);
    for number in licenses.iter().map(|license| license["number"].as_str().unwrap()) {
        for said in
            story.said.iter().filter(|said| ["request.json", "response.json", "log"].contains(&said.by.as_str()))
        {
            assert!(!Secret::new("", number).is_in(&said.text), "{number} is in: {}", said.by);
        }
    }
}

#[test]
fn no_secret_of_a_demo_or_a_conformance_run_is_in_its_reports() {
    let runs: [&[&str]; 2] = [
        &["demo", "--html", "report.html"],
        &[
            "conformance",
            "client",
            "--subject",
            "ours",
            "--only",
            "12.*",
            "--html",
            "report.html",
            "--junit",
            "report.xml",
            "--json",
            "report.json",
        ],
    ];
    for words in runs {
        let dir = tempfile::tempdir().unwrap();
        let work = dir.path().join("work");
        fs::create_dir(&work).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_subject"));
        command.args(words).current_dir(dir.path()).env("TMPDIR", &work).env("RUST_LOG", "trace");
        let log = fs::File::create(dir.path().join("log")).unwrap();
        let mut process = command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        // What it makes is gone when it ends, so it is read meanwhile.
        let mut secrets = Vec::new();
        while process.try_wait().unwrap().is_none() {
            secrets_below(&work, &mut secrets);
            std::thread::sleep(Duration::from_millis(2));
        }
        assert!(process.wait().unwrap().success(), "{}", fs::read_to_string(dir.path().join("log")).unwrap());
        assert!(secrets.len() >= 3, "{words:?}: {} secrets were seen", secrets.len());
        for file in fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().path()).filter(|path| path.is_file()) {
            let text = fs::read(&file).unwrap();
            for secret in &secrets {
                assert!(!secret.is_in(&text), "{} is in {}", secret.name, file.display());
            }
        }
    }
}

/// Ends a process as a crash does, where core dumps are allowed. Whether it left one.
fn dumps_core(mut command: Command) -> bool {
    let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut first = [0];
    process.stdout.take().unwrap().read_exact(&mut first).unwrap();
    assert!(Command::new("kill").args(["-ABRT", &process.id().to_string()]).status().unwrap().success());
    let status = process.wait().unwrap();
    assert!(status.signal().is_some(), "it ended by itself: {status}");
    status.core_dumped()
}

#[test]
fn a_program_that_crashes_leaves_no_core_dump() {
    let dir = tempfile::tempdir().unwrap();
    let allowed = |words: &str| {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -c unlimited && exec {words}")]).current_dir(dir.path());
        command.env("LICENSE_SERVER_STATE", dir.path().join("server")).process_group(0);
        command
    };
    if !dumps_core(allowed("sh -c 'echo; read x'")) {
        println!("no program leaves a core dump here: `ulimit -c` or core_pattern do not allow it");
    }
    let subject = env!("CARGO_BIN_EXE_subject");
    let trust = dir.path().join("data/trust.json");
    let serve = format!("{subject} mock-solme serve --exit-with-stdin --data {}", dir.path().join("data").display());
    assert!(!dumps_core(allowed(&serve)), "mock-solme");
    let init = format!("{subject} license-server init --id DEMO-4711 --trust {}", trust.display());
    assert!(allowed(&init).stdout(Stdio::null()).status().unwrap().success());
    assert!(!dumps_core(allowed(&format!("{subject} license-server manager"))), "license-server");
}

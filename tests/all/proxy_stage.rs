//! A main server and a License Server that reaches it through a proxy; every run is searched for the password.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use mock_solme::MockSolme;
use solme_sync_harness::programs::{Answer, LicenseServer};
use solme_sync_protocol::TrustFile;
use tempfile::TempDir;
use tokio::process::Command;

use crate::stage::{init, programs};

pub(crate) const USER: &str = "me";
/// With every character that a URL, a header or a shell could stumble over.
pub(crate) const PASSWORD: &str = "s3cr:t/w@rd%41";
/// As it stands in a URL.
pub(crate) const LOGIN: &str = "me:s3cr%3At%2Fw%40rd%2541@";
/// As it stands in a header: user, colon and password in base64.
pub(crate) const BASIC: &str = "Basic bWU6czNjcjp0L3dAcmQlNDE=";
/// tinyproxy takes letters and digits only.
pub(crate) const REAL_PASSWORD: &str = "s3cretWord41";
pub(crate) const REAL_LOGIN: &str = "me:s3cretWord41@";

pub(crate) struct ProxyStage {
    dir: TempDir,
    pub(crate) main_server: MockSolme,
    pub(crate) server: LicenseServer,
}

impl ProxyStage {
    pub(crate) async fn begin() -> Self {
        let (dir, main_server) = (tempfile::tempdir().unwrap(), MockSolme::start());
        let server = LicenseServer::new(&programs(), dir.path().join("state"));
        init(&server, main_server.demo_id().as_str(), main_server.trust_file()).await;
        Self { dir, main_server, server }
    }

    /// Host and port of the 443 and of the 8080 role.
    pub(crate) fn targets(&self) -> (&str, &str) {
        let (https, http) = (self.main_server.https(), self.main_server.http());
        (https.trim_start_matches("https://"), http.trim_start_matches("http://"))
    }

    /// A file outside of the state directory.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let file = self.dir.path().join(name);
        fs::write(&file, content).unwrap();
        file
    }

    /// Has the License Server trust this from now on.
    pub(crate) async fn trust(&self, trust: &TrustFile) {
        init(&self.server, self.main_server.demo_id().as_str(), self.file("trust.json", trust.to_json())).await;
    }

    /// The command `synchronize` through a proxy, this computer included.
    pub(crate) fn command(&self, proxy: &str) -> Command {
        self.command_of("synchronize", proxy)
    }

    fn command_of(&self, verb: &str, proxy: &str) -> Command {
        let mut command = self.server.command([verb, "--proxy-loopback", "--proxy", proxy]);
        command.args(["--connect-limit", "1s"]);
        command
    }

    /// Runs it.
    pub(crate) async fn synchronize(&self, proxy: &str) -> Answer {
        self.run(self.command(proxy)).await
    }

    /// Runs a command, and again for people instead of programs; neither says the password, and neither keeps it.
    pub(crate) async fn run(&self, command: Command) -> Answer {
        let mut for_people = Command::new(command.as_std().get_program());
        for_people.args(command.as_std().get_args().filter(|argument| *argument != "--json"));
        for_people.envs(command.as_std().get_envs().filter_map(|(name, value)| Some((name, value?))));
        let answer = self.run_once(command).await;
        let text = self.output(for_people).await;
        assert_eq!(text.status.code(), Some(answer.exit), "{answer:?}\n{}", String::from_utf8_lossy(&text.stderr));
        answer
    }

    /// The same for a command that runs into a time limit.
    pub(crate) async fn run_once(&self, command: Command) -> Answer {
        Answer::read(&self.output(command).await).unwrap()
    }

    async fn output(&self, mut command: Command) -> Output {
        let output = command.output().await.unwrap();
        for said in [&output.stdout, &output.stderr] {
            assert!(!tells_the_password(said), "{}", String::from_utf8_lossy(said));
        }
        search(&self.server.state);
        output
    }

    /// `synchronize` fails with this code; says how to go on; and says this word. `doctor` finds the same.
    pub(crate) async fn fails(&self, proxy: &str, code: &str, word: &str) {
        let answer = self.synchronize(proxy).await;
        check(&answer, code, word);
        self.doctor_finds(proxy, &answer).await;
    }

    /// The same where it runs into a time limit.
    pub(crate) async fn fails_in_time(&self, proxy: &str, code: &str, word: &str) {
        let answer = self.run_once(self.command(proxy)).await;
        check(&answer, code, word);
        self.doctor_finds(proxy, &answer).await;
    }

    async fn doctor_finds(&self, proxy: &str, failed: &Answer) {
        let mut command = self.command_of("doctor", proxy);
        command.args(["--total-limit", "3s"]); // where the other port says nothing
        same_finding(failed, &self.run_once(command).await);
    }
}

/// `doctor` gives the check that `synchronize` has named the same code, with the same cure.
pub(crate) fn same_finding(failed: &Answer, doctor: &Answer) {
    let checks = doctor.json["checks"].as_array().unwrap_or_else(|| panic!("no checks: {doctor:?}"));
    let found = checks.iter().find(|check| check["name"] == failed.json["check"]);
    let found = found.unwrap_or_else(|| panic!("no check of that name: {failed:?}"));
    assert_eq!((&found["ok"], &found["code"]), (&false.into(), &failed.json["code"]), "{failed:?}\n{doctor:?}");
    assert_eq!(found["cure"], failed.json["cure"]);
    assert_ne!(doctor.exit, 0, "{doctor:?}");
}

fn check(answer: &Answer, code: &str, word: &str) {
    assert_eq!((answer.text("code").as_str(), answer.exit), (code, 11), "{word}: {answer:?}");
    assert!(answer.text("cure").contains("Or synchronize via file"), "{answer:?}");
    assert!(answer.text("message").contains(word), "{word}: {answer:?}");
}

fn search(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            search(&path);
        } else {
            assert!(!tells_the_password(&fs::read(&path).unwrap()), "{}", path.display());
        }
    }
}

fn tells_the_password(bytes: &[u8]) -> bool {
    let encoded = LOGIN.trim_start_matches("me:").trim_end_matches('@');
    let in_base64 = [BASIC.trim_start_matches("Basic "), "bWU6czNjcmV0V29yZDQx"];
    [PASSWORD, encoded, REAL_PASSWORD, in_base64[0], in_base64[1]]
        .iter()
        .any(|form| bytes.windows(form.len()).any(|window| window == form.as_bytes()))
}

#[test]
fn the_search_itself_finds_the_password_in_every_form() {
    for text in [format!("x{PASSWORD}y"), format!("http://{LOGIN}h:1"), BASIC.to_owned()] {
        assert!(tells_the_password(text.as_bytes()), "{text}");
    }
    assert!(!tells_the_password(b"http://me:***@h:1"));
}

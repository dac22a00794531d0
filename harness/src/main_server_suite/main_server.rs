//! The subject of the server suite: a process that serves, and the verbs that control it.

use std::fs::File;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use reqwest::{Certificate, Client, redirect, tls};
use serde_json::Value;
use solme_sync_protocol::TrustFile;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout};
use tokio::time::timeout;

use crate::conformance::{Finding, WireLog};
use crate::subject::answers::{self, Cleared, Controlled, Serving};
use crate::subject::{Subject, ended_so};

/// Longer than a ready line is.
const READY_LINE: u64 = 65_536;
/// How long a subject may take to end after its standard input was closed.
const GRACE: Duration = Duration::from_secs(5);

/// A main server that serves, in a data directory of its own. It is killed when it is dropped.
pub(super) struct MainServer {
    subject: Subject,
    directory: TempDir,
    process: Mutex<Child>,
    /// A verb that did not end. Nothing is asked after it: a subject that hangs must not hold up the suite.
    hung: OnceLock<String>,
    /// What a License Server is to trust.
    pub(super) trust: TrustFile,
    /// Speaks TLS 1.3 and trusts the CA of the trust file alone; neither follows redirects nor uses a proxy.
    pub(super) client: Client,
}

impl MainServer {
    /// Starts it, and waits for its ready line.
    ///
    /// # Errors
    /// A deviation where it cannot be started, crashes, hangs, or prints something else.
    pub(super) async fn start(subject: &Subject, wire: &WireLog) -> Result<Self, Finding> {
        let directory = tempfile::tempdir().map_err(broken)?;
        Self::serve(subject, directory, wire).await
    }

    async fn serve(subject: &Subject, directory: TempDir, wire: &WireLog) -> Result<Self, Finding> {
        let data = directory.path().join("data");
        std::fs::create_dir_all(&data).map_err(broken)?;
        let errors = File::create(directory.path().join("stderr")).map_err(broken)?;
        let mut command = subject.command("serve", ["--data", &data.to_string_lossy()]);
        let command = command.stdin(Stdio::piped()).stderr(errors);
        let mut process = command.spawn().map_err(|error| subject.cannot_start(&error))?;
        let ready = ready_line(subject, &mut process).await;
        wire.add("harness -> subject", format!("serve\n{}", ready.as_deref().unwrap_or("(no ready line)")));
        let line = match ready {
            Ok(line) => line,
            Err(finding) => return Err(with_errors(finding, &directory)),
        };
        let wrong = |error| {
            Finding::deviates("a ready line of serve with a readable trust_file (15.1)", format!("{error:#}: {line:?}"))
        };
        let ready: Value = serde_json::from_str(&line).context("not JSON").map_err(wrong)?;
        let Serving { trust_file } = answers::read("serve", &ready)?;
        let trust = read_trust_file(&trust_file).map_err(wrong)?;
        let client = client(&trust, tls::Version::TLS_1_3).map_err(|error| {
            Finding::deviates("a trust file with a CA certificate in PEM (15.1)", error.to_string())
        })?;
        let process = Mutex::new(process);
        Ok(Self { subject: subject.clone(), directory, process, hung: OnceLock::new(), trust, client })
    }

    /// Kills it, as a power failure would, and starts it again over what it has left.
    pub(super) async fn killed_and_started_again(self, wire: &WireLog) -> Result<Self, Finding> {
        let Self { subject, directory, process, .. } = self;
        let mut process = process.into_inner().unwrap_or_else(PoisonError::into_inner);
        process.kill().await.map_err(broken)?;
        wire.add("harness -> subject", "killed");
        Self::serve(&subject, directory, wire).await
    }

    /// Carries out a verb that controls it, and gives its outcome.
    pub(super) async fn control(&self, verb: &str, flags: &[&str], wire: &WireLog) -> Result<String, Finding> {
        if let Some(hung) = self.hung.get() {
            return Err(Finding::Skipped(format!("{hung} hung in another case")));
        }
        let data = self.directory.path().join("data");
        let data = data.to_string_lossy();
        let called = self.subject.call(verb, ["--data", &data].into_iter().chain(flags.iter().copied()), wire).await;
        if called.as_ref().is_err_and(|finding| *finding == self.subject.hangs(verb)) {
            let _ = self.hung.set(verb.to_owned());
        }
        let answer = called?;
        match verb {
            "clear" => answers::read(verb, &answer).map(|Cleared { outcome }| outcome),
            _ => answers::read(verb, &answer).map(|Controlled { outcome }| outcome),
        }
    }

    /// How long an answer may take.
    pub(super) fn time_limit(&self) -> Duration {
        self.subject.time_limit()
    }

    /// A path for a file that goes to the subject, or comes from it.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// What it has said on its standard error, and whether it has ended: for people, when an exchange fails.
    pub(super) fn trouble(&self) -> String {
        let ended = self.process.lock().unwrap_or_else(PoisonError::into_inner).try_wait();
        match ended {
            Ok(Some(status)) => format!("; the subject has ended: {}", ended_so(status, b"", &errors(&self.directory))),
            _ => String::new(),
        }
    }

    /// Closes its standard input, and kills it where that is not enough.
    pub(super) async fn end(self) {
        let mut process = self.process.into_inner().unwrap_or_else(PoisonError::into_inner);
        drop(process.stdin.take());
        if timeout(GRACE, process.wait()).await.is_err() {
            let _ = process.kill().await;
        }
    }
}

/// A client of the two roles. It makes a connection for each exchange: on one that is kept, a main server that is about to
/// close it, after a flood or for its age, would look like one that does not answer.
pub(super) fn client(trust: &TrustFile, tls: tls::Version) -> reqwest::Result<Client> {
    let ca = Certificate::from_pem(trust.ca_certificate.as_bytes())?;
    let client = Client::builder().no_proxy().http1_only().redirect(redirect::Policy::none()).pool_max_idle_per_host(0);
    client.tls_certs_only([ca]).tls_version_min(tls).tls_version_max(tls).build()
}

/// The first line that it prints. What it prints afterwards is read and thrown away, so that it never waits for us.
async fn ready_line(subject: &Subject, process: &mut Child) -> Result<String, Finding> {
    let stdout = process.stdout.take().ok_or_else(|| broken("no pipe"))?;
    let mut stdout = BufReader::new(stdout);
    let mut line = Vec::new();
    let mut limited = (&mut stdout).take(READY_LINE);
    match timeout(subject.time_limit(), limited.read_until(b'\n', &mut line)).await {
        Err(_) => return Err(subject.hangs("serve, to its ready line,")),
        Ok(Err(error)) => return Err(broken(error)),
        Ok(Ok(_)) => {}
    }
    if line.last() != Some(&b'\n') {
        return Err(no_ready_line(subject, process, &line).await);
    }
    tokio::spawn(drain(stdout));
    Ok(String::from_utf8_lossy(&line).into_owned())
}

/// It has closed its output, or printed more than a line has: what became of it?
async fn no_ready_line(subject: &Subject, process: &mut Child, printed: &[u8]) -> Finding {
    let expected = "serve prints a ready line (serve is required)";
    match timeout(subject.time_limit(), process.wait()).await {
        Ok(Ok(status)) => Finding::deviates(expected, ended_so(status, printed, b"")),
        _ => Finding::deviates(expected, format!("{:?}", String::from_utf8_lossy(&printed[..printed.len().min(200)]))),
    }
}

async fn drain(mut stdout: BufReader<ChildStdout>) {
    let _ = tokio::io::copy(&mut stdout, &mut tokio::io::sink()).await;
}

fn read_trust_file(path: &str) -> Result<TrustFile> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {path}"))?;
    TrustFile::parse(&bytes).context("its trust file")
}

fn errors(directory: &TempDir) -> Vec<u8> {
    std::fs::read(directory.path().join("stderr")).unwrap_or_default()
}

fn with_errors(finding: Finding, directory: &TempDir) -> Finding {
    match finding {
        Finding::Deviates { expected, got } => {
            let errors = String::from_utf8_lossy(&errors(directory)).chars().take(600).collect::<String>();
            Finding::Deviates { expected, got: format!("{got}\nstderr: {errors:?}") }
        }
        other => other,
    }
}

/// Something of ours has failed; it is never a pass.
pub(super) fn broken(error: impl std::fmt::Display) -> Finding {
    Finding::deviates("a working harness", error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn start(command: &str) -> (String, String) {
        let subject = Subject::parse(command, "", Duration::from_millis(500)).unwrap();
        match MainServer::start(&subject, &WireLog::default()).await {
            Err(Finding::Deviates { expected, got }) => (expected, got),
            Err(other) => panic!("{other:?}"),
            Ok(_) => panic!("{command} is no main server"),
        }
    }

    #[tokio::test]
    async fn a_subject_that_is_not_there_or_crashes_is_named_with_what_it_said() {
        assert!(start("/no/such/program").await.1.contains("No such file"));
        let (_, got) = start("sh -c 'echo why >&2; exit 3'").await;
        assert!(got.contains("exit status: 3") && got.contains("why"), "{got}");
        let (_, got) = start("sh -c 'kill -SEGV $$'").await;
        assert!(got.contains("signal"), "{got}");
    }

    #[tokio::test]
    async fn a_subject_that_hangs_is_not_waited_for() {
        assert_eq!(start("sh -c 'exec sleep 60'").await.1.lines().next(), Some("it hangs"));
        assert!(start("sh -c 'exec >&-; exec sleep 60'").await.0.contains("ready line"));
    }

    #[tokio::test]
    async fn a_ready_line_has_a_trust_file() {
        for rubbish in ["echo hello", "echo {}", "echo '{\"trust_file\":\"/no/such/file\"}'", "true", "cat /dev/zero"] {
            let (expected, got) = start(rubbish).await;
            assert!(expected.contains("serve"), "{rubbish}: {expected}, {got}");
        }
    }

    #[tokio::test]
    async fn to_serve_cannot_be_unimplemented() {
        assert!(start("sh -c 'exit 89'").await.0.contains("serve is required"));
    }
}

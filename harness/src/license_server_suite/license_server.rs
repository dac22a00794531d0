//! The subject as one License Server: verbs, and what it says to them.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use solme_sync_protocol::LicenseNumber;
use tokio::process::Command;

use super::closed_lists;
use super::stage::Stage;
use crate::conformance::{Finding, Outcome};
use crate::subject::answers::{self, Changes, Done, MayIssue, Said, Status, Synchronized};

/// A License Server with a state directory of its own.
pub(super) struct Server<'a> {
    stage: &'a Stage,
    pub(super) state: PathBuf,
}

impl<'a> Server<'a> {
    pub(super) const fn new(stage: &'a Stage, state: PathBuf) -> Self {
        Self { stage, state }
    }

    pub(super) async fn init(&self, id: &str, trust: &Path) -> Result<Said, Finding> {
        self.done("init", &["--id", id, "--trust", &text(trust)]).await
    }

    pub(super) async fn synchronize(&self) -> Result<Said, Finding> {
        self.synchronized("synchronize", &[]).await
    }

    /// Exports a request into a file of this name.
    pub(super) async fn export(&self, name: &str) -> Result<PathBuf, Finding> {
        let file = self.stage.path(&format!("{name}.request"));
        self.export_to(&file).await?.is_done()?;
        Ok(file)
    }

    pub(super) async fn export_to(&self, file: &Path) -> Result<Said, Finding> {
        self.done("export-request", &["--out", &text(file)]).await
    }

    pub(super) async fn import(&self, response: &Path) -> Result<Said, Finding> {
        self.synchronized("import-response", &["--in", &text(response)]).await
    }

    pub(super) async fn new_key_pair(&self) -> Result<Said, Finding> {
        self.done("new-key-pair", &[]).await
    }

    /// Sets its local clock so many seconds ahead of the computer's.
    pub(super) async fn set_clock(&self, seconds: i64) -> Outcome {
        self.done("set-clock", &["--offset", &seconds.to_string()]).await?.is_done()
    }

    pub(super) async fn status(&self) -> Result<Status, Finding> {
        let mut status: Status = self.call("status", &[]).await?;
        status.licenses.sort();
        self.stage.log.hear(closed_lists::STATE, &status.state);
        Ok(status)
    }

    /// Whether it would issue any license.
    pub(super) async fn may_issue(&self) -> Result<bool, Finding> {
        self.asked(&[]).await
    }

    /// Whether it would issue this license.
    pub(super) async fn may_issue_license(&self, number: &LicenseNumber) -> Result<bool, Finding> {
        self.asked(&["--license", number.as_str()]).await
    }

    /// It issues, and says so twice.
    pub(super) async fn issues(&self) -> Outcome {
        self.expect_issues(true).await
    }

    /// It does not issue.
    pub(super) async fn does_not_issue(&self) -> Outcome {
        self.expect_issues(false).await
    }

    /// It is in this state.
    pub(super) async fn is(&self, state: &str) -> Outcome {
        Finding::unless_equal(&state.to_owned(), &self.status().await?.state)
    }

    async fn expect_issues(&self, wanted: bool) -> Outcome {
        let found = self.may_issue().await?;
        let word = |may| if may { "a license may be issued" } else { "no license may be issued" };
        if found == wanted { Ok(()) } else { Err(Finding::deviates(word(wanted), word(found))) }
    }

    async fn asked(&self, flags: &[&str]) -> Result<bool, Finding> {
        let asked: MayIssue = self.call("may-issue", flags).await?;
        self.stage.log.hear(closed_lists::RULE, asked.code.unwrap_or_default());
        Ok(asked.may_issue)
    }

    /// Carries out a verb that synchronizes.
    async fn synchronized(&self, verb: &str, flags: &[&str]) -> Result<Said, Finding> {
        let Synchronized(said) = self.call(verb, flags).await?;
        Ok(self.heard(said))
    }

    /// Carries out another verb.
    async fn done(&self, verb: &str, flags: &[&str]) -> Result<Said, Finding> {
        let Done(said) = self.call(verb, flags).await?;
        Ok(self.heard(said))
    }

    /// Takes down the codes.
    fn heard(&self, said: Said) -> Said {
        let code = said.code.as_deref().unwrap_or_default();
        match said.outcome.as_str() {
            "refused" => self.stage.log.hear(closed_lists::REFUSAL, code),
            "failed" => {
                self.stage.log.hear(closed_lists::FAILURE, code);
                let cause = said.cause.as_deref().unwrap_or_default();
                self.stage.log.hear(closed_lists::CAUSE, closed_lists::cause(code, cause));
            }
            _ => {}
        }
        said
    }

    /// Starts a verb and kills it, and whatever it has started, as soon as `happened`.
    pub(super) async fn killed_once(&self, verb: &str, happened: impl Fn() -> bool) -> Outcome {
        let subject = &self.stage.subject;
        let mut command = subject.command(verb, ["--state", &text(&self.state)]);
        command.process_group(0).stdout(Stdio::null()).stderr(Stdio::null());
        let mut process = command.spawn().map_err(|error| subject.cannot_start(&error))?;
        let until = Instant::now() + subject.time_limit();
        while !happened() && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let group = process.id().map(|id| format!("-{id}")).unwrap_or_default();
        let killed = Command::new("kill").args(["-KILL", "--", &group]).status().await;
        // The whole group where that is possible, and this process in any case.
        let _ = (killed, process.kill().await);
        if happened() { Ok(()) } else { Err(Finding::deviates("a request", "nothing was sent")) }
    }

    async fn call<T: DeserializeOwned>(&self, verb: &str, flags: &[&str]) -> Result<T, Finding> {
        let state = text(&self.state);
        let flags = ["--state", &state].into_iter().chain(flags.iter().copied());
        answers::read(verb, &self.stage.subject.call(verb, flags, &self.stage.log).await?)
    }
}

impl Said {
    pub(super) fn is_done(&self) -> Outcome {
        if self.outcome == "done" { Ok(()) } else { Err(Finding::deviates("done", self.in_words())) }
    }

    /// It synchronized; gives what that has changed.
    pub(super) fn expect_synchronized(self) -> Result<Changes, Finding> {
        match &self.changes {
            Some(changes) if self.outcome == "synchronized" => Ok(changes.clone()),
            _ => Err(Finding::deviates("synchronized, with its changes", self.in_words())),
        }
    }

    /// The main server said no, with this code.
    pub(super) fn is_refused(&self, code: &str) -> Outcome {
        self.is("refused", &[code])
    }

    /// It failed, with this code.
    pub(super) fn is_failed(&self, code: &str) -> Outcome {
        self.is("failed", &[code])
    }

    /// It failed, with one of these codes.
    pub(super) fn is_failed_with_one_of(&self, codes: &[&str]) -> Outcome {
        self.is("failed", codes)
    }

    fn is(&self, outcome: &str, codes: &[&str]) -> Outcome {
        let code = self.code.as_deref().unwrap_or_default();
        if self.outcome == outcome && codes.contains(&code) {
            return Ok(());
        }
        Err(Finding::deviates(format!("{outcome} ({})", codes.join(" or ")), self.in_words()))
    }

    fn in_words(&self) -> String {
        match &self.code {
            Some(code) => format!("{} ({code})", self.outcome),
            None => self.outcome.clone(),
        }
    }
}

/// Paths of a stage are made by the harness, and are Unicode.
fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

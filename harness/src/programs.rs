//! The subjects as processes: every call is bounded in time, and what was started is ended.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::timeout;

/// The word before the arguments that makes an executable the License Server.
pub const LICENSE_SERVER: &str = "license-server";
/// The word that makes it the License Server under the subject contract.
pub const LICENSE_SERVER_SUBJECT: &str = "license-server-subject";
/// The word before the arguments that makes an executable the main-server simulator.
pub const MOCK_SOLME: &str = "mock-solme";
/// The word that makes it the main server under the subject contract.
pub const MOCK_SOLME_SUBJECT: &str = "mock-solme-subject";

/// The word that makes it the main-server simulator with a bug, whose name follows.
pub const MOCK_SOLME_MUTANT: &str = "mock-solme-mutant";

/// Longer than any command takes on a busy machine: what needs more hangs.
const AT_MOST: Duration = Duration::from_secs(60);

/// An executable that is both programs, told apart by the first word.
#[derive(Debug, Clone)]
pub struct Programs {
    executable: PathBuf,
}

impl Programs {
    /// The executable at this path.
    pub fn at(executable: impl Into<PathBuf>) -> Self {
        Self { executable: executable.into() }
    }

    /// This very executable, as `harness` is one.
    ///
    /// # Errors
    /// Where the operating system does not tell its path.
    pub fn in_this_executable() -> Result<Self> {
        env::current_exe().map(Self::at).context("cannot find this program on disk")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(&self.executable);
        command.arg(program).stdin(Stdio::null()).kill_on_drop(true);
        command
    }
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub struct Answer {
    /// The exit code.
    pub exit: i32,
    /// The JSON it printed.
    pub json: Value,
}

impl Answer {
    /// Reads what a command has printed.
    ///
    /// # Errors
    /// Where it was ended by a signal, or did not print JSON.
    pub fn read(output: &Output) -> Result<Self> {
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let Some(exit) = output.status.code() else { bail!("ended by a signal\n{out}{err}") };
        let json = serde_json::from_str(&out).with_context(|| format!("exit code {exit}, no JSON:\n{out}{err}"))?;
        Ok(Self { exit, json })
    }

    /// The text of a member, or its JSON where it is no text.
    pub fn text(&self, member: &str) -> String {
        match &self.json[member] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }

    /// The answer, or an error that quotes it where the command did not end with 0.
    ///
    /// # Errors
    /// Every exit code but 0.
    pub fn done(self) -> Result<Self> {
        if self.exit == 0 { Ok(self) } else { bail!("exit code {}: {}", self.exit, self.json) }
    }
}

/// A License Server with its own state directory.
#[derive(Debug, Clone)]
pub struct LicenseServer {
    programs: Programs,
    /// Its state directory.
    pub state: PathBuf,
    clock_offset: Option<String>,
}

impl LicenseServer {
    /// A License Server that keeps its state in `state`; nothing is created yet.
    pub fn new(programs: &Programs, state: PathBuf) -> Self {
        Self { programs: programs.clone(), state, clock_offset: None }
    }

    /// Shifts its local clock from now on, as time would: `366d`.
    pub fn clock_offset(&mut self, offset: &str) {
        self.clock_offset = Some(offset.to_owned());
    }

    /// One of its commands, not yet started.
    pub fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = self.programs.command(LICENSE_SERVER);
        command.arg("--state").arg(&self.state).arg("--json");
        if let Some(offset) = &self.clock_offset {
            // one word, so that an offset into the past is not taken for a flag
            command.arg(format!("--clock-offset={offset}"));
        }
        command.args(args);
        command
    }

    /// Runs one of its commands to the end.
    ///
    /// # Errors
    /// Where it cannot be started, hangs, or does not answer in JSON.
    pub async fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Result<Answer> {
        finish(self.command(args)).await
    }
}

/// A main server, running until it is dropped.
#[derive(Debug)]
pub struct MainServer {
    programs: Programs,
    ready: Value,
    process: Child,
    /// It ends when this is closed, so that it never outlives us.
    _stdin: Option<ChildStdin>,
}

impl MainServer {
    /// Starts `mock-solme serve` with these arguments, and waits for its ready line.
    ///
    /// # Errors
    /// Where it cannot be started, or ends or hangs before it is ready.
    pub async fn start<S: AsRef<OsStr>>(programs: &Programs, args: impl IntoIterator<Item = S>) -> Result<Self> {
        let mut command = programs.command(MOCK_SOLME);
        command.arg("serve").args(args);
        Self::start_command(programs, command).await
    }

    /// The command `mock-solme serve` with its data in `data`, not yet started.
    pub fn command(programs: &Programs, data: &Path) -> Command {
        let mut command = programs.command(MOCK_SOLME);
        command.arg("serve").arg("--data").arg(data);
        command
    }

    /// The same for a main server with this bug.
    pub(crate) fn mutant_command(programs: &Programs, mutant: &str, data: &Path) -> Command {
        let mut command = programs.command(MOCK_SOLME_MUTANT);
        command.args([mutant, "serve", "--data"]).arg(data);
        command
    }

    /// Starts what [`Self::command`] made, and waits for its ready line.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn start_command(programs: &Programs, mut command: Command) -> Result<Self> {
        // However this process ends, the main server ends with it.
        command.arg("--exit-with-stdin").stdin(Stdio::piped());
        let mut process = command.stdout(Stdio::piped()).spawn().context("cannot start the main server")?;
        let stdout = process.stdout.take().context("the main server has no output")?;
        let mut lines = BufReader::new(stdout).lines();
        let line = timeout(AT_MOST, lines.next_line()).await.context("the main server does not get ready")??;
        let line = line.context("the main server ended before it was ready; what it said is above")?;
        let ready = serde_json::from_str(&line).with_context(|| format!("its ready line is not JSON: {line}"))?;
        let stdin = process.stdin.take();
        Ok(Self { programs: programs.clone(), ready, process, _stdin: stdin })
    }

    /// A member of the ready line.
    ///
    /// # Errors
    /// Where the line has no such text.
    pub fn ready(&self, member: &str) -> Result<&str> {
        self.ready[member].as_str().with_context(|| format!("the main server's ready line has no {member:?}"))
    }

    /// Runs an admin command against it.
    ///
    /// # Errors
    /// Where it cannot be started, hangs, or does not answer in JSON.
    pub async fn admin<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Result<Answer> {
        let mut command = self.programs.command(MOCK_SOLME);
        command.args(["--admin-url", self.ready("admin")?, "--token", self.ready("admin_token")?, "--json"]);
        command.args(args);
        finish(command).await
    }

    /// Its process, while it runs.
    pub fn process_id(&self) -> Option<u32> {
        self.process.id()
    }

    /// Kills it, as a power failure would, and waits until it is gone.
    ///
    /// # Errors
    /// Where the operating system does not let us.
    pub async fn kill(mut self) -> Result<()> {
        self.process.kill().await.context("cannot kill the main server")
    }

    /// Waits until it has ended by itself.
    ///
    /// # Errors
    /// Where it does not.
    pub async fn wait(mut self) -> Result<std::process::ExitStatus> {
        timeout(AT_MOST, self.process.wait()).await.context("the main server does not end")?.map_err(Into::into)
    }
}

async fn finish(mut command: Command) -> Result<Answer> {
    let shown = format!("{:?}", command.as_std());
    let output = timeout(AT_MOST, command.output()).await.with_context(|| format!("does not end: {shown}"))??;
    Answer::read(&output).with_context(|| format!("this command has failed: {shown}"))
}

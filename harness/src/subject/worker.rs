//! A subject that stays: verbs as lines, for one that is slow to start (SUBJECT.md, *Workers*).

use std::collections::VecDeque;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::sync::OnceCell;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::process::{OUTPUT, Subject, one_object, read};

/// The verb that makes a subject stay.
pub(crate) const WORKER: &str = "worker";
/// With fewer, the worker that carried out a verb might get the next one of the same case, and find in its memory what it
/// should find in the state directory.
const AT_LEAST: usize = 2;

/// What a worker says first.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Ready {
    /// The version of the contract.
    pub(crate) worker: u32,
}

/// The version that we speak.
pub(crate) const READY: Ready = Ready { worker: 1 };

/// What a worker says to a verb: what a process would have ended with, and printed.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Said {
    pub(crate) exit_code: i32,
    #[serde(default)]
    pub(crate) json: Value,
    #[serde(default)]
    pub(crate) stderr: String,
}

/// What a line says, if it is one of a worker.
pub(crate) fn said(line: &[u8]) -> Option<Said> {
    object(line)
}

/// The same JSON that a process may print: serde would take a list of its members as well, and whatever there is in a member
/// that it skips.
fn object<T: DeserializeOwned>(line: &[u8]) -> Option<T> {
    serde_json::from_value(one_object(line)?).ok()
}

/// The workers of one subject that have nothing to do, the one that worked last at the end.
#[derive(Debug, Default)]
pub(super) struct Workers {
    has_some: OnceCell<bool>,
    idle: Mutex<VecDeque<Worker>>,
}

impl Workers {
    /// None at all, as of a subject that does not know the verb.
    pub(super) fn none() -> Self {
        Self { has_some: OnceCell::from(false), idle: Mutex::default() }
    }

    /// One that can carry out a verb; `None` where the subject has none. The first call finds that out.
    ///
    /// # Errors
    /// Where the subject has workers, and another one does not start.
    pub(super) async fn take(&self, subject: &Subject) -> io::Result<Option<Worker>> {
        let find_out = async || match Worker::start(subject).await {
            Ok(worker) => {
                self.give_back(worker);
                true
            }
            Err(_) => false,
        };
        if !*self.has_some.get_or_init(find_out).await {
            return Ok(None);
        }
        let idle = {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            if idle.len() < AT_LEAST { None } else { idle.pop_front() }
        };
        match idle {
            Some(worker) => Ok(Some(worker)),
            None => Worker::start(subject).await.map(Some),
        }
    }

    /// It can carry out another verb.
    pub(super) fn give_back(&self, worker: Worker) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push_back(worker);
    }
}

/// A process that carries out one verb after the other. It is killed when it is dropped.
#[derive(Debug)]
pub(super) struct Worker {
    process: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    stderr: JoinHandle<Vec<u8>>,
}

/// Why a worker is of no more use.
pub(super) enum Broken {
    /// It has ended.
    Ended { status: ExitStatus, stdout: Vec<u8>, stderr: Vec<u8> },
    /// It has said something else.
    Rubbish(Vec<u8>),
}

impl Worker {
    async fn start(subject: &Subject) -> io::Result<Self> {
        let mut process = subject.command(WORKER, []).stdin(Stdio::piped()).spawn()?;
        let (stdin, stdout, stderr) = (process.stdin.take(), process.stdout.take(), process.stderr.take());
        let Some((stdin, stdout)) = stdin.zip(stdout) else { return Err(io::ErrorKind::BrokenPipe.into()) };
        // Read all the time, so that it can say more than a pipe holds.
        let stderr = tokio::spawn(read(stderr));
        let mut worker = Self { process, stdin, stdout: BufReader::new(stdout), stderr };
        let line = timeout(subject.time_limit(), worker.line()).await??;
        match object::<Ready>(&line) {
            Some(ready) if ready.worker == READY.worker => Ok(worker),
            _ => Err(io::Error::other("its worker does not say that it is ready")),
        }
    }

    /// Carries out a verb.
    ///
    /// # Errors
    /// Where it ends, or does not answer with one line of SUBJECT.md.
    pub(super) async fn carry_out(&mut self, words: &[&str]) -> Result<Said, Broken> {
        let question = Value::from(words).to_string() + "\n";
        // Where it cannot be asked, it has ended, and what it said last tells more.
        let _ = self.stdin.write_all(question.as_bytes()).await;
        let line = self.line().await.unwrap_or_default();
        if line.last() == Some(&b'\n') || line.len() as u64 == OUTPUT {
            return said(&line).ok_or(Broken::Rubbish(line));
        }
        match self.process.wait().await {
            Ok(status) => {
                Err(Broken::Ended { status, stdout: line, stderr: (&mut self.stderr).await.unwrap_or_default() })
            }
            Err(_) => Err(Broken::Rubbish(line)),
        }
    }

    /// The next line, or what comes before the end.
    async fn line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        (&mut self.stdout).take(OUTPUT).read_until(b'\n', &mut line).await?;
        Ok(line)
    }
}

//! `harness license-server-subject`: the contract of harness/SUBJECT.md for a License Server, over our own
//! `license-server`. It only translates flags and words.

use std::cell::RefCell;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};
use license_server::testing::{self, Seams};
use serde_json::{Map, Value, json};
use solme_sync_protocol::UtcTime;

use super::contract;
use crate::license_server_mutants::{Mutant, named};

/// Where the License Server keeps its state.
const STATE: &str = "license-server";
/// Seconds by which the local clock of this state directory is ahead.
const OFFSET: &str = "clock-offset";
/// Less than the defaults of the License Server, so that a port that does not answer does not hang the verb, and much
/// more than an exchange on the loopback interface takes.
const LIMITS: [&str; 2] = ["--connect-limit=2s", "--total-limit=3s"];

/// The subject contract for a License Server, over license-server.
#[derive(Parser)]
#[command(name = "license-server-subject", about)]
struct Arguments {
    /// The bug that it is to have, for judging the judge
    #[arg(long, value_parser = named)]
    mutant: Option<Mutant>,
    /// A directory of its own
    #[arg(long, global = true)]
    state: Option<PathBuf>,
    #[command(subcommand)]
    verb: Verb,
}

/// See harness/SUBJECT.md.
#[derive(Subcommand)]
enum Verb {
    Init {
        #[arg(long)]
        id: OsString,
        #[arg(long)]
        trust: OsString,
    },
    Synchronize,
    ExportRequest {
        #[arg(long = "out")]
        request: OsString,
    },
    ImportResponse {
        #[arg(long = "in")]
        response: OsString,
    },
    Status,
    MayIssue {
        #[arg(long)]
        license: Option<OsString>,
    },
    NewKeyPair,
    SetClock {
        #[arg(long, allow_hyphen_values = true)]
        offset: i64,
    },
}

/// Runs one verb, or as a worker many; `args` begin with the name of the program.
pub(crate) fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    contract::run(args, carry_out)
}

fn carry_out(Arguments { mutant, state, verb }: Arguments) -> Result<Value> {
    let directory = state.context("--state is missing")?;
    let words: Vec<OsString> = match &verb {
        Verb::Init { id, trust } => vec!["init".into(), "--id".into(), id.clone(), "--trust".into(), trust.clone()],
        Verb::Synchronize => ["synchronize"].into_iter().chain(LIMITS).map(OsString::from).collect(),
        Verb::ExportRequest { request } => vec!["export-request".into(), request.clone()],
        Verb::ImportResponse { response } => vec!["import-response".into(), response.clone()],
        Verb::Status => vec!["status".into()],
        Verb::MayIssue { license } => [Some("may-issue".into()), license.clone()].into_iter().flatten().collect(),
        Verb::NewKeyPair => vec!["new-key-pair".into(), "--yes".into()],
        Verb::SetClock { offset } => {
            fs::write(directory.join(OFFSET), offset.to_string())?;
            return Ok(json!({ "outcome": "done" }));
        }
    };
    if let Some(before) = mutant.and_then(|mutant| mutant.before) {
        let run = |words: &[&str]| license_server(&directory, words.iter().map(OsString::from).collect(), mutant);
        before(&words, &run)?;
    }
    let said = license_server(&directory, words, mutant)?;
    match &verb {
        Verb::Status if said["outcome"] != "failed" => status(&said),
        Verb::MayIssue { .. } => Ok(json!({ "may_issue": said["may_issue"], "code": said["code"] })),
        verb => outcome(&said, matches!(verb, Verb::ImportResponse { .. })),
    }
}

/// Runs the License Server and gives the JSON object that it says.
fn license_server(directory: &Path, words: Vec<OsString>, mutant: Option<Mutant>) -> Result<Value> {
    let mut args: Vec<OsString> = ["license-server".into(), "--json".into(), "--state".into()].into();
    args.push(directory.join(STATE).into());
    if let Ok(offset) = fs::read_to_string(directory.join(OFFSET)) {
        // one word, so that an offset into the past is not taken for a flag
        args.push(format!("--clock-offset={offset}s").into());
    }
    args.extend(words);
    let heard = Rc::new(RefCell::new(Map::new()));
    let seams = Seams::default().on_report({
        let heard = Rc::clone(&heard);
        move |said| heard.replace(said.clone()).clear()
    });
    let conduct = mutant.map(|mutant| mutant.conduct);
    testing::run(args, conduct.into_iter().fold(seams, Seams::with_conduct));
    Ok(Value::Object(heard.take()))
}

fn status(said: &Value) -> Result<Value> {
    let mut status = said.clone();
    if let Some(by) = said["synchronize_by"].as_str() {
        status["synchronize_by"] = by.parse::<UtcTime>().map(UtcTime::as_secs)?.into();
    }
    let licenses = said["licenses"].as_array().into_iter().flatten();
    status["licenses"] = licenses.map(|license| license["number"].clone()).collect();
    Ok(status)
}

fn outcome(said: &Value, by_file: bool) -> Result<Value> {
    let (code, cause) = match (said["outcome"].as_str(), said["code"].as_str()) {
        (Some("refused"), Some(code)) => (Some(code), None),
        (Some("failed"), Some(cause)) => (Some(code_of(cause, by_file)?), Some(cause)),
        _ => (None, None),
    };
    let (outcome, changes, message) = (&said["outcome"], &said["changes"], &said["message"]);
    Ok(json!({ "outcome": outcome, "code": code, "cause": cause, "changes": changes, "message": message }))
}

/// The License Server's own name of a failure is the cause of one of SUBJECT.md, whose list is shorter.
fn code_of(cause: &str, by_file: bool) -> Result<&'static str> {
    let rows = CAUSES.iter().filter(|(_, own, _)| *own == cause);
    let row = rows.max_by_key(|(code, _, _)| (*code == FILE) == by_file);
    row.map(|(code, _, _)| *code).with_context(|| format!("{cause} is missing in the table of causes"))
}

const FILE: &str = "file-not-usable";
/// A state directory is the subject's own: the suite does not break it.
const BROKEN_STATE: Option<&str> = Some("needs a broken state directory; seen in client/src/tests/local_state.rs");

const TWO_VERBS: Option<&str> = Some("needs two verbs at once; seen in client/src/tests/{local_state,automatic}.rs");
const PROXY: Option<&str> = Some("needs a proxy; seen in tests/all/proxies.rs");

/// A failure of the License Server: the code of SUBJECT.md, its own name, and why the client suite never hears it.
pub(crate) type Cause = (&'static str, &'static str, Option<&'static str>);

/// All of them.
pub(crate) const CAUSES: &[Cause] = &[
    ("not-reached", "name-lookup-failed", None),
    ("not-reached", "443-refused", None),
    ("not-reached", "443-timed-out", None),
    ("not-reached", "443-unreachable", None),
    ("not-reached", "8080-refused", None),
    ("not-reached", "8080-timed-out", None),
    ("not-reached", "8080-unreachable", None),
    ("not-reached", "tls-not-solme", None),
    ("not-reached", "tls-failed", None),
    ("not-reached", "local-clock-wrong", None),
    ("not-reached", "answer-interrupted", None),
    ("not-reached", "proxy-unreachable", PROXY),
    ("not-reached", "proxy-wants-password", PROXY),
    ("not-reached", "proxy-wrong-password", PROXY),
    ("not-reached", "proxy-refuses-target", PROXY),
    ("not-reached", "proxy-not-supported", PROXY),
    ("not-the-main-server", "proxy-own-page", PROXY),
    ("not-reached", "stopped", Some("needs a signal to `serve`; seen in tests/all/service.rs")),
    ("not-the-main-server", "not-the-main-server", None),
    ("receipt-wrong", "receipt-wrong", None),
    ("payload-wrong", "payload-wrong", None),
    ("payload-not-found", "payload-not-found", None),
    ("refusal-wrong", "refusal-wrong", None),
    ("refusal-wrong", "refusal-not-ours", None),
    ("main-server-trouble", "main-server-trouble", None),
    (FILE, "file-unreadable", None),
    (FILE, "file-too-large", None),
    (FILE, "file-damaged", None),
    (FILE, "file-truncated", None),
    (FILE, "not-a-response-file", None),
    (FILE, "request-file-instead", None),
    (FILE, "file-version", None),
    (FILE, "other-license-server-id", None),
    (FILE, "other-main-server", None),
    (FILE, "other-key-pair", None),
    (FILE, "other-request", None),
    (FILE, "response-wrong", None),
    (FILE, "trust-file-not-usable", None),
    (FILE, "file-not-written", None),
    ("response-older", "response-older", None),
    ("local-state", "not-initialized", None),
    ("local-state", "other-license-server-id", None),
    ("local-state", "other-main-server", None),
    ("local-state", "state-in-use", TWO_VERBS),
    ("local-state", "synchronization-under-way", TWO_VERBS),
    ("local-state", "already-serving", TWO_VERBS),
    ("local-state", "state-changed-meanwhile", TWO_VERBS),
    ("local-state", "state-directory", BROKEN_STATE),
    ("local-state", "state-newer", BROKEN_STATE),
    ("local-state", "key-file-missing", BROKEN_STATE),
    ("local-state", "key-file-damaged", BROKEN_STATE),
    ("local-state", "key-file-foreign", BROKEN_STATE),
    ("local-state", "key-file-unusable", BROKEN_STATE),
    ("local-state", "key-file-exposed", BROKEN_STATE),
    ("local-state", "state-exposed", BROKEN_STATE),
    ("local-state", "state-no-room", BROKEN_STATE),
    ("local-state", "database-missing", BROKEN_STATE),
    ("local-state", "database-damaged", BROKEN_STATE),
    ("local-state", "database-unusable", BROKEN_STATE),
    ("local-state", "archive-failed", BROKEN_STATE),
];

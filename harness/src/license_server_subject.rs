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
use client::{Mutant, Seams};
use protocol::UtcTime;
use serde_json::{Map, Value, json};

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
    #[arg(long)]
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

/// Runs one verb; `args` begin with the name of the program.
pub(crate) fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(args) {
        Ok(arguments) => arguments,
        Err(error) => error.exit(),
    };
    match carry_out(arguments) {
        Ok(answer) => {
            anstream::println!("{answer}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            anstream::eprintln!("license-server-subject: {error:#}");
            ExitCode::FAILURE
        }
    }
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
    let said = license_server(&directory, words, mutant)?;
    match &verb {
        Verb::Status if said["outcome"] != "failed" => status(&said),
        Verb::MayIssue { .. } => Ok(json!({ "may_issue": said["may_issue"] })),
        Verb::ImportResponse { .. } => Ok(outcome(&said, import_failure)),
        _ => Ok(outcome(&said, failure)),
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
    client::run(args, mutant.into_iter().fold(seams, Seams::with_mutant));
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

fn outcome(said: &Value, failure: impl Fn(&str) -> &str) -> Value {
    let code = match (said["outcome"].as_str(), said["code"].as_str()) {
        (Some("refused"), Some(code)) => Some(code),
        (Some("failed"), Some(code)) => Some(failure(code)),
        _ => None,
    };
    json!({ "outcome": said["outcome"], "code": code, "changes": said["changes"], "message": said["message"] })
}

/// What can be wrong with a file has many names at the License Server.
fn import_failure(code: &str) -> &str {
    match code {
        "response-older" => code,
        "not-initialized" | "state-in-use" | "state-directory" | "state-newer" | "synchronization-under-way" => {
            "local-state"
        }
        state if state.starts_with("key-file-") || state.starts_with("database-") => "local-state",
        _ => "file-not-usable",
    }
}

/// The closed list of SUBJECT.md is shorter than that of the License Server.
fn failure(code: &str) -> &str {
    match code {
        "not-the-main-server"
        | "receipt-wrong"
        | "payload-wrong"
        | "payload-not-found"
        | "refusal-wrong"
        | "main-server-trouble"
        | "response-older" => code,
        "refusal-not-ours" => "refusal-wrong",
        "proxy-own-page" => "not-the-main-server",
        "name-lookup-failed" | "local-clock-wrong" | "answer-interrupted" | "tls-not-solme" | "tls-failed" => {
            "not-reached"
        }
        way if ["443-", "8080-", "proxy-"].iter().any(|start| way.starts_with(start)) => "not-reached",
        "trust-file-not-usable" | "file-not-written" => "file-not-usable",
        _ => "local-state",
    }
}

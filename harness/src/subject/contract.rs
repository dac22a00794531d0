//! Our own programs as subjects: a process for a verb, or a worker for many (SUBJECT.md).

use std::ffi::OsString;
use std::io::{BufRead as _, Write as _};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser;
use clap::error::ErrorKind;
use serde_json::Value;

use super::UNIMPLEMENTED;
use super::worker::{READY, Said, WORKER};

/// Carries out the verb in `args`, which begin with the name of the program; a worker, the verbs that come as lines. The
/// JSON of a verb is null where it has printed already what there is to say.
pub(super) fn run<A: Parser>(
    args: impl IntoIterator<Item = OsString>,
    carry_out: impl Fn(A) -> Result<Value>,
) -> ExitCode {
    let mut args: Vec<OsString> = args.into_iter().collect();
    if args.pop_if(|verb| verb == WORKER).is_some() {
        return ended(&args, work(&args, &carry_out));
    }
    match A::try_parse_from(&args) {
        Ok(arguments) => ended(
            &args,
            carry_out(arguments).map(|json| {
                if !json.is_null() {
                    anstream::println!("{json}")
                }
            }),
        ),
        Err(error) => {
            let _ = error.print();
            ExitCode::from(exit_code(&error))
        }
    }
}

fn ended(args: &[OsString], outcome: Result<()>) -> ExitCode {
    let Err(error) = outcome else { return ExitCode::SUCCESS };
    anstream::eprintln!("{}: {error:#}", args.first().map(|name| name.to_string_lossy()).unwrap_or_default());
    ExitCode::FAILURE
}

/// A verb or flag that we do not know, as one of a later version of the contract is, is not implemented (SUBJECT.md).
fn exit_code(error: &clap::Error) -> u8 {
    match error.kind() {
        ErrorKind::InvalidSubcommand | ErrorKind::UnknownArgument => UNIMPLEMENTED,
        _ => error.exit_code().try_into().unwrap_or(1),
    }
}

/// Verbs come as lines, until there are no more. `before` are the arguments that all have.
fn work<A: Parser>(before: &[OsString], carry_out: &impl Fn(A) -> Result<Value>) -> Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "{}", serde_json::to_string(&READY)?)?;
    for line in std::io::stdin().lock().lines() {
        let words: Vec<String> = serde_json::from_str(&line?).context("a line is not an array of words")?;
        let said = match A::try_parse_from(before.iter().cloned().chain(words.into_iter().map(OsString::from))) {
            Ok(arguments) => match carry_out(arguments) {
                Ok(json) => Said { exit_code: 0, json, stderr: String::new() },
                Err(error) => Said { exit_code: 1, json: Value::Null, stderr: format!("{error:#}") },
            },
            Err(error) => Said { exit_code: exit_code(&error).into(), json: Value::Null, stderr: error.to_string() },
        };
        writeln!(out, "{}", serde_json::to_string(&said)?)?;
    }
    Ok(())
}

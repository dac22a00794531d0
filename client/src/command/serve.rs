//! `serve`: the long-running service. It synchronizes automatically, and warns before the required synchronization.
//!
//! It keeps nothing in memory: each step looks at the state, does what is due, and says until when nothing is. So it may
//! be stopped anywhere, and a manual synchronization, another mode or another clock count at once.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use solme_sync_protocol::{UtcTime, printable};

use super::Context;
use super::session::Session;
use super::synchronize::synchronize;
use crate::core::{Due, Schedule, Warning};
use crate::output::{Error, Exit, Report, Text, json_line, sentence};
use crate::store::{LastAutomatic, LocalStateFailure, Serving, Turn};

const EVENT: &str = "serve";
/// How long it waits when the state cannot be used.
const AFTER_TROUBLE: u64 = 60;
/// How long the warning command may take.
const COMMAND_LIMIT: Duration = Duration::from_secs(60);

pub(super) fn run(context: &Context, as_json: bool) -> Result<Report, Error> {
    let _serving = Serving::begin(&context.place, EVENT)?;
    let log = Log { as_json };
    let session = Session::open(context, EVENT)?;
    let mode = session.store.schedule()?.mode;
    log.say(
        context,
        "started",
        "started",
        &format!("automatic synchronization is {mode}"),
        json!({ "mode": mode.as_str() }),
    );
    drop(session);
    let mut trouble = None;
    loop {
        let done = step(context, log);
        let now = done.as_ref().err().map(LocalStateFailure::code);
        if let (Err(error), true) = (&done, now != trouble) {
            log.say(context, "trouble", error.code(), &error.to_string(), json!({ "cure": error.cure() }));
        }
        trouble = now;
        let until = done.unwrap_or_else(|_| context.now().plus(AFTER_TROUBLE));
        if context.stop.is_told() || context.pause(until) {
            break;
        }
    }
    let mut text = Text::default();
    text.good("Stopped.");
    text.next("start `license-server serve` again; nothing was lost.");
    let json = json!({ "outcome": "done", "code": "stopped", "message": "stopped", "cure": null });
    Ok(Report::new(Exit::Done, json, text))
}

/// Does what is due. Until the time that it returns, nothing is.
fn step(context: &Context, log: Log) -> Result<UtcTime, LocalStateFailure> {
    let mut session = Session::open(context, EVENT)?;
    session.store.save_times(&session.times)?;
    let schedule = session.store.schedule()?;
    let Session { identity, times, server, .. } = &session;
    let now = times.local_clock;
    match server.due(times, &schedule, &identity.key_thumbprint) {
        Due::Synchronize => {
            drop(session);
            automatic(context, log)?;
        }
        Due::Warn(warning) => {
            let license_server_id = identity.license_server_id.to_string();
            drop(session);
            Notice { license_server_id, warning }.give(context, log);
            if context.stop.is_told() {
                return Ok(now); // it comes again: the command may not have done its work
            }
            let mut session = Session::open(context, EVENT)?;
            let schedule = session.store.schedule()?;
            let warned = Some((warning.synchronize_by, warning.reached));
            session.store.save_schedule(&Schedule { warned, ..schedule })?;
        }
        Due::Nothing { until } => return Ok(until),
    }
    Ok(now)
}

/// One automatic synchronization, unless a manual one was faster.
fn automatic(context: &Context, log: Log) -> Result<(), LocalStateFailure> {
    let turn = Turn::take(&context.place, EVENT)?;
    let session = Session::open(context, EVENT)?;
    let due = session.next_automatic(&session.store.schedule()?);
    if due.is_none_or(|due| due > session.times.local_clock) {
        return Ok(());
    }
    let (mut session, outcome) = synchronize(context, session, context.transport(), &turn)?;
    if context.stop.is_told() && !outcome.is_synchronized() {
        return Ok(()); // cut off, which is no result
    }
    let (now, left) = (session.times.local_clock, session.server.time_left(&session.times));
    let mut schedule = session.store.schedule()?;
    if !outcome.is_synchronized() {
        schedule = schedule.failed(now, left, outcome.transient, outcome.retry_after);
    }
    let last = LastAutomatic {
        at: now,
        outcome: outcome.word().to_owned(),
        code: outcome.code.to_owned(),
        message: outcome.message.clone(),
    };
    session.store.save_automatic(&schedule, &last)?;
    let next_at = session.next_automatic(&schedule).map(|time| time.to_string());
    let more = json!({ "cure": outcome.cure, "next_at": next_at });
    log.say(context, outcome.word(), outcome.code, &outcome.message, more);
    Ok(())
}

/// A warning, and whom it is about.
struct Notice {
    license_server_id: String,
    warning: Warning,
}

impl Notice {
    fn message(&self) -> String {
        let (id, by) = (&self.license_server_id, self.warning.synchronize_by);
        match self.warning.days_left {
            0 => format!("{id} did not synchronize by {by}; no license may be issued until it does"),
            1 => format!("{id} must synchronize by {by}: less than a day is left"),
            days => format!("{id} must synchronize by {by}: {days} days are left"),
        }
    }

    /// Says it, and runs the command that the settings name.
    fn give(&self, context: &Context, log: Log) {
        let message = self.message();
        let cure = "Run `license-server synchronize`; if that fails, `license-server doctor` says why.";
        let Warning { days_left, synchronize_by, .. } = self.warning;
        let more = json!({ "days_left": days_left, "synchronize_by": synchronize_by.to_string(), "cure": cure });
        log.say(context, "warning", "synchronization-required", &message, more);
        let Some(command) = &context.warning_command else { return };
        if let Err(error) = self.run(context, command, &message) {
            let cure = "Correct warning_command in the settings; `license-server config` shows it.";
            let message = format!("the warning command failed: {error}");
            log.say(context, "trouble", "warning-command-failed", &message, json!({ "cure": cure }));
        }
    }

    fn run(&self, context: &Context, command: &str, message: &str) -> Result<(), String> {
        let (shell, flag) = if cfg!(windows) { ("cmd", "/C") } else { ("/bin/sh", "-c") };
        let mut child = Command::new(shell)
            .args([flag, command])
            .env("LICENSE_SERVER_ID", &self.license_server_id)
            .env("DAYS_LEFT", self.warning.days_left.to_string())
            .env("SYNCHRONIZE_BY", self.warning.synchronize_by.to_string())
            .env("MESSAGE", message)
            .stdin(Stdio::null())
            .spawn()
            .map_err(|error| error.to_string())?;
        let began = Instant::now();
        loop {
            match child.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(status)) => return Err(status.to_string()),
                Ok(None) if began.elapsed() < COMMAND_LIMIT && !context.stop.within(Duration::from_millis(20)) => {}
                Ok(None) => {
                    let _ = child.kill().and_then(|()| child.wait().map(drop));
                    return Err(format!("stopped after {} s", began.elapsed().as_secs()));
                }
                Err(error) => return Err(error.to_string()),
            }
        }
    }
}

/// One line for each thing that happens, on standard output.
#[derive(Clone, Copy)]
struct Log {
    as_json: bool,
}

impl Log {
    fn say(self, context: &Context, event: &str, code: &str, message: &str, more: Value) {
        let now = context.now();
        let mut line = Map::new();
        line.insert("at".to_owned(), json!(now.to_string()));
        line.extend([("event".to_owned(), json!(event)), ("code".to_owned(), json!(code))]);
        line.insert("message".to_owned(), json!(message));
        line.extend(more.as_object().cloned().unwrap_or_default());
        if let Some(receive) = &context.on_report {
            return receive(&line);
        }
        let mut out = std::io::stdout().lock();
        let written = if self.as_json {
            out.write_all(json_line(&line).as_bytes())
        } else {
            let cure = line.get("cure").and_then(Value::as_str).map(|cure| format!(" {cure}")).unwrap_or_default();
            let next = line.get("next_at").and_then(Value::as_str).map(|next| format!(" Next at {next}."));
            let said = format!("{event}: {}{cure}{}", sentence(message), next.unwrap_or_default());
            writeln!(out, "{now}  {}", printable(&said))
        };
        // A closed pipe is no reason to stop.
        let _ = written.and_then(|()| out.flush());
    }
}

//! The programs as subjects of a test: as shipped, but the two may be told to abort at a durable step.
//!
//! `subject license-server ...` and `subject mock-solme ...`; anything else is the harness, which finds both in it.
//! `subject restore DATA BACKUP` restores a snapshot, which only the library of the simulator does.
//! `ABORT_AT=before:3` aborts before the third durable step, `ABORT_AT=after:3` after it; `TERMINATE_AT` sends SIGTERM there.

use std::env;
use std::ffi::OsString;
use std::process::ExitCode;

use license_server::testing::{self, DurableStep, Moment, Seams};

fn main() -> ExitCode {
    let args: Vec<OsString> = env::args_os().skip(1).collect();
    let abort_at = env::var("ABORT_AT").ok();
    match args.first().and_then(|program| program.to_str()) {
        Some("license-server") => {
            let terminate_at = env::var("TERMINATE_AT").ok();
            let durable_step = move |step: DurableStep| {
                terminate_if(terminate_at.as_deref(), step.moment == Moment::Before, step.number);
                abort_if(abort_at.as_deref(), step.moment == Moment::Before, step.number);
            };
            testing::run(args, Seams::default().on_durable_step(durable_step))
        }
        Some("mock-solme") => {
            let durable_step = move |step: mock_solme::testing::DurableStep| {
                abort_if(abort_at.as_deref(), step.moment == mock_solme::testing::Moment::Before, step.number);
            };
            let durable_step = Box::new(durable_step);
            mock_solme::run(args, mock_solme::testing::Seams { durable_step, ..mock_solme::testing::Seams::default() })
        }
        Some("restore") => restore(&args[1], &args[2], abort_at),
        _ => solme_sync_harness::run(env::args_os()),
    }
}

/// Puts what is stored in another data directory in the place of what is stored in this one.
fn restore(data: &OsString, backup: &OsString, abort_at: Option<String>) -> ExitCode {
    use mock_solme::testing::{DurableStep, Moment, Seams};
    let durable_step = move |step: DurableStep| {
        abort_if(abort_at.as_deref(), step.moment == Moment::Before, step.number);
    };
    let seams = Seams { durable_step: Box::new(durable_step), ..Seams::default() };
    let start = |builder: mock_solme::Builder, data| builder.data(data).quiet().try_start();
    let restored = start(mock_solme::MockSolme::builder(), backup)
        .and_then(|backup| Ok((backup, start(mock_solme::MockSolme::builder().seams(seams), data)?)))
        .map(|(backup, mock)| backup.snapshot().and_then(|snapshot| mock.restore(&snapshot)));
    if let Ok(Ok(())) = restored { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// As a power failure would: nothing is flushed, nothing is unwound.
fn abort_if(abort_at: Option<&str>, before: bool, number: u64) {
    if abort_at == Some(here(before, number).as_str()) {
        std::process::abort();
    }
}

/// As a service manager would.
fn terminate_if(terminate_at: Option<&str>, before: bool, number: u64) {
    if terminate_at == Some(here(before, number).as_str()) {
        let id = std::process::id().to_string();
        let sent = std::process::Command::new("kill").args(["-TERM", &id]).status();
        assert!(sent.is_ok_and(|sent| sent.success()), "SIGTERM was not sent");
    }
}

fn here(before: bool, number: u64) -> String {
    format!("{}:{number}", if before { "before" } else { "after" })
}

//! `serve`: the simulator as a program.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use super::FAILED;
use super::args::{Profile, Serve};
use crate::crypto;
use crate::mail::hand_on::MailServer;
use crate::main_server::Settings;
use crate::quirks::{self, Fault};
use crate::running::{Listeners, Opened, Options, Ready, StartError, bind, open};
use crate::seams::{DurableSteps, Seams};

/// Threads that do not end by themselves are left behind.
const AT_MOST: Duration = Duration::from_millis(200);

pub(super) fn run(args: Serve, seams: Seams) -> ExitCode {
    match serve(args, seams) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            anstream::eprintln!("mock-solme: {error}");
            ExitCode::from(FAILED)
        }
    }
}

fn serve(args: Serve, seams: Seams) -> Result<(), StartError> {
    let listeners = Listeners {
        https: bind(args.https)?,
        http: bind(args.http)?,
        admin: bind(args.admin)?,
        smtp: bind(args.smtp)?,
    };
    let seed = match args.seed {
        Some(seed) => seed,
        None => u32::from_be_bytes(crypto::random()?),
    };
    let mail_server = args.mail_server.as_deref().map(MailServer::at).transpose()?;
    let faults = faults(&args)?;
    let settings = Settings {
        auto_approve: args.auto_approve,
        demo: !args.empty,
        seed,
        faults,
        rate_limit: args.rate_limit,
        conduct: Arc::clone(&seams.conduct),
    };
    let options = Options { data: args.data, settings, admin_token: args.admin_token, mail_server };
    let opened = open(listeners, options, &DurableSteps::new(seams))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = runtime.block_on(until_terminated(opened));
    runtime.shutdown_timeout(AT_MOST);
    served
}

/// What is armed from the start.
fn faults(args: &Serve) -> Result<Vec<Fault>, StartError> {
    if let Some(Profile::Hostile) = args.profile {
        return Ok(quirks::hostile());
    }
    let Some(path) = &args.quirks else { return Ok(Vec::new()) };
    let failed = |error| StartError::File { path: path.clone(), error };
    let text = std::fs::read_to_string(path).map_err(failed)?;
    quirks::parse_file(&text).map_err(|error| failed(io::Error::new(io::ErrorKind::InvalidData, error)))
}

async fn until_terminated(opened: Opened) -> Result<(), StartError> {
    // Before the ready line: whoever has read it may send the signal.
    let terminated = terminated()?;
    let ready = opened.ready.clone();
    let running = opened.serve()?;
    announce(&ready)?;
    terminated.await;
    running.shut_down().await;
    Ok(())
}

/// The one line on stdout.
fn announce(ready: &Ready) -> io::Result<()> {
    let mut line = serde_json::to_vec(ready)?;
    line.push(b'\n');
    let mut stdout = io::stdout().lock();
    stdout.write_all(&line)?;
    stdout.flush()
}

#[cfg(unix)]
fn terminated() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn terminated() -> io::Result<impl Future<Output = ()>> {
    Ok(async {
        // Where Ctrl-C cannot be waited for, the process is ended from outside.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}

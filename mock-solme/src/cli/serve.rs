//! `serve`: the simulator as a program.

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use solme_sync_pages::open_browser;

use super::FAILED;
use super::args::{Profile, Serve};
use crate::crypto;
use crate::data::{Addresses, Remembered, listen};
use crate::mail::hand_on::MailServer;
use crate::main_server::Settings;
use crate::public::Public;
use crate::quirks::{self, Fault};
use crate::seams::{DurableSteps, Seams};
use crate::start::{Listeners, Opened, Options, Ready, StartError, open};

/// Threads that do not end by themselves are left behind.
const AT_MOST: Duration = Duration::from_millis(200);

pub(super) fn run(args: Serve, seams: Seams) -> ExitCode {
    match serve(args, seams) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            anstream::eprintln!("mock-solme: {}", solme_sync_protocol::printable_lines(&error.to_string()));
            ExitCode::from(FAILED)
        }
    }
}

fn serve(args: Serve, seams: Seams) -> Result<(), StartError> {
    let last = args.data.as_deref().and_then(Remembered::read);
    let named = Addresses { https: args.https, http: args.http, admin: args.admin, smtp: args.smtp };
    let public = public(&args, last.as_ref());
    let (listeners, notices) = listen(named, last.as_ref())?;
    let seed = match args.seed {
        Some(seed) => seed,
        None => u32::from_be_bytes(crypto::random().map_err(StartError::no_random)?),
    };
    let mail_server = args.mail_server.as_deref().map(MailServer::at).transpose()?;
    let faults = faults(&args)?;
    let settings = Settings {
        auto_approve: args.auto_approve,
        demo: !args.empty,
        seed,
        faults,
        rate_limit: args.rate_limit,
        at_once: args.at_once,
        conduct: Arc::clone(&seams.conduct),
        ..Settings::default()
    };
    let admin_token = args.admin_token.or(last.map(|last| last.admin_token));
    let data = args.data.clone();
    let options = Options { data: args.data, settings, admin_token, mail_server, public };
    let opened = open(listeners, options, &DurableSteps::new(seams))?;
    if let Some(data) = data {
        Remembered::write(&data, &opened.listeners, &opened.ready.admin_token, &opened.public)?;
    }
    for notice in &notices {
        anstream::eprintln!("mock-solme: {notice}");
    }
    if !notices.is_empty() {
        let trust_file = opened.ready.trust_file.display();
        anstream::eprintln!("  Next: run license-server init --id ID --trust {trust_file} at each License Server");
    }
    if let Some(open) = opened_to_others(&opened)? {
        anstream::eprintln!("mock-solme: {open}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = runtime.block_on(until_terminated(opened, args.exit_with_stdin, args.open));
    runtime.shutdown_timeout(AT_MOST);
    served
}

/// What is said on the command line, or else what it was the last time.
fn public(args: &Serve, last: Option<&Remembered>) -> Public {
    let said = Public {
        names: args.public_names.clone(),
        https: args.public_https.clone(),
        http: args.public_http.clone(),
        admin: args.public_admin.clone(),
    };
    match last {
        Some(last) if said == Public::default() => last.public.clone(),
        _ => said,
    }
}

/// Which listeners other machines can reach, on one line; none if only this one can.
fn opened_to_others(opened: &Opened) -> io::Result<Option<String>> {
    let Listeners { https, http, admin, smtp } = &opened.listeners;
    let mut open = Vec::new();
    for (role, listener) in [("443 role", https), ("8080 role", http), ("admin API", admin), ("mail", smtp)] {
        let address = listener.local_addr()?;
        if !address.ip().is_loopback() {
            open.push(format!("{role} {address}"));
        }
    }
    if open.is_empty() {
        return Ok(None);
    }
    let next = match opened.public.is_default() {
        true => "; for License Servers elsewhere add --public-name NAME",
        false => "",
    };
    Ok(Some(format!("open to other machines: {}{next}", open.join(", "))))
}

/// What is armed from the start.
fn faults(args: &Serve) -> Result<Vec<Fault>, StartError> {
    if let Some(Profile::Hostile) = args.profile {
        return Ok(quirks::hostile());
    }
    let Some(path) = &args.quirks else { return Ok(Vec::new()) };
    let failed = |error: &dyn std::fmt::Display| StartError::Quirks { path: path.clone(), wrong: error.to_string() };
    let text = std::fs::read_to_string(path).map_err(|error| failed(&error))?;
    quirks::parse_file(&text).map_err(|error| failed(&error))
}

async fn until_terminated(opened: Opened, exit_with_stdin: bool, open: bool) -> Result<(), StartError> {
    // Before the ready line: whoever has read it may send the signal.
    let terminated = terminated()?;
    let ready = opened.ready.clone();
    let running = opened.serve()?;
    announce(&ready)?;
    let browser = open.then(|| open_browser(&ready.console));
    if let Some(Err(error)) = &browser {
        anstream::eprintln!("mock-solme: no browser could be opened ({error}); open the address `console` yourself.");
    }
    let stdin_closed = stdin_closed(exit_with_stdin)?;
    tokio::select! {
        () = terminated => {}
        () = stdin_closed => {}
    }
    drop(browser);
    running.shut_down().await;
    Ok(())
}

/// Ends when standard input does, if that is asked for: whoever started us has closed it, or died.
fn stdin_closed(asked: bool) -> io::Result<impl Future<Output = ()>> {
    let (closed, wait) = tokio::sync::oneshot::channel();
    if asked {
        // A thread of its own: tokio would wait for one of its own at the end.
        std::thread::Builder::new().name("stdin".to_owned()).spawn(move || {
            let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
            let _ = closed.send(());
        })?;
    }
    Ok(async move {
        match asked {
            true => drop(wait.await),
            false => std::future::pending().await,
        }
    })
}

/// The one line on stdout. A person at a terminal gets the console's address once more, to click on; no log does.
fn announce(ready: &Ready) -> io::Result<()> {
    if io::stderr().is_terminal() {
        anstream::eprintln!("Console: {}", ready.console);
    }
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

//! `manager`: the License Server Manager of the manual page, as a web page on this computer.
//!
//! It shows what [`LicenseServer`] says and does what that does; it decides nothing. Whoever has the page open has the token of
//! its address (`solme-sync-pages`).

mod answers;
mod carried;
mod shell;
#[cfg(test)]
mod tests;
mod view;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Form, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use maud::Markup;
use serde::Deserialize;
use serde_json::json;
use solme_sync_pages::{Door, Feed, Problem, open_browser};
use solme_sync_protocol::{LicenseNumber, limits, printable_json, printable_lines};

use crate::clock::{self, Span};
use crate::command::{ClearRequestBy, Export, host_and_port};
use crate::core::Mode;
use crate::output::{Error, Exit, Fault, Report, Text};
use crate::server::LicenseServer;
use crate::settings::Settings;
use crate::stop::Stop;
use crate::transport::Direct;

use carried::Carried;

/// Port and token of the last run, in the state directory.
const KEPT: &str = "manager.page";
/// How often to look whether someone else changed the state.
const LOOK: Duration = Duration::from_secs(2);
/// So many events are kept for a page that is slow.
const EVENTS: usize = 64;

pub(crate) struct Options {
    pub(crate) port: Option<u16>,
    pub(crate) open: bool,
    pub(crate) server_name: Option<String>,
}

struct Manager {
    server: LicenseServer,
    direct: Direct,
    feed: Feed,
    server_name: String,
}

type TheManager = State<Arc<Manager>>;

pub(crate) fn run(settings: Settings, offset: Span, options: Options, as_json: bool) -> Result<Report, Error> {
    let clock = Arc::new(move || clock::real().offset(offset.seconds));
    let server = LicenseServer::open(settings.state)?.with_clock(clock);
    let stop = Stop::on_signals().map_err(|error| cannot("signals cannot be listened to", &error))?;
    let mut direct = Direct::new(settings.network);
    direct.until(stop.clone());
    let door = Door::open(Some(&server.directory().join(KEPT)), options.port).map_err(|error| Error {
        exit: Exit::Usage,
        code: "page",
        message: format!("the page cannot be served: {error}"),
        cure: "Name another port with --port, or none for one that is free.".to_owned(),
    })?;
    let server_name = options.server_name.unwrap_or_else(|| gethostname::gethostname().to_string_lossy().into_owned());
    let manager = Arc::new(Manager { server, direct, feed: Feed::new(EVENTS), server_name });
    announce(&manager, &door, as_json)?;
    let opened = options.open.then(|| open_browser(&door.address()));
    if let Some(Err(error)) = &opened {
        let _ = writeln!(std::io::stderr(), "Note: no browser could be opened ({error}); open the address yourself.");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| cannot("the page cannot be served", &error))?;
    let served = runtime.block_on(async {
        tokio::spawn(watch(manager.clone()));
        door.serve(routes(manager), async { stop.told().await }).await
    });
    runtime.shutdown_background();
    served.map_err(|error| cannot("the page cannot be served", &error))?;
    let mut text = Text::default();
    text.good("Stopped.");
    text.next("start `license-server manager` again; an open page comes back by itself.");
    let json = json!({ "outcome": "done", "code": "stopped", "message": "stopped", "cure": null });
    Ok(Report::new(Exit::Done, json, text))
}

fn cannot(what: &str, error: &std::io::Error) -> Error {
    Error {
        exit: Exit::LocalState,
        code: "page",
        message: format!("{what}: {error}"),
        cure: "Check the limits of the process (`ulimit -a`), then start it again.".to_owned(),
    }
}

/// Says the address, which has the token, to whoever started the program.
fn announce(manager: &Manager, door: &Door, as_json: bool) -> Result<(), Error> {
    let id = manager.server.status().map(|status| status.license_server_id.to_string())?;
    let address = door.address();
    let mut stdout = std::io::stdout().lock();
    if as_json {
        let line = json!({ "event": "started", "license_server_id": id, "address": address });
        let _ = writeln!(stdout, "{}", printable_json(&line.to_string()));
    } else {
        let mut text = Text::default();
        text.good(format_args!("License Server Manager of {id}:"));
        text.line(&address);
        text.next("open this address in a browser on this computer. Ctrl-C stops the Manager.");
        let _ = write!(anstream::AutoStream::auto(stdout), "{}", text.for_screen(None));
    }
    let _ = std::io::stdout().flush();
    Ok(())
}

fn routes(manager: Arc<Manager>) -> Router {
    let import = post(import).layer(DefaultBodyLimit::max(limits::FILE + 1));
    shell::files()
        .route("/api/live", get(|State(manager): TheManager| async move { manager.feed.subscribe() }))
        .route("/api/view", get(view))
        .route("/api/license", get(license))
        .route("/api/synchronize", post(synchronize))
        .route("/api/automatic", post(automatic))
        .route("/api/diagnostics", post(diagnostics))
        .route("/api/export", post(export))
        .route("/api/import", import)
        .route("/api/request-clear", post(request_clear))
        .route("/api/new-key-pair", post(new_key_pair))
        .with_state(manager)
}

/// Tells the open pages that the state changed, whoever did it.
async fn watch(manager: Arc<Manager>) {
    let mut last = manager.server.stamp();
    loop {
        tokio::time::sleep(LOOK).await;
        let now = manager.server.stamp();
        if now != last {
            manager.feed.send("changed", &());
        }
        last = now;
    }
}

/// The library blocks; the page goes on meanwhile.
async fn act<T: Send + 'static>(
    manager: Arc<Manager>,
    act: impl FnOnce(&Manager) -> Result<T, Error> + Send + 'static,
) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(move || act(&manager)).await;
    let lost = |error| {
        let (message, cure) = (format!("It was not done: {error}"), "Try again, or use the command line.");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "not-done", message, cure)
    };
    Ok(done.map_err(lost)??)
}

/// Does it, and answers what the window shows of that.
async fn shown(
    manager: Arc<Manager>,
    act_and_show: impl FnOnce(&Manager) -> Result<Markup, Error> + Send + 'static,
) -> Result<Response, Problem> {
    let html = act(manager, |manager| act_and_show(manager).map(Markup::into_string)).await?;
    Ok(solme_sync_pages::json(&json!({ "html": html })))
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let status = match error.fault() {
            Fault::Caller => StatusCode::BAD_REQUEST,
            Fault::File => StatusCode::UNPROCESSABLE_ENTITY,
            Fault::Network => StatusCode::BAD_GATEWAY,
            Fault::LocalState => StatusCode::CONFLICT,
        };
        Self::new(status, error.code, crate::output::sentence(&error.message).trim_end_matches('.'), error.cure)
    }
}

async fn view(State(manager): TheManager) -> Result<Response, Problem> {
    let (status, verdict) = act(manager.clone(), |manager| {
        let status = manager.server.status()?;
        Ok((status, manager.server.may_issue_any()?))
    })
    .await?;
    Ok(solme_sync_pages::json(&json!({
        "license_server_id": status.license_server_id,
        "mode": status.automatic_synchronization.mode,
        "html": view::view(&status, &verdict, &manager.server_name).into_string(),
    })))
}

#[derive(Deserialize)]
struct Which {
    number: String,
}

async fn license(State(manager): TheManager, Query(Which { number }): Query<Which>) -> Result<Response, Problem> {
    let none =
        || Problem::new(StatusCode::NOT_FOUND, "no-license", "There is no such license here", "Refresh the page.");
    let number: LicenseNumber = number.parse().map_err(|_| none())?;
    let found = act(manager, move |manager| {
        let license = manager.server.status()?.licenses.into_iter().find(|license| license.number == number);
        let verdict = manager.server.may_issue(&number)?;
        Ok(license.map(|license| view::license(&license, &verdict).into_string()))
    });
    Ok(solme_sync_pages::json(&json!({ "html": found.await?.ok_or_else(none)? })))
}

async fn synchronize(State(manager): TheManager) -> Result<Response, Problem> {
    shown(manager, |manager| {
        let carried = Carried::new(&manager.direct, &manager.feed);
        let ended = manager.server.synchronize(&carried);
        carried.end(ended.as_ref().is_ok_and(crate::Synchronization::is_synchronized));
        manager.feed.send("changed", &());
        ended.map(|ended| answers::synchronization(&ended))
    })
    .await
}

#[derive(Deserialize)]
struct Chosen {
    mode: String,
}

async fn automatic(State(manager): TheManager, Form(Chosen { mode }): Form<Chosen>) -> Result<Response, Problem> {
    let mode: Mode = mode.parse().map_err(|error: String| {
        Problem::new(StatusCode::BAD_REQUEST, "mode", error, "Choose off, daily or weekly.")
    })?;
    let (mode, next_step) = act(manager, move |manager| {
        let automatic = manager.server.set_automatic(mode)?;
        manager.feed.send("changed", &());
        Ok((automatic.mode, automatic.next_step()))
    })
    .await?;
    Ok(solme_sync_pages::json(&json!({ "mode": mode, "next_step": crate::output::sentence(&next_step) })))
}

async fn diagnostics(State(manager): TheManager) -> Result<Response, Problem> {
    shown(manager, |manager| Ok(answers::diagnosis(&manager.server.diagnose(&manager.direct)))).await
}

async fn export(State(manager): TheManager) -> Result<Response, Problem> {
    let exported = act(manager, |manager| {
        in_a_file(b"", |file| match manager.server.export_request(file)? {
            Export::Written(written) => {
                let text = fs::read_to_string(file).map_err(|error| unreadable(&error))?;
                let name = format!("request-{}.solme", written.license_server_id);
                Ok(json!({ "file": name, "content": text, "html": answers::exported(&written).into_string() }))
            }
            Export::Refused(refused) => Ok(json!({ "html": answers::synchronization(&refused).into_string() })),
        })
    });
    Ok(solme_sync_pages::json(&exported.await?))
}

#[derive(Deserialize)]
struct How {
    dry_run: bool,
}

async fn import(
    State(manager): TheManager,
    Query(How { dry_run }): Query<How>,
    content: Bytes,
) -> Result<Response, Problem> {
    shown(manager, move |manager| {
        in_a_file(&content, |file| {
            let imported = match dry_run {
                true => manager.server.preview_response(file)?,
                false => manager.server.import_response(file)?,
            };
            manager.feed.send("changed", &());
            Ok(answers::synchronization(&imported.synchronization))
        })
    })
    .await
}

#[derive(Deserialize)]
struct Clear {
    from: String,
    #[serde(default)]
    smtp: String,
}

async fn request_clear(
    State(manager): TheManager,
    Form(Clear { from, smtp }): Form<Clear>,
) -> Result<Response, Problem> {
    let asked = act(manager, move |manager| {
        if !smtp.is_empty() {
            let (host, port) = host_and_port(&smtp)?;
            let sent = manager.server.request_clear(ClearRequestBy::Smtp { host: host.to_owned(), port }, &from)?;
            return Ok(json!({ "html": answers::clear_request(&sent, None).into_string() }));
        }
        in_a_file(b"", |file| {
            let asked = manager.server.request_clear(ClearRequestBy::File(Some(file.to_owned())), &from)?;
            let mail = fs::read_to_string(file).map_err(|error| unreadable(&error))?;
            let name = format!("clear-request-{}.eml", asked.license_server_id);
            let shown = printable_lines(&mail.replace("\r\n", "\n")).to_string();
            Ok(
                json!({ "file": name, "content": mail, "html": answers::clear_request(&asked, Some(&shown)).into_string() }),
            )
        })
    });
    Ok(solme_sync_pages::json(&asked.await?))
}

async fn new_key_pair(State(manager): TheManager) -> Result<Response, Problem> {
    shown(manager, |manager| {
        let new = manager.server.new_key_pair()?;
        manager.feed.send("changed", &());
        Ok(answers::new_key_pair(&new))
    })
    .await
}

/// Through a file of ours that nobody else can read.
fn in_a_file<T>(content: &[u8], act: impl FnOnce(&Path) -> Result<T, Error>) -> Result<T, Error> {
    let directory = tempfile::tempdir().map_err(|error| unreadable(&error))?;
    let file = directory.path().join("file.solme");
    if !content.is_empty() {
        fs::write(&file, content).map_err(|error| unreadable(&error))?;
    }
    act(&file)
}

fn unreadable(error: &std::io::Error) -> Error {
    Error {
        exit: Exit::FileNotUsable,
        code: "temporary-file",
        message: format!("a temporary file cannot be used: {error}"),
        cure: "Check the space on the disk of the temporary directory, then try again.".to_owned(),
    }
}

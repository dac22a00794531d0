//! The admin verbs: each is one call of the admin API.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Client, ClientBuilder, Method, Response, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use solme_sync_protocol::{Problem, limits, printable_json, printable_lines};

use super::args::{
    ClearRequests, Clock, Global, Ids, Inbox, Journal, KeyPair, Licenses, Listener, Listing, Newest, Outbox, Terms,
    Verb,
};
use super::events::{Event, Events};
use super::failure::{Failure, pretty, print};
use super::render;
use crate::admin::api;
use crate::data::Remembered;
use crate::main_server::Filter;

use super::{FAILED, NOT_REACHED, USAGE};

/// Longer than the largest file takes.
const AT_MOST: Duration = Duration::from_secs(60);
/// Whoever is followed says every 10 seconds that it is still there.
const SILENT_AT_MOST: Duration = Duration::from_secs(30);

/// A file that was written.
#[derive(Debug, Serialize)]
pub(super) struct Written {
    /// What became of a request file.
    pub(super) outcome: Option<String>,
    pub(super) out: PathBuf,
}

/// One call of the admin API.
pub(super) struct Call {
    method: Method,
    /// Parts of the path; they are escaped.
    path: Vec<String>,
    query: Vec<(String, String)>,
    body: Body,
    render: Render,
}

/// Turns an answer of the admin API into text.
type Render = Box<dyn Fn(&[u8]) -> serde_json::Result<String>>;

enum Body {
    None,
    Json(Value),
    File(PathBuf),
}

pub(super) fn run(global: Global, verb: Verb) -> ExitCode {
    let json = global.json;
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Failure::new(FAILED, "failed", error, "Try again.").report(json),
    };
    let done = runtime.block_on(async {
        match verb {
            Verb::Journal(verb) if verb.follow => follow(&global, verb.filter()).await,
            verb => {
                let text = carry_out(&global, verb).await?;
                // A reader that has gone away is no reason to fail.
                let _ =
                    print(&if json { printable_json(&text).to_string() } else { printable_lines(&text).to_string() });
                Ok(())
            }
        }
    });
    done.map_or_else(|failure| failure.report(json), |()| ExitCode::SUCCESS)
}

/// Prints exchanges as they happen, until nobody reads them any more. That the simulator ends is a failure.
async fn follow(global: &Global, filter: Filter) -> Result<(), Failure> {
    let (url, token) = simulator(global)?;
    let call = Call::new(Method::GET, ["live"], render::journal);
    let mut live = ask(&call, &url, Some(&token), Client::builder().read_timeout(SILENT_AT_MOST)).await?;
    anstream::eprintln!("mock-solme: following the journal; Ctrl-C ends it.");
    let mut events = Events::default();
    // However it ends, whether in the middle of something does not matter to people.
    while let Ok(Some(bytes)) = live.chunk().await {
        for event in events.after(&bytes) {
            match event {
                Event::Exchange(entry) if filter.fits(&entry) => {
                    if print(&render::followed(&entry, global.json)).is_err() {
                        return Ok(());
                    }
                }
                Event::Lagged(missed) => {
                    anstream::eprintln!("mock-solme: {missed} came too fast to be shown; mock-solme journal has them.");
                }
                Event::Exchange(_) => {}
            }
        }
    }
    Err(Failure::new(
        NOT_REACHED,
        "not-reached",
        "the simulator has ended",
        "Start mock-solme serve, and follow again.",
    ))
}

async fn carry_out(global: &Global, verb: Verb) -> Result<String, Failure> {
    if let Verb::Address { listener } = verb {
        return address(global, listener);
    }
    if let Some((out, next)) = output(&verb) {
        let (headers, answer) = send(global, &call(verb, &global.operator)).await?;
        write_whole(&out, &answer).map_err(|error| file_failure(&out, &error))?;
        let outcome = headers.get("mock-solme-outcome").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let done = Written { outcome, out };
        return Ok(if global.json { pretty(&done) } else { render::written(done, next) });
    }
    let needs_token = !matches!(verb, Verb::Health);
    let call = call(verb, &global.operator);
    let (_, answer) =
        if needs_token { send(global, &call).await? } else { exchange(&call, &admin_url(global)?, None).await? };
    let text = if global.json {
        serde_json::from_slice::<Value>(&answer).map(|answer| pretty(&answer))
    } else {
        (call.render)(&answer)
    };
    text.map_err(|error| not_the_api(&format!("its answer cannot be read: {error}")))
}

/// The file is there whole or not at all, and nothing is written through a symbolic link. A pipe or a device takes the
/// bytes.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if fs::metadata(path).is_ok_and(|there| !there.is_file() && !there.is_dir()) {
        return fs::OpenOptions::new().write(true).open(path)?.write_all(bytes);
    }
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666)); // less the umask
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// Where the answer is to go if it is a file, and what to do with that.
fn output(verb: &Verb) -> Option<(PathBuf, &'static str)> {
    let (out, next) = match verb {
        Verb::ProcessRequest { out, .. } => (out, "give it to the customer"),
        Verb::Journal(Journal { har: Some(out), .. }) => {
            (out, "import it in the network tab of a browser's developer tools")
        }
        Verb::Journal(Journal { scenario: Some(out), .. }) => (out, "play it with harness scenario"),
        _ => return None,
    };
    Some((out.clone(), next))
}

/// URL of the admin API, of what needs no token.
fn admin_url(global: &Global) -> Result<String, Failure> {
    let token = global.token.clone().or_else(|| Some(String::new()));
    simulator(&Global { token, ..global.clone() }).map(|(url, _)| url)
}

/// URL and token of the admin API. What is named wins over what lies in the data directory.
fn simulator(global: &Global) -> Result<(String, String), Failure> {
    if let (Some(url), Some(token)) = (&global.admin_url, &global.token) {
        return Ok((url.clone(), token.clone()));
    }
    let last = global.data.as_deref().map(remembered).transpose()?;
    let url = global.admin_url.clone().or(last.as_ref().map(|last| format!("http://{}", last.admin)));
    let token = global.token.clone().or(last.map(|last| last.admin_token));
    let missing = |what: &str| {
        let cure = "Add --data DIR (or set MOCK_SOLME_DATA) if the simulator has a data directory. Otherwise pass --admin-url \
                    and --token: `admin` and `admin_token` of the ready line of mock-solme serve.";
        Failure::new(USAGE, "usage", format!("missing the {what} of the admin API"), cure)
    };
    Ok((url.ok_or_else(|| missing("URL"))?, token.ok_or_else(|| missing("token"))?))
}

/// Where the simulator of a data directory listens.
fn remembered(data: &Path) -> Result<Remembered, Failure> {
    Remembered::read(data).ok_or_else(|| {
        let detail = format!("{} is not the data directory of a simulator", data.display());
        Failure::new(USAGE, "usage", detail, "Start one there: mock-solme serve --data DIR.")
    })
}

/// The address of one listener.
fn address(global: &Global, listener: Listener) -> Result<String, Failure> {
    let data = global.data.as_deref().ok_or_else(|| {
        let detail = "missing the data directory of the simulator";
        Failure::new(USAGE, "usage", detail, "Add --data DIR, or set MOCK_SOLME_DATA.")
    })?;
    let last = remembered(data)?;
    Ok(match listener {
        Listener::Https => format!("https://{}", last.https),
        Listener::Http => format!("http://{}", last.http),
        Listener::Admin => format!("http://{}", last.admin),
        Listener::Smtp => last.smtp.to_string(),
    })
}

async fn send(global: &Global, call: &Call) -> Result<(HeaderMap, Vec<u8>), Failure> {
    let (url, token) = simulator(global)?;
    exchange(call, &url, Some(&token)).await
}

async fn exchange(call: &Call, url: &str, token: Option<&str>) -> Result<(HeaderMap, Vec<u8>), Failure> {
    let response = ask(call, url, token, Client::builder().timeout(AT_MOST)).await?;
    let headers = response.headers().clone();
    let body = response.bytes().await.map_err(|error| not_reached(&error))?;
    Ok((headers, body.to_vec()))
}

/// The answer to a call, if it is a good one; its body is still to come.
async fn ask(call: &Call, url: &str, token: Option<&str>, client: ClientBuilder) -> Result<Response, Failure> {
    let url = call.url(url).ok_or_else(|| {
        Failure::new(USAGE, "usage", format!("{url:?} is not a URL"), "Use the form http://127.0.0.1:15000.")
    })?;
    // The admin API speaks plain HTTP on this machine: neither proxies nor certificates are any of its business.
    let client = client.no_proxy().tls_certs_only([]).build();
    let client = client.map_err(|error| Failure::new(FAILED, "failed", error, "Try again."))?;
    let mut request = client.request(call.method.clone(), url);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    request = match &call.body {
        Body::None => request,
        Body::Json(body) => request.json(body),
        Body::File(path) => request.body(read(path).map_err(|error| file_failure(path, &error))?),
    };
    let response = request.send().await.map_err(|error| not_reached(&error))?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let body = response.bytes().await.map_err(|error| not_reached(&error))?;
    let problem = Problem::parse(&body).map_err(|_| not_the_api(&format!("it answered with status {status}")))?;
    Err(Failure::new(FAILED, &problem.code, problem.detail, &problem.cure))
}

/// A request file. A pipe would be waited for, and a device read without end; what is longer than any file is refused by
/// the main server, with its limit.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("not a file"));
    }
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(limits::FILE as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn not_reached(error: &reqwest::Error) -> Failure {
    let mut detail = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        detail = format!("{detail}: {cause}");
        source = cause.source();
    }
    let cure = "Start mock-solme serve. With --data DIR its address stays the same; without, pass --admin-url from its ready line.";
    Failure::new(NOT_REACHED, "not-reached", detail, cure)
}

fn not_the_api(what: &str) -> Failure {
    let cure = "Pass --admin-url from the ready line of mock-solme serve.";
    Failure::new(NOT_REACHED, "not-the-admin-api", format!("this is not the admin API of mock-solme: {what}"), cure)
}

fn file_failure(path: &Path, error: &io::Error) -> Failure {
    let cure = "Check that the file can be read or written there.";
    Failure::new(FAILED, "file-not-usable", format!("{}: {error}", path.display()), cure)
}

impl Call {
    /// A call whose answer is a `T`.
    pub(super) fn new<const N: usize, T: DeserializeOwned>(
        method: Method,
        path: [&str; N],
        render: impl Fn(T) -> String + 'static,
    ) -> Self {
        let path = path.map(str::to_owned).to_vec();
        let render: Render = Box::new(move |answer| serde_json::from_slice(answer).map(&render));
        Self { method, path, query: Vec::new(), body: Body::None, render }
    }

    pub(super) fn json(self, body: &impl Serialize) -> Self {
        let body = serde_json::to_value(body).expect("it has string keys and no failing serializers");
        Self { body: Body::Json(body), ..self }
    }

    /// A call whose answer is a file, and is written as it is.
    fn file<const N: usize>(method: Method, path: [&str; N]) -> Self {
        Self::new(method, path, render::object::<Value>)
    }

    fn listing(self, listing: Listing) -> Self {
        let Listing { id, newest: Newest { before, limit } } = listing;
        self.query(&api::Listing { id: id.map(|id| id.to_string()), before, limit: Some(limit) })
    }

    fn query(mut self, query: &impl Serialize) -> Self {
        let members = serde_json::to_value(query).expect("it has string keys and no failing serializers");
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        self.query =
            members.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), text(value))).collect();
        self
    }

    fn url(&self, base: &str) -> Option<Url> {
        let mut url: Url = base.parse().ok()?;
        url.path_segments_mut().ok()?.pop_if_empty().extend(&self.path);
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        Some(url)
    }
}

/// The call of a verb. `serve` is none of these.
fn call(verb: Verb, by: &str) -> Call {
    match verb {
        Verb::Ids(verb) => ids(verb, by),
        Verb::Licenses(verb) => licenses(verb, by),
        Verb::KeyPair(verb) => key_pair(verb, by),
        Verb::ClearRequests(verb) => clear_requests(verb, by),
        Verb::Inbox(Inbox::List(newest)) => {
            Call::new(Method::GET, ["inbox"], render::inbox).listing(Listing { id: None, newest })
        }
        Verb::Inbox(Inbox::Show { number }) => Call::new(Method::GET, ["inbox", &number.to_string()], render::received),
        Verb::Outbox(Outbox::List(newest)) => {
            Call::new(Method::GET, ["outbox"], render::mails).listing(Listing { id: None, newest })
        }
        Verb::Outbox(Outbox::Show { number }) => Call::new(Method::GET, ["outbox", &number.to_string()], render::mail),
        Verb::Outbox(Outbox::HandOn { number }) => {
            Call::new(Method::POST, ["outbox", &number.to_string(), "hand-on"], render::mail)
        }
        Verb::Clock(Clock::Show) => Call::new(Method::GET, ["clock"], render::clock),
        Verb::Clock(Clock::Set { now }) => {
            Call::new(Method::PUT, ["clock"], render::clock).json(&api::SetClock { now })
        }
        Verb::Clock(Clock::Advance { by }) => {
            Call::new(Method::POST, ["clock", "advance"], render::clock).json(&api::AdvanceClock { seconds: by })
        }
        Verb::ProcessRequest { file, .. } => {
            Call { body: Body::File(file), ..Call::file(Method::POST, ["process-request"]) }
        }
        Verb::Health => Call::new(Method::GET, ["health"], render::object::<api::Health>),
        Verb::Quirks(verb) => super::quirks::call(verb),
        Verb::Journal(verb) => journal(verb),
        Verb::Settings => Call::new(Method::GET, ["settings"], render::object::<api::RunSettings>),
        Verb::Audit(listing) => Call::new(Method::GET, ["audit"], render::audit).listing(listing),
        Verb::Reset { id: Some(id), .. } => {
            let call = Call::new(Method::POST, ["ids", id.as_str(), "reset"], render::object::<api::Id>);
            call.json(&on_behalf(by, None))
        }
        Verb::Reset { id: None, .. } => Call::new(Method::POST, ["reset"], render::object::<api::Reset>),
        Verb::TrustFile { https: None, http: None }
        | Verb::Serve(_)
        | Verb::Completions { .. }
        | Verb::ManPages { .. }
        | Verb::Openapi
        | Verb::Address { .. } => Call::new(Method::GET, ["trust-file"], render::trust_file),
        Verb::TrustFile { https, http } => {
            Call::new(Method::POST, ["trust-file"], render::trust_file).json(&api::RoleAddresses { https, http })
        }
    }
}

fn on_behalf(by: &str, reason: Option<String>) -> api::By {
    api::By { operator: Some(by.to_owned()), reason }
}

fn journal(verb: Journal) -> Call {
    let Journal {
        number,
        listing: Listing { id, newest: Newest { before, limit } },
        verdict,
        clause,
        quirk,
        carrier,
        har,
        scenario,
        ..
    } = verb;
    if let Some(number) = number {
        return Call::new(Method::GET, ["journal", &number.to_string()], render::exchange);
    }
    let id = id.map(|id| id.to_string());
    if scenario.is_some() {
        return Call::file(Method::GET, ["journal", "scenario"]).query(&api::IdFilter { id });
    }
    let listing = api::JournalListing { id, verdict, clause, quirk, carrier, before, limit: Some(limit), brief: false };
    let call = match har {
        Some(_) => Call::file(Method::GET, ["journal", "har"]),
        None => Call::new(Method::GET, ["journal"], render::journal),
    };
    call.query(&listing)
}

fn ids(verb: Ids, by: &str) -> Call {
    let operator = Some(by.to_owned());
    match verb {
        Ids::Add { id, name, contacts, reserve_for } => {
            let new = api::NewId { license_server_id: id, name, contacts, reserve_for, operator, reason: None };
            Call::new(Method::POST, ["ids"], render::object::<api::Id>).json(&new)
        }
        Ids::Change { id, name, contacts } => {
            let change = api::IdChange { name: name.map(nullable), contacts, operator, reason: None };
            Call::new(Method::PATCH, ["ids", id.as_str()], render::object::<api::Id>).json(&change)
        }
        Ids::Show { id } => Call::new(Method::GET, ["ids", id.as_str()], render::object::<api::Id>),
        Ids::List { begins_with, after, limit } => {
            let pages = api::Pages { begins_with, after, limit: Some(limit) };
            Call::new(Method::GET, ["ids"], render::ids).query(&pages)
        }
        Ids::Disable { id, reason } => {
            let call = Call::new(Method::POST, ["ids", id.as_str(), "disable"], render::object::<api::Id>);
            call.json(&on_behalf(by, reason))
        }
        Ids::Enable { id, reason } => {
            let call = Call::new(Method::POST, ["ids", id.as_str(), "enable"], render::object::<api::Id>);
            call.json(&on_behalf(by, reason))
        }
    }
}

fn licenses(verb: Licenses, by: &str) -> Call {
    match verb {
        Licenses::Add { id, number, terms } => {
            let new = api::LicenseTerms { number, ..self::terms(terms, by) };
            Call::new(Method::POST, ["ids", id.as_str(), "licenses"], render::object::<api::License>).json(&new)
        }
        Licenses::Change { id, number, terms } => {
            let path = ["ids", id.as_str(), "licenses", number.as_str()];
            Call::new(Method::PATCH, path, render::object::<api::License>).json(&self::terms(terms, by))
        }
        Licenses::Remove { id, number } => {
            let path = ["ids", id.as_str(), "licenses", number.as_str()];
            Call::new(Method::DELETE, path, render::licenses).json(&on_behalf(by, None))
        }
        Licenses::List { id } => Call::new(Method::GET, ["ids", id.as_str(), "licenses"], render::licenses),
    }
}

fn terms(terms: Terms, by: &str) -> api::LicenseTerms {
    let Terms { components, display, domain, valid_from, expires_at, properties, reason } = terms;
    api::LicenseTerms {
        number: None,
        components,
        display: display.map(nullable),
        domain: domain.map(nullable),
        valid_from,
        expires_at,
        properties: properties.map(|properties| properties.into_iter().collect()),
        operator: Some(by.to_owned()),
        reason,
    }
}

fn key_pair(verb: KeyPair, by: &str) -> Call {
    let operator = Some(by.to_owned());
    match verb {
        KeyPair::Show { id } => Call::new(Method::GET, ["ids", id.as_str(), "key-pair"], render::key_pair),
        KeyPair::Clear { id, thumbprint, even_so, reason, reserve_for } => {
            let clear = api::Clear { thumbprint, reserve_for, even_so, operator, reason };
            Call::new(Method::POST, ["ids", id.as_str(), "key-pair", "clear"], render::cleared).json(&clear)
        }
        KeyPair::Reserve { id, reserve_for } => {
            let reserve = api::Reserve { reserve_for, operator, reason: None };
            Call::new(Method::POST, ["ids", id.as_str(), "key-pair", "reserve"], render::key_pair).json(&reserve)
        }
    }
}

fn clear_requests(verb: ClearRequests, by: &str) -> Call {
    match verb {
        ClearRequests::List(listing) => {
            Call::new(Method::GET, ["clear-requests"], render::clear_requests).listing(listing)
        }
        ClearRequests::Show { number } => {
            Call::new(Method::GET, ["clear-requests", &number.to_string()], render::object::<api::ClearRequest>)
        }
        ClearRequests::Approve { number, even_so, reserve, reason } => {
            let path = ["clear-requests", &number.to_string(), "approve"];
            let approve = api::Approve { even_so, reserve, operator: Some(by.to_owned()), reason };
            Call::new(Method::POST, path, render::object::<api::ClearRequest>).json(&approve)
        }
        ClearRequests::Reject { number, reason } => {
            let path = ["clear-requests", &number.to_string(), "reject"];
            Call::new(Method::POST, path, render::object::<api::ClearRequest>).json(&on_behalf(by, reason))
        }
    }
}

/// On the command line an empty text removes a member.
fn nullable(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

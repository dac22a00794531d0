//! The admin verbs: each is one call of the admin API.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Client, Method, Url};
use serde::Serialize;
use serde_json::{Map, Value, json};
use solme_sync_protocol::{Problem, limits, printable, printable_json, printable_lines};

use super::args::{ClearRequests, Clock, Global, Ids, KeyPair, Licenses, Listener, Listing, Outbox, Terms, Verb};
use super::render::{self, Render};
use crate::data::Remembered;
use crate::rfc3339::Rfc3339;

use super::{FAILED, NOT_REACHED, USAGE};

/// Longer than the largest file takes.
const AT_MOST: Duration = Duration::from_secs(60);

/// One call.
pub(super) struct Call {
    method: Method,
    /// Parts of the path; they are escaped.
    path: Vec<String>,
    query: Vec<(&'static str, String)>,
    body: Body,
    render: Render,
}

enum Body {
    None,
    Json(Value),
    File(PathBuf),
}

/// Why a verb did not do what it is there for.
#[derive(Debug, Serialize)]
struct Failure {
    #[serde(skip)]
    exit: u8,
    code: String,
    detail: String,
    cure: String,
}

impl Failure {
    fn new(exit: u8, code: &str, detail: impl ToString, cure: &str) -> Self {
        Self { exit, code: code.to_owned(), detail: detail.to_string(), cure: cure.to_owned() }
    }
}

pub(super) fn run(global: Global, verb: Verb) -> ExitCode {
    let json = global.json;
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&Failure::new(FAILED, "failed", error, "Try again."), json),
    };
    match runtime.block_on(carry_out(&global, verb)) {
        Ok(text) => {
            print(&if json { printable_json(&text).to_string() } else { printable_lines(&text).to_string() });
            ExitCode::SUCCESS
        }
        Err(failure) => fail(&failure, json),
    }
}

/// Everything that is printed comes through here escaped. A reader that has gone away is no reason to fail.
fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

fn fail(failure: &Failure, json: bool) -> ExitCode {
    if json {
        print(&printable_json(&pretty(failure)).to_string());
    } else {
        let (code, detail, cure) = (printable(&failure.code), printable(&failure.detail), printable(&failure.cure));
        anstream::eprintln!("mock-solme: {code}: {detail}\n  {cure}");
    }
    ExitCode::from(failure.exit)
}

async fn carry_out(global: &Global, verb: Verb) -> Result<String, Failure> {
    if let Verb::Health = verb {
        let call = Call::new(Method::GET, ["health"], render::object);
        let (_, answer) = exchange(&call, &admin_url(global)?, None).await?;
        return Ok(String::from_utf8_lossy(&answer).into_owned());
    }
    if let Verb::Address { listener } = verb {
        return address(global, listener);
    }
    if let Verb::ProcessRequest { file, out } = verb {
        let call = Call::new(Method::POST, ["process-request"], render::outcome).file(file);
        let (headers, response) = send(global, &call).await?;
        std::fs::write(&out, &response).map_err(|error| file_failure(&out, &error))?;
        let outcome = headers.get("mock-solme-outcome").and_then(|value| value.to_str().ok());
        let done = json!({ "outcome": outcome, "out": out });
        return Ok(if global.json { pretty(&done) } else { render::outcome(&done) });
    }
    let call = call(verb, &global.operator);
    let (_, answer) = send(global, &call).await?;
    let answer: Value = serde_json::from_slice(&answer).map_err(|_| not_the_api("its answer is not JSON"))?;
    Ok(if global.json { pretty(&answer) } else { (call.render)(&answer) })
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
        let cure = "Add --data DIR (or set MOCK_SOLME_DATA) for a simulator with a data directory. Otherwise take \
                    --admin-url and --token from `admin` and `admin_token` of the ready line of mock-solme serve.";
        Failure::new(USAGE, "usage", format!("the {what} of the admin API is missing"), cure)
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
        let detail = "the data directory of the simulator is missing";
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
    let url = call.url(url).ok_or_else(|| {
        Failure::new(USAGE, "usage", format!("{url:?} is not a URL"), "Write it like http://127.0.0.1:15000.")
    })?;
    // The admin API speaks plain HTTP on this machine: neither proxies nor certificates are any of its business.
    let client = Client::builder().no_proxy().tls_certs_only([]).timeout(AT_MOST).build();
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
    let (status, headers) = (response.status(), response.headers().clone());
    let body = response.bytes().await.map_err(|error| not_reached(&error))?;
    if status.is_success() {
        return Ok((headers, body.to_vec()));
    }
    let problem = Problem::parse(&body).map_err(|_| not_the_api(&format!("it answers with status {status}")))?;
    Err(Failure::new(FAILED, &problem.code, problem.detail, &problem.cure))
}

/// A request file. A pipe would be waited for, and a device read without end; what is longer than any file is refused by
/// the main server, with its limit.
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(std::io::Error::other("it is not a file"));
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(limits::FILE as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn not_reached(error: &reqwest::Error) -> Failure {
    let mut detail = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        detail = format!("{detail}: {cause}");
        source = cause.source();
    }
    let cure = "Start mock-solme serve; with --data DIR its address stays the same, otherwise take --admin-url from its ready line.";
    Failure::new(NOT_REACHED, "not-reached", detail, cure)
}

fn not_the_api(what: &str) -> Failure {
    let cure = "Take --admin-url from the ready line of mock-solme serve.";
    Failure::new(NOT_REACHED, "not-the-admin-api", format!("this is not the admin API of mock-solme: {what}"), cure)
}

fn file_failure(path: &Path, error: &std::io::Error) -> Failure {
    let cure = "Name a file that can be read, and a place that can be written.";
    Failure::new(FAILED, "file-not-usable", format!("{}: {error}", path.display()), cure)
}

fn pretty(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).expect("it has string keys and no failing serializers")
}

impl Call {
    pub(super) fn new<const N: usize>(method: Method, path: [&str; N], render: Render) -> Self {
        let path = path.map(str::to_owned).to_vec();
        Self { method, path, query: Vec::new(), body: Body::None, render }
    }

    pub(super) fn json(self, body: Value) -> Self {
        Self { body: Body::Json(body), ..self }
    }

    fn file(self, path: PathBuf) -> Self {
        Self { body: Body::File(path), ..self }
    }

    fn listing(mut self, listing: Listing) -> Self {
        let Listing { id, before, limit } = listing;
        self.query.extend(id.map(|id| ("id", id.to_string())));
        self.query.extend(before.map(|before| ("before", before.to_string())));
        self.query.push(("limit", limit.to_string()));
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

/// The call of a verb. `serve` and `process-request` are none of these.
fn call(verb: Verb, by: &str) -> Call {
    match verb {
        Verb::Ids(verb) => ids(verb, by),
        Verb::Licenses(verb) => licenses(verb, by),
        Verb::KeyPair(verb) => key_pair(verb, by),
        Verb::ClearRequests(verb) => clear_requests(verb, by),
        Verb::Outbox(Outbox::List { limit }) => {
            let mut call = Call::new(Method::GET, ["outbox"], render::mails);
            call.query.push(("limit", limit.to_string()));
            call
        }
        Verb::Outbox(Outbox::Show { number }) => Call::new(Method::GET, ["outbox", &number.to_string()], render::mail),
        Verb::Outbox(Outbox::HandOn { number }) => {
            Call::new(Method::POST, ["outbox", &number.to_string(), "hand-on"], render::mail)
        }
        Verb::Clock(Clock::Show) => Call::new(Method::GET, ["clock"], render::clock),
        Verb::Clock(Clock::Set { now }) => {
            Call::new(Method::PUT, ["clock"], render::clock).json(json!({ "now": Rfc3339(now) }))
        }
        Verb::Clock(Clock::Advance { by }) => {
            Call::new(Method::POST, ["clock", "advance"], render::clock).json(json!({ "seconds": by }))
        }
        Verb::Quirks(verb) => super::quirks::call(verb),
        Verb::Journal(listing) => Call::new(Method::GET, ["journal"], render::journal).listing(listing),
        Verb::Audit(listing) => Call::new(Method::GET, ["audit"], render::audit).listing(listing),
        Verb::Reset { id: Some(id), .. } => {
            let call = Call::new(Method::POST, ["ids", id.as_str(), "reset"], render::object);
            call.json(json!({ "operator": by }))
        }
        Verb::Reset { id: None, .. } => Call::new(Method::POST, ["reset"], render::object),
        Verb::TrustFile { https: None, http: None }
        | Verb::Serve(_)
        | Verb::Completions { .. }
        | Verb::ManPages { .. }
        | Verb::ProcessRequest { .. }
        | Verb::Address { .. }
        | Verb::Health => Call::new(Method::GET, ["trust-file"], render::trust_file),
        Verb::TrustFile { https, http } => Call::new(Method::POST, ["trust-file"], render::trust_file)
            .json(object([("https", https.map(Value::from)), ("http", http.map(Value::from))])),
    }
}

fn ids(verb: Ids, by: &str) -> Call {
    let body = |reason: Option<String>| object([("operator", Some(json!(by))), ("reason", reason.map(Value::from))]);
    match verb {
        Ids::Add { id, name, contacts, reserve_for } => {
            Call::new(Method::POST, ["ids"], render::object).json(object([
                ("license_server_id", id.map(|id| json!(id))),
                ("name", name.map(Value::from)),
                ("contacts", Some(json!(contacts))),
                ("reserve_for", reserve_for.map(|thumbprint| json!(thumbprint))),
                ("operator", Some(json!(by))),
            ]))
        }
        Ids::Change { id, name, contacts } => {
            Call::new(Method::PATCH, ["ids", id.as_str()], render::object).json(object([
                ("name", name.map(nullable)),
                ("contacts", contacts.map(|contacts| json!(contacts))),
                ("operator", Some(json!(by))),
            ]))
        }
        Ids::Show { id } => Call::new(Method::GET, ["ids", id.as_str()], render::object),
        Ids::List { after, limit } => {
            let mut call = Call::new(Method::GET, ["ids"], render::ids);
            call.query = vec![("after", after), ("limit", limit.to_string())];
            call
        }
        Ids::Disable { id, reason } => {
            Call::new(Method::POST, ["ids", id.as_str(), "disable"], render::object).json(body(reason))
        }
        Ids::Enable { id, reason } => {
            Call::new(Method::POST, ["ids", id.as_str(), "enable"], render::object).json(body(reason))
        }
    }
}

fn licenses(verb: Licenses, by: &str) -> Call {
    match verb {
        Licenses::Add { id, number, terms } => {
            let number = number.map(|number| json!(number));
            Call::new(Method::POST, ["ids", id.as_str(), "licenses"], render::object)
                .json(self::terms(number, terms, by))
        }
        Licenses::Change { id, number, terms } => {
            let path = ["ids", id.as_str(), "licenses", number.as_str()];
            Call::new(Method::PATCH, path, render::object).json(self::terms(None, terms, by))
        }
        Licenses::Remove { id, number } => {
            let path = ["ids", id.as_str(), "licenses", number.as_str()];
            Call::new(Method::DELETE, path, render::licenses).json(json!({ "operator": by }))
        }
        Licenses::List { id } => Call::new(Method::GET, ["ids", id.as_str(), "licenses"], render::licenses),
    }
}

fn terms(number: Option<Value>, terms: Terms, by: &str) -> Value {
    object([
        ("number", number),
        ("components", terms.components.map(Value::from)),
        ("display", terms.display.map(nullable)),
        ("domain", terms.domain.map(nullable)),
        ("valid_from", terms.valid_from.map(|time| json!(Rfc3339(time)))),
        ("expires_at", terms.expires_at.map(|end| json!(end.map(Rfc3339)))),
        ("properties", terms.properties.map(|properties| properties.into_iter().collect())),
        ("operator", Some(json!(by))),
        ("reason", terms.reason.map(Value::from)),
    ])
}

fn key_pair(verb: KeyPair, by: &str) -> Call {
    match verb {
        KeyPair::Show { id } => Call::new(Method::GET, ["ids", id.as_str(), "key-pair"], render::key_pair),
        KeyPair::Clear { id, thumbprint, even_so, reason, reserve_for } => {
            Call::new(Method::POST, ["ids", id.as_str(), "key-pair", "clear"], render::cleared).json(object([
                ("thumbprint", thumbprint.map(|thumbprint| json!(thumbprint))),
                ("reserve_for", reserve_for.map(|thumbprint| json!(thumbprint))),
                ("even_so", Some(json!(even_so))),
                ("operator", Some(json!(by))),
                ("reason", reason.map(Value::from)),
            ]))
        }
        KeyPair::Reserve { id, reserve_for } => {
            let call = Call::new(Method::POST, ["ids", id.as_str(), "key-pair", "reserve"], render::key_pair);
            call.json(json!({ "reserve_for": reserve_for, "operator": by }))
        }
    }
}

fn clear_requests(verb: ClearRequests, by: &str) -> Call {
    match verb {
        ClearRequests::List(listing) => {
            Call::new(Method::GET, ["clear-requests"], render::clear_requests).listing(listing)
        }
        ClearRequests::Show { number } => {
            Call::new(Method::GET, ["clear-requests", &number.to_string()], render::object)
        }
        ClearRequests::Approve { number, even_so, reserve, reason } => {
            let path = ["clear-requests", &number.to_string(), "approve"];
            Call::new(Method::POST, path, render::object).json(object([
                ("even_so", Some(json!(even_so))),
                ("reserve", Some(json!(reserve))),
                ("operator", Some(json!(by))),
                ("reason", reason.map(Value::from)),
            ]))
        }
        ClearRequests::Reject { number, reason } => {
            let path = ["clear-requests", &number.to_string(), "reject"];
            let body = object([("operator", Some(json!(by))), ("reason", reason.map(Value::from))]);
            Call::new(Method::POST, path, render::object).json(body)
        }
    }
}

/// An object of the members that have a value.
fn object<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    let given = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(given.collect::<Map<_, _>>())
}

/// On the command line an empty text removes a member.
fn nullable(text: String) -> Value {
    if text.is_empty() { Value::Null } else { Value::from(text) }
}

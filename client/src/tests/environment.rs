//! A state directory, a main server in memory, and a clock that the test sets.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde_json::Value;
use solme_sync_protocol::{
    Allocation, Health, PayloadName, Problem, Receipt, Refusal, RefusalCode, Request, RustCrypto, Signed, SyncFile,
    UtcTime, printable, printable_lines,
};
use textwrap::core::display_width;

use crate::cli::Cli;
use crate::core::{Failure, HttpAnswer, Role};
use crate::output::{BAD, Exit, GOOD, NAME, Report, Text, WARN, json_line};
use crate::run::execute;
use crate::seams::Seams;
use crate::tests::world::{MAIN_TIME, MainServer, allocation, http};
use crate::transport::Connection;

/// What a command answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) exit: Exit,
    pub(crate) json: Value,
    /// What a person reads instead.
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn code(&self) -> &str {
        self.json["code"].as_str().unwrap_or_default()
    }
}

/// One local server and its main server. The directory goes with the value.
pub(crate) struct Environment {
    pub(crate) main: Rc<Main>,
    pub(crate) clock: Rc<RefCell<UtcTime>>,
    pub(crate) directory: tempfile::TempDir,
}

/// A main server that keeps no rules but the newest answer of each request.
pub(crate) struct Main {
    pub(crate) server: MainServer,
    pub(crate) world: RefCell<MainState>,
    /// What happens here while the next request is on its way.
    pub(crate) meanwhile: RefCell<Option<Box<dyn FnOnce()>>>,
}

pub(crate) struct MainState {
    pub(crate) now: UtcTime,
    pub(crate) allocation: Allocation,
    pub(crate) sequence: u64,
    /// What the next requests get instead of a receipt.
    pub(crate) refuse: Option<RefusalCode>,
    /// What the 443 role answers instead.
    pub(crate) answer: Option<Result<HttpAnswer, Failure>>,
    /// What the 8080 role answers instead, once for each.
    pub(crate) payload_answers: Vec<Result<HttpAnswer, Failure>>,
    /// Changes a receipt before it is signed.
    pub(crate) edit: Option<fn(&mut Receipt)>,
    /// Changes a refusal before it is signed.
    pub(crate) edit_refusal: Option<fn(&mut Refusal)>,
    /// Every request that came, as sent.
    pub(crate) requests: Vec<String>,
    given: HashMap<String, (String, Vec<u8>)>,
    payloads: HashMap<String, Vec<u8>>,
}

impl Environment {
    /// Set up, and not synchronized yet.
    pub(crate) fn new() -> Self {
        let environment = Self::empty();
        assert_eq!(environment.run("init --id DEMO-4711 --trust trust.json").exit, Exit::Done);
        environment
    }

    /// Synchronized once.
    pub(crate) fn synchronized() -> Self {
        let environment = Self::new();
        assert_eq!(environment.run("synchronize").exit, Exit::Done);
        environment
    }

    pub(crate) fn empty() -> Self {
        let world = MainState {
            now: MAIN_TIME,
            allocation: allocation(1, &[0, 1]),
            sequence: 0,
            refuse: None,
            answer: None,
            payload_answers: Vec::new(),
            edit: None,
            edit_refusal: None,
            requests: Vec::new(),
            given: HashMap::new(),
            payloads: HashMap::new(),
        };
        let main =
            Rc::new(Main { server: MainServer::new(), world: RefCell::new(world), meanwhile: RefCell::default() });
        let directory = tempfile::tempdir().unwrap();
        let environment = Self { main, clock: Rc::new(RefCell::new(MAIN_TIME)), directory };
        environment.write("trust.json", &environment.main.server.trust.to_json());
        environment
    }

    /// Runs `license-server` with words, of which names with a dot are files of the test's directory.
    pub(crate) fn run(&self, words: &str) -> Answer {
        self.run_with(words, self.seams())
    }

    pub(crate) fn run_with(&self, words: &str, seams: Seams) -> Answer {
        let place =
            |word: &str| if word.contains('.') { self.path(word).display().to_string() } else { word.to_owned() };
        self.execute(words.split_whitespace().map(place), seams)
    }

    /// Runs `license-server` with these arguments as they are.
    pub(crate) fn run_words<const N: usize>(&self, words: [&str; N]) -> Answer {
        self.execute(words.into_iter().map(str::to_owned), self.seams())
    }

    /// What `license-server` says to these arguments.
    pub(crate) fn report(&self, words: impl Iterator<Item = String>, seams: Seams) -> Report {
        let state = self.state();
        let fixed = ["license-server", "--json", "--state", state.to_str().unwrap()].map(str::to_owned);
        execute(Cli::read(fixed.into_iter().chain(words)).unwrap(), seams)
    }

    fn execute(&self, words: impl Iterator<Item = String>, seams: Seams) -> Answer {
        let report = self.report(words, seams);
        let (text, line) = (report.text.for_screen(Some(usize::MAX)), json_line(&report.json));
        assert_harmless(&text, &line);
        assert_fits(&report.text);
        Answer { exit: report.exit, json: Value::Object(report.json), text }
    }

    pub(crate) fn seams(&self) -> Seams {
        let (clock, main) = (self.clock.clone(), self.main.clone());
        Seams::default().with_clock(move || *clock.borrow()).with_transport(move |_| Box::new(Wire(main.clone())))
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.path("state")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    /// Time passes, here and at the main server.
    pub(crate) fn days_pass(&self, days: u64) {
        let mut clock = self.clock.borrow_mut();
        *clock = clock.plus(days * 86_400);
        let mut world = self.main.world.borrow_mut();
        world.now = world.now.plus(days * 86_400);
    }

    pub(crate) fn main(&self) -> std::cell::RefMut<'_, MainState> {
        self.main.world.borrow_mut()
    }

    /// The main server turns a request file into a response file.
    pub(crate) fn process(&self, request: &str, response: &str) {
        let Ok(SyncFile::Request(jws)) = SyncFile::parse(&self.read(request)) else { panic!("no request file") };
        let (message, payload) = match self.main.decide(&jws) {
            Ok((receipt, payload)) => (receipt, Some(payload)),
            Err((_, refusal)) => (refusal, None),
        };
        self.write(response, &SyncFile::Response { message, payload }.to_bytes(&[]));
    }

    /// Changes the database behind the program's back.
    pub(crate) fn edit_database(&self, sql: &str) {
        rusqlite::Connection::open(self.state().join("state.sqlite")).unwrap().execute_batch(sql).unwrap();
    }
}

impl MainState {
    /// Forgets what it gave after that receipt, as if it had never been.
    pub(crate) fn put_back(&mut self, sequence: u64) {
        self.sequence = sequence;
        self.given.clear();
        self.payloads.clear();
    }
}

impl Main {
    /// The receipt and its payload, or the refusal: the same again for the same request.
    fn decide(&self, jws: &str) -> Result<(String, Vec<u8>), (RefusalCode, String)> {
        let mut world = self.world.borrow_mut();
        world.requests.push(jws.to_owned());
        if let Some(code) = world.refuse {
            let mut refusal = self.server.refuse(jws, code);
            world.edit_refusal.into_iter().for_each(|edit| edit(&mut refusal));
            return Err((code, self.server.sign(&refusal)));
        }
        if let Some(given) = world.given.get(jws) {
            return Ok(given.clone());
        }
        world.sequence += 1;
        let (mut receipt, payload) = self.server.accept(jws, &world.allocation, world.sequence, world.now);
        world.edit.into_iter().for_each(|edit| edit(&mut receipt));
        let signed = self.server.sign(&receipt);
        world.payloads.insert(receipt.payload_name.to_string(), payload.clone());
        world.given.insert(jws.to_owned(), (signed.clone(), payload.clone()));
        Ok((signed, payload))
    }
}

/// The way to the main server in memory.
struct Wire(Rc<Main>);

impl Connection for Wire {
    fn post_request(&self, request: &str) -> Result<HttpAnswer, Failure> {
        let meanwhile = self.0.meanwhile.borrow_mut().take();
        meanwhile.into_iter().for_each(|happens| happens());
        if let Some(answer) = self.0.world.borrow().answer.clone() {
            return answer;
        }
        match self.0.decide(request) {
            Ok((receipt, _)) => Ok(http(200, "application/jose", receipt)),
            Err((code, refusal)) => {
                let problem = Problem::carrying(code, String::new(), String::new(), refusal);
                Ok(http(code.http_status(), "application/problem+json", serde_json::to_vec(&problem).unwrap()))
            }
        }
    }

    fn get_health(&self) -> Result<HttpAnswer, Failure> {
        let world = self.0.world.borrow();
        if let Some(answer) = &world.answer {
            return answer.clone();
        }
        let main_server_id = self.0.server.trust.main_server_id.clone();
        let health = Health { main_server_id, main_server_time: world.now };
        Ok(http(200, "application/json", serde_json::to_vec(&health).unwrap()))
    }

    fn proxy(&self, _: Role) -> Option<String> {
        None
    }

    fn issuer(&self) -> Option<String> {
        Some("CN=Solme".to_owned())
    }

    fn get_payload(&self, name: &PayloadName, _: usize) -> Result<HttpAnswer, Failure> {
        let mut world = self.0.world.borrow_mut();
        match world.payload_answers.pop() {
            Some(answer) => answer,
            None => Ok(match world.payloads.get(name.as_str()) {
                Some(payload) => http(200, "application/octet-stream", payload.clone()),
                None => http(404, "application/problem+json", "{}"),
            }),
        }
    }
}

/// Nothing that would act on a terminal is said, in whichever form, but for styles of our own.
pub(crate) fn assert_harmless(text: &str, json: &str) {
    let mut plain = text.to_owned();
    for style in [GOOD, BAD, WARN, NAME] {
        plain = plain.replace(&style.render().to_string(), "").replace(&style.render_reset().to_string(), "");
    }
    assert!(printable_lines(&plain).is_as_given(), "{plain:?}");
    assert!(printable(json.trim_end_matches('\n')).is_as_given(), "{json:?}");
    serde_json::from_str::<Value>(json).expect("it is still JSON");
}

/// Every line fits a screen, and nothing is lost by that.
fn assert_fits(text: &Text) {
    let without_blanks = |text: String| text.split_whitespace().collect::<String>();
    for columns in [40, 80, 100] {
        let wrapped = text.for_screen(Some(columns));
        let long: Vec<&str> = wrapped.lines().filter(|line| display_width(line) > columns).collect();
        assert!(long.is_empty(), "longer than {columns}: {long:?}");
        assert_eq!(without_blanks(wrapped), without_blanks(text.for_screen(Some(usize::MAX))));
    }
}

/// The content of a request.
pub(crate) fn content(jws: &str) -> Request {
    Signed::<Request>::parse(jws).unwrap().verify(&RustCrypto).unwrap().read().unwrap()
}

/// Copies a state directory.
pub(crate) fn copy_directory(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// The key pair that signed a request.
pub(crate) fn thumbprint(jws: &str) -> solme_sync_protocol::KeyThumbprint {
    Signed::<Request>::parse(jws).unwrap().verify(&RustCrypto).unwrap().thumbprint()
}

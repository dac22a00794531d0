//! The two sides and the messages between them as values with numbers. A step of one side depends on that side and one
//! message, so that it is taken once, however many states it leads from.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::{LazyLock, Mutex};

use license_server::testing::{Around, Conduct as LicenseServerConduct, Ended, HttpAnswer, OnPaper};
use license_server::{Connection, Failure, Role, State, TrustFile};
use mock_solme::StoreError;
use mock_solme::testing::Conduct as MainServerConduct;
use mock_solme::testing::registry::{self, Decision, Facts, Fresh, Record, Refused};
use solme_sync_protocol::{
    BASE, Component, Digest, KeyThumbprint, License, LicenseServerId, MainServerId, PayloadName, Problem, PublicJwk,
    Receipt, RefusalCode, Request, RequestId, RustCrypto, Salt, SealingKey, SignEs384 as _, Signature, Signed,
    SigningKey, SyncId, UtcTime, Verified, VerifyEs384,
};

/// A value by its number.
pub(crate) type Id = u32;

const T0: UtcTime = UtcTime::from_secs(1_800_000_000);
const DAY: i64 = 86_400;
/// Key pairs that each License Server can have, one after the other.
pub(crate) const KEYS_EACH: u8 = 8;
const SERVERS: u8 = 3;

/// What the main server keeps of the id.
#[derive(Clone)]
pub(crate) struct Main {
    pub(crate) record: Record,
    pub(crate) accepted: BTreeMap<String, RequestId>,
    /// How often it was restored: what it makes up then is new.
    pub(crate) restored: u8,
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Answer {
    message: String,
    payload: Option<Vec<u8>>,
}

/// What a request says.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) thumbprint: KeyThumbprint,
    /// The sequence of the receipt that it claims; 0 without one.
    pub(crate) claimed: u64,
}

/// A License Server: which one, its key pair, how often its state was restored, and how far its clock is off, in days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Who {
    pub(crate) server: u8,
    pub(crate) key: u8,
    pub(crate) restored: u8,
    pub(crate) clock: i16,
}

/// What keeps a direct synchronization from its plain course.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Fault {
    None,
    ReplyLost,
    SecondReplyLost,
    PayloadNotFound,
    KilledAfter(u8),
    Busy,
    Trouble,
    Damaged,
    UnknownId,
}

impl Fault {
    const fn is_at_the_main_server(self) -> bool {
        matches!(self, Self::Busy | Self::Trouble | Self::Damaged | Self::UnknownId)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Accepted,
    Again,
    Refused(RefusalCode),
}

/// What an operator does. Key pairs are named by their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Operation {
    Clear(Option<u8>),
    Reserve(Option<u8>),
    Disable,
    Enable,
    Allocate,
}

/// The main server answered a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Given {
    pub(crate) before: Id,
    pub(crate) request: Id,
    pub(crate) verdict: Verdict,
    pub(crate) after: Id,
    pub(crate) answer: Id,
}

#[derive(Clone)]
pub(crate) struct Synchronized {
    pub(crate) paper: Id,
    pub(crate) main: Id,
    pub(crate) ended: Ended,
    pub(crate) given: Rc<[Given]>,
}

/// What a License Server shows.
#[derive(Clone, Copy)]
pub(crate) struct Shown {
    pub(crate) state: State,
    pub(crate) may_issue: bool,
    pub(crate) effective: UtcTime,
    /// Of the newest receipt.
    pub(crate) sequence: u64,
    pub(crate) generation: u64,
    pub(crate) key: Option<KeyThumbprint>,
    pub(crate) sync_id: Option<Digest>,
    pub(crate) synchronize_by: UtcTime,
}

struct Numbered<T> {
    values: Vec<T>,
    ids: HashMap<Digest, Id>,
}

impl<T: Clone> Numbered<T> {
    const fn new(ids: HashMap<Digest, Id>) -> Self {
        Self { values: Vec::new(), ids }
    }
    fn id(&mut self, digest: Digest, value: T) -> Id {
        let values = &mut self.values;
        *self.ids.entry(digest).or_insert_with(|| {
            values.push(value);
            Id::try_from(values.len() - 1).unwrap()
        })
    }
    fn get(&self, id: Id) -> T {
        self.values[id as usize].clone()
    }
}

type Memo<K, V> = RefCell<HashMap<K, V>>;

pub(crate) struct Parts {
    license_server: &'static dyn LicenseServerConduct,
    main_server: &'static dyn MainServerConduct,
    trust: TrustFile,
    papers: RefCell<Numbered<OnPaper>>,
    mains: RefCell<Numbered<Rc<Main>>>,
    requests: RefCell<Numbered<String>>,
    answers: RefCell<Numbered<Answer>>,
    payloads: RefCell<HashMap<String, Vec<u8>>>,
    asked: Memo<Id, Asked>,
    exports: Memo<(Id, Who, u16), (Id, Option<Id>)>,
    imports: Memo<(Id, Who, u16, Id), (Id, Ended)>,
    synchronizations: Memo<(Id, Who, u16, Id, Fault), Synchronized>,
    decisions: Memo<(Id, Id, u16, Fault), Given>,
    operations: Memo<(Id, Operation, u16), Option<Id>>,
    looks: Memo<(Id, Who, u16), Shown>,
}

/// Signing keys are costly to make, and none of them matters. The last one is the main server's.
fn keys() -> &'static [SigningKey] {
    static KEYS: LazyLock<Vec<SigningKey>> =
        LazyLock::new(|| (0..=SERVERS * KEYS_EACH).map(|_| SigningKey::generate()).collect());
    &KEYS
}

fn main_key() -> &'static SigningKey {
    keys().last().unwrap()
}

pub(crate) fn thumbprint(key: u8) -> KeyThumbprint {
    static THUMBPRINTS: LazyLock<Vec<KeyThumbprint>> =
        LazyLock::new(|| keys().iter().map(SigningKey::thumbprint).collect());
    THUMBPRINTS[usize::from(key)]
}

/// ES384 by RustCrypto, each signature checked once.
pub(crate) struct Remembering;

impl VerifyEs384 for Remembering {
    fn verify(&self, key: &PublicJwk, signing_input: &[u8], signature: &Signature) -> bool {
        static SEEN: LazyLock<Mutex<HashMap<Digest, bool>>> = LazyLock::new(Mutex::default);
        let digest = Digest::of([&key.to_sec1()[..], signature, signing_input].concat());
        if let Some(verifies) = SEEN.lock().unwrap().get(&digest) {
            return *verifies;
        }
        let verifies = RustCrypto.verify(key, signing_input, signature);
        SEEN.lock().unwrap().insert(digest, verifies);
        verifies
    }
}

fn main_server_id() -> MainServerId {
    "main".parse().unwrap()
}

fn license_server_id() -> LicenseServerId {
    "SITE-1".parse().unwrap()
}

/// Sixteen bytes that stand for random ones: the same for the same reason, so that equal states are equal.
fn draw(of: &str) -> [u8; 16] {
    Digest::of(of).as_bytes()[..16].try_into().unwrap()
}

fn sealing_key(id: &RequestId) -> SealingKey {
    static SEEN: LazyLock<Mutex<HashMap<String, Vec<u8>>>> = LazyLock::new(Mutex::default);
    let bytes = SEEN
        .lock()
        .unwrap()
        .entry(id.to_string())
        .or_insert_with(|| Digest::of(id.as_str()).as_bytes().to_vec())
        .clone();
    SealingKey::from_bytes(&bytes).ok().unwrap()
}

struct Store<'a> {
    id: MainServerId,
    main: &'a Main,
    within_rate_limit: bool,
}

impl Facts for Store<'_> {
    type Error = StoreError;
    fn main_server_id(&self) -> &MainServerId {
        &self.id
    }
    fn within_rate_limit(&self) -> bool {
        self.within_rate_limit
    }
    fn was_accepted(&self, request_digest: &Digest) -> Result<bool, StoreError> {
        Ok(self.main.accepted.contains_key(&request_digest.to_string()))
    }
    fn request_id_was_used(&self, request_id: &RequestId) -> Result<bool, StoreError> {
        Ok(self.main.accepted.values().any(|used| used == request_id))
    }
    fn verify_receipt(&self, claimed: Signed<Receipt>) -> Option<Verified<Receipt>> {
        claimed.verify(&Remembering, &[*main_key().public_jwk()]).ok()
    }
}

impl Parts {
    pub(crate) fn new(
        license_server: &'static dyn LicenseServerConduct,
        main_server: &'static dyn MainServerConduct,
    ) -> Self {
        let trust = TrustFile {
            solme_sync_trust: 1,
            main_server_id: main_server_id(),
            name: "the model".to_owned(),
            https: "https://127.0.0.1:443".to_owned(),
            http: "http://127.0.0.1:8080".to_owned(),
            ca_certificate: String::new(),
            signing_jwks: vec![*main_key().public_jwk()],
        };
        Self {
            license_server,
            main_server,
            trust,
            papers: RefCell::new(Numbered::new(HashMap::new())),
            mains: RefCell::new(Numbered::new(HashMap::new())),
            requests: RefCell::new(Numbered::new(HashMap::new())),
            answers: RefCell::new(Numbered::new(HashMap::new())),
            payloads: RefCell::default(),
            asked: Memo::default(),
            exports: Memo::default(),
            imports: Memo::default(),
            synchronizations: Memo::default(),
            decisions: Memo::default(),
            operations: Memo::default(),
            looks: Memo::default(),
        }
    }

    pub(crate) fn now(day: u16) -> UtcTime {
        T0.offset(i64::from(day) * DAY)
    }

    pub(crate) fn first_main(&self) -> Id {
        let record = Record::new(license_server_id(), T0);
        let record = registry::add_license(&record, license(&record)).unwrap();
        self.main_id(Main { record, accepted: BTreeMap::new(), restored: 0 })
    }

    pub(crate) fn main(&self, id: Id) -> Rc<Main> {
        self.mains.borrow().get(id)
    }

    pub(crate) fn main_id(&self, main: Main) -> Id {
        let record = serde_json::to_string(&main.record).unwrap();
        let digest = Digest::of(format!("{record} {:?} {}", main.accepted, main.restored));
        self.mains.borrow_mut().id(digest, Rc::new(main))
    }

    /// A License Server that has nothing but a key pair.
    pub(crate) fn fresh_paper(&self, who: Who, day: u16) -> Id {
        self.paper_id(OnPaper::new(clock(who, day)))
    }

    fn paper_id(&self, paper: OnPaper) -> Id {
        let digest = Digest::of(format!("{paper:?}"));
        self.papers.borrow_mut().id(digest, paper)
    }

    fn request_id(&self, request: String) -> Id {
        self.requests.borrow_mut().id(Digest::of(&request), request)
    }

    /// What a request says.
    pub(crate) fn asked(&self, request: Id) -> Asked {
        let asked = || {
            let text = self.requests.borrow().get(request);
            let verified = Signed::<Request>::parse(&text).unwrap().verify(&Remembering).unwrap();
            let claimed = verified.read().unwrap().last_receipt.map_or(0, |claimed| {
                let claimed = Signed::<Receipt>::parse(&claimed).unwrap();
                claimed.verify(&Remembering, &[*main_key().public_jwk()]).unwrap().read().unwrap().sequence
            });
            Asked { thumbprint: verified.thumbprint(), claimed }
        };
        remember(&self.asked, request, asked)
    }

    fn with<T>(&self, who: Who, day: u16, step: impl FnOnce(&Around<'_>) -> T) -> T {
        let request_id = |last: Option<&str>, before: Option<&str>| {
            let clock = clock(who, day);
            RequestId::from_random(draw(&format!(
                "{} {} {} {clock} {last:?} {before:?}",
                who.server, who.key, who.restored
            )))
        };
        step(&Around {
            license_server_id: license_server_id(),
            trust: &self.trust,
            key: &keys()[usize::from(who.key)],
            request_id: &request_id,
            sealing_key: &sealing_key,
            clock: clock(who, day),
            conduct: self.license_server,
        })
    }

    pub(crate) fn look(&self, paper: Id, who: Who, day: u16) -> Shown {
        remember(&self.looks, (paper, who, day), || {
            let paper = self.papers.borrow().get(paper);
            let sight = self.with(who, day, |around| paper.look(around));
            let receipt = sight.receipt.as_ref();
            Shown {
                state: sight.state,
                may_issue: sight.may_issue,
                effective: sight.effective,
                sequence: receipt.map_or(0, |receipt| receipt.sequence),
                generation: receipt.map_or(0, |receipt| receipt.key_generation),
                key: receipt.map(|receipt| receipt.key_thumbprint),
                sync_id: receipt.map(|receipt| Digest::of(receipt.sync_id.as_str())),
                synchronize_by: receipt.map_or(T0, |receipt| receipt.synchronize_by),
            }
        })
    }

    pub(crate) fn export(&self, paper: Id, who: Who, day: u16) -> (Id, Option<Id>) {
        remember(&self.exports, (paper, who, day), || {
            let paper = self.papers.borrow().get(paper);
            let (paper, request) = self.with(who, day, |around| paper.export(around));
            (self.paper_id(paper), request.map(|request| self.request_id(request)))
        })
    }

    pub(crate) fn import(&self, paper: Id, who: Who, day: u16, answer: Id) -> (Id, Ended) {
        remember(&self.imports, (paper, who, day, answer), || {
            let (paper, answer) = (self.papers.borrow().get(paper), self.answers.borrow().get(answer));
            let (paper, ended) =
                self.with(who, day, |around| paper.import(around, &answer.message, answer.payload.as_deref()));
            (self.paper_id(paper), ended)
        })
    }

    pub(crate) fn synchronize(&self, paper: Id, who: Who, day: u16, main: Id, fault: Fault) -> Synchronized {
        remember(&self.synchronizations, (paper, who, day, main, fault), || {
            let wire = Wire { parts: self, day, fault, main: Cell::new(main), given: RefCell::default() };
            let paper = self.papers.borrow().get(paper);
            let durable_steps = if let Fault::KilledAfter(steps) = fault { steps.into() } else { usize::MAX };
            let (paper, ended) = self.with(who, day, |around| paper.synchronize(around, &wire, durable_steps));
            Synchronized {
                paper: self.paper_id(paper),
                main: wire.main.get(),
                ended,
                given: wire.given.into_inner().into(),
            }
        })
    }

    /// The main server answers a request (P 9).
    pub(crate) fn process(&self, before: Id, request: Id, day: u16, fault: Fault) -> Given {
        // What happens on the way back is nothing to the main server.
        let fault = if fault.is_at_the_main_server() { fault } else { Fault::None };
        remember(&self.decisions, (before, request, day, fault), || {
            let (main, text) = (self.main(before), self.requests.borrow().get(request));
            let verified = Signed::<Request>::parse(&text).unwrap().verify(&Remembering).unwrap();
            let store = Store { id: main_server_id(), main: &main, within_rate_limit: fault != Fault::Busy };
            let decision = match fault {
                Fault::Trouble => Decision::Refuse(Refused::temporarily_unavailable()),
                Fault::Damaged => Decision::Refuse(Refused::invalid_signature()),
                Fault::UnknownId => self.main_server.decide(None, &verified, &store).unwrap(),
                _ => self.main_server.decide(Some(&main.record), &verified, &store).unwrap(),
            };
            let (verdict, after, answer) = match decision {
                Decision::Refuse(refused) => {
                    let refusal = refused.refusal(&main_server_id(), verified.signed(), Self::now(day));
                    let message = Signed::sign(&refusal, main_key()).as_str().to_owned();
                    (Verdict::Refused(refused.code), before, Answer { message, payload: None })
                }
                Decision::Resend(answer) => {
                    let payload = self.payloads.borrow().get(&answer.receipt).cloned();
                    (Verdict::Again, before, Answer { message: answer.receipt, payload })
                }
                Decision::Accept(acceptance) => {
                    let of = format!("{} {before} {day}", acceptance.request_digest());
                    let fresh = Fresh {
                        now: Self::now(day),
                        sync_id: SyncId::from_random(draw(&of)),
                        payload_name: PayloadName::from_random(draw(&format!("payload {of}"))),
                        salt: Salt::from_random(draw(&format!("salt {of}"))),
                    };
                    let allocation = acceptance.allocation(&fresh);
                    let payload = acceptance.sealing_jwk().seal(&acceptance.sealing_info(&fresh), &allocation);
                    let receipt = Signed::sign(&acceptance.receipt(&fresh, &payload), main_key());
                    let mut after =
                        Main { record: acceptance.record(&main.record, &fresh, &receipt), ..Main::clone(&main) };
                    let digest = acceptance.request_digest().to_string();
                    after.accepted.insert(digest, acceptance.request().request_id.clone());
                    let message = receipt.as_str().to_owned();
                    self.payloads.borrow_mut().insert(message.clone(), payload.clone());
                    (Verdict::Accepted, self.main_id(after), Answer { message, payload: Some(payload) })
                }
            };
            let digest = Digest::of(&answer.message);
            Given { before, request, verdict, after, answer: self.answers.borrow_mut().id(digest, answer) }
        })
    }

    /// An operator changes the record; `None` where that changes nothing.
    pub(crate) fn operate(&self, main: Id, operation: Operation, day: u16) -> Option<Id> {
        remember(&self.operations, (main, operation, day), || {
            let before = self.main(main);
            let record = self.operated(&before.record, operation, Self::now(day))?;
            let after = self.main_id(Main { record, ..Main::clone(&before) });
            (after != main).then_some(after)
        })
    }

    fn operated(&self, record: &Record, operation: Operation, now: UtcTime) -> Option<Record> {
        let (by, reason) = ("the operator".to_owned(), "a step".to_owned());
        match operation {
            Operation::Clear(key) => {
                let reserve_for = key.map(thumbprint);
                let clear = registry::Clear { thumbprint: None, by, reason, reserve_for, now };
                match self.main_server.clear(record, &clear) {
                    Ok(registry::ClearOutcome::Cleared { record, .. }) => Some(record),
                    _ => None,
                }
            }
            Operation::Reserve(key) => registry::reserve(record, key.map(thumbprint)).ok(),
            Operation::Disable => Some(registry::disable(record, registry::Disabled { at: now, by, reason })),
            Operation::Enable => Some(registry::enable(record)),
            Operation::Allocate => registry::add_license(record, license(record)).ok(),
        }
    }

    /// The main server is restored from a backup: it knows nothing of what came since.
    pub(crate) fn restore(&self, backup: Id, from: Id) -> Id {
        let restored = self.main(from).restored + 1;
        self.main_id(Main { restored, ..Main::clone(&self.main(backup)) })
    }
}

/// One more license.
fn license(record: &Record) -> License {
    let base = Component { id: BASE.parse().unwrap(), name: "Base".to_owned(), max_users: 5 };
    License {
        number: format!("AAAAA-AAAAA-AAAAA-AAAAA-AAAAA-{:07}", record.allocation.licenses.len()).parse().unwrap(),
        display: None,
        domain: None,
        components: vec![base],
        valid_from: T0,
        expires_at: None,
        properties: BTreeMap::new(),
    }
}

fn clock(who: Who, day: u16) -> UtcTime {
    T0.offset((i64::from(day) + i64::from(who.clock)) * DAY)
}

fn remember<K: std::hash::Hash + Eq, V: Clone>(memo: &Memo<K, V>, key: K, make: impl FnOnce() -> V) -> V {
    if let Some(known) = memo.borrow().get(&key) {
        return known.clone();
    }
    let made = make();
    memo.borrow_mut().insert(key, made.clone());
    made
}

/// Both ports of the main server, for one synchronization.
struct Wire<'a> {
    parts: &'a Parts,
    day: u16,
    fault: Fault,
    main: Cell<Id>,
    given: RefCell<Vec<Given>>,
}

impl Connection for Wire<'_> {
    fn post_request(&self, request: &str) -> Result<HttpAnswer, Failure> {
        let request = self.parts.request_id(request.to_owned());
        let given = self.parts.process(self.main.get(), request, self.day, self.fault);
        self.main.set(given.after);
        self.given.borrow_mut().push(given);
        let lost = match self.fault {
            Fault::ReplyLost => 1,
            Fault::SecondReplyLost => 2,
            _ => 0,
        };
        if self.given.borrow().len() == lost {
            return Err(Failure::Stopped);
        }
        let answer = self.parts.answers.borrow().get(given.answer);
        let http = |status, media_type: &str, body| HttpAnswer::new("main", status, Some(media_type.to_owned()), body);
        Ok(match given.verdict {
            Verdict::Refused(code) => {
                let problem = Problem::carrying(code, String::new(), String::new(), answer.message);
                http(code.http_status(), "application/problem+json", serde_json::to_vec(&problem).unwrap())
            }
            Verdict::Accepted | Verdict::Again => http(200, "application/jose", answer.message.into_bytes()),
        })
    }

    fn get_payload(&self, _: &PayloadName, _: usize) -> Result<HttpAnswer, Failure> {
        let newest = self.given.borrow().last().map(|given| given.answer).unwrap();
        let payload = self.parts.answers.borrow().get(newest).payload;
        Ok(match payload.filter(|_| self.fault != Fault::PayloadNotFound) {
            Some(payload) => HttpAnswer::new("main", 200, Some("application/octet-stream".to_owned()), payload),
            None => HttpAnswer::new("main", 404, None, Vec::new()),
        })
    }

    fn get_health(&self) -> Result<HttpAnswer, Failure> {
        Err(Failure::Stopped)
    }

    fn proxy(&self, _: Role) -> Option<String> {
        None
    }
}

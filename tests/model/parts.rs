//! The two sides and the messages between them as values with numbers. A step of one side depends on that side and one
//! message, so that it is taken once, however many states it leads from.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::hash::Hash;
use std::rc::Rc;

use license_server::testing::{Around, AutomaticOnPaper, Conduct as LicenseServerConduct, Due, Ended, OnPaper, Run};
use license_server::{State, TrustFile};
use mock_solme::StoreError;
use mock_solme::testing::Conduct as MainServerConduct;
use mock_solme::testing::registry::{self, Decision, Facts, Fresh, Record, Refused};
use solme_sync_protocol::{
    BASE, Component, Digest, KeyThumbprint, License, LicenseServerId, MainServerId, PayloadName, Receipt, RefusalCode,
    Request, RequestId, Salt, SignEs384 as _, Signed, SyncId, UtcTime, Verified,
};

use super::stand_in::{StandIn, draw, key, main_key, seal, sealing_key, thumbprint};
use super::wire::Wire;

/// A value by its number.
pub(crate) type Id = u32;
/// Seconds since the beginning, by the main server's clock.
pub(crate) type At = u64;

pub(crate) const T0: UtcTime = UtcTime::from_secs(1_800_000_000);
pub(crate) const DAY: u64 = 86_400;

/// What the main server keeps of the id.
#[derive(Clone)]
pub(crate) struct Main {
    pub(crate) record: Record,
    accepted: Option<Rc<Accepted>>,
    /// How often it was restored: what it makes up then is new.
    pub(crate) restored: u8,
}

/// A request that was accepted, and those before it.
struct Accepted {
    digest: Digest,
    request_id: RequestId,
    before: Option<Rc<Self>>,
    /// Of all of them.
    chain: Digest,
}

impl Main {
    fn accepted(&self) -> impl Iterator<Item = &Accepted> {
        std::iter::successors(self.accepted.as_deref(), |accepted| accepted.before.as_deref())
    }
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Answer {
    pub(crate) message: String,
    pub(crate) payload: Option<Vec<u8>>,
}

/// What a request says.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) thumbprint: KeyThumbprint,
    /// The sequence of the receipt that it claims; 0 without one.
    pub(crate) claimed: u64,
}

/// A License Server: which one, its key pair, how often its state was restored, and how far its clock is off, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Who {
    pub(crate) server: u8,
    pub(crate) key: u8,
    pub(crate) restored: u8,
    pub(crate) clock: i64,
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
    /// Port 443 cannot be reached.
    Unreachable,
    /// Port 8080 cannot be reached.
    PayloadUnreachable,
    /// The request comes twice, and the second answer is the one that comes back.
    Doubled,
    /// The request is held back on its way, and nobody waits for it.
    HeldBack,
}

impl Fault {
    pub(crate) const fn is_at_the_main_server(self) -> bool {
        matches!(self, Self::Busy | Self::Trouble | Self::Damaged | Self::UnknownId)
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::None => "no fault",
            Self::ReplyLost => "reply lost",
            Self::SecondReplyLost => "second reply lost",
            Self::PayloadNotFound => "payload not there",
            Self::KilledAfter(_) => "killed on the way",
            Self::Busy => "main server busy",
            Self::Trouble => "main server in trouble",
            Self::Damaged => "request damaged",
            Self::UnknownId => "id not known",
            Self::Unreachable => "443 out of reach",
            Self::PayloadUnreachable => "8080 out of reach",
            Self::Doubled => "request doubled",
            Self::HeldBack => "request held back",
        }
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
    /// One license less.
    Reduce,
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
    pub(crate) run: Run,
    pub(crate) given: Rc<[Given]>,
    /// A request that is still on its way.
    pub(crate) held_back: Option<Id>,
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
    pub(crate) is_outstanding: bool,
}

/// The standard library's hash of a text is compiled with the tests, which are not optimised, and took a fifth of the time.
type HashMap<K, V> = std::collections::HashMap<K, V, foldhash::fast::FixedState>;

struct Numbered<K, T> {
    values: Vec<Rc<T>>,
    ids: HashMap<K, Id>,
}

impl<K: Hash + Eq, T> Numbered<K, T> {
    fn new() -> Self {
        Self { values: Vec::new(), ids: HashMap::default() }
    }
    fn id(&mut self, key: K, value: Rc<T>) -> Id {
        let values = &mut self.values;
        *self.ids.entry(key).or_insert_with(|| {
            values.push(value);
            Id::try_from(values.len() - 1).unwrap()
        })
    }
    fn get(&self, id: Id) -> Rc<T> {
        Rc::clone(&self.values[id as usize])
    }
}

type Memo<K, V> = RefCell<HashMap<K, V>>;

pub(crate) struct Parts {
    license_server: &'static dyn LicenseServerConduct,
    main_server: &'static dyn MainServerConduct,
    trust: TrustFile,
    papers: RefCell<Numbered<Rc<OnPaper>, OnPaper>>,
    mains: RefCell<Numbered<String, Main>>,
    requests: RefCell<Numbered<Rc<String>, String>>,
    answers: RefCell<Numbered<Rc<Answer>, Answer>>,
    payloads: RefCell<HashMap<String, Vec<u8>>>,
    verified: Memo<Id, Rc<Verified<Request>>>,
    asked: Memo<Id, Asked>,
    exports: Memo<(Id, Who, At), (Id, Option<Id>)>,
    imports: Memo<(Id, Who, At, Id), (Id, Ended)>,
    synchronizations: Memo<(Id, Who, At, Id, Fault), Synchronized>,
    decisions: Memo<(Id, Id, At, Fault), Given>,
    operations: Memo<(Id, Operation, At), Option<Id>>,
    /// What it shows, and what it is when it has looked at its clock.
    looks: Memo<(Id, Who, At), (Shown, Id)>,
    newest: Memo<Id, Shown>,
}

fn main_server_id() -> MainServerId {
    "main".parse().unwrap()
}

fn license_server_id() -> LicenseServerId {
    "SITE-1".parse().unwrap()
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
        Ok(self.main.accepted().any(|accepted| accepted.digest == *request_digest))
    }
    fn request_id_was_used(&self, request_id: &RequestId) -> Result<bool, StoreError> {
        Ok(self.main.accepted().any(|accepted| accepted.request_id == *request_id))
    }
    fn verify_receipt(&self, claimed: Signed<Receipt>) -> Option<Verified<Receipt>> {
        claimed.verify(&StandIn, &[*main_key().public_jwk()]).ok()
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
            papers: RefCell::new(Numbered::new()),
            mains: RefCell::new(Numbered::new()),
            requests: RefCell::new(Numbered::new()),
            answers: RefCell::new(Numbered::new()),
            payloads: RefCell::default(),
            verified: Memo::default(),
            asked: Memo::default(),
            exports: Memo::default(),
            imports: Memo::default(),
            synchronizations: Memo::default(),
            decisions: Memo::default(),
            operations: Memo::default(),
            looks: Memo::default(),
            newest: Memo::default(),
        }
    }

    pub(crate) fn now(now: At) -> UtcTime {
        T0.plus(now)
    }

    pub(crate) fn first_main(&self) -> Id {
        let record = Record::new(license_server_id(), T0);
        let record = registry::add_license(&record, license(&record)).unwrap();
        self.main_id(Main { record, accepted: None, restored: 0 })
    }

    pub(crate) fn main(&self, id: Id) -> Rc<Main> {
        self.mains.borrow().get(id)
    }

    pub(crate) fn main_id(&self, main: Main) -> Id {
        let record = serde_json::to_string(&main.record).unwrap();
        let accepted = main.accepted.as_ref().map(|accepted| accepted.chain.to_string());
        self.mains.borrow_mut().id(format!("{record} {accepted:?} {}", main.restored), Rc::new(main))
    }

    /// A License Server that has nothing but a key pair.
    pub(crate) fn fresh_paper(&self, who: Who, now: At) -> Id {
        self.paper_id(OnPaper::new(clock(who, now)))
    }

    fn paper_id(&self, paper: OnPaper) -> Id {
        let paper = Rc::new(paper);
        self.papers.borrow_mut().id(Rc::clone(&paper), paper)
    }

    pub(crate) fn request_id(&self, request: String) -> Id {
        let request = Rc::new(request);
        self.requests.borrow_mut().id(Rc::clone(&request), request)
    }

    fn answer_id(&self, answer: Answer) -> Id {
        let answer = Rc::new(answer);
        self.answers.borrow_mut().id(Rc::clone(&answer), answer)
    }

    pub(crate) fn answer(&self, id: Id) -> Rc<Answer> {
        self.answers.borrow().get(id)
    }

    /// A request, verified once, however often it comes.
    fn verified(&self, request: Id) -> Rc<Verified<Request>> {
        remember(&self.verified, request, || {
            let text = self.requests.borrow().get(request);
            Rc::new(Signed::<Request>::parse(&text).unwrap().verify(&StandIn).unwrap())
        })
    }

    /// What a request says.
    pub(crate) fn asked(&self, request: Id) -> Asked {
        let asked = || {
            let verified = self.verified(request);
            let claimed = verified.read().unwrap().last_receipt.map_or(0, |claimed| {
                let claimed = Signed::<Receipt>::parse(&claimed).unwrap();
                claimed.verify(&StandIn, &[*main_key().public_jwk()]).unwrap().read().unwrap().sequence
            });
            Asked { thumbprint: verified.thumbprint(), claimed }
        };
        remember(&self.asked, request, asked)
    }

    fn with<T>(&self, who: Who, now: At, step: impl FnOnce(&Around<'_>) -> T) -> T {
        let request_id = |last: Option<&str>, before: Option<&str>| {
            let clock = clock(who, now);
            RequestId::from_random(draw(&format!(
                "{} {} {} {clock} {last:?} {before:?}",
                who.server, who.key, who.restored
            )))
        };
        step(&Around {
            license_server_id: license_server_id(),
            trust: &self.trust,
            key: key(who.key),
            key_thumbprint: thumbprint(who.key),
            request_id: &request_id,
            sealing_key: &sealing_key,
            clock: clock(who, now),
            conduct: self.license_server,
        })
    }

    pub(crate) fn look(&self, paper: Id, who: Who, now: At) -> Shown {
        self.seen(paper, who, now).0
    }

    /// It looks at its clock.
    pub(crate) fn observe(&self, paper: Id, who: Who, now: At) -> Id {
        self.seen(paper, who, now).1
    }

    /// What its newest receipt says, and what else no clock changes.
    pub(crate) fn newest(&self, paper: Id, who: Who) -> Shown {
        remember(&self.newest, paper, || self.look(paper, who, 0))
    }

    fn seen(&self, paper: Id, who: Who, now: At) -> (Shown, Id) {
        remember(&self.looks, (paper, who, now), || {
            let before = self.papers.borrow().get(paper);
            let (observed, sight) = self.with(who, now, |around| before.observe(around));
            let observed = self.paper_id(observed);
            let receipt = sight.receipt.as_ref();
            let shown = Shown {
                state: sight.state,
                may_issue: sight.may_issue,
                effective: sight.effective,
                sequence: receipt.map_or(0, |receipt| receipt.sequence),
                generation: receipt.map_or(0, |receipt| receipt.key_generation),
                key: receipt.map(|receipt| receipt.key_thumbprint),
                sync_id: receipt.map(|receipt| Digest::of(receipt.sync_id.as_str())),
                synchronize_by: receipt.map_or(T0, |receipt| receipt.synchronize_by),
                is_outstanding: sight.is_outstanding,
            };
            // A second look at the same clock sees the same.
            self.looks.borrow_mut().insert((observed, who, now), (shown, observed));
            for paper in [paper, observed] {
                self.newest.borrow_mut().entry(paper).or_insert(shown);
            }
            (shown, observed)
        })
    }

    /// What automatic synchronization has due.
    pub(crate) fn due(&self, automatic: &AutomaticOnPaper, paper: Id, who: Who, now: At) -> Due {
        let paper = self.papers.borrow().get(paper);
        self.with(who, now, |around| automatic.due(&paper, around))
    }

    /// What automatic synchronization makes of the end of a synchronization, which may have been an automatic one.
    pub(crate) fn after(
        &self,
        automatic: AutomaticOnPaper,
        run: &Run,
        was_automatic: bool,
        paper: Id,
        who: Who,
        now: At,
    ) -> AutomaticOnPaper {
        let paper = self.papers.borrow().get(paper);
        self.with(who, now, |around| automatic.after(run, was_automatic, &paper, around))
    }

    pub(crate) fn export(&self, paper: Id, who: Who, now: At) -> (Id, Option<Id>) {
        remember(&self.exports, (paper, who, now), || {
            let paper = self.papers.borrow().get(paper);
            let (paper, request) = self.with(who, now, |around| paper.export(around));
            (self.paper_id(paper), request.map(|request| self.request_id(request)))
        })
    }

    pub(crate) fn import(&self, paper: Id, who: Who, now: At, answer: Id) -> (Id, Ended) {
        remember(&self.imports, (paper, who, now, answer), || {
            let (paper, answer) = (self.papers.borrow().get(paper), self.answer(answer));
            let (paper, ended) =
                self.with(who, now, |around| paper.import(around, &answer.message, answer.payload.as_deref()));
            (self.paper_id(paper), ended)
        })
    }

    pub(crate) fn synchronize(&self, paper: Id, who: Who, now: At, main: Id, fault: Fault) -> Synchronized {
        remember(&self.synchronizations, (paper, who, now, main, fault), || {
            let wire = Wire {
                parts: self,
                now,
                fault,
                main: Cell::new(main),
                given: RefCell::default(),
                held_back: Cell::default(),
            };
            let paper = self.papers.borrow().get(paper);
            let durable_steps = if let Fault::KilledAfter(steps) = fault { steps.into() } else { usize::MAX };
            let (paper, run) = self.with(who, now, |around| paper.synchronize(around, &wire, durable_steps));
            Synchronized {
                paper: self.paper_id(paper),
                main: wire.main.get(),
                run,
                held_back: wire.held_back.get(),
                given: wire.given.into_inner().into(),
            }
        })
    }

    /// The main server answers a request (P 9).
    pub(crate) fn process(&self, before: Id, request: Id, now: At, fault: Fault) -> Given {
        // What happens on the way back is nothing to the main server.
        let fault = if fault.is_at_the_main_server() { fault } else { Fault::None };
        remember(&self.decisions, (before, request, now, fault), || {
            let (main, verified) = (self.main(before), self.verified(request));
            let store = Store { id: main_server_id(), main: &main, within_rate_limit: fault != Fault::Busy };
            let decision = match fault {
                Fault::Trouble => Decision::Refuse(Refused::temporarily_unavailable()),
                Fault::Damaged => Decision::Refuse(Refused::invalid_signature()),
                Fault::UnknownId => self.main_server.decide(None, &verified, &store).unwrap(),
                _ => self.main_server.decide(Some(&main.record), &verified, &store).unwrap(),
            };
            let (verdict, after, answer) = match decision {
                Decision::Refuse(refused) => {
                    let refusal = refused.refusal(&main_server_id(), verified.signed(), Self::now(now));
                    let message = Signed::sign(&refusal, main_key()).as_str().to_owned();
                    (Verdict::Refused(refused.code), before, Answer { message, payload: None })
                }
                Decision::Resend(answer) => {
                    let payload = self.payloads.borrow().get(&answer.receipt).cloned();
                    (Verdict::Again, before, Answer { message: answer.receipt, payload })
                }
                Decision::Accept(acceptance) => {
                    let of = format!("{} {before} {now}", acceptance.request_digest());
                    let fresh = Fresh {
                        now: Self::now(now),
                        sync_id: SyncId::from_random(draw(&of)),
                        payload_name: PayloadName::from_random(draw(&format!("payload {of}"))),
                        salt: Salt::from_random(draw(&format!("salt {of}"))),
                    };
                    let allocation = acceptance.allocation(&fresh);
                    let payload = seal(acceptance.sealing_jwk(), &acceptance.sealing_info(&fresh), &allocation);
                    let receipt = Signed::sign(&acceptance.receipt(&fresh, &payload), main_key());
                    let (digest, before) = (*acceptance.request_digest(), main.accepted.clone());
                    let chain = before.as_ref().map_or(digest, |before| before.chain);
                    let chain = Digest::of([&chain.as_bytes()[..], &digest.as_bytes()[..]].concat());
                    let request_id = acceptance.request().request_id.clone();
                    let accepted = Some(Rc::new(Accepted { digest, request_id, before, chain }));
                    let record = acceptance.record(&main.record, &fresh, &receipt);
                    let after = Main { record, accepted, ..Main::clone(&main) };
                    let message = receipt.as_str().to_owned();
                    self.payloads.borrow_mut().insert(message.clone(), payload.clone());
                    (Verdict::Accepted, self.main_id(after), Answer { message, payload: Some(payload) })
                }
            };
            Given { before, request, verdict, after, answer: self.answer_id(answer) }
        })
    }

    /// An operator changes the record; `None` where that changes nothing.
    pub(crate) fn operate(&self, main: Id, operation: Operation, now: At) -> Option<Id> {
        remember(&self.operations, (main, operation, now), || {
            let before = self.main(main);
            let record = self.operated(&before.record, operation, Self::now(now))?;
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
            Operation::Reduce => {
                registry::remove_license(record, &record.allocation.licenses.get(1)?.number.clone()).ok()
            }
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
        number: format!("AAAAA-AAAAA-AAAAA-AAAAA-AAAAA-{:07}", record.allocation.revision).parse().unwrap(),
        display: None,
        domain: None,
        components: vec![base],
        valid_from: T0,
        expires_at: None,
        properties: BTreeMap::new(),
    }
}

fn clock(who: Who, now: At) -> UtcTime {
    T0.plus(now).offset(who.clock)
}

fn remember<K: Hash + Eq, V: Clone>(memo: &Memo<K, V>, key: K, make: impl FnOnce() -> V) -> V {
    if let Some(known) = memo.borrow().get(&key) {
        return known.clone();
    }
    let made = make();
    memo.borrow_mut().insert(key, made.clone());
    made
}

//! Any order of what servers, thieves and operators do, on the registry that ships, against a small model of its own.
//!
//! The model knows nothing of keys, digests or signatures: servers have numbers, requests have numbers, and what the main
//! server has to answer follows from a dozen lines. What it promises beyond single answers is checked after every step.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use mock_solme::testing::registry::{
    Clear, ClearOutcome, Decision, Disabled, Facts, Fresh, Record, add_license, clear_key_pair, decide, disable, enable,
};
use proptest::prelude::*;
use proptest::test_runner::Config;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest};
use solme_sync_protocol::{
    Component, Digest, KeyThumbprint, License, LicenseServerId, MainServerId, PayloadName, Receipt, Request, RequestId,
    RustCrypto, Salt, SealingKey, SignEs384 as _, Signed, SigningKey, SyncId, UtcTime, Verified,
};

/// License Servers that take part, installed or not.
const SERVERS: usize = 5;
const IDS: [&str; 2] = ["SITE-1", "SITE-2"];

#[derive(Debug, Clone)]
enum Step {
    /// Asks (again, while unanswered) and hears the answer.
    Synchronize(usize),
    /// Asks, and the answer is lost.
    AnswerLost(usize),
    /// Its state is gone: a new key pair.
    Reinstall(usize),
    /// One server's state is copied over another's.
    Copy {
        from: usize,
        to: usize,
    },
    Clear(usize),
    Disable(usize),
    Enable(usize),
    Allocate(usize),
    Advance(u32),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    Accepted { sequence: u64, generation: u64 },
    SameAgain { sequence: u64 },
    Refused(&'static str),
}

#[derive(Debug, Clone)]
struct ModelServer {
    id: usize,
    key_pair: u32,
    /// Sequence of the last receipt that it applied.
    applied: Option<u64>,
    outstanding: Option<u32>,
}

#[derive(Debug, Clone)]
struct ModelId {
    bound: Option<u32>,
    cleared: BTreeSet<u32>,
    generation: u64,
    sequence: u64,
    disabled: bool,
    /// Request, key pair and sequence of every acceptance.
    accepted: Vec<(u32, u32, u64)>,
}

#[derive(Debug, Clone)]
struct Model {
    ids: Vec<ModelId>,
    servers: Vec<ModelServer>,
    key_pairs: u32,
    requests: u32,
    /// What the last step has to come to, where it asks.
    verdict: Option<Verdict>,
}

impl Model {
    fn ask(&mut self, server: usize) -> Verdict {
        let request = *self.servers[server].outstanding.get_or_insert_with(|| {
            self.requests += 1;
            self.requests
        });
        let ModelServer { id, key_pair, applied, .. } = self.servers[server];
        let id = &mut self.ids[id];
        if id.disabled {
            return Verdict::Refused("license-server-id-disabled");
        }
        if id.cleared.contains(&key_pair) {
            return Verdict::Refused("key-pair-cleared");
        }
        if let Some((.., sequence)) = id.accepted.iter().find(|(accepted, ..)| *accepted == request) {
            let newest = id.accepted.iter().rfind(|(_, by, _)| *by == key_pair);
            return match newest {
                Some((newest, ..)) if *newest == request => Verdict::SameAgain { sequence: *sequence },
                _ => Verdict::Refused("request-already-answered"),
            };
        }
        match id.bound {
            Some(bound) if bound != key_pair => return Verdict::Refused("key-pair-in-use"),
            Some(_) if applied != Some(id.sequence) => return Verdict::Refused("state-diverged"),
            Some(_) => {}
            None => assert_eq!(applied, None, "an unbound key pair that is not cleared never synchronized"),
        }
        id.bound = Some(key_pair);
        id.sequence += 1;
        id.accepted.push((request, key_pair, id.sequence));
        Verdict::Accepted { sequence: id.sequence, generation: id.generation }
    }

    fn hear(&mut self, server: usize, verdict: &Verdict) {
        let server = &mut self.servers[server];
        if let Verdict::Accepted { sequence, .. } | Verdict::SameAgain { sequence } = verdict {
            server.applied = Some(*sequence);
            server.outstanding = None;
        }
    }
}

impl ReferenceStateMachine for Model {
    type State = Self;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Self> {
        let fresh = ModelId {
            bound: None,
            cleared: BTreeSet::new(),
            generation: 1,
            sequence: 0,
            disabled: false,
            accepted: Vec::new(),
        };
        let server = |n: usize| ModelServer { id: n % IDS.len(), key_pair: n as u32, applied: None, outstanding: None };
        let servers = (0..SERVERS).map(server).collect();
        Just(Self { ids: vec![fresh; IDS.len()], servers, key_pairs: SERVERS as u32, requests: 0, verdict: None })
            .boxed()
    }

    fn transitions(_: &Self) -> BoxedStrategy<Step> {
        let (server, id) = (0..SERVERS, 0..IDS.len());
        prop_oneof![
            8 => server.clone().prop_map(Step::Synchronize),
            4 => server.clone().prop_map(Step::AnswerLost),
            2 => server.clone().prop_map(Step::Reinstall),
            2 => (server.clone(), server).prop_map(|(from, to)| Step::Copy { from, to }),
            2 => id.clone().prop_map(Step::Clear),
            1 => id.clone().prop_map(Step::Disable),
            2 => id.clone().prop_map(Step::Enable),
            1 => id.prop_map(Step::Allocate),
            1 => (0..40_000_000_u32).prop_map(Step::Advance),
        ]
        .boxed()
    }

    fn apply(mut model: Self, step: &Step) -> Self {
        model.verdict = None;
        match *step {
            Step::Synchronize(server) => {
                let verdict = model.ask(server);
                model.hear(server, &verdict);
                model.verdict = Some(verdict);
            }
            Step::AnswerLost(server) => model.verdict = Some(model.ask(server)),
            Step::Reinstall(server) => {
                let ModelServer { id, .. } = model.servers[server];
                let key_pair = model.key_pairs;
                model.key_pairs += 1;
                model.servers[server] = ModelServer { id, key_pair, applied: None, outstanding: None };
            }
            Step::Copy { from, to } => model.servers[to] = model.servers[from].clone(),
            Step::Clear(id) => {
                let id = &mut model.ids[id];
                if let Some(bound) = id.bound.take() {
                    id.cleared.insert(bound);
                    id.generation += 1;
                }
            }
            Step::Disable(id) => model.ids[id].disabled = true,
            Step::Enable(id) => model.ids[id].disabled = false,
            Step::Allocate(_) | Step::Advance(_) => {}
        }
        model
    }
}

/// A License Server as the registry meets it: a key pair, the last receipt, the outstanding request.
#[derive(Clone)]
struct Server {
    id: usize,
    key_pair: usize,
    last_receipt: Option<String>,
    outstanding: Option<Verified<Request>>,
}

/// The registry that ships, with a store of maps and a carrying out that needs no sealing.
struct MainServer {
    keys: &'static [SigningKey],
    records: Vec<Record>,
    accepted: Vec<BTreeMap<Digest, RequestId>>,
    servers: Vec<Server>,
    /// Every answer given, by request: what a resend has to repeat.
    answers: BTreeMap<Digest, String>,
    dead: BTreeSet<(usize, KeyThumbprint)>,
    next_key_pair: usize,
    counter: u128,
    now: UtcTime,
}

/// Signing keys are costly to make, and none of them matters: they are made once.
fn key_pool() -> &'static [SigningKey] {
    static POOL: OnceLock<Vec<SigningKey>> = OnceLock::new();
    POOL.get_or_init(|| (0..64).map(|_| SigningKey::generate()).collect())
}

/// The first key of the pool is the main server's.
fn main_server_key() -> &'static SigningKey {
    &key_pool()[0]
}

fn main_server_id() -> MainServerId {
    "main".parse().unwrap()
}

struct Store<'a> {
    id: MainServerId,
    accepted: &'a BTreeMap<Digest, RequestId>,
}

impl Facts for Store<'_> {
    type Error = std::convert::Infallible;
    fn main_server_id(&self) -> &MainServerId {
        &self.id
    }
    fn within_rate_limit(&self) -> bool {
        true
    }
    fn was_accepted(&self, request_digest: &Digest) -> Result<bool, Self::Error> {
        Ok(self.accepted.contains_key(request_digest))
    }
    fn request_id_was_used(&self, request_id: &RequestId) -> Result<bool, Self::Error> {
        Ok(self.accepted.values().any(|used| used == request_id))
    }
    fn verify_receipt(&self, claimed: Signed<Receipt>) -> Option<Verified<Receipt>> {
        claimed.verify(&RustCrypto, &[*main_server_key().public_jwk()]).ok()
    }
}

impl MainServer {
    fn fresh_bits(&mut self) -> [u8; 16] {
        self.counter += 1;
        self.counter.to_be_bytes()
    }

    fn request(&mut self, server: usize) -> Verified<Request> {
        if let Some(outstanding) = &self.servers[server].outstanding {
            return outstanding.clone();
        }
        let request = Request {
            version: 1,
            license_server_id: IDS[self.servers[server].id].parse().unwrap(),
            main_server_id: main_server_id(),
            request_id: RequestId::from_random(self.fresh_bits()),
            made_at: self.now,
            sealing_jwk: *sealing_key(),
            last_receipt: self.servers[server].last_receipt.clone(),
            high_water_mark: self.now,
            product: "model".to_owned(),
            product_version: "1".to_owned(),
        };
        let signed = Signed::sign(&request, &self.keys[self.servers[server].key_pair]);
        let verified = signed.verify(&RustCrypto).unwrap();
        self.servers[server].outstanding = Some(verified.clone());
        verified
    }

    /// The decision of the registry, carried out: the answer, and what it amounts to.
    fn ask(&mut self, server: usize) -> (Option<String>, Verdict) {
        let request = self.request(server);
        let id = self.servers[server].id;
        let record = self.records[id].clone();
        let store = Store { id: main_server_id(), accepted: &self.accepted[id] };
        let Ok(decision) = decide(Some(&record), &request, &store);
        match decision {
            Decision::Refuse(refused) => (None, Verdict::Refused(refused.code.as_str())),
            Decision::Resend(answer) => {
                assert_eq!(Some(&answer.receipt), self.answers.get(&answer.request_digest), "byte for byte (P 9.7)");
                let sequence = read(&answer.receipt).sequence;
                (Some(answer.receipt), Verdict::SameAgain { sequence })
            }
            Decision::Accept(acceptance) => {
                let fresh = Fresh {
                    now: self.now,
                    sync_id: SyncId::from_random(self.fresh_bits()),
                    payload_name: PayloadName::from_random(self.fresh_bits()),
                    salt: Salt::from_random(self.fresh_bits()),
                };
                let receipt = acceptance.receipt(&fresh, &acceptance.allocation(&fresh));
                let signed = Signed::sign(&receipt, main_server_key());
                self.records[id] = acceptance.record(&record, &fresh, &signed);
                self.accepted[id].insert(*acceptance.request_digest(), acceptance.request().request_id.clone());
                self.answers.insert(*acceptance.request_digest(), signed.as_str().to_owned());
                assert_eq!(receipt.allocation_revision, record.allocation.revision, "the snapshot of this moment");
                assert_eq!(receipt.synchronize_by, self.now.plus(366 * 86_400), "P 6.2");
                let Receipt { sequence, key_generation: generation, .. } = receipt;
                (Some(signed.as_str().to_owned()), Verdict::Accepted { sequence, generation })
            }
        }
    }

    fn hear(&mut self, server: usize, answer: Option<String>) {
        if let Some(receipt) = answer {
            self.servers[server].last_receipt = Some(receipt);
            self.servers[server].outstanding = None;
        }
    }

    fn operate(&mut self, step: &Step) {
        let now = self.now;
        match *step {
            Step::Clear(id) => {
                let clear = Clear {
                    thumbprint: None,
                    by: "operator".to_owned(),
                    reason: "a step of the model".to_owned(),
                    reserve_for: None,
                    now,
                };
                if let ClearOutcome::Cleared { record, cleared } = clear_key_pair(&self.records[id], &clear).unwrap() {
                    self.records[id] = record;
                    self.dead.insert((id, cleared.thumbprint));
                }
            }
            Step::Disable(id) => {
                let disabled = Disabled { at: now, by: "operator".to_owned(), reason: "a step".to_owned() };
                self.records[id] = disable(&self.records[id], disabled);
            }
            Step::Enable(id) => self.records[id] = enable(&self.records[id]),
            Step::Allocate(id) => {
                let license = license(self.records[id].allocation.revision, now);
                self.records[id] = add_license(&self.records[id], license).unwrap();
            }
            Step::Advance(seconds) => self.now = now.plus(seconds.into()),
            Step::Synchronize(_) | Step::AnswerLost(_) | Step::Reinstall(_) | Step::Copy { .. } => {}
        }
    }

    /// What never happens, whatever the step was.
    fn check_invariants(&self, before: &[Record]) {
        for (index, (old, new)) in before.iter().zip(&self.records).enumerate() {
            assert!(new.sequence >= old.sequence, "the sequence only grows");
            assert!(new.key_generation >= old.key_generation, "the generation only grows");
            assert!(new.allocation.revision >= old.allocation.revision, "the revision only grows");
            assert_eq!(new.key_generation, 1 + new.cleared_key_pairs.len() as u64, "one generation a clear");
            if let Some(bound) = new.bound_thumbprint() {
                assert!(!self.dead.contains(&(index, bound)), "a cleared key pair never comes back");
                let replaced = old.bound_thumbprint().is_some_and(|old| old != bound);
                assert!(!replaced, "one key pair an id: the next one only after a clear");
            }
        }
    }
}

/// The registry never seals, so that one sealing key serves for all requests.
fn sealing_key() -> &'static solme_sync_protocol::PublicJwk {
    static KEY: OnceLock<solme_sync_protocol::PublicJwk> = OnceLock::new();
    KEY.get_or_init(|| SealingKey::generate().public_jwk())
}

fn read(receipt: &str) -> Receipt {
    let verified = Signed::<Receipt>::parse(receipt).unwrap().verify(&RustCrypto, &[*main_server_key().public_jwk()]);
    verified.unwrap().read().unwrap()
}

fn license(number: u64, now: UtcTime) -> License {
    let base = Component { id: solme_sync_protocol::BASE.parse().unwrap(), name: "Base".to_owned(), max_users: 1 };
    License {
        number: format!("AAAAA-AAAAA-AAAAA-AAAAA-AAAAA-{number:07}").parse().unwrap(),
        display: None,
        domain: None,
        components: vec![base],
        valid_from: now,
        expires_at: None,
        properties: BTreeMap::new(),
    }
}

struct Registry;

impl StateMachineTest for Registry {
    type SystemUnderTest = MainServer;
    type Reference = Model;

    fn init_test(_: &Model) -> MainServer {
        let now = UtcTime::from_secs(1_800_000_000);
        let id = |id: &str| Record::new(id.parse::<LicenseServerId>().unwrap(), now);
        let server = |n: usize| Server { id: n % IDS.len(), key_pair: n + 1, last_receipt: None, outstanding: None };
        MainServer {
            keys: key_pool(),
            records: IDS.map(id).to_vec(),
            accepted: vec![BTreeMap::new(); IDS.len()],
            servers: (0..SERVERS).map(server).collect(),
            answers: BTreeMap::new(),
            dead: BTreeSet::new(),
            next_key_pair: SERVERS + 1,
            counter: 0,
            now,
        }
    }

    fn apply(mut main: MainServer, model: &Model, step: Step) -> MainServer {
        let before = main.records.clone();
        match step {
            Step::Synchronize(server) => {
                let (answer, verdict) = main.ask(server);
                assert_eq!(Some(verdict), model.verdict);
                main.hear(server, answer);
            }
            Step::AnswerLost(server) => {
                let (_, verdict) = main.ask(server);
                assert_eq!(Some(verdict), model.verdict);
            }
            Step::Reinstall(server) => {
                let key_pair = main.next_key_pair;
                main.next_key_pair += 1;
                let Server { id, .. } = main.servers[server];
                main.servers[server] = Server { id, key_pair, last_receipt: None, outstanding: None };
            }
            Step::Copy { from, to } => main.servers[to] = main.servers[from].clone(),
            _ => main.operate(&step),
        }
        main.check_invariants(&before);
        main
    }
}

proptest_state_machine::prop_state_machine! {
    #![proptest_config(Config { cases: 128, failure_persistence: None, ..Config::default() })]

    #[test]
    fn every_answer_of_the_registry_is_the_models(sequential 1..40 => Registry);
}

//! P 9.13 to 9.15 where requests share a transaction. The store is held until all of them are planned and wait for it; then
//! they are one group, whose commit stops before and after.

use std::cell::RefCell;
use std::path::Path;
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::{Context, Poll, Waker};
use std::thread;

use tempfile::TempDir;

use super::*;
use crate::conduct::Protocol;
use crate::main_server::NewId;
use crate::seams::{DurableStep, DurableSteps, Moment, Seams};

type Answering = Pin<Box<dyn Future<Output = Outgoing<Answer>> + Send>>;

/// A main server on disk.
struct Stage {
    data: TempDir,
    main_server: Arc<MainServer>,
    stop: Arc<Mutex<Option<Stop>>>,
}

/// The next commit says where it is, and goes on when it is told to.
struct Stop {
    reached: Sender<Moment>,
    go_on: Receiver<()>,
}

fn open(data: &Path, conduct: Arc<dyn Conduct>, at_step: impl Fn(DurableStep) + Send + Sync + 'static) -> MainServer {
    let seams = Seams { durable_step: Box::new(at_step), ..Seams::default() };
    let settings = Settings { conduct, ..Settings::default() };
    MainServer::open(data, &DurableSteps::new(seams), settings).unwrap()
}

impl Stage {
    fn new(ids: &[&str], conduct: Arc<dyn Conduct>) -> Self {
        let (data, stop) = (tempfile::tempdir().unwrap(), Arc::<Mutex<Option<Stop>>>::default());
        let at_step = {
            let stop = Arc::clone(&stop);
            move |step: DurableStep| {
                let mut stop = stop.lock().unwrap();
                let Some(Stop { reached, go_on }) = &*stop else { return };
                let _ = (reached.send(step.moment), go_on.recv());
                if step.moment == Moment::After {
                    *stop = None;
                }
            }
        };
        let main_server = Arc::new(open(data.path(), conduct, at_step));
        for id in ids {
            main_server.add_id(&id.parse().unwrap(), NewId::default(), &By::default()).unwrap();
        }
        Self { data, main_server, stop }
    }

    fn request(&self, id: &str, key: &SigningKey) -> Vec<u8> {
        request(&self.main_server, &id.parse().unwrap(), key, None).signed().as_str().into()
    }

    /// The answers to requests of one group. `before` and `after` see what a power failure would leave, before its commit
    /// and after it.
    fn together(&self, requests: &[Vec<u8>], before: impl Fn(&Path), after: impl Fn(&Path)) -> Vec<Answer> {
        let answering = |text: &Vec<u8>| -> Answering {
            Box::pin(Arc::clone(&self.main_server).answer_beside(text.clone(), Carrier::Https, Vec::new()))
        };
        let mut answering: Vec<_> = requests.iter().map(answering).collect();
        let store = &self.main_server.store;
        let (reached, stopped) = channel();
        let (go_on, told) = channel();
        let (entered, is_held) = channel();
        let (release, released) = channel::<()>();
        thread::scope(|scope| {
            let (go_on, release) = (go_on, release); // dropped if an assertion fails: then nobody waits for ever
            scope.spawn(move || {
                let hold = |_: &Connection| -> Result<(), StoreError> {
                    let _ = (entered.send(()), released.recv());
                    Ok(())
                };
                store.write("hold", hold).unwrap();
            });
            is_held.recv().unwrap();
            assert_eq!(answered(&mut answering), 0, "they wait for the store");
            while store.waiting() == 0 {
                thread::yield_now();
            }
            *self.stop.lock().unwrap() = Some(Stop { reached, go_on: told });
            release.send(()).unwrap();
            for (moment, look) in [(Moment::Before, &before as &dyn Fn(&Path)), (Moment::After, &after)] {
                assert_eq!(stopped.recv(), Ok(moment));
                assert_eq!(answered(&mut answering), 0, "nobody hears of it before it is durable (P 9.13)");
                look(self.after_a_power_failure().path());
                go_on.send(()).unwrap();
            }
        });
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut answers = Vec::new();
            for answering in answering {
                answers.push(answering.await.answer.unwrap());
            }
            answers
        })
    }

    fn after_a_power_failure(&self) -> TempDir {
        let copy = tempfile::tempdir().unwrap();
        for file in std::fs::read_dir(self.data.path()).unwrap() {
            let name = file.unwrap().file_name();
            // Shared memory does not survive one.
            if name != "state.sqlite-shm" {
                std::fs::copy(self.data.path().join(&name), copy.path().join(&name)).unwrap();
            }
        }
        copy
    }
}

/// How many are.
fn answered(answering: &mut [Answering]) -> usize {
    let mut context = Context::from_waker(Waker::noop());
    answering.iter_mut().map(|answering| answering.as_mut().poll(&mut context)).filter(Poll::is_ready).count()
}

fn again(data: &Path) -> MainServer {
    open(data, Arc::new(Protocol), |_| ())
}

fn sequence(main_server: &MainServer, id: &str) -> u64 {
    main_server.record(&id.parse().unwrap()).unwrap().sequence
}

/// What it was accepted with, or the clause that refused it.
fn told(answer: &Answer) -> Result<(&str, &[u8]), &str> {
    match answer {
        Answer::Accepted { receipt, payload, .. } => Ok((receipt, payload)),
        Answer::Refused { refused, .. } => Err(refused.clause),
        _ => panic!("{answer:?}"),
    }
}

#[test]
fn a_power_failure_among_the_members_of_a_group_leaves_none_of_them_and_one_after_its_commit_all() {
    let ids = ["SITE-1", "SITE-2", "SITE-3"];
    let stage = Stage::new(&ids, Arc::new(Protocol));
    let requests = ids.map(|id| stage.request(id, &SigningKey::generate()));
    let kept = RefCell::default();
    let answers = stage.together(
        &requests,
        |data| assert_eq!(ids.map(|id| sequence(&again(data), id)), [0, 0, 0]),
        |data| {
            let again = again(data);
            let answer = |text| again.answer(text, Carrier::Https, Vec::new()).answer.unwrap();
            kept.replace(requests.iter().map(|text| answer(text)).collect::<Vec<_>>());
            assert_eq!(ids.map(|id| sequence(&again, id)), [1, 1, 1]);
        },
    );
    assert!(answers.iter().all(|answer| told(answer).is_ok()), "{answers:?}");
    assert_eq!(kept.into_inner(), answers, "the same requests again get the same answers, byte for byte");
}

#[test]
fn in_one_group_copies_get_one_answer_an_id_one_owner_and_neighbours_what_they_asked_for() {
    let stage = Stage::new(&["SITE-1", "SITE-2"], Arc::new(Protocol));
    let [first, other, neighbour] = [(); 3].map(|()| SigningKey::generate());
    let copy = stage.request("SITE-1", &first);
    let requests = [copy.clone(), stage.request("SITE-1", &other), copy, stage.request("SITE-2", &neighbour)];
    let answers = stage.together(&requests, |_| (), |_| ());
    let [first_told, other_told, copy_told, neighbour_told] = [0, 1, 2, 3].map(|number| told(&answers[number]));
    assert!(first_told.is_ok() && neighbour_told.is_ok(), "{answers:?}");
    assert_eq!(copy_told, first_told);
    assert_eq!(other_told, Err("9.9"));
    let id = "SITE-1".parse().unwrap();
    assert_eq!(stage.main_server.record(&id).unwrap().bound_thumbprint(), Some(first.thumbprint()));
    assert_eq!(["SITE-1", "SITE-2"].map(|id| sequence(&stage.main_server, id)), [1, 1]);
}

/// The protocol's, but of one id something else is said within its first transaction.
#[derive(Debug)]
struct OtherwiseWithin {
    asked: AtomicUsize,
    said: fn() -> Result<Decision, StoreError>,
}

impl OtherwiseWithin {
    fn new(said: fn() -> Result<Decision, StoreError>) -> Arc<Self> {
        Arc::new(Self { asked: AtomicUsize::new(0), said })
    }
}

impl Conduct for OtherwiseWithin {
    fn decide(
        &self,
        record: Option<&Record>,
        request: &Verified<Request>,
        facts: &dyn Facts<Error = StoreError>,
    ) -> Result<Decision, StoreError> {
        if request.frame().issuer.as_str() == "UNLUCKY" && self.asked.fetch_add(1, Ordering::SeqCst) == 1 {
            return (self.said)();
        }
        Protocol.decide(record, request, facts)
    }
}

#[test]
fn a_member_that_the_rules_refuse_within_the_transaction_is_not_in_it_and_is_decided_on_anew() {
    let ids = ["SITE-1", "UNLUCKY", "SITE-2"];
    let stage = Stage::new(&ids, OtherwiseWithin::new(|| Ok(Decision::Refuse(Refused::too_many()))));
    let requests = ids.map(|id| stage.request(id, &SigningKey::generate()));
    let after = |data: &Path| assert_eq!(ids.map(|id| sequence(&again(data), id)), [1, 0, 1]);
    let answers = stage.together(&requests, |_| (), after);
    assert!(answers.iter().all(|answer| told(answer).is_ok()), "{answers:?}");
    assert_eq!(ids.map(|id| sequence(&stage.main_server, id)), [1, 1, 1]);
}

#[test]
fn a_member_whose_store_fails_is_told_so_and_takes_nobody_of_its_group_along() {
    let ids = ["SITE-1", "UNLUCKY", "SITE-2"];
    let stage = Stage::new(&ids, OtherwiseWithin::new(|| Err(StoreError::Damaged("on purpose".to_owned()))));
    let requests = ids.map(|id| stage.request(id, &SigningKey::generate()));
    let after = |data: &Path| assert_eq!(ids.map(|id| sequence(&again(data), id)), [1, 0, 1]);
    let answers = stage.together(&requests, |_| (), after);
    assert_eq!(told(&answers[1]), Err("9.14"));
    assert!(told(&answers[0]).is_ok() && told(&answers[2]).is_ok(), "{answers:?}");
    let again = stage.main_server.answer(&requests[1], Carrier::Https, Vec::new()).answer.unwrap();
    assert!(told(&again).is_ok(), "the same request again is accepted: {again:?}");
}

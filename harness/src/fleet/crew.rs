//! The License Servers at work: a dispatcher sends whoever is due, and workers carry out what they do.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use license_server::{Direct, Network};
use solme_sync_protocol::{LicenseServerId, RefusalCode, TrustFile};

use super::chance::Chance;
use super::ledger::{Kind, Ledger};
use super::main_server::Admin;
use super::member::{Member, Moment, Wire};
use super::plan::Plan;
use super::seconds::{Ended, Seconds};
use super::thieves::{Loot, SERVED, Thief};
use super::timetable::{Next, Timetable};

/// License Servers that synchronize at once. More would only wait for the cores.
pub(crate) const WORKERS: usize = 48;
/// How long a main server may take to connect, and to answer: it is killed now and then.
const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(30);
/// Tries again come after about this long, twice as long each time, and never more than the second.
const FIRST_RETRY: Duration = Duration::from_millis(100);
const LAST_RETRY: Duration = Duration::from_secs(2);

/// All License Servers, and what they have in common.
pub(crate) struct Crew {
    seats: Vec<Mutex<Seat>>,
    /// All ids, in the order of the seats.
    pub(crate) ids: Vec<LicenseServerId>,
    trust: TrustFile,
    admin: Admin,
    plan: Plan,
    thief: Thief,
    /// Nothing goes wrong any more.
    calm: AtomicBool,
    /// Nobody who has not begun begins.
    hold: AtomicBool,
    /// Those who were sent, and are not back.
    away: AtomicUsize,
    pub(crate) ledger: Mutex<Ledger>,
    pub(crate) seconds: Mutex<Seconds>,
    pub(crate) clears: AtomicUsize,
    began: Instant,
}

/// A License Server, and what it goes through.
struct Seat {
    member: Member,
    chance: Chance,
    /// In vain, since it last synchronized.
    tries: u32,
    /// Since when it is due.
    due: Option<Duration>,
}

/// What the dispatcher is told.
pub(crate) enum News {
    /// Somebody is back; when to try again.
    Back(usize, Option<Duration>),
    /// Everybody is due.
    Storm,
    /// Everybody synchronizes once more, and nothing goes wrong.
    LastRound,
    /// Nobody goes any more.
    Stop,
}

impl Crew {
    /// These License Servers, which begin now.
    pub(crate) fn new(members: Vec<Member>, trust: TrustFile, admin: Admin, plan: Plan, seed: u64) -> Self {
        let ids = members.iter().map(|member| member.id.clone()).collect();
        let seat = |(number, member)| {
            Mutex::new(Seat { member, chance: Chance::of(seed, number as u64 + 1), tries: 0, due: None })
        };
        Self {
            seats: members.into_iter().enumerate().map(seat).collect(),
            ids,
            thief: Thief::new(&trust),
            trust,
            admin,
            plan,
            calm: AtomicBool::new(false),
            hold: AtomicBool::new(false),
            away: AtomicUsize::new(0),
            ledger: Mutex::default(),
            seconds: Mutex::default(),
            clears: AtomicUsize::new(0),
            began: Instant::now(),
        }
    }

    /// Time since the fleet began.
    pub(crate) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Those who are due, and wait for a worker.
    pub(crate) fn waiting(&self) -> usize {
        self.away.load(Ordering::SeqCst).saturating_sub(WORKERS)
    }

    /// Works until the last round is over, or until it is told to stop. It blocks.
    pub(crate) fn work(&self, timetable: Timetable, news: &Receiver<News>, tell: &Sender<News>) -> Timetable {
        let (send, visits) = channel::<(usize, Duration)>();
        let visits = Mutex::new(visits);
        std::thread::scope(|threads| {
            for _ in 0..WORKERS.min(self.seats.len()) {
                threads.spawn(|| {
                    let direct = Direct::new(Network::default().within(CONNECT, ANSWER));
                    loop {
                        let visit = locked(&visits).recv();
                        let Ok((number, due)) = visit else { return };
                        let _ = tell.send(News::Back(number, self.visit(number, due, &direct)));
                    }
                });
            }
            self.dispatch(timetable, news, send)
        })
    }

    /// Sends whoever is due. When it returns, so do the workers.
    fn dispatch(&self, mut table: Timetable, news: &Receiver<News>, send: Sender<(usize, Duration)>) -> Timetable {
        let mut last_round = false;
        loop {
            if last_round && self.away.load(Ordering::SeqCst) == 0 && !self.calm.swap(true, Ordering::SeqCst) {
                self.hold.store(false, Ordering::SeqCst);
                table.last_round(self.now());
            }
            let held = self.hold.load(Ordering::SeqCst);
            let next = if held { Next::Nobody } else { table.next(self.now()) };
            let wait = match next {
                Next::Go(number, due) => {
                    self.away.fetch_add(1, Ordering::SeqCst);
                    let _ = send.send((number, due));
                    continue;
                }
                Next::Wait(until) => until.saturating_sub(self.now()),
                Next::Nobody if table.is_over() => return table,
                Next::Nobody => ANSWER,
            };
            match news.recv_timeout(wait) {
                Ok(News::Back(number, again)) => {
                    self.away.fetch_sub(1, Ordering::SeqCst);
                    table.back(number, again);
                }
                Ok(News::Storm) => table.storm(self.now()),
                Ok(News::LastRound) => {
                    last_round = true;
                    self.hold.store(true, Ordering::SeqCst);
                }
                Ok(News::Stop) => {
                    self.hold.store(true, Ordering::SeqCst);
                    return table;
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
        }
    }

    /// A License Server synchronizes, whatever else happens to it; when it is to try again.
    fn visit(&self, number: usize, due: Duration, direct: &Direct) -> Option<Duration> {
        if self.hold.load(Ordering::SeqCst) {
            return Some(due);
        }
        let mut seat = locked(&self.seats[number]);
        let first_due = *seat.due.get_or_insert(due);
        let (ended, wait) = match self.synchronize(&mut seat, direct) {
            Ok(ended) => ended,
            Err(error) => {
                self.found(Kind::NotRecovered, &seat.member.id, format!("{error:#}"));
                return None;
            }
        };
        let now = self.now();
        match ended {
            Ended::Done => {
                (seat.tries, seat.due) = (0, None);
                locked(&self.seconds).from_due.add(now.saturating_sub(first_due));
                return None;
            }
            Ended::Refused(code) if self.calm.load(Ordering::SeqCst) => {
                self.found(Kind::NotRecovered, &seat.member.id, format!("it is still told {code}"));
                return None;
            }
            _ => {}
        }
        let backoff = FIRST_RETRY.saturating_mul(1 << seat.tries.min(8)).min(LAST_RETRY);
        seat.tries += 1;
        Some(
            now + match wait {
                // As asked, and never earlier; all at the same moment would be the next storm.
                Some(seconds) => Duration::from_secs(seconds) + seat.chance.about(FIRST_RETRY * 10),
                None => seat.chance.about(backoff),
            },
        )
    }

    fn synchronize(&self, seat: &mut Seat, direct: &Direct) -> Result<(Ended, Option<u64>)> {
        let Plan { clears, thieves, kills, .. } = self.plan;
        let mut kill = None;
        if !self.calm.load(Ordering::SeqCst) {
            if seat.tries == 0 && seat.chance.happens(clears) {
                seat.member.reinstall(&self.trust)?;
            }
            if seat.chance.happens(thieves) {
                self.thief_tries(&seat.member.id, direct);
            }
            if seat.chance.happens(kills) {
                kill = Some(Moment::ALL[seat.chance.below(Moment::ALL.len())]);
            }
        }
        let (ended, wait) = self.tries(&mut seat.member, direct, kill)?;
        let Some(before) = seat.member.thumbprint_before().filter(|_| is_in_use(&ended)) else {
            return Ok((ended, wait));
        };
        // It may be killed just now. A clear that is never carried out is found in the last round.
        if self.admin.clear(&seat.member.id, before, seat.member.thumbprint()).is_err() {
            return Ok((Ended::Failed("clear-failed".to_owned()), None));
        }
        self.clears.fetch_add(1, Ordering::SeqCst);
        let wire = Wire::new(direct, None);
        let came_back = seat.member.was_cleared(&wire)?;
        self.told(&wire);
        if came_back == Some(Ended::Done) {
            self.found(Kind::BoundTwice, &seat.member.id, format!("{before} was cleared, and served afterwards"));
        }
        self.tries(&mut seat.member, direct, None)
    }

    /// Tries once, and writes down what came of it.
    fn tries(&self, member: &mut Member, direct: &Direct, kill: Option<Moment>) -> Result<(Ended, Option<u64>)> {
        let (wire, began) = (Wire::new(direct, kill), self.now());
        let (ended, wait) = member.synchronize(&wire)?;
        self.told(&wire);
        let now = self.now();
        locked(&self.seconds).ended(now, now.saturating_sub(began), &ended);
        // A reinstalled License Server has lost its key pair: it is told that another one is in use, as it must be.
        let reinstalled = member.thumbprint_before().is_some() && is_in_use(&ended);
        if let (Ended::Refused(code), false) = (&ended, reinstalled) {
            self.found(Kind::WronglyRefused, &member.id, format!("it was told {code}"));
        }
        Ok((ended, wait))
    }

    fn thief_tries(&self, id: &LicenseServerId, direct: &Direct) {
        let code = match self.thief.tries(id, direct) {
            Loot::Nothing(code) => code,
            Loot::Served(receipt) => {
                self.found(Kind::BoundTwice, id, format!("a thief was served, with {}", receipt.key_thumbprint));
                SERVED.to_owned()
            }
        };
        locked(&self.seconds).thief(self.now(), &code, 1);
    }

    fn told(&self, wire: &Wire<'_>) {
        let mut ledger = locked(&self.ledger);
        wire.receipts().iter().for_each(|receipt| ledger.told(receipt));
    }

    fn found(&self, kind: Kind, id: &LicenseServerId, what: String) {
        locked(&self.ledger).found(kind, id, what);
    }
}

fn is_in_use(ended: &Ended) -> bool {
    matches!(ended, Ended::Refused(code) if code == RefusalCode::KeyPairInUse.as_str())
}

/// What nobody leaves half done: a worker that panics ends the fleet.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

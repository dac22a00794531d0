//! Who is answered now, where more ask over 443 than can be answered (P 9.14).
//!
//! So many requests are in work at a time; whoever comes beyond is asked to come again. Strangers have an id that another key
//! pair has, or that nobody has. While they are refused in numbers, each request is looked at before it is verified, and
//! those of strangers form a line, of which one is in work at a time: that is what they take from everybody else.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use solme_sync_protocol::RefusalCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Requests in work at a time, unless it is told otherwise: fewer than one peer has connections.
pub(crate) const AT_ONCE: NonZeroUsize = NonZeroUsize::new(256).expect("256 is not 0");
/// Strangers that are refused before each request is looked at: fewer cost nothing that anybody notices.
const NOTICED: u64 = 32;
/// They are forgotten after this time without another one.
const FORGOTTEN: Duration = Duration::from_millis(500);
/// A stranger that stands in line for longer is asked to come again.
const PATIENCE: Duration = Duration::from_secs(2);

/// The turns of all requests.
pub(crate) struct Turns {
    at_once: Arc<Semaphore>,
    line: Arc<Semaphore>,
    strangers: Strangers,
    begun: Instant,
}

/// A request that is in work until this is dropped.
#[derive(Debug)]
pub(crate) struct Turn(OwnedSemaphorePermit);

impl Turn {
    /// It ends, with this answer.
    pub(crate) fn ends_with<T>(self, answer: T) -> T {
        drop(self.0);
        answer
    }
}

impl Turns {
    pub(super) fn new(at_once: NonZeroUsize) -> Self {
        let line = Arc::new(Semaphore::new(1));
        Self {
            at_once: Arc::new(Semaphore::new(at_once.get())),
            line,
            strangers: Strangers::default(),
            begun: Instant::now(),
        }
    }

    /// A turn at once; none where too many are in work.
    pub(crate) fn at_once(&self) -> Option<Turn> {
        Arc::clone(&self.at_once).try_acquire_owned().ok().map(Turn)
    }

    /// The turn of a stranger, after those who stand before it; none where that takes too long.
    pub(crate) async fn in_line(&self) -> Option<Turn> {
        timeout(PATIENCE, Arc::clone(&self.line).acquire_owned()).await.ok()?.ok().map(Turn)
    }

    /// Whether requests have to be looked at before.
    pub(crate) fn are_contested(&self) -> bool {
        self.strangers.are_many(self.begun.elapsed())
    }

    /// Somebody was refused.
    pub(super) fn refused(&self, code: RefusalCode) {
        use RefusalCode::{InvalidSignature, KeyPairCleared, KeyPairInUse, UnknownLicenseServerId};
        if matches!(code, InvalidSignature | KeyPairCleared | KeyPairInUse | UnknownLicenseServerId) {
            self.strangers.refused(self.begun.elapsed());
        }
    }
}

/// How many strangers were refused lately. It decides by times that are arguments.
#[derive(Debug, Default)]
struct Strangers {
    refused: AtomicU64,
    /// When the last one was; milliseconds.
    last: AtomicU64,
}

impl Strangers {
    fn refused(&self, now: Duration) {
        if self.forgotten(now) {
            self.refused.store(0, Ordering::Relaxed);
        }
        self.refused.fetch_add(1, Ordering::Relaxed);
        self.last.store(milliseconds(now), Ordering::Relaxed);
    }

    fn are_many(&self, now: Duration) -> bool {
        self.refused.load(Ordering::Relaxed) >= NOTICED && !self.forgotten(now)
    }

    fn forgotten(&self, now: Duration) -> bool {
        milliseconds(now).saturating_sub(self.last.load(Ordering::Relaxed)) > milliseconds(FORGOTTEN)
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(at_once: usize) -> Turns {
        Turns::new(NonZeroUsize::new(at_once).unwrap())
    }

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn strangers_are_noticed_when_they_come_in_numbers_and_forgotten_when_they_stay_away() {
        let strangers = Strangers::default();
        (0..NOTICED - 1).for_each(|at| strangers.refused(ms(at)));
        assert!(!strangers.are_many(ms(NOTICED)));
        strangers.refused(ms(NOTICED));
        assert!(strangers.are_many(ms(NOTICED)) && strangers.are_many(ms(500)));
        assert!(!strangers.are_many(ms(1_000)));
        strangers.refused(ms(1_000));
        assert!(!strangers.are_many(ms(1_000)), "they begin anew");
    }

    #[test]
    fn only_those_whose_key_pair_is_not_in_use_are_strangers() {
        let turns = turns(1);
        (0..2 * NOTICED).for_each(|_| turns.refused(RefusalCode::StateDiverged));
        assert!(!turns.are_contested());
        (0..NOTICED).for_each(|_| turns.refused(RefusalCode::KeyPairInUse));
        assert!(turns.are_contested());
    }

    #[tokio::test(start_paused = true)]
    async fn one_stranger_is_in_work_at_a_time_and_the_next_waits_in_line_for_no_longer_than_patience() {
        let turns = turns(2);
        let first = turns.in_line().await;
        assert!(first.is_some() && turns.in_line().await.is_none());
        assert!(turns.at_once().is_some(), "they take no turn of anybody else");
        drop(first);
        assert!(turns.in_line().await.is_some());
    }

    #[test]
    fn so_many_are_in_work_at_once_and_a_turn_that_has_ended_is_free() {
        let turns = turns(2);
        let [first, second] = [turns.at_once(), turns.at_once()];
        assert!(first.is_some() && second.is_some() && turns.at_once().is_none());
        drop(first);
        assert!(turns.at_once().is_some());
    }
}

//! Who has a place, and who loses it to a newcomer. It decides by times that are arguments; nothing here is a socket.

use std::collections::HashMap;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, timeout_at};

/// We have waited so long for a client: its place may go to a newcomer.
const PATIENCE: Duration = Duration::from_millis(250);
/// However busy a client is: after this time its place may go to a newcomer, if nobody else's may.
const TENURE: Duration = Duration::from_secs(1);
/// Connections that have lost their places and are not gone yet: so many newcomers need not wait for them.
const LEAVING: usize = 32;
/// The wait for one of them to be gone.
const FAREWELL: Duration = Duration::from_millis(50);
/// Descriptors that are no places: the store, the listeners, mails that are handed on, connections that are leaving.
const KEPT_BACK: usize = 96 + LEAVING;
/// Places that no other listener can take.
const LEAST: usize = 64;

/// A listener, by what it serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Port {
    Https,
    Http,
    Admin,
    Smtp,
}

impl Port {
    const ALL: [Self; 4] = [Self::Https, Self::Http, Self::Admin, Self::Smtp];

    /// Connections at one time, if there are descriptors enough. One peer has at most four fifths of them.
    fn most(self) -> usize {
        match self {
            Self::Https | Self::Http => 640,
            Self::Admin => 160,
            Self::Smtp => 64,
        }
    }

    /// What a client that loses its place is told.
    fn farewell(self) -> &'static [u8] {
        match self {
            Self::Smtp => b"421 Others are waiting and you were silent; connect again\r\n",
            Self::Https | Self::Http | Self::Admin => b"",
        }
    }
}

/// The places of all listeners.
#[derive(Debug)]
pub(crate) struct Pool {
    begun: Instant,
    table: Mutex<Table>,
    /// A place has become free.
    left: Notify,
}

#[derive(Debug)]
struct Table {
    /// All places there are.
    places: usize,
    held: HashMap<u64, Held>,
    last_key: u64,
}

#[derive(Debug)]
struct Held {
    port: Port,
    peer: IpAddr,
    since: Instant,
    /// When its client last gave us something to answer; milliseconds since the pool was begun.
    heard: Arc<AtomicU64>,
    /// Taken to tell the holder that its place is lost; it is leaving then.
    tell: Option<oneshot::Sender<()>>,
}

/// What there is for a newcomer.
#[derive(Debug, PartialEq, Eq)]
enum Room {
    Free,
    /// The place of this one.
    Of(u64),
    /// None before this time.
    NotBefore(Instant),
}

impl Pool {
    /// For a process with the descriptors of this one.
    pub(crate) fn new() -> Arc<Self> {
        Self::with_descriptors(descriptors())
    }

    fn with_descriptors(descriptors: usize) -> Arc<Self> {
        let places = descriptors.saturating_sub(KEPT_BACK).max(Port::ALL.len());
        let table = Table { places, held: HashMap::new(), last_key: 0 };
        Arc::new(Self { begun: Instant::now(), table: Mutex::new(table), left: Notify::new() })
    }

    /// A place for a newcomer, as soon as there is one.
    pub(super) async fn place(self: &Arc<Self>, port: Port, peer: IpAddr) -> Place {
        loop {
            let left = self.left.notified();
            let until = {
                let (mut table, now) = (self.table(), Instant::now());
                match table.room(port, peer, now, self.begun) {
                    Room::Free => return self.give(&mut table, port, peer, now),
                    Room::Of(key) => {
                        table.evict(key);
                        return self.give(&mut table, port, peer, now);
                    }
                    Room::NotBefore(time) => time,
                }
            };
            let _ = timeout_at(until, left).await;
        }
    }

    /// Places that are held at a listener.
    #[cfg(test)]
    pub(crate) fn held(&self, port: Port) -> usize {
        self.table().of(port)
    }

    fn give(self: &Arc<Self>, table: &mut Table, port: Port, peer: IpAddr, now: Instant) -> Place {
        let (tell, lost) = oneshot::channel();
        let heard = Arc::new(AtomicU64::new(self.milliseconds(now)));
        table.last_key += 1;
        let key = table.last_key;
        table.held.insert(key, Held { port, peer, since: now, heard: Arc::clone(&heard), tell: Some(tell) });
        Place { pool: Arc::clone(self), key, heard, lost: Some(lost), port }
    }

    fn milliseconds(&self, now: Instant) -> u64 {
        u64::try_from((now - self.begun).as_millis()).unwrap_or(u64::MAX)
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // Every change is a single insert or remove: a panic elsewhere leaves nothing half done.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Places that are held at a listener, those lost not counted.
    fn of(&self, port: Port) -> usize {
        self.held.values().filter(|held| held.port == port && held.tell.is_some()).count()
    }

    /// What no other listener can take from one.
    fn least(&self) -> usize {
        LEAST.min(self.places / (2 * Port::ALL.len())).max(1)
    }

    fn room(&self, port: Port, peer: IpAddr, now: Instant, begun: Instant) -> Room {
        let least = self.least();
        let others: usize = Port::ALL.into_iter().filter(|other| *other != port).map(|o| self.of(o).max(least)).sum();
        let of_a_peer = port.most().min(self.places - 3 * least).max(5) / 5 * 4;
        let of_this_peer = |held: &&Held| held.port == port && held.peer == peer && held.tell.is_some();
        let crowded = self.held.values().filter(of_this_peer).count() >= of_a_peer;
        if !crowded && self.of(port) < port.most().min(self.places.saturating_sub(others)) {
            return Room::Free;
        }
        if self.held.values().filter(|held| held.tell.is_none()).count() >= LEAVING {
            return Room::NotBefore(now + FAREWELL);
        }
        let stays = |held: &Held| held.port == port && held.tell.is_some() && (!crowded || held.peer == peer);
        let candidates = || self.held.iter().filter(|(_, held)| stays(held));
        let heard = |held: &Held| begun + Duration::from_millis(held.heard.load(Ordering::Relaxed));
        let silent = candidates().map(|(key, held)| (heard(held) + PATIENCE, *key)).min();
        let oldest = candidates().map(|(key, held)| (held.since + TENURE, *key)).min();
        match (silent, oldest) {
            (Some((time, key)), _) | (_, Some((time, key))) if time <= now => Room::Of(key),
            (Some((silent, _)), Some((oldest, _))) => Room::NotBefore(silent.min(oldest)),
            _ => Room::NotBefore(now + FAREWELL),
        }
    }

    fn evict(&mut self, key: u64) {
        if let Some(tell) = self.held.get_mut(&key).and_then(|held| held.tell.take()) {
            let _ = tell.send(());
        }
    }
}

/// A held place; dropping it gives it back.
#[derive(Debug)]
pub(super) struct Place {
    pool: Arc<Pool>,
    key: u64,
    port: Port,
    heard: Arc<AtomicU64>,
    /// `None` once it is known to be lost: a channel may be asked only until it has answered.
    lost: Option<oneshot::Receiver<()>>,
}

impl Place {
    /// The client gets an answer: from now on we wait for it anew.
    pub(super) fn heard(&self) {
        self.heard.store(self.pool.milliseconds(Instant::now()), Ordering::Relaxed);
    }

    /// Ready when the place has gone to a newcomer.
    pub(super) fn poll_lost(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let lost = self.lost.as_mut().is_none_or(|lost| Pin::new(lost).poll(cx).is_ready());
        if lost {
            self.lost = None;
            return Poll::Ready(());
        }
        Poll::Pending
    }

    pub(super) fn farewell(&self) -> &'static [u8] {
        self.port.farewell()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.pool.table().held.remove(&self.key);
        self.pool.left.notify_waiters();
    }
}

/// How many descriptors this process may have open.
#[cfg(unix)]
fn descriptors() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX)
}

#[cfg(not(unix))]
fn descriptors() -> usize {
    usize::MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 1));
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 2));

    /// Places of one peer, until there is no free one.
    fn fill(pool: &Arc<Pool>, port: Port, peer: IpAddr) -> Vec<Place> {
        let (mut table, now) = (pool.table(), Instant::now());
        let mut places = Vec::new();
        while table.room(port, peer, now, pool.begun) == Room::Free {
            places.push(pool.give(&mut table, port, peer, now));
        }
        places
    }

    #[tokio::test(start_paused = true)]
    async fn no_listener_takes_the_places_of_another_or_the_descriptors_of_the_store() {
        for descriptors in [0, 64, 128, 256, 1024, 20_000] {
            let pool = Pool::with_descriptors(descriptors);
            let peers = [ONE, OTHER, "::1".parse().unwrap()];
            let held: Vec<_> =
                Port::ALL.iter().flat_map(|port| peers.iter().flat_map(|peer| fill(&pool, *port, *peer))).collect();
            assert!(held.len() <= descriptors.saturating_sub(KEPT_BACK).max(4), "{descriptors}: {}", held.len());
            let least = pool.table().least();
            for port in Port::ALL {
                assert!(pool.held(port) >= least.max(1), "{descriptors}: {port:?} has {}", pool.held(port));
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_usual_1024_descriptors_are_enough_for_512_connections_of_one_peer_and_leave_room_for_others() {
        let pool = Pool::with_descriptors(1024);
        let load = fill(&pool, Port::Http, ONE);
        assert_eq!(load.len(), 512);
        assert_eq!(fill(&pool, Port::Http, OTHER).len(), 128);
    }

    #[tokio::test(start_paused = true)]
    async fn a_newcomer_takes_the_place_of_the_client_that_was_silent_for_longest() {
        let pool = Pool::with_descriptors(1024);
        let mut held = fill(&pool, Port::Smtp, ONE);
        tokio::time::advance(PATIENCE / 2).await;
        held.iter().skip(1).for_each(Place::heard);
        let (place, start) = (pool.place(Port::Smtp, ONE), Instant::now());
        tokio::pin!(place);
        assert!(timeout_at(start + PATIENCE / 3, &mut place).await.is_err(), "nobody is silent yet");
        let first = held.remove(0);
        let gone = async {
            let mut first = first;
            std::future::poll_fn(|cx| first.poll_lost(cx)).await;
        };
        tokio::join!(place, gone);
        assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
        assert_eq!(pool.held(Port::Smtp), held.len(), "the newcomer's was given back as well");
    }

    #[tokio::test(start_paused = true)]
    async fn newcomers_wait_while_too_many_that_lost_their_places_are_not_gone() {
        let pool = Pool::with_descriptors(1024);
        let mut held = fill(&pool, Port::Smtp, ONE);
        tokio::time::advance(PATIENCE).await;
        let mut newcomers = Vec::new();
        for _ in 0..LEAVING {
            newcomers.push(pool.place(Port::Smtp, ONE).await);
        }
        let next = pool.place(Port::Smtp, ONE);
        tokio::pin!(next);
        assert!(timeout_at(Instant::now() + PATIENCE / 2, &mut next).await.is_err(), "nobody is gone");
        held.remove(0);
        next.await;
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_is_busy_keeps_nobody_out_for_ever() {
        let pool = Pool::with_descriptors(1024);
        let held = fill(&pool, Port::Smtp, ONE);
        for _ in 0..20 {
            tokio::time::advance(TENURE / 20).await;
            held.iter().for_each(Place::heard);
        }
        let room = pool.table().room(Port::Smtp, ONE, Instant::now(), pool.begun);
        assert_eq!(room, Room::Of(1), "the oldest goes");
        let _other = fill(&pool, Port::Smtp, OTHER);
    }
}

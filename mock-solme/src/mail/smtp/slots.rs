//! Who may be connected: a fixed number of slots, in which silence loses.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tokio::time::Instant;

/// The slots of one listener.
///
/// A deadline alone does not keep the door open: a thousand silent clients would hold all slots until it passes, and
/// again after it. So a newcomer takes the slot of the client that has been silent for longest. Silent means: no whole
/// line since; a client that trickles bytes is as silent as one that sends none.
#[derive(Debug)]
pub(super) struct Slots {
    capacity: usize,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    last_key: u64,
    held: HashMap<u64, Held>,
}

#[derive(Debug)]
struct Held {
    /// `None` while its client is not the one being waited for: a mail is with the sink.
    silent_since: Option<Instant>,
    /// Dropped to tell the holder that the slot is gone.
    _lost: oneshot::Sender<()>,
}

/// One held slot; dropping it gives it back.
#[derive(Debug)]
pub(super) struct Slot {
    slots: Arc<Slots>,
    key: u64,
    /// `None` once it is known to be lost: a channel may be asked only until it has answered.
    lost: Option<oneshot::Receiver<()>>,
}

impl Slots {
    pub(super) fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Self { capacity, table: Mutex::default() })
    }

    /// A slot for a newcomer; `None` when all are held by clients that wait for us.
    pub(super) fn take(self: &Arc<Self>) -> Option<Slot> {
        let mut table = self.table();
        if table.held.len() >= self.capacity {
            let silent = table.held.iter().filter_map(|(key, held)| Some((held.silent_since?, *key)));
            let (_, longest) = silent.min()?;
            table.held.remove(&longest);
        }
        let (tell, lost) = oneshot::channel();
        table.last_key += 1;
        let key = table.last_key;
        table.held.insert(key, Held { silent_since: Some(Instant::now()), _lost: tell });
        Some(Slot { slots: Arc::clone(self), key, lost: Some(lost) })
    }

    /// How many slots are held.
    pub(super) fn held(&self) -> usize {
        self.table().held.len()
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // Every change is a single insert or remove: a panic elsewhere leaves nothing half done.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// The client has sent a whole line, or has its answer: its silence begins anew.
    pub(super) fn heard(&self) {
        self.set(Some(Instant::now()));
    }

    /// The client waits for us and cannot lose its slot until [`Self::heard`].
    pub(super) fn busy(&self) {
        self.set(None);
    }

    /// Ends when the slot has gone to a newcomer.
    pub(super) async fn lost(&mut self) {
        if let Some(lost) = &mut self.lost {
            // The sender never sends; it is dropped.
            let _ = lost.await;
            self.lost = None;
        }
    }

    fn set(&self, silent_since: Option<Instant>) {
        if let Some(held) = self.slots.table().held.get_mut(&self.key) {
            held.silent_since = silent_since;
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.table().held.remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_newcomer_takes_the_slot_that_has_been_silent_for_longest() {
        let slots = Slots::new(2);
        let mut first = slots.take().unwrap();
        tokio::time::advance(Duration::from_secs(1)).await;
        let mut second = slots.take().unwrap();
        tokio::time::advance(Duration::from_secs(1)).await;
        first.heard();

        let _third = slots.take().unwrap();
        second.lost().await;
        assert_eq!(slots.held(), 2);
        drop(second);
        assert_eq!(slots.held(), 2, "a lost slot is not given back twice");
        assert!(tokio::time::timeout(Duration::from_secs(9), first.lost()).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_whose_mail_is_being_delivered_keeps_its_slot() {
        let slots = Slots::new(1);
        let slot = slots.take().unwrap();
        slot.busy();
        assert!(slots.take().is_none());
        slot.heard();
        assert!(slots.take().is_some());
    }
}

//! The virtual clock of the whole simulator: the real one, shifted.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use solme_sync_protocol::UtcTime;

/// The real clock plus an offset that the operator sets. The time in TLS is never this one.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    offset: AtomicI64,
    /// Held while the offset is changed, so that of two that advance the clock neither is lost.
    changing: Mutex<()>,
}

impl Clock {
    pub(crate) fn new(offset: i64) -> Self {
        Self { offset: AtomicI64::new(offset), changing: Mutex::default() }
    }

    /// Main server time, UTC in seconds.
    pub(crate) fn now(&self) -> UtcTime {
        real_now().offset(self.offset())
    }

    /// Seconds by which main server time differs from real time.
    pub(crate) fn offset(&self) -> i64 {
        self.offset.load(Ordering::SeqCst)
    }

    /// Changes the offset, once `keep` has kept the new one.
    pub(crate) fn change<E>(
        &self,
        change: impl FnOnce(i64) -> i64,
        keep: impl FnOnce(i64) -> Result<(), E>,
    ) -> Result<(), E> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let offset = change(self.offset());
        keep(offset)?;
        self.offset.store(offset, Ordering::SeqCst);
        Ok(())
    }

    /// What the time would be with this offset; none before 1970.
    pub(crate) fn time_at(offset: i64) -> Option<UtcTime> {
        let time = signed(real_now()).checked_add(offset)?;
        u64::try_from(time).ok().map(UtcTime::from_secs)
    }

    /// The offset that would make it `time` now.
    pub(crate) fn offset_for(time: UtcTime) -> i64 {
        signed(time).saturating_sub(signed(real_now()))
    }
}

fn real_now() -> UtcTime {
    UtcTime::from_secs(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}

fn signed(time: UtcTime) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

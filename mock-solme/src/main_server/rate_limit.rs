//! Rate limits (P 9.4), where they are switched on: a bucket for the key pair in use, and one for everyone else with
//! that license server id. Whoever floods a leaked id empties the second one, and the bound server goes on.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use solme_sync_protocol::{LicenseServerId, UtcTime};

use crate::registry::Bucket;

/// Buckets that are kept before those that are full again are forgotten.
const KEPT: usize = 10_000;
/// What a request costs. A bucket of N requests a minute fills by N in each second, and so in integers.
const COST: u64 = 60;

/// The buckets, in main server time.
pub(super) struct RateLimits {
    per_minute: u64,
    buckets: Mutex<HashMap<(LicenseServerId, Bucket), Level>>,
}

#[derive(Debug, Clone, Copy)]
struct Level {
    left: u64,
    at: UtcTime,
}

impl RateLimits {
    /// At most so many requests a minute from each bucket.
    pub(super) fn new(per_minute: u32) -> Self {
        Self { per_minute: per_minute.into(), buckets: Mutex::default() }
    }

    /// Takes one request from a bucket. False where nothing was left in it.
    pub(super) fn take(&self, id: &LicenseServerId, bucket: Bucket, now: UtcTime) -> bool {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= KEPT {
            buckets.retain(|_, level| self.filled(*level, now) < self.full());
        }
        let level = buckets.entry((id.clone(), bucket)).or_insert(Level { left: self.full(), at: now });
        let left = self.filled(*level, now);
        let within = left >= COST;
        *level = Level { left: if within { left - COST } else { left }, at: now };
        within
    }

    fn full(&self) -> u64 {
        self.per_minute * COST
    }

    fn filled(&self, level: Level, now: UtcTime) -> u64 {
        let gained = now.since(level.at).saturating_mul(self.per_minute);
        level.left.saturating_add(gained).min(self.full())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: UtcTime = UtcTime::from_secs(1_800_000_000);

    #[test]
    fn a_bucket_holds_a_minute_and_fills_again() {
        let limits = RateLimits::new(2);
        let id = "SITE-1".parse().unwrap();
        let take = |now| limits.take(&id, Bucket::Others, now);
        assert_eq!([take(T0), take(T0), take(T0)], [true, true, false]);
        assert_eq!([take(T0.plus(29)), take(T0.plus(30)), take(T0.plus(30))], [false, true, false]);
        assert_eq!([take(T0.plus(9_999)), take(T0.plus(9_999)), take(T0.plus(9_999))], [true, true, false]);
    }

    #[test]
    fn the_key_pair_in_use_and_other_ids_do_not_pay_for_a_flood() {
        let limits = RateLimits::new(1);
        let (id, other) = ("SITE-1".parse().unwrap(), "SITE-2".parse().unwrap());
        for _ in 0..100 {
            limits.take(&id, Bucket::Others, T0);
        }
        assert!(!limits.take(&id, Bucket::Others, T0));
        assert!(limits.take(&id, Bucket::KeyPairInUse, T0));
        assert!(limits.take(&other, Bucket::Others, T0));
    }

    #[test]
    fn buckets_that_are_full_again_are_forgotten() {
        let limits = RateLimits::new(1);
        for number in 0..KEPT {
            limits.take(&format!("SITE-{number}").parse().unwrap(), Bucket::Others, T0);
        }
        limits.take(&"LATER".parse().unwrap(), Bucket::Others, T0.plus(60));
        assert_eq!(limits.buckets.lock().unwrap().len(), 1);
    }
}

//! The fault plan in the running main server: asked at three points of an exchange, and told by the operator.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use solme_sync_protocol::LicenseServerId;

use super::{Fault, FaultError, FaultReport, Fired, Need, Operation, Plan};
use crate::main_server::{Carrier, Exchange, MainServer};

/// The plan. While nothing is armed, an exchange costs one atomic load.
pub(crate) struct Quirks {
    armed: AtomicBool,
    plan: Mutex<Plan>,
}

impl Quirks {
    pub(crate) fn new(seed: u32, at_start: Vec<Fault>) -> Result<Self, FaultError> {
        let plan = Plan::new(seed, at_start)?;
        Ok(Self { armed: AtomicBool::new(plan.is_armed()), plan: Mutex::new(plan) })
    }

    fn is_armed(&self) -> bool {
        self.armed.load(Ordering::Acquire)
    }

    /// The flag changes while the lock is held: it never says less than the plan.
    fn with<T>(&self, act: impl FnOnce(&mut Plan) -> T) -> T {
        let mut plan: MutexGuard<'_, Plan> = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        let done = act(&mut plan);
        self.armed.store(plan.is_armed(), Ordering::Release);
        done
    }
}

impl MainServer {
    pub(crate) fn quirks_are_armed(&self) -> bool {
        self.quirks.is_armed()
    }

    /// What happens to a connection that a role has accepted.
    pub(crate) fn connection_quirk(&self, operation: Operation) -> Option<Fired> {
        if !self.quirks.is_armed() {
            return None;
        }
        let fired = self.quirks.with(|plan| plan.connection(operation, self.now()))?;
        let mut exchange = Exchange::new(Carrier::of(operation), &[], Vec::new());
        exchange.decided("no-exchange", fired.quirk.clause(), "The connection came to nothing.");
        exchange.entry.quirk = Some(fired.quirk);
        self.keep(exchange);
        Some(fired)
    }

    /// What happens instead of an answer. `who` is asked only while something is armed.
    pub(crate) fn quirk_instead(
        &self,
        exchange: &mut Exchange,
        who: impl FnOnce() -> Option<LicenseServerId>,
    ) -> Option<Fired> {
        if !self.quirks.is_armed() {
            return None;
        }
        let id = who();
        let operation = exchange.operation;
        let fired = self.quirks.with(|plan| plan.request(operation, id.as_ref(), self.now()))?;
        exchange.entry.license_server_id = id;
        exchange.decided("not-looked-at", fired.quirk.clause(), "The main server has not seen it.");
        exchange.entry.quirk = Some(fired.quirk);
        Some(fired)
    }

    /// What happens to an answer.
    pub(crate) fn quirk_of_answer(&self, exchange: &mut Exchange, offers: impl Fn(Need) -> bool) -> Option<Fired> {
        if !self.quirks.is_armed() {
            return None;
        }
        let (operation, id) = (exchange.operation, exchange.entry.license_server_id.as_ref());
        let fired = self.quirks.with(|plan| plan.answer(operation, id, self.now(), offers))?;
        exchange.entry.quirk = Some(fired.quirk);
        Some(fired)
    }

    /// Arms a fault from now on.
    pub(crate) fn arm(&self, fault: Fault) -> Result<FaultReport, FaultError> {
        self.quirks.with(|plan| plan.arm(fault))
    }

    /// Disarms a fault; none where there is none of this number.
    pub(crate) fn disarm(&self, number: u64) -> Option<FaultReport> {
        self.quirks.with(|plan| plan.disarm(number))
    }

    /// Disarms all faults, and reports what came of them.
    pub(crate) fn disarm_all(&self) -> Vec<FaultReport> {
        self.quirks.with(Plan::disarm_all)
    }

    /// All faults that were not disarmed.
    pub(crate) fn quirks_report(&self) -> Vec<FaultReport> {
        self.quirks.with(|plan| plan.report())
    }

    /// As at the start.
    pub(crate) fn reset_quirks(&self) {
        self.quirks.with(Plan::reset);
        self.forged_payloads.clear();
    }
}

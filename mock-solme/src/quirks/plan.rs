//! The fault plan: which quirk happens to which exchange.
//!
//! An exchange has at most one quirk. Quirks that keep the request from the main server are asked before those of the
//! answer; among equals, the fault armed first is, and those after one that fires are not asked.

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use solme_sync_protocol::{Digest, LicenseServerId, UtcTime};

use super::catalogue::{Need, Operation, Quirk, Stage};
use super::fault::{Fault, FaultError, Parameters};

/// License server ids whose exchanges are counted apart. Anybody can make up ids; all further ones share a count.
const IDS_AT_MOST: usize = 65_536;

/// A quirk that happens to an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fired {
    pub(crate) quirk: Quirk,
    pub(crate) parameters: Parameters,
}

/// What is armed, and what has become of it.
pub(crate) struct Plan {
    seed: u32,
    /// What is armed when it begins, and after a reset.
    at_start: Vec<Fault>,
    last_number: u64,
    armed: Vec<Armed>,
    courses: HashMap<(Operation, Party), Course>,
}

struct Armed {
    number: u64,
    fault: Fault,
    matched: u64,
    fired: u64,
}

/// Whose exchanges are counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Party {
    /// Connections, which are nobody's yet.
    Connections,
    Id(LicenseServerId),
    /// Exchanges that name no id, and ids beyond [`IDS_AT_MOST`].
    Others,
}

/// What the exchanges of one party in one operation came to.
#[derive(Default)]
struct Course {
    exchanges: u64,
    quirks_in_a_row: u64,
}

/// A fault, and how often it has fired.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FaultReport {
    /// Names it for `disarm`. Numbers are not given twice.
    pub number: u64,
    /// The fault, as it was armed.
    #[serde(flatten)]
    pub fault: Fault,
    /// Exchanges that it could have happened to, the first `after` among them.
    pub matched: u64,
    /// Exchanges that it happened to.
    pub fired: u64,
    /// How often it will fire still; null: for ever.
    pub left: Option<u64>,
}

impl Armed {
    fn left(&self) -> Option<u64> {
        self.fault.when.next.map(|next| next - self.fired)
    }
}

impl Plan {
    /// A plan in which these faults are armed from the start.
    pub(crate) fn new(seed: u32, at_start: Vec<Fault>) -> Result<Self, FaultError> {
        let mut plan = Self { seed, at_start, last_number: 0, armed: Vec::new(), courses: HashMap::new() };
        plan.at_start.iter().try_for_each(Fault::check)?;
        plan.reset();
        Ok(plan)
    }

    /// As at the start: its numbers and draws begin anew.
    pub(crate) fn reset(&mut self) {
        self.armed.clear();
        self.courses.clear();
        self.last_number = 0;
        for fault in self.at_start.clone() {
            self.push(fault);
        }
    }

    /// Arms a fault, and gives it a number.
    pub(crate) fn arm(&mut self, fault: Fault) -> Result<FaultReport, FaultError> {
        fault.check()?;
        self.push(fault);
        Ok(self.armed.last().map(report).expect("it was just pushed"))
    }

    fn push(&mut self, fault: Fault) {
        self.last_number += 1;
        self.armed.push(Armed { number: self.last_number, fault, matched: 0, fired: 0 });
    }

    /// Disarms a fault; none where there is none of this number.
    pub(crate) fn disarm(&mut self, number: u64) -> Option<FaultReport> {
        let at = self.armed.iter().position(|armed| armed.number == number)?;
        Some(report(&self.armed.remove(at)))
    }

    /// Disarms all faults, and reports what came of them.
    pub(crate) fn disarm_all(&mut self) -> Vec<FaultReport> {
        std::mem::take(&mut self.armed).iter().map(report).collect()
    }

    /// All faults that were not disarmed, those that are used up too, in the order in which they were armed.
    pub(crate) fn report(&self) -> Vec<FaultReport> {
        self.armed.iter().map(report).collect()
    }

    /// Whether any fault can fire still.
    pub(crate) fn is_armed(&self) -> bool {
        self.armed.iter().any(|armed| armed.left() != Some(0))
    }

    /// What happens to a connection that was accepted.
    pub(crate) fn connection(&mut self, operation: Operation, now: UtcTime) -> Option<Fired> {
        let party = (operation, Party::Connections);
        self.begin(&party);
        let fired = self.ask(&party, None, now, |stage| stage == Stage::Connection);
        self.end(&party, fired)
    }

    /// What happens to a request before the main server sees it. Where nothing does, [`Plan::answer`] has to follow.
    pub(crate) fn request(
        &mut self,
        operation: Operation,
        id: Option<&LicenseServerId>,
        now: UtcTime,
    ) -> Option<Fired> {
        let party = (operation, self.party(id));
        self.begin(&party);
        let fired = self.ask(&party, id, now, |stage| stage == Stage::Instead)?;
        self.end(&party, Some(fired))
    }

    /// What happens to the answer. `offers` tells what this answer is.
    pub(crate) fn answer(
        &mut self,
        operation: Operation,
        id: Option<&LicenseServerId>,
        now: UtcTime,
        offers: impl Fn(Need) -> bool,
    ) -> Option<Fired> {
        let party = (operation, self.party(id));
        let possible = |stage| match stage {
            Stage::Connection | Stage::Instead => false,
            Stage::Message(need) => offers(need),
            Stage::Way => true,
        };
        let fired = self.ask(&party, id, now, possible);
        self.end(&party, fired)
    }

    fn party(&self, id: Option<&LicenseServerId>) -> Party {
        let Some(id) = id else { return Party::Others };
        let counted = |operation| self.courses.contains_key(&(operation, Party::Id(id.clone())));
        if self.courses.len() >= IDS_AT_MOST && !Operation::ALL.iter().any(|operation| counted(*operation)) {
            return Party::Others;
        }
        Party::Id(id.clone())
    }

    fn begin(&mut self, party: &(Operation, Party)) {
        self.courses.entry(party.clone()).or_default().exchanges += 1;
    }

    fn end(&mut self, party: &(Operation, Party), fired: Option<Fired>) -> Option<Fired> {
        let course = self.courses.entry(party.clone()).or_default();
        course.quirks_in_a_row = if fired.is_some() { course.quirks_in_a_row + 1 } else { 0 };
        fired
    }

    fn ask(
        &mut self,
        party: &(Operation, Party),
        id: Option<&LicenseServerId>,
        now: UtcTime,
        possible: impl Fn(Stage) -> bool,
    ) -> Option<Fired> {
        let course = self.courses.entry(party.clone()).or_default();
        for armed in &mut self.armed {
            let fault = &armed.fault;
            let matches = possible(fault.quirk.stage()) && fault.covers(party.0, id, now);
            if !matches || armed.left() == Some(0) {
                continue;
            }
            armed.matched += 1;
            let when = &fault.when;
            let spent = when.at_most_in_a_row.is_some_and(|at_most| course.quirks_in_a_row >= at_most);
            let drawn = when
                .probability
                .is_none_or(|probability| draw(self.seed, armed.number, party, course.exchanges) < probability);
            if armed.matched > when.after && !spent && drawn {
                armed.fired += 1;
                return Some(Fired { quirk: fault.quirk, parameters: fault.parameters });
            }
        }
        None
    }
}

fn report(armed: &Armed) -> FaultReport {
    let Armed { number, ref fault, matched, fired } = *armed;
    FaultReport { number, fault: fault.clone(), matched, fired, left: armed.left() }
}

/// A number from 0 to 1, 1 excluded, that follows from what goes in: no draw depends on those before it, so that
/// License Servers side by side do not change each other's.
fn draw(seed: u32, fault: u64, (operation, party): &(Operation, Party), exchange: u64) -> f64 {
    let party = match party {
        Party::Connections => " connections",
        Party::Id(id) => id.as_str(),
        Party::Others => " others",
    };
    let digest = Digest::of(format!("{seed} {fault} {operation} {party} {exchange}"));
    let bits = digest.as_bytes().iter().take(6).fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
    bits as f64 / (1_u64 << 48) as f64
}

#[cfg(test)]
mod tests;

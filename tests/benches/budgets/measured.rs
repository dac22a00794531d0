//! What was measured, as the benchmark writes it and `tests/all/budgets.rs` reads it.

use serde::{Deserialize, Serialize};

/// Everything of a run.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Measured {
    /// Of the machine, in the minute before: what others do there is measured as well.
    pub(crate) load_average: f64,
    pub(crate) cores: usize,
    /// So often was the simulator measured; fewer than five are a try.
    pub(crate) rounds: usize,
    pub(crate) budgets: Vec<Budget>,
    /// None where the simulator was not measured.
    pub(crate) yardsticks: Option<Yardsticks>,
    pub(crate) loads: Vec<Load>,
}

/// A row that may exceed something.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Budget {
    pub(crate) what: String,
    pub(crate) measured: f64,
    pub(crate) budget: f64,
    pub(crate) unit: String,
}

/// What no main server can do without.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Yardsticks {
    /// On one core while the others rest, as one connection leaves them.
    pub(crate) alone: Yardstick,
    /// With every core at it, as many connections keep them.
    pub(crate) busy: Yardstick,
}

/// In microseconds of CPU time.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Yardstick {
    /// Verify, sign and seal.
    pub(crate) cryptography: f64,
    /// A handshake of TLS.
    pub(crate) handshake: f64,
}

/// The simulator under a load.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Load {
    pub(crate) what: String,
    pub(crate) connections: usize,
    /// CPU time of the simulator for one synchronization, in microseconds: for the first time, and once more.
    pub(crate) first: f64,
    pub(crate) later: f64,
    /// Synchronizations a second.
    pub(crate) rate: f64,
    /// Milliseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// Resident memory of the simulator, in MiB.
    pub(crate) memory: f64,
}

impl Yardsticks {
    /// That for so many connections at once.
    pub(crate) fn at(&self, connections: usize) -> &Yardstick {
        if connections == 1 { &self.alone } else { &self.busy }
    }
}

impl Budget {
    pub(crate) fn exceeded(&self) -> bool {
        self.measured > self.budget
    }
}

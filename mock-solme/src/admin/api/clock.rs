//! Main server time.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use solme_sync_protocol::UtcTime;

/// Another main server time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetClock {
    /// What time it is now.
    #[serde(with = "crate::rfc3339")]
    #[schemars(with = "crate::form::Time")]
    pub now: UtcTime,
}

/// Main server time, moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdvanceClock {
    /// By how many seconds; back, if they are negative.
    pub seconds: i64,
}

/// The clock of the simulator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClockReading {
    /// Main server time, UTC in seconds.
    #[serde(with = "crate::rfc3339")]
    #[schemars(with = "crate::form::Time")]
    pub now: UtcTime,
    /// Seconds by which it differs from real time.
    pub offset: i64,
}

//! What a test, or the harness, may put in place of the ordinary. There is no other way in: no feature, no variable.

use std::rc::Rc;
use std::time::Duration;

use serde_json::{Map, Value};
use solme_sync_protocol::{TrustFile, UtcTime};

use crate::conduct::Conduct;
use crate::transport::Connection;

/// Makes the way to the main server of a trust file.
pub(crate) type MakeTransport = Box<dyn Fn(&TrustFile) -> Box<dyn Connection>>;

/// Receives the report of a command.
pub(crate) type OnReport = Rc<dyn Fn(&Map<String, Value>)>;

/// Lets time pass until then; whether to stop is the answer.
pub(crate) type Pause = Box<dyn Fn(UtcTime) -> bool>;

/// The seams of [`run()`](crate::testing::run). The default is the ordinary program.
#[derive(Default)]
pub struct Seams {
    pub(crate) durable_step: Option<Box<dyn Fn(DurableStep)>>,
    pub(crate) clock: Option<Box<dyn Fn() -> UtcTime>>,
    pub(crate) transport: Option<MakeTransport>,
    pub(crate) on_report: Option<OnReport>,
    pub(crate) conduct: Option<&'static dyn Conduct>,
    pub(crate) patience: Option<Duration>,
    pub(crate) pause: Option<Pause>,
}

impl Seams {
    /// Calls `hook` before and after every durable step of storage. It may abort the process there.
    #[must_use]
    pub fn on_durable_step(mut self, hook: impl Fn(DurableStep) + 'static) -> Self {
        self.durable_step = Some(Box::new(hook));
        self
    }

    /// Takes `clock` for the local clock. `--clock-offset` is added to it. TLS certificates still use the real time.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Fn() -> UtcTime + 'static) -> Self {
        self.clock = Some(Box::new(clock));
        self
    }

    /// Passes the JSON report to `receive` instead of printing it; `serve` passes one for each event too.
    #[must_use]
    pub fn on_report(mut self, receive: impl Fn(&Map<String, Value>) + 'static) -> Self {
        self.on_report = Some(Rc::new(receive));
        self
    }

    /// Behaves as `conduct` says.
    #[must_use]
    pub fn with_conduct(mut self, conduct: &'static dyn Conduct) -> Self {
        self.conduct = Some(conduct);
        self
    }

    /// Waits this long for another process that uses the state, or synchronizes. The default is ten seconds.
    #[must_use]
    pub const fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = Some(patience);
        self
    }

    /// Lets `pause` make the time pass for `serve`, until the time that it is given. It answers whether to stop.
    #[must_use]
    pub fn with_pause(mut self, pause: impl Fn(UtcTime) -> bool + 'static) -> Self {
        self.pause = Some(Box::new(pause));
        self
    }

    /// Takes what `transport` makes for the way to the main server of a trust file.
    #[cfg(test)]
    pub(crate) fn with_transport(mut self, transport: impl Fn(&TrustFile) -> Box<dyn Connection> + 'static) -> Self {
        self.transport = Some(Box::new(transport));
        self
    }
}

/// A change that outlives a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DurableStep {
    /// Counted from 1 in each run.
    pub number: u64,
    /// What becomes durable.
    pub name: &'static str,
    /// Whether it is still to be done.
    pub moment: Moment,
}

/// On which side of a durable step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// It is still to be done.
    Before,
    /// It is done.
    After,
}

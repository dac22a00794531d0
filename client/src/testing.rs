//! For tests and referees, and for them alone: a License Server with another clock, another conduct, or a stop at a
//! durable step. There is no other way in, no feature and no variable.
//!
//! - [`run()`] is the program with [`Seams`] in place of the ordinary: the clock, the wait, what is said, each durable step.
//! - [`Conduct`] is what PROTOCOL.md demands of a License Server, one decision a method. A referee that has to show that it
//!   notices a defect overrides one of them.
//! - [`OnPaper`] is a License Server whose state is a value, for a search through all that can happen;
//!   [`AutomaticOnPaper`] is what `serve` has due.
//!
//! The rest of this module are the types that these decisions are made of.

use std::sync::Arc;

use serde_json::Value;
use solme_sync_protocol::UtcTime;

use crate::LicenseServer;
pub use crate::conduct::{Conduct, Document, Held, Standard};
pub use crate::core::{
    AnswerError, ClockError, Consequence, Due, Fate, HttpAnswer, Role, Rule, Sealed, SealedPayloadError, Tampering,
    Times, Warning,
};
pub use crate::on_paper::{Around, AutomaticOnPaper, Ended, OnPaper, Run, Sight};
pub use crate::run::run_with as run;
pub use crate::seams::{DurableStep, Moment, Seams};
use crate::settings::Settings;
pub use rustls;

/// What `config --json` says of a configuration file with these bytes: for a fuzzer.
///
/// # Errors
/// What is wrong with it.
pub fn settings(file: &[u8]) -> Result<Value, String> {
    Settings::of_file(file.to_vec()).map(|settings| settings.to_json()).map_err(|error| error.message)
}

/// The License Server with `clock` for its local clock. TLS certificates still use the real time.
pub fn with_clock(server: LicenseServer, clock: impl Fn() -> UtcTime + Send + Sync + 'static) -> LicenseServer {
    server.with_clock(Arc::new(clock))
}

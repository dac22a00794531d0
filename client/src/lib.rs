//! A License Server's synchronization with its main license server, to build into a License Server of one's own.
//!
//! ```no_run
#![doc = include_str!("../examples/license_server.rs")]
//! ```
//!
//! [`LicenseServer`] is the library; [`Transport`] the way to the main server, of which [`Direct`] is one. A refusal and a
//! failure of a synchronization are results; an [`Error`] says whose fault it is and what to do next. Every result
//! serializes to the JSON that the command line prints. [`run()`] is that command line, `license-server`, and [`testing`]
//! the door for tests and referees. Clauses of `protocol/PROTOCOL.md` are cited as `P 9.7`.
//!
//! - `core` decides: states, checks, times, the right to issue. No I/O, no clock, no randomness.
//! - `store` keeps: one SQLite database and one key file, changed in numbered durable steps.
//! - `transport` carries: two ports, directly or through a proxy, every failure told apart by its source.
//! - `command` acts: one file for each verb of the command line.
//! - `manager` shows: the License Server Manager, a page over [`LicenseServer`].

mod cli;
mod clock;
mod command;
mod conduct;
mod core;
mod manager;
mod on_paper;
mod output;
mod run;
mod seams;
mod server;
mod settings;
mod stop;
mod store;
pub mod testing;
#[cfg(test)]
mod tests;
mod transport;

pub use command::{
    AllocatedLicense, Answered, Automatic, ClearRequest, ClearRequestBy, Clock, Diagnosis, Export, ExportedRequest,
    History, Import, MainServer, NewKeyPair, OutstandingRequest, Status, Synchronization, Verdict,
};
pub use core::{
    AnswerError, Changes, Check, Checked, ClockError, Failure, HttpAnswer, Mode, PortFault, ProxyFailure, Role, Rule,
    SealedPayloadError, State,
};
pub use output::{Done, Error, Fault};
pub use run::run;
pub use server::LicenseServer;
pub use solme_sync_protocol::{
    Component, ComponentId, Digest, KeyThumbprint, LicenseNumber, LicenseServerId, MainServerId, PayloadName,
    RequestId, TrustFile, UtcTime, printable,
};
pub use store::{LastAutomatic, PastEvent};
pub use transport::{Connection, Direct, Network, Transport};

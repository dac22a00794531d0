//! A License Server's synchronization with its main license server: library and binary `license-server`.
//!
//! - `core` decides: states, checks, times, the right to issue. No I/O, no clock, no randomness.
//! - `store` keeps: one SQLite database and one key file, changed in numbered durable steps.
//! - `transport` carries: two ports, directly or through a proxy, every failure told apart by its source.
//! - `command` acts: one file for each verb of the command line.
//!
//! [`run()`] is the only entry point, and [`testing`] the one for tests and referees. Clauses of `protocol/PROTOCOL.md` are cited as `P 9.7`.

mod cli;
mod clock;
mod command;
mod conduct;
mod core;
mod output;
mod run;
mod seams;
mod settings;
mod stop;
mod store;
pub mod testing;
#[cfg(test)]
mod tests;
mod transport;

pub use run::run;

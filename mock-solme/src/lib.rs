//! A simulator of Solme's main license server, for developing and testing License Servers.
//!
//! [`MockSolme::start`] runs it inside a test; [`run`] is the program `mock-solme`. [`registry`] decides; everything
//! else acts. [`testing`] is the door for tests.

/// The Rust lines of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

mod admin;
mod cli;
mod clock;
mod conduct;
mod connections;
mod crypto;
mod data;
mod demo;
mod http;
mod identity;
pub mod mail;
mod main_server;
mod mock;
mod public;
pub mod quirks;
pub mod registry;
mod rfc3339;
mod seams;
mod start;
mod store;
pub mod testing;

pub use admin::api;
pub use cli::run;
pub use main_server::{
    By, Carrier, JournalEntry, NewLicense, NumberedClearRequest, NumberedMail, OperatorError, ResponseFile, TraceEntry,
};
pub use mock::{Builder, MockSolme};
pub use start::{Listeners, StartError};
pub use store::StoreError;
pub use store::audit::AuditEntry;
pub use store::outbox::StoredMail;

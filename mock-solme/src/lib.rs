//! A simulator of Solme's main license server, for developing and testing License Servers.
//!
//! ```
//! use mock_solme::{MockSolme, NewLicense, quirks::{Fault, Quirk}};
//!
//! let mock = MockSolme::start(); // in memory, on free ports; start as many as you like
//! let license = mock.add_license(mock.demo_id(), NewLicense::default())?;
//! mock.arm(Fault::new(Quirk::DropReply).next(1))?; // the first answer is lost
//! // Set your License Server up with mock.demo_id() and mock.trust_file(), and let it synchronize. Then:
//! assert_eq!(mock.record(mock.demo_id())?.sequence, 0);
//! assert!(mock.journal().is_empty());
//! # let _ = license;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | to | look at |
//! |---|---|
//! | start one in a test, and act as the vendor | [`MockSolme`], [`Builder`], [`NewLicense`], [`Approval`], [`Clear`] |
//! | see what happened | [`JournalEntry`], [`TraceEntry`], [`AuditEntry`], [`Record`] |
//! | make it misbehave | [`quirks`] |
//! | use the admin API of one that runs elsewhere | [`api`] |
//! | read and write messages | [`protocol`] |
//! | replace what it decides, watch its durable steps | [`testing`] |
//! | have the program `mock-solme` | [`run`] |

/// The Rust lines of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// Those of this crate's own.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct OwnReadme;

mod admin;
mod cli;
mod clock;
mod conduct;
mod connections;
mod console;
mod crypto;
mod data;
mod demo;
mod form;
mod http;
mod identity;
mod mail;
mod main_server;
mod mock;
mod public;
pub mod quirks;
mod registry;
mod rfc3339;
mod seams;
mod start;
mod store;
pub mod testing;

pub use admin::api;
pub use cli::run;
pub use mail::answers::ComposeError;
pub use mail::hand_on::{HandOnError, MailServer};
pub use mail::{OutboxMail, ReceivedMail};
pub use main_server::{
    By, Carrier, InboxMail, JournalEntry, NewLicense, NumberedClearRequest, NumberedMail, OperatorError, ResponseFile,
    TraceEntry,
};
pub use mock::{Approval, Builder, Clear, MockSolme, Snapshot};
pub use registry::{
    ApproveError, Caution, ClearError, ClearOutcome, ClearRequest, ClearRequestState, ClearedKeyPair, ClosedAs,
    Disabled, KeyPairInUse, LicenseChange, LicenseError, NewestAnswer, Record, RequestMail, ReserveError,
};
/// The messages and types of the protocol that the simulator speaks.
pub use solme_sync_protocol as protocol;
pub use start::{Listeners, StartError};
pub use store::StoreError;
pub use store::audit::AuditEntry;

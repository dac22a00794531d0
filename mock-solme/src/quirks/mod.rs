//! Quirks: named misbehaviours of the main server, off by default, for testing License Servers.
//!
//! The plan decides which quirk happens to which exchange. It has no I/O, no clock and no randomness: the seed and main
//! server time are arguments, and the same exchanges under the same seed come to the same quirks. Acting them out is
//! the shell's: `http` damages what travels, `main_server` forges what is signed.

mod catalogue;
mod fault;
mod file;
mod plan;
mod profile;
mod variant;

pub use catalogue::{Operation, Quirk};
pub use fault::{Fault, FaultError, Parameters, Place, When};
pub use file::FaultFileError;
pub use plan::FaultReport;
pub use profile::hostile;
pub use variant::Variant;

pub(crate) use catalogue::{Need, Stage};
pub(crate) use file::parse as parse_file;
pub(crate) use plan::{Fired, Plan};

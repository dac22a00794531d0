//! Quirks: named misbehaviours of the main server, off by default, for testing License Servers.
//!
//! A [`Quirk`] stands in the catalogue; a [`Fault`] is a quirk that is armed, with where, when and how. The plan decides
//! which one happens to which exchange. Catalogue, faults and plan have no I/O, no clock and no randomness: the seed and
//! main server time are arguments, and the same exchanges under the same seed come to the same quirks. Acting them out is
//! the shell's: `message` forges what is signed, `carrier` damages what travels, `armed` asks the plan.

mod armed;
pub(crate) mod carrier;
mod catalogue;
mod fault;
mod fault_file;
mod message;
mod plan;
mod profile;
mod variant;

pub use catalogue::{Operation, Quirk};
pub use fault::{Fault, FaultError, Parameters, Place, When};
pub use fault_file::FaultFileError;
pub use plan::FaultReport;
pub use profile::hostile;
pub use variant::Variant;

pub(crate) use armed::Quirks;
pub(crate) use catalogue::{Need, Stage};
pub(crate) use fault_file::parse as parse_file;
pub(crate) use message::ForgedPayloads;
pub(crate) use plan::{Fired, Plan};

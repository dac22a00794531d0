//! Messages of the Solme synchronization protocol, simulator edition, version 1.
//!
//! `PROTOCOL.md` beside this crate is the specification. Items here cite its clauses as `P 9.7`.
//! The crate has no I/O, no clock and no policy: it reads and writes what travels, and says exactly
//! what is wrong with what it cannot read.
//!
//! The order of reading: [`Signed::parse`], then [`Signed::verify`], then [`Verified::read`]. There is no
//! other way to the content of a message.

mod allocation;
pub mod base64url;
mod component;
mod digest;
mod file;
mod health;
mod id;
mod json;
mod jwk;
mod jws;
pub mod limits;
mod printable;
mod problem;
mod receipt;
mod refusal;
mod request;
mod rustcrypto;
mod sealing;
mod time;
mod trust;

pub use allocation::{Allocation, Component, License, LicenseNumber, Malformed};
pub use component::{BASE, COMPONENTS, ComponentId, component_id, component_name};
pub use digest::Digest;
pub use file::{FileError, SyncFile};
pub use health::Health;
pub use id::{IdError, LicenseServerId, MainServerId, PayloadName, RequestId, Salt, SyncId};
pub use json::{JsonError, Object as JsonObject, parse as parse_json};
pub use jwk::{JwkError, KeyThumbprint, PublicJwk};
pub use jws::{
    Frame, MainServerHeader, Message, NotVerified, PayloadError, RequestHeader, SignEs384, Signature, Signed,
    Unreadable, Verified, VerifyEs384,
};
pub use printable::{Printable, PrintableJson, printable, printable_json, printable_lines};
pub use problem::{Problem, ProblemCode};
pub use receipt::Receipt;
pub use refusal::{InvalidRequestReason, Refusal, RefusalCode};
pub use request::Request;
pub use rustcrypto::{KeyError, RustCrypto, SigningKey};
pub use sealing::{ENC_BYTES, OpenError, SEALING_OVERHEAD, SealingKey, sealing_info};
pub use time::{SYNCHRONIZE_WITHIN, TimeError, UtcTime};
pub use trust::{TrustFile, TrustFileError};

/// The version of the protocol, the member `version` of every message (P 4.7).
pub const VERSION: u64 = 1;

//! The registry: what the main server decides (P 9, 16).
//!
//! It decides over **one id's record**, which is passed in, and returns the changed one. It has no clock, no random
//! numbers, no storage and no network: times, ids and keys are arguments, and what only the store can answer it asks
//! through [`Facts`]. Sealing and signing are done by whoever carries an [`Acceptance`] out.

mod acceptance;
mod allocating;
mod clear_request;
mod clearing;
#[cfg(test)]
mod players;
mod record;
mod refusal;
mod rules;

pub use acceptance::{Acceptance, Fresh};
pub use allocating::{
    LATEST, LicenseChange, LicenseError, add_license, change_license, check_allocation, license, remove_license,
};
pub use clear_request::{
    AND, ApproveError, Caution, ClearRequest, ClearRequestState, ClosedAs, Judgement, RECENT, REQUESTS_AN_HOUR,
    Received, RequestMail, Wish, approve, cautions, cautions_of_clear, describe, overridden, receive, reject,
};
pub use clearing::{Clear, ClearError, ClearOutcome, ReserveError, clear_key_pair, reserve};
pub use record::{ClearedKeyPair, Disabled, KeyPairInUse, NewestAnswer, Record, disable, enable, reset};
pub use refusal::Refused;
pub use rules::{Bucket, Decision, Facts, decide};

/// A clause of `PROTOCOL.md`, for example `9.7`.
pub type Clause = &'static str;

//! The admin API as types: every request and every answer, as the router, the command line and programs of your own
//! read and write them. Times are RFC 3339; `mock_solme` exports this as `api`.
//!
//! Journal, audit, mails and faults go over the wire as the types that the library returns: [`JournalEntry`],
//! [`AuditEntry`], [`NumberedMail`], [`Fault`], [`FaultReport`] and [`TraceEntry`]. What fails is a [`Problem`] document.
//! In a request a member that is missing has its default; an unknown one is an error.

mod clear_requests;
mod clock;
mod exchange;
mod ids;
mod key_pair;
mod licenses;
mod quirks;
mod run;

use schemars::JsonSchema;
use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize};
use solme_sync_protocol::limits;

pub use crate::main_server::{Carrier, InboxMail, JournalEntry, NumberedMail, TraceEntry};
pub use crate::quirks::{Fault, FaultReport, Operation, Quirk, Variant};
pub use crate::store::audit::AuditEntry;
pub use clear_requests::{Approve, ClearRequest, ClearRequestStatus};
pub use clock::{AdvanceClock, ClockReading, SetClock};
pub use exchange::{Exchange, IdFilter, JournalListing, Message, Repeat, Signed};
pub use ids::{Id, IdChange, ListedId, NewId, Pages};
pub use key_pair::{Clear, Cleared, KeyPair, Reserve};
pub use licenses::{ComponentTerms, License, LicenseTerms, Licenses};
pub use quirks::{CataloguedQuirk, CataloguedVariant};
pub use run::{Health, Reset, RoleAddresses, RunSettings};
pub use solme_sync_protocol::Problem;

/// Who does it, and why: the body of the calls that say nothing else.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct By {
    /// The operator, for the audit; `operator` without it.
    #[serde(default, deserialize_with = "name", skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// Why, for the audit.
    #[serde(default, deserialize_with = "reason", skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Which part of another listing: a query.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Listing {
    /// Only of this license server id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Only entries with a lower number.
    #[serde(default, deserialize_with = "number", skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// At most this many, the newest; 100 by default, never more than 10,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// Characters of the name of a customer or operator.
const NAME_AT_MOST: usize = 128;

/// Characters of a reason.
const REASON_AT_MOST: usize = 1_000;

/// Text for people on one line.
fn line<E: serde::de::Error>(text: Option<String>, at_most: usize) -> Result<Option<String>, E> {
    let Some(text) = text else { return Ok(None) };
    match text.chars().count() {
        found if found > at_most => Err(E::custom(format!("has {found} characters; at most {at_most} are allowed"))),
        _ if text.chars().any(char::is_control) => Err(E::custom("has a control character, such as a line break")),
        _ => Ok(Some(text)),
    }
}

fn name<'de, D: Deserializer<'de>>(d: D) -> Result<Option<String>, D::Error> {
    line(Option::deserialize(d)?, NAME_AT_MOST)
}

fn reason<'de, D: Deserializer<'de>>(d: D) -> Result<Option<String>, D::Error> {
    line(Option::deserialize(d)?, REASON_AT_MOST)
}

fn number<'de, D: Deserializer<'de>>(d: D) -> Result<Option<u64>, D::Error> {
    match Option::deserialize(d)? {
        Some(number) if number > limits::INTEGER => Err(D::Error::custom(format!("{number} is greater than 2^53 - 1"))),
        number => Ok(number),
    }
}

/// For a member that may be missing, and may be null, which is something else.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(d: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(d).map(Some)
}

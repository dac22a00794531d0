//! One exchange of the journal for people: what went over the wire, why it ended as it did, and how to repeat it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use solme_sync_protocol::{Digest, KeyThumbprint};

use super::JournalEntry;
use crate::main_server::Carrier;
use crate::quirks::Quirk;

/// Which part of the journal: a query. All that is named has to fit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JournalListing {
    /// Only of this license server id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Only with this verdict; `refused` is every one but those with which the License Server got what it asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
    /// Only where this clause decided, or one below it: `9` has `9.9`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clause: Option<String>,
    /// Only with this quirk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quirk: Option<Quirk>,
    /// Only over this carrier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub carrier: Option<Carrier>,
    /// Only what has a lower number.
    #[serde(default, deserialize_with = "super::number", skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// At most so many, the newest; 100 without it, and never more than 10,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Without the bytes of requests and answers, which are empty then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub brief: bool,
}

/// What a scenario is about: a query.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IdFilter {
    /// Only this license server id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// An exchange, decoded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Exchange {
    /// What the journal has of it.
    #[serde(flatten)]
    pub entry: JournalEntry,
    /// Why it ended as it did, on one line.
    pub why: String,
    /// The text of the clause that decided, from PROTOCOL.md; empty where none is named.
    pub clause_text: String,
    /// What the key pair of the request is to the id now; null where one of them is not known.
    pub key_pair: Option<String>,
    /// The request, if it is a signed message.
    pub request_message: Option<Message>,
    /// The answer, if it is a signed message.
    pub answer_message: Option<Message>,
    /// How to repeat it.
    pub repeat: Repeat,
}

/// A signed message, its parts decoded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Message {
    /// `request`, `receipt` or `refusal`; of a strange one what it says.
    pub kind: String,
    /// Its protected header.
    pub header: Value,
    /// Its payload.
    pub payload: Value,
    /// Its size.
    pub bytes: usize,
    /// Digest of what is signed (P 4.8).
    #[schemars(with = "crate::form::Digest")]
    pub digest: Digest,
    /// Whose signature it has.
    pub signature: Signed,
}

/// Whose signature a message has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Signed {
    /// The key that should have made it, as the message says.
    #[schemars(with = "Option<crate::form::KeyThumbprint>")]
    pub key_thumbprint: Option<KeyThumbprint>,
    /// Whose key that is.
    pub whose: String,
    /// Why it does not fit; null if it does.
    pub flaw: Option<String>,
}

/// How to repeat an exchange; null where that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Repeat {
    /// The same bytes.
    pub curl: Option<String>,
    /// The same verb of a License Server, whose state lies in `DIR`.
    pub license_server: Option<String>,
}

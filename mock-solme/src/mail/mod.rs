//! Mail of the vendor's licensing desk: licensing@solme.se (P 16.1).
//!
//! `smtp` takes mails in, [`reading`] finds license server ids in them, [`answers`] composes what is answered,
//! [`hand_on`] gives an answer to a real SMTP server. None of them knows the registry; times and message ids are
//! arguments.
//!
//! A sender's address is a hint, never a proof. What the registry knows goes to the contacts registered for a license
//! server id; a sender hears the same whether an id exists or not ([`answers`]).

pub(crate) mod answers;
pub(crate) mod hand_on;
pub(crate) mod reading;
pub(crate) mod smtp;

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use solme_sync_protocol::UtcTime;

/// A mail address that is known to have the form of one: no control characters, no line ends.
pub(crate) use lettre::Address;

/// Where a customer writes to (P 16.1).
pub(crate) const LICENSING: &str = "licensing@solme.se";

/// A mail as it came in by SMTP, undisturbed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedMail {
    /// The envelope sender; `None` for `<>`, the sender of bounces and automatic answers (RFC 5321 section 4.5.5).
    pub envelope_from: Option<String>,
    /// The envelope recipients, as the client wrote them.
    pub envelope_to: Vec<String>,
    /// Header and body, dots unstuffed, every other byte as received.
    pub raw: Vec<u8>,
}

/// A mail of ours. It lies in the outbox until someone reads it or hands it on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OutboxMail {
    /// Addresses of the recipients; at least one.
    pub to: Vec<String>,
    /// The subject, before it was encoded.
    pub subject: String,
    /// The name of the mail.
    pub message_id: String,
    /// The text, before it was encoded.
    pub text: String,
    /// The whole mail as it travels.
    pub raw: String,
    /// When it was handed on to a mail server, if it was.
    #[serde(default, with = "crate::rfc3339::option")]
    #[schemars(with = "Option<crate::form::Time>")]
    pub handed_on_at: Option<UtcTime>,
}

/// The name of one mail, without its angle brackets (RFC 5322 section 3.6.4).
///
/// Printable ASCII without blanks, brackets or line ends, so that it cannot break out of a header.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct MessageId(String);

/// Text that is not a message id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a message id: left@right in 3 to 250 printable ASCII characters, without blanks and angle brackets")]
pub(crate) struct MessageIdError;

impl MessageId {
    /// The message id without angle brackets.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for MessageId {
    type Err = MessageIdError;

    fn from_str(text: &str) -> Result<Self, MessageIdError> {
        let allowed = |b: u8| b.is_ascii_graphic() && b != b'<' && b != b'>';
        let two_sides = text.split_once('@').is_some_and(|(left, right)| !left.is_empty() && !right.is_empty());
        if two_sides && text.len() <= 250 && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(MessageIdError)
        }
    }
}

/// As it stands in a header: in angle brackets.
impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.0)
    }
}

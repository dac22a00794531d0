//! The quirks that there are: name, where each can happen, and the clause that a License Server is tested on.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// What a License Server does with the main server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// Sends a request to the 443 role (P 13.2).
    Synchronize,
    /// Asks the 8080 role for a payload (P 13.4).
    Payload,
    /// Has a request file processed (P 14).
    File,
    /// Looks whether a port is there: `GET /health` (P 13.9), or a payload that nobody has. A fault happens to it only
    /// where it names it: who looks uses up nobody's quirk.
    Probe,
}

impl Operation {
    /// All operations, in the order of their names here.
    pub const ALL: &'static [Self] = &[Self::Synchronize, Self::Payload, Self::File, Self::Probe];

    /// The operation as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Synchronize => "synchronize",
            Self::Payload => "payload",
            Self::File => "file",
            Self::Probe => "probe",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Operation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.iter().find(|operation| operation.as_str() == text);
        known
            .copied()
            .ok_or_else(|| format!("{text:?} is not an operation; choose synchronize, payload, file or probe"))
    }
}

/// At which point of an exchange a quirk is decided on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// When a connection is accepted: nobody knows yet whose it is.
    Connection,
    /// Before the main server sees the request. It never does.
    Instead,
    /// When the main server has answered: what it has signed is replaced.
    Message(Need),
    /// When the main server has answered: the answer is damaged on its way.
    Way,
}

/// What an answer has to be for a quirk to be possible. A fault does not match where it is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// A receipt or a refusal.
    Message,
    /// A refusal, or a receipt that is given for the first time: one that was given before must stay as it was (P 9.7).
    FirstMessage,
    /// A receipt, whether given before or not.
    Receipt,
    /// A receipt, and the request claims a last receipt.
    PreviousReceipt,
    /// As before, and an even older receipt of this key pair is in the journal.
    OlderReceipt,
    /// As before last, and the key generation is greater than 1.
    LaterGeneration,
    /// As before last, and the last receipt has an allocation revision greater than 0.
    LaterRevision,
}

const PORTS: &[Operation] = &[Operation::Synchronize, Operation::Payload];
const SYNCHRONIZE: &[Operation] = &[Operation::Synchronize];
const PAYLOAD: &[Operation] = &[Operation::Payload];
const FILE: &[Operation] = &[Operation::File];
const MESSAGE: &[Operation] = &[Operation::Synchronize, Operation::File];
const ALL: &[Operation] = &[Operation::Synchronize, Operation::Payload, Operation::File];

macro_rules! quirks {
    ($($variant:ident = $name:literal, $stage:expr, $operations:ident, $clause:literal, $about:literal;)*) => {
        /// A misbehaviour of the main server.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "&'static str")]
        pub enum Quirk {
            $(#[doc = $about] $variant,)*
        }

        impl Quirk {
            /// All of them: those of the connection and of the carrier, then those of the messages.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Name of the quirk, kebab-case.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What the main server does.
            pub const fn about(self) -> &'static str {
                match self { $(Self::$variant => $about,)* }
            }

            /// The clause of PROTOCOL.md that a License Server is tested on.
            pub const fn clause(self) -> &'static str {
                match self { $(Self::$variant => $clause,)* }
            }

            /// The operations that it can happen to.
            pub const fn operations(self) -> &'static [Operation] {
                match self { $(Self::$variant => $operations,)* }
            }

            /// Whether it can happen to this operation. A probe can have what happens to a port, once it is connected.
            pub fn happens_to(self, operation: Operation) -> bool {
                match operation {
                    Operation::Probe => {
                        matches!(self.stage(), Stage::Instead | Stage::Way) && self.operations().iter().any(|o| PORTS.contains(o))
                    }
                    operation => self.operations().contains(&operation),
                }
            }

            pub(crate) const fn stage(self) -> Stage {
                match self { $(Self::$variant => $stage,)* }
            }
        }
    };
}

use Need as N;
use Stage::{Connection, Instead, Message, Way};

quirks! {
    DropReply = "drop-reply", Way, PORTS, "9.7", "The request is carried out, then the connection is closed without an answer.";
    CloseBeforeHeaders = "close-before-headers", Instead, PORTS, "12.3", "The connection is closed without an answer, and the request is ignored.";
    CloseWithinHeaders = "close-within-headers", Way, PORTS, "12.3", "The connection is closed after 20 bytes of the answer's headers.";
    CloseAfterHeaders = "close-after-headers", Way, PORTS, "12.3", "The connection is closed after the headers, before the body.";
    CloseWithinBody = "close-within-body", Way, PORTS, "12.3", "The connection is closed after half of the body.";
    Delay = "delay", Way, PORTS, "12.3", "The answer comes late, after --milliseconds (default 1000).";
    SlowDrip = "slow-drip", Way, PORTS, "12.3", "The answer comes 16 bytes at a time, every --milliseconds (default 100).";
    Truncate = "truncate", Way, ALL, "11.6", "The second half of the body, or of the response file, is missing; Content-Length matches what is sent.";
    FlipByte = "flip-byte", Way, ALL, "11.1", "One bit in the middle of the body, or of the message in a response file, is flipped.";
    Status429 = "status-429", Instead, PORTS, "13.8", "Status 429 without a refusal; --retry-after adds a Retry-After header.";
    Status500 = "status-500", Instead, PORTS, "13.8", "Status 500 without a refusal; --retry-after adds a Retry-After header.";
    Status502 = "status-502", Instead, PORTS, "13.8", "Status 502 without a refusal; --retry-after adds a Retry-After header.";
    Status503 = "status-503", Instead, PORTS, "13.8", "Status 503 without a refusal; --retry-after adds a Retry-After header.";
    Redirect = "redirect", Instead, PORTS, "13.5", "Status 307 to the same address; a client that follows gets the honest answer.";
    CaptivePortal = "captive-portal", Instead, PORTS, "13.8", "Status 200 and a page that asks to log in.";
    WrongContentType = "wrong-content-type", Way, PORTS, "13.8", "The honest body under Content-Type: text/html.";
    ContentEncoding = "content-encoding", Way, PORTS, "13.5", "A small body under Content-Encoding: deflate that inflates to 64 MiB.";
    TlsOtherCa = "tls-other-ca", Connection, SYNCHRONIZE, "13.2", "The certificate comes from another CA, as with an inspecting proxy.";
    TlsExpiredCertificate = "tls-expired-certificate", Connection, SYNCHRONIZE, "13.2", "The certificate comes from the right CA and has expired.";
    TlsOtherHost = "tls-other-host", Connection, SYNCHRONIZE, "13.2", "The certificate comes from the right CA and is for another host.";
    TlsOldVersion = "tls-old-version", Connection, SYNCHRONIZE, "13.2", "The server offers nothing newer than TLS 1.2.";
    PortClosed = "port-closed", Connection, PORTS, "13.1", "Connections are accepted and reset at once (RST).";
    PortBlackHoled = "port-black-holed", Connection, PORTS, "13.1", "Connections are accepted and never answered, not even with TLS.";
    AnotherStatus = "another-status", Way, PORTS, "13.8", "The honest answer under the HTTP status --status.";
    ProblemVariant = "problem-variant", Way, SYNCHRONIZE, "13.6", "The problem document of an honest refusal has the defect --variant.";
    FileVariant = "file-variant", Way, FILE, "14.2", "The honest response file has the defect --variant.";
    PayloadNotFound = "payload-not-found", Instead, PAYLOAD, "13.5", "Status 404 for a payload that exists.";

    WrongSignature = "wrong-signature", Message(N::Message), MESSAGE, "11.1", "One bit of the signature is flipped.";
    OtherKey = "other-key", Message(N::Receipt), MESSAGE, "11.1", "The receipt is signed by another key, which kid names.";
    ReceiptForAnotherRequest = "receipt-for-another-request", Message(N::Receipt), MESSAGE, "11.3", "request_id and request_digest match no request of this client.";
    ReceiptForAnotherId = "receipt-for-another-id", Message(N::Receipt), MESSAGE, "11.2", "aud is another license server id.";
    ReceiptForAnotherKeyPair = "receipt-for-another-key-pair", Message(N::Receipt), MESSAGE, "11.3", "key_thumbprint is that of another key pair.";
    ReceiptOfAnotherMainServer = "receipt-of-another-main-server", Message(N::Receipt), MESSAGE, "11.2", "iss is another main server; the trusted key signs it.";
    OldReceipt = "old-receipt", Message(N::PreviousReceipt), MESSAGE, "11.11", "The last receipt that the request claims, again: genuine, and already applied.";
    OlderReceipt = "older-receipt", Message(N::OlderReceipt), MESSAGE, "11.11", "A genuine receipt of this key pair, older than the last one; it must still be in the journal.";
    SequenceBack = "sequence-back", Message(N::PreviousReceipt), MESSAGE, "11.4", "sequence is one less.";
    SequenceSkips = "sequence-skips", Message(N::PreviousReceipt), MESSAGE, "11.4", "sequence is one more.";
    GenerationBack = "generation-back", Message(N::LaterGeneration), MESSAGE, "11.4", "key_generation is one less; only if it is greater than 1.";
    GenerationSkips = "generation-skips", Message(N::PreviousReceipt), MESSAGE, "11.4", "key_generation is one more, without a clear.";
    RevisionBack = "revision-back", Message(N::LaterRevision), MESSAGE, "11.4", "Receipt and allocation have a lower revision than the last receipt.";
    DeadlineTooFar = "deadline-too-far", Message(N::Receipt), MESSAGE, "11.5", "synchronize_by is a day later than the protocol says.";
    DeadlineInThePast = "deadline-in-the-past", Message(N::Receipt), MESSAGE, "11.5", "synchronize_by is a day before iat.";
    SealedToAnotherKey = "sealed-to-another-key", Message(N::Receipt), MESSAGE, "11.7", "The payload is sealed to another key; size and digests match.";
    WrongInfo = "wrong-info", Message(N::Receipt), MESSAGE, "11.7", "The payload is sealed with the info of another sync id; size and digests match.";
    WrongPayloadDigest = "wrong-payload-digest", Message(N::Receipt), MESSAGE, "11.6", "payload_digest matches something else.";
    WrongPayloadSize = "wrong-payload-size", Message(N::Receipt), MESSAGE, "11.6", "payload_size is one too many.";
    WrongAllocationDigest = "wrong-allocation-digest", Message(N::Receipt), MESSAGE, "11.7", "allocation_digest matches something else.";
    PayloadOfAnotherReceipt = "payload-of-another-receipt", Message(N::Receipt), MESSAGE, "11.6", "The payload is the same allocation, sealed for another receipt: same size, different digest.";
    HugePayload = "huge-payload", Message(N::Receipt), MESSAGE, "18", "The payload is one byte too long; size and digest match.";
    MalformedAllocation = "malformed-allocation", Message(N::Receipt), MESSAGE, "11.8", "The allocation has a license without its members; correctly sealed, size and digests match.";
    RevisionMismatch = "revision-mismatch", Message(N::Receipt), MESSAGE, "11.8", "allocation_revision is one more than the revision inside the allocation.";
    UnknownVersion = "unknown-version", Message(N::Message), MESSAGE, "4.7", "version is 2.";
    UnknownMembers = "unknown-members", Message(N::FirstMessage), MESSAGE, "2.3", "The message has unknown members. They must be ignored: this answer is valid.";
    ReorderedMembers = "reordered-members", Message(N::FirstMessage), MESSAGE, "2.1", "The members of the message are in reverse order. That is allowed: this answer is valid.";
    DuplicateMembers = "duplicate-members", Message(N::Message), MESSAGE, "2.2", "The last member of the message appears twice.";
    ReceiptVariant = "receipt-variant", Message(N::Receipt), MESSAGE, "11.1", "The receipt has the defect --variant, and is correctly signed unless that is the defect.";
    RefusalVariant = "refusal-variant", Message(N::Message), MESSAGE, "11.10", "A refusal invalid-request with the defect --variant, correctly signed unless that is the defect.";
    AllocationVariant = "allocation-variant", Message(N::Receipt), MESSAGE, "11.8", "The allocation has the defect --variant; correctly sealed, size and digests match.";
    UnsignedRefusal = "unsigned-refusal", Message(N::Message), SYNCHRONIZE, "8.2", "A problem document key-pair-cleared without a refusal.";
    RefusalOfAnotherRequest = "refusal-of-another-request", Message(N::Message), MESSAGE, "11.10", "A refusal key-pair-cleared whose request_digest matches no request of this client.";
    RefusalOfAnotherKeyPair = "refusal-of-another-key-pair", Message(N::Message), MESSAGE, "11.10", "A refusal key-pair-cleared whose key_thumbprint is that of another key pair.";
    RefusalForAnotherId = "refusal-for-another-id", Message(N::Message), MESSAGE, "11.10", "A refusal key-pair-cleared whose aud is another license server id.";
    RefusalOfAnotherMainServer = "refusal-of-another-main-server", Message(N::Message), MESSAGE, "11.10", "A refusal key-pair-cleared whose iss is another main server; the trusted key signs it.";
    ProblemOfAnotherCode = "problem-of-another-code", Message(N::Message), SYNCHRONIZE, "13.6", "A refusal temporarily-unavailable in a problem document with the code key-pair-cleared. The refusal counts.";
    RefusalByAnotherKey = "refusal-by-another-key", Message(N::Message), MESSAGE, "11.10", "A refusal key-pair-cleared, signed by another key.";
    UnknownRefusalCode = "unknown-refusal-code", Message(N::Message), MESSAGE, "10.1", "A correctly signed refusal with the code try-the-other-door.";
}

impl JsonSchema for Quirk {
    fn schema_name() -> Cow<'static, str> {
        "Quirk".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "A misbehaviour of the main server.", "enum": Self::ALL })
    }
}

impl fmt::Display for Quirk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Quirk {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.iter().find(|quirk| quirk.as_str() == text);
        known.copied().ok_or_else(|| format!("{text:?} is not a quirk; mock-solme quirks list shows them all"))
    }
}

impl TryFrom<String> for Quirk {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Quirk> for &'static str {
    fn from(quirk: Quirk) -> Self {
        quirk.as_str()
    }
}

//! Requests to clear a key pair.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use solme_sync_protocol::{KeyThumbprint, LicenseServerId, UtcTime};

use super::{name, reason};
use crate::main_server::NumberedClearRequest;
use crate::registry::{Caution, ClearRequestState, ClosedAs, RequestMail};

/// An approval of a clear request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Approve {
    /// Despite the cautions; `reason` is required then.
    #[serde(default)]
    pub even_so: bool,
    /// Reserve the id for the new key pair that the mail names (P 16.6).
    #[serde(default)]
    pub reserve: bool,
    /// The operator, for the audit.
    #[serde(default, deserialize_with = "name", skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// Why, for the audit.
    #[serde(default, deserialize_with = "reason", skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A request to clear a key pair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClearRequest {
    /// Number of the request, from 1.
    pub id: u64,
    /// License server id whose key pair is to be cleared.
    #[schemars(with = "crate::form::LicenseServerId")]
    pub license_server_id: LicenseServerId,
    /// The key pair that was in use when the mail arrived; approval clears only that one.
    #[schemars(with = "Option<crate::form::KeyThumbprint>")]
    pub thumbprint: Option<KeyThumbprint>,
    /// The mail, or the first one of a contact if there were several.
    #[serde(flatten)]
    pub mail: RequestMail,
    /// Known ids that the mail names beyond those that were looked at.
    pub ids_left_out: usize,
    /// How many mails were noted at it.
    pub further_mails: u64,
    /// The first of those mails.
    pub further: Vec<RequestMail>,
    /// What became of it.
    pub state: ClearRequestStatus,
    /// Reasons to look twice, while it is open.
    pub cautions: Vec<Caution>,
    /// The cautions that its approval overrode.
    pub overridden: Vec<Caution>,
    /// When the key pair in use last synchronized.
    #[serde(with = "crate::rfc3339::option")]
    #[schemars(with = "Option<crate::form::Time>")]
    pub last_synchronized_at: Option<UtcTime>,
    /// When the key pair that it is about was bound; null where that was forgotten.
    #[serde(default, with = "crate::rfc3339::option")]
    #[schemars(with = "Option<crate::form::Time>")]
    pub bound_at: Option<UtcTime>,
    /// Whether everyone who wrote the mail, as it says, is a registered contact.
    #[serde(default)]
    pub sender_is_contact: bool,
    /// When it was decided.
    #[serde(with = "crate::rfc3339::option")]
    #[schemars(with = "Option<crate::form::Time>")]
    pub decided_at: Option<UtcTime>,
    /// The operator who decided.
    pub decided_by: Option<String>,
    /// The operator's reason, for the audit.
    pub reason: Option<String>,
}

impl From<NumberedClearRequest> for ClearRequest {
    fn from(numbered: NumberedClearRequest) -> Self {
        let NumberedClearRequest { id, request, cautions, last_synchronized_at, bound_at, sender_is_contact } =
            numbered;
        let state = ClearRequestStatus::from(&request.state);
        let (decided_at, decided_by, reason, overridden) = match request.state {
            ClearRequestState::Open => (None, None, None, Vec::new()),
            ClearRequestState::Closed { at, by, reason, overridden, .. } => {
                (Some(at), Some(by), Some(reason), overridden)
            }
        };
        Self {
            id,
            license_server_id: request.license_server_id,
            thumbprint: request.thumbprint,
            mail: request.mail,
            ids_left_out: request.ids_left_out,
            further_mails: request.further_mails,
            further: request.further,
            state,
            cautions,
            overridden,
            last_synchronized_at,
            bound_at,
            sender_is_contact,
            decided_at,
            decided_by,
            reason,
        }
    }
}

/// What became of a clear request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ClearRequestStatus {
    /// Nobody has decided yet.
    Open,
    /// The key pair was cleared.
    Approved,
    /// The key pair was not cleared.
    Rejected,
    /// The key pair was not in use any more (P 16.2).
    AlreadyDone,
}

impl ClearRequestStatus {
    /// The status as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::AlreadyDone => "already-done",
        }
    }
}

impl From<&ClearRequestState> for ClearRequestStatus {
    fn from(state: &ClearRequestState) -> Self {
        match state {
            ClearRequestState::Open => Self::Open,
            ClearRequestState::Closed { closed_as: ClosedAs::Approved, .. } => Self::Approved,
            ClearRequestState::Closed { closed_as: ClosedAs::Rejected, .. } => Self::Rejected,
            ClearRequestState::Closed { closed_as: ClosedAs::AlreadyDone, .. } => Self::AlreadyDone,
        }
    }
}

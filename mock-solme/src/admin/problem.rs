//! What the main server does not do for an operator, as problem documents: one code, one cure each.

use axum::http::StatusCode;

use crate::http::problem::ProblemResponse;
use crate::main_server::{MainServer, OperatorError};
use crate::public::FrontError;
use crate::registry::{ApproveError, ClearError, LicenseError, ReserveError};
use crate::store::StoreError;

impl From<FrontError> for ProblemResponse {
    fn from(error: FrontError) -> Self {
        let detail = format!("{error}.");
        let (code, cure) = match error {
            FrontError::Address { .. } => ("malformed-call", "Name the addresses that License Servers use."),
            FrontError::TooManyHosts => ("too-many-hosts", "Restart the simulator with only the names that you need."),
            FrontError::Certificate(_) => return crate::http::problem::failed(),
        };
        Self::new(StatusCode::BAD_REQUEST, code, detail, cure)
    }
}

impl From<OperatorError> for ProblemResponse {
    fn from(error: OperatorError) -> Self {
        let detail = format!("{error}.");
        let (status, code, cure) = match error {
            OperatorError::Store(error) => return error.into(),
            OperatorError::UnknownId(_) => {
                (StatusCode::NOT_FOUND, "unknown-license-server-id", "List them: mock-solme ids list.")
            }
            OperatorError::IdExists(_) => (
                StatusCode::CONFLICT,
                "license-server-id-exists",
                "Choose another id, or change this one: mock-solme ids change ID.",
            ),
            OperatorError::Contact(_) => {
                (UNPROCESSABLE, "malformed-contact", "Use an address like it@customer.example.")
            }
            OperatorError::Clock => (StatusCode::BAD_REQUEST, "clock-out-of-range", "Choose a time within that range."),
            OperatorError::License(error) => license(&error),
            OperatorError::Clear(ClearError::ReservedForCleared(_)) => {
                (StatusCode::CONFLICT, "key-pair-cleared", "Reserve the id for the new key pair, or for none.")
            }
            OperatorError::Reserve(ReserveError::KeyPairInUse(_)) => {
                (StatusCode::CONFLICT, "key-pair-in-use", "Clear it: mock-solme key-pair clear ID.")
            }
            OperatorError::Reserve(ReserveError::Cleared(_)) => {
                (StatusCode::CONFLICT, "key-pair-cleared", "Reserve the id for the new key pair, or for none.")
            }
            OperatorError::UnknownClearRequest(_) => {
                (StatusCode::NOT_FOUND, "unknown-clear-request", "List them: mock-solme clear-requests list.")
            }
            OperatorError::Approve(error) => approve(&error),
            OperatorError::UnknownMail(_) => {
                (StatusCode::NOT_FOUND, "unknown-mail", "List them: mock-solme outbox list.")
            }
            OperatorError::File(error) => (
                StatusCode::BAD_REQUEST,
                MainServer::file_code(&error),
                "Ask for the request file again; license-server export-request writes it as often as needed.",
            ),
            OperatorError::ResponseFile => (
                StatusCode::BAD_REQUEST,
                "response-file",
                "Import it at the License Server; this command takes a request file.",
            ),
            OperatorError::UnreadableRequest(_) => (
                StatusCode::BAD_REQUEST,
                "unreadable-request",
                "Ask for the request file again; license-server export-request writes it as often as needed.",
            ),
            OperatorError::Mail(_) | OperatorError::Random(_) => return crate::http::problem::failed(),
        };
        Self::new(status, code, detail, cure)
    }
}

const UNPROCESSABLE: StatusCode = StatusCode::UNPROCESSABLE_ENTITY;

fn license(error: &LicenseError) -> (StatusCode, &'static str, &'static str) {
    match error {
        LicenseError::Unknown(_) => {
            (StatusCode::NOT_FOUND, "unknown-license", "List them: mock-solme licenses list ID.")
        }
        LicenseError::Malformed(_) => (
            UNPROCESSABLE,
            "malformed-allocation",
            "Fix that and try again; the rules are in PROTOCOL.md, sections 7 and 18.",
        ),
    }
}

fn approve(error: &ApproveError) -> (StatusCode, &'static str, &'static str) {
    match error {
        ApproveError::Closed(_) => (
            StatusCode::CONFLICT,
            "clear-request-closed",
            "There is nothing left to decide; a new mail opens a new request.",
        ),
        ApproveError::NeedsEvenSo(_) => (
            StatusCode::CONFLICT,
            "needs-even-so",
            "Make sure that the customer wants it, then add --even-so and --reason TEXT. Both go into the audit.",
        ),
        ApproveError::EvenSoWithoutReason => {
            (StatusCode::CONFLICT, "needs-reason", "Add --reason TEXT: who confirmed it, and how.")
        }
        ApproveError::NothingToReserveFor => {
            (StatusCode::CONFLICT, "no-new-key-pair-named", "Approve it without --reserve.")
        }
        ApproveError::Clear(ClearError::ReservedForCleared(_)) => {
            (StatusCode::CONFLICT, "key-pair-cleared", "Approve it without --reserve.")
        }
    }
}

impl From<StoreError> for ProblemResponse {
    fn from(error: StoreError) -> Self {
        if let StoreError::DamagedRecord { id, .. } = &error {
            let cure = format!("Forget its key pairs and keep what is readable: mock-solme reset {id}.");
            return Self::new(StatusCode::CONFLICT, "license-server-id-damaged", format!("{error}."), cure);
        }
        tracing::error!(%error, "the store failed");
        let cure = "Try again; if that does not help, check the disk and the log of mock-solme.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "temporarily-unavailable", format!("{error}."), cure)
    }
}

//! The one place where a refusal or a problem becomes an HTTP response (P 13.6).

use axum::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use solme_sync_protocol::{Problem, RefusalCode};

use crate::main_server::Answer;

/// Retry-After, in seconds: a bucket fills in a minute, and a rush passes in a moment.
const A_MINUTE: HeaderValue = HeaderValue::from_static("60");
const A_MOMENT: HeaderValue = HeaderValue::from_static("2");

/// A problem document on its way out.
pub(crate) struct ProblemResponse(Box<Problem>);

impl ProblemResponse {
    /// A problem that is none of the protocol's own: of the admin API, or of HTTP itself.
    pub(crate) fn new(status: StatusCode, code: &str, detail: impl Into<String>, cure: impl Into<String>) -> Self {
        Self(Box::new(Problem {
            kind: format!("urn:solme-sync:problem:{code}"),
            title: code.replace('-', " "),
            status: status.as_u16(),
            detail: detail.into(),
            code: code.to_owned(),
            cure: cure.into(),
            refusal: None,
        }))
    }
}

impl IntoResponse for ProblemResponse {
    fn into_response(self) -> Response {
        let Self(problem) = self;
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&problem).expect("a problem document has no failing serializers");
        (status, [(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"))], body).into_response()
    }
}

/// The answer over the 443 role (P 13.3).
impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        match self {
            Self::Accepted { receipt, .. } => {
                ([(CONTENT_TYPE, HeaderValue::from_static("application/jose"))], receipt).into_response()
            }
            Self::Refused { refused, refusal, .. } => {
                let wait = match refused.code {
                    RefusalCode::RateLimited => Some(A_MINUTE),
                    RefusalCode::TemporarilyUnavailable => Some(A_MOMENT),
                    _ => None,
                };
                let problem = Problem::carrying(refused.code, refused.text, refused.cure, refusal);
                let mut response = ProblemResponse(Box::new(problem)).into_response();
                if let Some(wait) = wait {
                    response.headers_mut().insert(RETRY_AFTER, wait);
                }
                response
            }
            Self::Problem { code, detail, cure } => {
                ProblemResponse(Box::new(Problem::unsigned(code, detail, cure.to_owned()))).into_response()
            }
            Self::Forged(problem) => ProblemResponse(problem).into_response(),
        }
    }
}

const PATH_CURE: &str =
    "Compare port, path and method with PROTOCOL.md, section 13; for the admin API use the verbs of mock-solme.";

/// Lets the other connections have their turn. What is answered from memory is otherwise answered sixteen times in a row
/// to a client that pipelines, and a few hundred of those leave the others no time.
pub(crate) async fn in_turn() {
    tokio::task::yield_now().await;
}

/// For every path that there is not.
pub(crate) async fn no_such_path(uri: Uri) -> ProblemResponse {
    in_turn().await;
    let detail = format!("There is nothing at {}.", uri.path());
    ProblemResponse::new(StatusCode::NOT_FOUND, "no-such-path", detail, PATH_CURE)
}

/// For every method that a path does not know.
pub(crate) async fn no_such_method(method: Method, uri: Uri) -> ProblemResponse {
    in_turn().await;
    let detail = format!("{} does not accept {method}.", uri.path());
    ProblemResponse::new(StatusCode::METHOD_NOT_ALLOWED, "no-such-method", detail, PATH_CURE)
}

/// For a body that did not come whole.
pub(crate) fn broken_body() -> ProblemResponse {
    let cure = "Send it again, on a new connection.";
    ProblemResponse::new(StatusCode::REQUEST_TIMEOUT, "body-not-whole", "The body is incomplete.", cure)
}

/// For a thread of ours that has panicked.
pub(crate) fn failed() -> ProblemResponse {
    let cure = "Try again; the log of mock-solme has the reason.";
    ProblemResponse::new(StatusCode::INTERNAL_SERVER_ERROR, "failed", "The main server has failed.", cure)
}

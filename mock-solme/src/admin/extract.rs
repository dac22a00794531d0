//! What comes in: JSON bodies, ids and numbers in paths, queries. What is wrong with them is said in a problem document.

use std::str::FromStr;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer};

use crate::http::problem::ProblemResponse;
use crate::http::{body, problem};
use crate::main_server::By;

/// Bytes of a JSON body.
const JSON_AT_MOST: usize = 1 << 20;

/// A JSON body. An empty one is an empty object.
pub(super) struct Json<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = ProblemResponse;

    async fn from_request(request: Request, _: &S) -> Result<Self, ProblemResponse> {
        let bytes = body::read(request.into_body(), JSON_AT_MOST).await.map_err(|_| problem::broken_body())?;
        if bytes.len() > JSON_AT_MOST {
            let detail = format!("A JSON body has at most {JSON_AT_MOST} bytes.");
            return Err(ProblemResponse::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", detail, "Send less."));
        }
        let object: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        serde_json::from_slice(object).map(Self).map_err(|error| malformed(&error))
    }
}

/// A part of the path that has a form.
pub(super) struct Path<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = ProblemResponse;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ProblemResponse> {
        let path = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        path.map(|path| Self(path.0)).map_err(|error: PathRejection| malformed(&error.body_text()))
    }
}

/// The query.
pub(super) struct Query<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ProblemResponse;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ProblemResponse> {
        let query = axum::extract::Query::<T>::from_request_parts(parts, state).await;
        query.map(|query| Self(query.0)).map_err(|error: QueryRejection| malformed(&error.body_text()))
    }
}

fn malformed(error: &impl ToString) -> ProblemResponse {
    let cure = "Compare it with the example in mock-solme --help for this command.";
    ProblemResponse::new(StatusCode::BAD_REQUEST, "malformed-call", error.to_string(), cure)
}

/// Who does it and why, in a body.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ByBody {
    operator: Option<String>,
    reason: Option<String>,
}

impl ByBody {
    pub(super) fn by(self) -> By {
        by(self.operator, self.reason)
    }
}

/// Who does it and why.
pub(super) fn by(operator: Option<String>, reason: Option<String>) -> By {
    let default = By::default();
    By { operator: operator.unwrap_or(default.operator), reason: reason.unwrap_or(default.reason) }
}

/// For a member that may be missing, and may be null, which is something else.
pub(super) fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(d: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(d).map(Some)
}

/// Which part of a listing.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Listing {
    /// Only of this license server id.
    pub(super) id: Option<String>,
    /// Only what has a lower number.
    pub(super) before: Option<u64>,
    /// At most so many.
    limit: Option<u32>,
}

/// Entries of a listing that does not say how many.
const LIMIT: u32 = 100;
const LIMIT_AT_MOST: u32 = 10_000;

impl Listing {
    pub(super) fn limit(&self) -> u32 {
        limit(self.limit)
    }

    pub(super) fn id<T: FromStr<Err: ToString>>(&self) -> Result<Option<T>, ProblemResponse> {
        self.id.as_deref().map(str::parse).transpose().map_err(|error: T::Err| malformed(&error))
    }
}

pub(super) fn limit(asked: Option<u32>) -> u32 {
    asked.unwrap_or(LIMIT).min(LIMIT_AT_MOST)
}

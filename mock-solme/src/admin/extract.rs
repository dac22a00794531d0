//! What comes in: JSON bodies, ids and numbers in paths, queries. What is wrong with them is said in a problem document.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use solme_sync_protocol::{LicenseServerId, limits};

use super::api;
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
        parse(if bytes.is_empty() { b"{}" } else { &bytes }).map(Self).map_err(|wrong| malformed(&wrong))
    }
}

/// One JSON object.
///
/// # Errors
/// What is wrong, with the member that it is wrong with.
pub(crate) fn parse<T: DeserializeOwned>(json: &[u8]) -> Result<T, String> {
    if json.trim_ascii_start().first() != Some(&b'{') {
        return Err("The body is not a JSON object.".to_owned());
    }
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let parsed = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| error.to_string())?;
    deserializer.end().map_err(|error| error.to_string())?;
    Ok(parsed)
}

/// The number of a row, in a path or a query.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "u64")]
pub(super) struct Number(pub(super) u64);

impl TryFrom<u64> for Number {
    type Error = String;

    fn try_from(number: u64) -> Result<Self, String> {
        if number <= limits::INTEGER { Ok(Self(number)) } else { Err(format!("{number} is greater than 2^53 - 1")) }
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

/// The query, parsed into a type.
pub(super) struct Query<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ProblemResponse;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ProblemResponse> {
        let query = axum::extract::Query::<T>::from_request_parts(parts, state).await;
        query.map(|query| Self(query.0)).map_err(|error: QueryRejection| malformed(&error.body_text()))
    }
}

fn malformed(error: &impl ToString) -> ProblemResponse {
    let cure = "Compare it with mock-solme --help for this command.";
    ProblemResponse::new(StatusCode::BAD_REQUEST, "malformed-call", error.to_string(), cure)
}

/// Who does it and why.
pub(super) fn by(operator: Option<String>, reason: Option<String>) -> By {
    let default = By::default();
    By { operator: operator.unwrap_or(default.operator), reason: reason.unwrap_or(default.reason) }
}

impl From<api::By> for By {
    fn from(api::By { operator, reason }: api::By) -> Self {
        by(operator, reason)
    }
}

/// Entries of a listing that does not say how many.
const LIMIT: u32 = 100;
const LIMIT_AT_MOST: u32 = 10_000;

pub(super) fn limit(asked: Option<u32>) -> u32 {
    asked.unwrap_or(LIMIT).min(LIMIT_AT_MOST)
}

/// The id that a listing is of.
pub(super) fn id_of(listing: &api::Listing) -> Result<Option<LicenseServerId>, ProblemResponse> {
    id_in(listing.id.as_deref())
}

/// An id in a query.
pub(super) fn id_in(id: Option<&str>) -> Result<Option<LicenseServerId>, ProblemResponse> {
    id.map(str::parse::<LicenseServerId>).transpose().map_err(|error| malformed(&error))
}

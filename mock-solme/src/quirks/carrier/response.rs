//! Responses that come instead of an honest one, and honest ones that are damaged on their way.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{
    CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER,
};
use axum::http::{StatusCode, Uri};
use axum::response::{Html, IntoResponse as _, Response};
use solme_sync_fixtures::Object;
use solme_sync_protocol::UtcTime;

use super::bomb::deflate_bomb;
use super::wire::{Harm, WireControl};
use crate::http::problem::ProblemResponse;
use crate::quirks::{Fired, Parameters, Quirk};

/// `close-within-headers`: behind the status line.
const WITHIN_HEADERS: usize = 20;
const DELAY: u64 = 1_000;
const DRIP: u64 = 100;

const PORTAL: &str = "<!doctype html><title>Welcome</title><h1>Guest network</h1><p>Please log in to go on.</p>
<form action=\"/login\"><input name=\"room\"><button>Log in</button></form>";

/// What a quirk answers to a request that the main server does not see.
pub(crate) fn instead(fired: Fired, uri: &Uri, now: UtcTime, wire: &WireControl) -> Response {
    let Fired { quirk, parameters } = fired;
    match quirk {
        Quirk::Status429 => trouble(StatusCode::TOO_MANY_REQUESTS, parameters, now),
        Quirk::Status502 => trouble(StatusCode::BAD_GATEWAY, parameters, now),
        Quirk::Status503 => trouble(StatusCode::SERVICE_UNAVAILABLE, parameters, now),
        Quirk::Redirect => {
            let location = HeaderValue::from_str(uri.path()).unwrap_or(HeaderValue::from_static("/"));
            (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, location)]).into_response()
        }
        Quirk::CaptivePortal => Html(PORTAL).into_response(),
        Quirk::PayloadNotFound => {
            let detail = "There is no such payload.";
            let cure = "Send the same request again, once.";
            ProblemResponse::new(StatusCode::NOT_FOUND, "no-such-payload", detail, cure).into_response()
        }
        Quirk::CloseBeforeHeaders => {
            wire.harm(Harm::CutAfter(0));
            StatusCode::NO_CONTENT.into_response()
        }
        // status-500
        _ => trouble(StatusCode::INTERNAL_SERVER_ERROR, parameters, now),
    }
}

fn trouble(status: StatusCode, parameters: Parameters, now: UtcTime) -> Response {
    let mut response = (status, "Something between you and the main server is in trouble.\n").into_response();
    if let Some(seconds) = parameters.retry_after {
        let value = if parameters.retry_after_date { http_date(now.plus(seconds)) } else { seconds.to_string() };
        let value = HeaderValue::from_str(&value).expect("digits, letters, spaces, commas and colons");
        response.headers_mut().insert(RETRY_AFTER, value);
    }
    response
}

/// As HTTP writes dates (RFC 9110, 5.6.7).
fn http_date(time: UtcTime) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    let time = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX);
    time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// What becomes of an honest response.
pub(crate) async fn damaged(fired: Fired, mut response: Response, wire: &WireControl) -> Response {
    let milliseconds = |default| Duration::from_millis(fired.parameters.milliseconds.unwrap_or(default));
    match fired.quirk {
        Quirk::DropReply => wire.harm(Harm::CutAfter(0)),
        Quirk::CloseWithinHeaders => wire.harm(Harm::CutAfter(WITHIN_HEADERS)),
        Quirk::CloseAfterHeaders => wire.harm(Harm::CutAfterBody(0)),
        Quirk::CloseWithinBody => {
            let halved = |body: Bytes| {
                wire.harm(Harm::CutAfterBody(body.len() / 2));
                body
            };
            return with_body(response, halved).await;
        }
        Quirk::Delay => tokio::time::sleep(milliseconds(DELAY)).await,
        Quirk::SlowDrip => {
            // The wire goes on to drip: nothing else is to come over it.
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            wire.harm(Harm::Drip(milliseconds(DRIP)));
        }
        Quirk::Truncate => return with_body(response, |body| body.slice(..body.len() / 2)).await,
        Quirk::FlipByte => return with_body(response, flipped).await,
        Quirk::AnotherStatus => {
            let status = fired.parameters.status.and_then(|status| StatusCode::from_u16(status).ok());
            *response.status_mut() = status.unwrap_or(StatusCode::IM_A_TEAPOT);
        }
        Quirk::ProblemVariant => return with_body(response, |body| defective(fired.parameters, body)).await,
        Quirk::WrongContentType => {
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        }
        Quirk::ContentEncoding => {
            response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("deflate"));
            return with_body(response, |_| deflate_bomb().into()).await;
        }
        // The quirks of messages are in the response already.
        _ => {}
    }
    response
}

/// A problem document with the defect that the quirk is told; anything else stays as it is.
fn defective(parameters: Parameters, body: Bytes) -> Bytes {
    let is_problem = Object::parse(&body).is_some_and(|document| document.names().iter().any(|name| name == "refusal"));
    let changed = parameters.variant.filter(|_| is_problem).and_then(|variant| variant.of_document(&body));
    changed.map_or(body, Bytes::from)
}

fn flipped(body: Bytes) -> Bytes {
    let mut bytes = body.to_vec();
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 1;
    }
    bytes.into()
}

/// The response with another body, its length stated rightly.
async fn with_body(response: Response, change: impl FnOnce(Bytes) -> Bytes) -> Response {
    let (mut parts, body) = response.into_parts();
    // Our own bodies lie in memory: reading one cannot fail.
    let body = change(axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default());
    parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    Response::from_parts(parts, Body::from(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_http() {
        assert_eq!(http_date(UtcTime::from_secs(784_111_777)), "Sun, 06 Nov 1994 08:49:37 GMT");
    }
}

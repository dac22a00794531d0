//! What a page is answered with. Text of others is printable in all of it.

use std::fmt::Display;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use maud::{Markup, Render};
use serde::Serialize;
use solme_sync_protocol::{printable, printable_json};

/// Text of others in maud: `(Shown(&license.display))`. It is text, whatever it holds.
#[derive(Debug, Clone, Copy)]
pub struct Shown<T>(pub T);

impl<T: Display> Render for Shown<T> {
    fn render(&self) -> Markup {
        let text = self.0.to_string();
        maud::html! { (printable(&text).to_string()) }
    }
}

/// An answer of status 200 in JSON.
pub fn json(value: &impl Serialize) -> Response {
    let json = serde_json::to_string(value).expect("answers have string keys");
    ([(header::CONTENT_TYPE, "application/json")], printable_json(&json).to_string()).into_response()
}

/// That something cannot be done, and what to do next: `call` of `/house.js` throws it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    #[serde(skip)]
    status: StatusCode,
    code: String,
    message: String,
    cure: String,
}

impl Problem {
    /// `message` without a full stop, `cure` as a sentence.
    pub fn new(status: StatusCode, code: &str, message: impl Display, cure: impl Display) -> Self {
        Self { status, code: code.to_owned(), message: message.to_string(), cure: cure.to_string() }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.status, json(&self)).into_response()
    }
}

//! The console: a page over the admin API, on the same address, for people who would rather click.
//!
//! The page is the same for everyone and holds no data. Its script has the token from the fragment of the address that
//! `serve` prints, and calls the admin API with it; whatever a person does there is an operation of that API, which the
//! command line has too. So the page needs no guard of its own: `Host` and `Origin` are looked at before any route
//! (`admin/auth.rs`), and all that is worth something wants the token.
//!
//! One module of the script for each part of the page, and `kit.js` for what they share.

use std::fmt::Write as _;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::{HOST, HeaderMap};
use axum::middleware::map_response;
use axum::routing::get;
use maud::{Markup, html};
use serde::Deserialize;
use solme_sync_pages::{Shell, house, script, style, with_policy};
use solme_sync_protocol::{COMPONENTS, RefusalCode};

use crate::admin::Admin;
use crate::http::problem::ProblemResponse;

/// The parts of the page: the name in its address, and the one that people read.
const PARTS: [(&str, &str); 5] =
    [("ids", "Ids"), ("journal", "Journal"), ("mails", "Mails"), ("quirks", "Quirks"), ("run", "This run")];

/// Verdicts of the journal that are no code of a refusal.
const VERDICTS: [&str; 6] =
    ["accepted", "answered-again", "payload", "no-such-payload", "not-looked-at", "no-exchange"];

/// What needs no token.
pub(crate) fn pages() -> Router<Admin> {
    let shell = Shell {
        title: "Console of mock-solme",
        program: "mock-solme serve",
        style: Some("/console.css"),
        script: "/console.js",
        body: body(),
    };
    house()
        .route("/", get(shell.respond()))
        .route("/console.css", style(include_str!("console.css")))
        .route("/console.js", script(include_str!("console.js")))
        .route("/kit.js", script(include_str!("kit.js")))
        .route("/ids.js", script(include_str!("ids.js")))
        .route("/journal.js", script(include_str!("journal.js")))
        .route("/mails.js", script(include_str!("mails.js")))
        .route("/quirks.js", script(include_str!("quirks.js")))
        .route("/run.js", script(include_str!("run.js")))
        .route("/proof", get(prove))
        .layer(map_response(with_policy))
}

/// The address for a browser: that of the admin API, and the token in the fragment, which no browser sends.
pub(crate) fn address(admin: &str, token: &str) -> String {
    let mut address = format!("{admin}/#");
    for byte in token.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => address.push(char::from(byte)),
            _ => write!(address, "%{byte:02X}").expect("a string takes everything"),
        }
    }
    address
}

fn body() -> Markup {
    html! {
        header.top {
            img src="/house.svg" alt="" width="40" height="40";
            div { p { "mock-solme" } h1 { "Main server console" } }
            a.clock #clock data-to="run" aria-label="Main server time" { "…" }
        }
        nav.tabs aria-label="Parts of the console" {
            @for (part, name) in PARTS {
                a data-to=(part) { (name) " " span.count id={ (part) "-count" } {} }
            }
        }
        main #main tabindex="-1" aria-busy="true" {}
        section.last #last aria-label="What was done last" hidden {}
        footer.quiet { "A simulator with a protocol and keys of its own. It cannot talk to Solme's servers." }
        dialog #act aria-labelledby="act-title" {}
        datalist #verdicts {
            option value="refused" {}
            @for verdict in VERDICTS.into_iter().chain(RefusalCode::ALL.iter().map(|code| code.as_str())) {
                option value=(verdict) {}
            }
        }
        datalist #components { @for (name, _) in COMPONENTS { option value=(name) {} } }
    }
}

#[derive(Deserialize)]
struct Nonce {
    nonce: String,
}

/// For a page that waits for its program to come back, and will not give the token to another one.
async fn prove(
    State(admin): State<Admin>,
    headers: HeaderMap,
    Query(Nonce { nonce }): Query<Nonce>,
) -> Result<String, ProblemResponse> {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    admin.access().proof(host, &nonce).ok_or_else(|| {
        let cure = "Start mock-solme serve with --public-admin and the address that you use.";
        let detail = format!("The admin API is not known to be at {host}.");
        ProblemResponse::new(StatusCode::MISDIRECTED_REQUEST, "no-proof", detail, cure)
    })
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn any_token_stands_in_a_fragment() {
        assert_eq!(address("http://127.0.0.1:1", "a/b#c%"), "http://127.0.0.1:1/#a%2Fb%23c%25");
    }
}

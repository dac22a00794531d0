//! What the pages of this workspace's programs share: who gets in, how they look, and how they learn what happens.
//!
//! ```no_run
//! use axum::{Router, routing::get};
//! use solme_sync_pages::{Door, Feed, Shell, script};
//!
//! # async fn page() -> std::io::Result<()> {
//! let door = Door::open(None, None)?; // 127.0.0.1, a free port, a new token
//! println!("{}", door.address()); // http://127.0.0.1:40123/#TOKEN, the only line that has the token
//! let feed = Feed::new(256);
//! let shell = Shell { title: "Stage", program: "harness demo --web", style: None, script: "/stage.js", body: maud::html! {} };
//! let pages = Router::new()
//!     .route("/", get(shell.respond()))
//!     .route("/stage.js", script("export {};")) // include_str!("stage.js")
//!     .route("/api/live", get({ let feed = feed.clone(); move || async move { feed.subscribe() } }))
//!     .route("/api/step", get(|| async { "the next step" }));
//! feed.send("step", &3);
//! door.serve(pages, std::future::pending()).await
//! # }
//! ```
//!
//! - **Who gets in** ([`Door`]): loopback only; a foreign `Host` or `Origin` gets nothing from any path; everything below
//!   `/api/` wants the token in `Authorization: Bearer`. What is outside of `/api/` is the same for everyone and holds no data.
//!   The token stands in the fragment of the printed address, which no browser sends, and reaches no command line.
//! - **How it looks** ([`Shell`]): `/house.css` has the colours (light and dark), buttons, dialogs, tables, badges, notes and
//!   focus rings of all pages; a page adds its own sheet. No inline script or style gets past the policy, and markup in the
//!   browser only comes from `show` of `/house.js`.
//! - **What happens** ([`Feed`]): server-sent events, read by `live` of `/house.js` with `fetch`, so that the token is a header.
//!   A page that is open while its program ends says so, and comes back when the program is back: for that, give
//!   [`Door::open`] a file in which port and token are kept. The page sends the token again only to a program that proves
//!   that it knows it, since another program may have the port by then.
//!
//! A program that has a listener, a token and a guard of its own for them, such as the admin API of `mock-solme`, serves
//! [`house`] and its own files [`with_policy`], and answers `/proof` with [`proof`].
//!
//! `/house.js` exports `call(path, options)` (a `fetch` with the token, that throws a `Problem` with `message` and `cure`),
//! `live(path, { up, event, down })`, `el(tag, attributes, ...children)`, `show(element, html)`, `announce(text)`,
//! `printable(text)`.
//! Text of others goes through [`Shown`] in maud, is `printable` in every [`Feed`] and [`json`] answer, and as a child of `el`.

mod answer;
mod browser;
mod door;
mod feed;
mod guard;
mod shell;
#[cfg(test)]
mod tests;

pub use answer::{Problem, Shown, json};
pub use browser::open_browser;
pub use door::Door;
pub use feed::Feed;
pub use guard::{proof, with_policy};
pub use shell::{HOUSE_STYLE, Shell, house, script, style};

//! The frame of a page, and the files that all pages have.

use axum::Router;
use axum::handler::Handler;
use axum::http::header;
use axum::response::IntoResponse as _;
use axum::routing::{MethodRouter, get};
use maud::{DOCTYPE, Markup, html};

/// The frame of a page. It holds no data: whoever reaches the port can read it.
pub struct Shell {
    /// The title, until the page's script knows a better one.
    pub title: &'static str,
    /// How the program is started again, for the message that it has ended.
    pub program: &'static str,
    /// The page's own sheet, beside the house's.
    pub style: Option<&'static str>,
    /// Text of the page's JavaScript module.
    pub script: &'static str,
    /// What is inside `body`, before the script has seen it.
    pub body: Markup,
}

impl Shell {
    /// The whole page, from doctype to end.
    pub fn page(&self) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (self.title) }
                    link rel="icon" type="image/svg+xml" href="/house.svg";
                    link rel="stylesheet" href="/house.css";
                    @if let Some(style) = self.style { link rel="stylesheet" href=(style); }
                    script type="module" src=(self.script) {}
                }
                body {
                    p.connection id="connection" role="status" data-program=(self.program) { }
                    (self.body)
                    p.away id="announce" role="status" { }
                    noscript { p.connection.shown { "This page needs JavaScript; the command line does the same without." } }
                }
            }
        }
    }

    /// A handler that answers with it.
    pub fn respond<S: Clone + Send + Sync + 'static>(&self) -> impl Handler<((),), S> {
        let page = self.page().into_string();
        move || async move { ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response() }
    }
}

/// A JavaScript module that is a part of the program.
pub fn script<S: Clone + Send + Sync + 'static>(text: &'static str) -> MethodRouter<S> {
    file("text/javascript; charset=utf-8", text)
}

/// A style sheet that is a part of the program.
pub fn style<S: Clone + Send + Sync + 'static>(text: &'static str) -> MethodRouter<S> {
    file("text/css; charset=utf-8", text)
}

fn file<S: Clone + Send + Sync + 'static>(media_type: &'static str, text: &'static str) -> MethodRouter<S> {
    get(move || async move { ([(header::CONTENT_TYPE, media_type)], text) })
}

/// The house's sheet, for a page that stands alone.
pub const HOUSE_STYLE: &str = include_str!("../assets/house.css");

/// The files that all pages have.
pub fn house<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/house.css", style(HOUSE_STYLE))
        .route("/house.js", script(include_str!("../assets/house.js")))
        .route("/house.svg", file("image/svg+xml", include_str!("../assets/house.svg")))
}

//! What an arrow opens: the message, whose signature it has, the clause that decided, and what changed.

use maud::{Markup, html as markup};
use serde_json::Value;

use super::{cards, shown};
use crate::conformance::requirement;
use crate::scenario::{Change, Exchange, Mail, Members, Message};

/// Members whose value is the thumbprint of a key.
const THUMBPRINTS: [&str; 3] = ["kid", "key_thumbprint", "thumbprint"];

/// What a License Server sent.
pub(super) fn request(exchange: &Exchange) -> Markup {
    markup! {
        p.route { b { (shown(&exchange.from)) } " asks the main server" (over(exchange.carrier)) }
        @match (&exchange.request, &exchange.asked) {
            (Some(message), _) => (self::message(message, "the License Server's key pair")),
            (None, Some(asked)) => dl { (fact("asks for", &markup! { code { (shown(asked)) } })) },
            (None, None) => "",
        }
    }
}

/// What the main server answered, and why.
pub(super) fn answer(exchange: &Exchange, changes: &[Change]) -> Markup {
    markup! {
        p.route { "The main server answers " b { (shown(&exchange.from)) } (over(exchange.carrier)) }
        dl {
            (fact("verdict", &markup! { b { (shown(&exchange.verdict)) } }))
            @if !exchange.detail.is_empty() { (fact("why", &markup! { (shown(&exchange.detail)) })) }
            @if let Some(quirk) = &exchange.quirk { (fact("quirk", &markup! { (shown(quirk)) ": misbehaves on purpose" })) }
        }
        (clause(&exchange.clause))
        @match (&exchange.answer, &exchange.answered) {
            (Some(message), _) => (self::message(message, "the main server's key")),
            (None, Some(answered)) => dl { (fact("answer", &markup! { code { (shown(answered)) } })) },
            (None, None) => "",
        }
        @if !changes.is_empty() {
            h4 { "What changed" }
            ul.changed { @for change in changes { li { b { (shown(&change.actor)) } " " (cards::change_in_line(change)) } } }
        }
    }
}

/// A mail as it was sent.
pub(super) fn mail(mail: &Mail) -> Markup {
    markup! {
        dl {
            (fact("from", &markup! { (shown(&mail.from)) }))
            (fact("to", &markup! { (shown(&mail.to)) }))
            (fact("subject", &markup! { b { (shown(&mail.subject)) } }))
        }
        pre { @for line in mail.text.trim_end().lines() { (shown(line)) "\n" } }
    }
}

fn over(carrier: &str) -> &'static str {
    match carrier {
        "443" => " over port 443, TLS",
        "8080" => " over port 8080, plain HTTP with sealed content",
        _ => " in a file",
    }
}

fn fact(name: &str, value: &Markup) -> Markup {
    markup! { div { dt { (name) } dd { (value) } } }
}

/// The clause and its text, from PROTOCOL.md.
fn clause(id: &str) -> Markup {
    let text = requirement(id);
    markup! {
        @if !text.is_empty() {
            blockquote.clause { b { "P " (id) } " "
                @for (index, piece) in text.replace('*', "").split('`').enumerate() {
                    @if index % 2 == 1 { code { (piece) } } @else { (piece) }
                }
            }
        }
    }
}

fn message(message: &Message, whose: &str) -> Markup {
    let signature = &message.signature;
    markup! {
        dl {
            (fact("size", &markup! { (message.bytes) " bytes, " (message.kind()) " as a signed JWS" }))
            (fact("digest", &markup! { code { (message.digest) } }))
            (fact("signature", &markup! {
                @match &signature.flaw {
                    None => { b.good { "✓ verified" } " with " (whose) " " },
                    Some(flaw) => { b.bad { "✗ not verified" } ": " (shown(flaw)) " " },
                }
                @if let Some(key) = &signature.key { (cards::key(key)) }
            }))
        }
        div.parts { (members("Header", &message.header)) (members("Payload", &message.payload)) }
    }
}

fn members(title: &str, members: &Members) -> Markup {
    markup! {
        table {
            caption { (title) }
            tbody { @for (name, value) in &members.0 { tr { th scope="row" { (shown(name)) } td { (self::value(name, value)) } } } }
        }
    }
}

fn value(name: &str, value: &Value) -> Markup {
    match value {
        Value::String(text) if THUMBPRINTS.contains(&name) => markup! { (cards::key(text)) " " code { (shown(text)) } },
        Value::String(text) => markup! { code { (shown(text)) } },
        Value::Object(members) => markup! {
            dl.inner { @for (name, value) in members { div { dt { (shown(name)) } dd { (self::value(name, value)) } } } }
        },
        other => markup! { code { (shown(&other.to_string())) } },
    }
}

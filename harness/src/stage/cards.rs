//! Who plays, and what they have: a card over each lane; a key pair is told by its colour and pattern.

use maud::{Markup, html as markup};
use sha2::{Digest as _, Sha256};

use super::{Lanes, shown};
use crate::scenario::{Card, Change, Fact, Kind, Role};

/// Characters by which a thumbprint is told.
const SHORT: usize = 6;

/// A card over each lane; who has not entered yet has an empty one.
pub(super) fn cards(lanes: &Lanes, cards: &[Card]) -> Markup {
    markup! {
        div.cards {
            @for (lane, name) in lanes.0.iter().enumerate() {
                @let card = cards.iter().find(|card| card.name == *name);
                section.card.{ "at" (lane.min(super::LANES - 1)) }.{ (class(Role::of(name))) }.absent[card.is_none()]
                    data-lane=(name) aria-label=(name) {
                    h2 { (name) }
                    @match card {
                        Some(card) => { p.role { (role(card)) } dl { @for fact in rest(card) { (line(fact)) } } },
                        None => p.role { "not here yet" },
                    }
                }
            }
        }
    }
}

const fn class(role: Role) -> &'static str {
    match role {
        Role::MainServer => "main-server",
        Role::LicensingDesk => "desk",
        Role::LicenseServer => "license-server",
    }
}

/// Below the name: the id, or where it is.
fn role(card: &Card) -> String {
    let id = card.facts.iter().find(|fact| fact.name == "id");
    match (card.role, id) {
        (Role::LicensingDesk, _) => "licensing@solme.se".to_owned(),
        (_, Some(id)) => shown(&id.value),
        (Role::MainServer, None) => "Solme".to_owned(),
        (Role::LicenseServer, None) => "License Server".to_owned(),
    }
}

fn rest(card: &Card) -> impl Iterator<Item = &Fact> {
    card.facts.iter().filter(|fact| fact.name != "id")
}

fn line(fact: &Fact) -> Markup {
    markup! {
        div.fact title=[fact.note.as_deref().map(shown)] {
            dt { (shown(&fact.name)) }
            dd.{ (tone(fact.kind)) } { (value(&fact.value, fact.kind)) }
        }
    }
}

fn value(text: &str, kind: Kind) -> Markup {
    match kind {
        // A key pair in use may also be none.
        Kind::Key if text.len() > SHORT => key(text),
        _ => markup! { (shown(text)) },
    }
}

const fn tone(kind: Kind) -> &'static str {
    match kind {
        Kind::Plain => "plain",
        Kind::Key => "keyed",
        Kind::Good => "good",
        Kind::Bad => "bad",
    }
}

/// What a step changed, below the lanes where it did.
pub(super) fn changes(lanes: &Lanes, changes: &[Change]) -> Markup {
    markup! {
        @if !changes.is_empty() {
            div.changes {
                @for (lane, name) in lanes.0.iter().enumerate() {
                    @let here: Vec<&Change> = changes.iter().filter(|change| change.actor == *name).collect();
                    @if !here.is_empty() {
                        ul.{ "at" (lane.min(super::LANES - 1)) } aria-label={ "What changed at " (name) } {
                            li.whose { (name) }
                            @for change in here { li { (change_in_line(change)) } }
                        }
                    }
                }
            }
        }
    }
}

/// What was, and what is.
pub(super) fn change_in_line(change: &Change) -> Markup {
    markup! {
        span.what { (shown(&change.fact)) } " "
        @if let Some(before) = &change.before { s { (value(before, plain_unless_key(change.kind))) } " " }
        span.to { "→" } " "
        b.{ (tone(change.kind)) } {
            @match &change.after { Some(after) => (value(after, change.kind)), None => "none" }
        }
    }
}

const fn plain_unless_key(kind: Kind) -> Kind {
    match kind {
        Kind::Key => Kind::Key,
        _ => Kind::Plain,
    }
}

/// A key pair by the beginning of its thumbprint, and a pattern in a colour that both come from it.
pub(super) fn key(thumbprint: &str) -> Markup {
    let short: String = thumbprint.chars().take(SHORT).collect();
    markup! { span.key title={ "key pair " (shown(thumbprint)) } { (pattern(thumbprint)) code { (shown(&short)) } } }
}

/// Five by five squares, left and right alike, so that the eye takes it for one thing.
fn pattern(thumbprint: &str) -> Markup {
    let bytes = Sha256::digest(thumbprint);
    let hue = u32::from(u16::from_be_bytes([bytes[30], bytes[31]])) % 360;
    let cells = (0..15_usize).filter(|cell| bytes[*cell] & 1 == 1).flat_map(|cell| {
        let (column, row) = (cell / 5, cell % 5);
        let mirrored = (column < 2).then_some((4 - column, row));
        [Some((column, row)), mirrored].into_iter().flatten()
    });
    let path: String = cells.map(|(x, y)| format!("M{x} {y}h1v1h-1z")).collect();
    markup! {
        svg.pattern viewBox="-.6 -.6 6.2 6.2" width="15" height="15" aria-hidden="true" {
            rect x="-.6" y="-.6" width="6.2" height="6.2" rx="1.2" fill={ "oklch(0.62 0.16 " (hue) ")" } {}
            path d=(path) fill="#fff" {}
        }
    }
}

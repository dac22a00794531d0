//! The stage: a story as a sequence diagram that people want to look at, on one self-contained page.
//!
//! `live.rs` serves it while it is played, `hands.rs` has the buttons with which people play themselves. `cards.rs` draws
//! who plays and what they have, `drawing.rs` what happens between them, `letter.rs` what an arrow opens.
//! All of it is drawn here and in one way; the script only shows and hides. What others wrote is shown through `printable`.

mod cards;
mod drawing;
mod hands;
mod letter;
mod live;

use maud::{Markup, html as markup};
use solme_sync_pages::HOUSE_STYLE;
use solme_sync_protocol::printable;

pub(crate) use live::serve;

use crate::scenario::{LICENSING_DESK, MAIN_SERVER, Story};

const STYLE: &str = include_str!("stage.css");
const SCRIPT: &str = include_str!("stage.js");
/// Lanes that can be drawn; who comes later shares the last one.
const LANES: usize = 24;

/// Everyone who plays, in the order of their lanes.
#[derive(Debug, Clone)]
pub(crate) struct Lanes(Vec<String>);

impl Lanes {
    /// The desk and the main server first, so that License Servers can be added on the right.
    pub(crate) fn new<'a>(servers: impl IntoIterator<Item = &'a str>) -> Self {
        Self([LICENSING_DESK, MAIN_SERVER].into_iter().chain(servers).map(str::to_owned).collect())
    }

    /// Somebody new is on the right of all others.
    fn enter(&mut self, name: &str) {
        if !self.0.iter().any(|known| known == name) {
            self.0.push(name.to_owned());
        }
    }

    fn of(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|known| known == name).map(|lane| lane.min(LANES - 1))
    }

    fn count(&self) -> usize {
        self.0.len().min(LANES)
    }
}

/// Which story on a page, which step of it, for the ids of a page.
fn anchor(story: usize, step: usize) -> String {
    if story == 0 { format!("step-{step}") } else { format!("story-{}-step-{step}", story + 1) }
}

/// Stories that were played, as one page that needs nothing else: no server, no file, no network.
pub(crate) fn page(stories: &[Story]) -> String {
    let title = match stories {
        [story] => story.title.as_str(),
        _ => "Scenarios",
    };
    let body = markup! {
        a.skip href="#stage" { "Skip to the story" }
        main id="stage" { @for (number, story) in stories.iter().enumerate() { (whole(number, story)) } }
        footer { (footer()) }
    };
    crate::page::page(&shown(title), &(HOUSE_STYLE.to_owned() + &style()), SCRIPT, &body)
}

/// The style sheet: a rule for each lane is added, because the policy of a page lets no attribute set a style.
fn style() -> String {
    let mut style = STYLE.to_owned();
    for lane in 0..LANES {
        let (count, start, centre) = (lane + 1, 2 * lane + 1, 2 * lane + 2);
        style += &format!(
            ".n{count}{{--n:{count}}}.at{lane}{{grid-column:{start}/span 2}}\
             .a{lane}{{grid-column-start:{centre}}}.b{lane}{{grid-column-end:{centre}}}\n"
        );
    }
    style
}

fn whole(number: usize, story: &Story) -> Markup {
    let lanes = Lanes::new(story.servers.iter().map(String::as_str));
    let cards = story.steps.last().map_or(&story.cards, |told| &told.cards);
    markup! {
        article.story.{ "n" (lanes.count()) } data-story=(number) {
            header.title { h1 { (shown(&story.title)) } p.about { (shown(&story.about)) } }
            div.heads {
                div.narration { (controls()) }
                (cards::cards(&lanes, cards))
            }
            div.steps {
                @for told in &story.steps { (drawing::step(number, &lanes, told)) }
            }
            @if let Some(broken) = &story.broken { p.broken role="alert" { "The story broke off: " (shown(broken)) } }
        }
    }
}

/// They work with the script only, which shows them.
fn controls() -> Markup {
    markup! {
        div.controls role="group" aria-label="Story" hidden {
            button type="button" data-go="first" title="First step (Home)" { (icon("M5 4v12M16 4 8 10l8 6z")) span { "First step" } }
            button type="button" data-go="back" title="One step back (←)" { (icon("M14 4 6 10l8 6z")) span { "Back" } }
            button.play type="button" data-go="play" title="Play or pause (space)" { (icon("M6 4v12l10-6z")) span { "Play" } }
            button type="button" data-go="next" title="Next step (→)" { (icon("M6 4l8 6-8 6z")) span { "Next" } }
            button type="button" data-go="last" title="Last step (End)" { (icon("M4 4l8 6-8 6zM15 4v12")) span { "Last step" } }
            output.place aria-live="polite" {}
        }
    }
}

/// A drawing in a square of 20.
fn icon(path: &str) -> Markup {
    markup! { svg viewBox="0 0 20 20" width="16" height="16" aria-hidden="true" { path d=(path) {} } }
}

fn footer() -> Markup {
    markup! {
        p.keys hidden { "Keys: " kbd { "space" } " play or pause, " kbd { "←" } " " kbd { "→" } " step, "
            kbd { "o" } " open the arrows of a step, " kbd { "Esc" } " close them." }
        p { "Recorded by harness " (env!("CARGO_PKG_VERSION")) " from real programs: each arrow opens the message that was sent." }
    }
}

fn shown(text: &str) -> String {
    printable(text).to_string()
}

//! The buttons of free play: each is a step of a scenario, written as JSON, that the page sends back.

use maud::{Markup, html as markup};
use serde_json::{Value, json};

use super::{LANES, Lanes, shown};
use crate::scenario::{Action, Card, LICENSING_DESK, MAIN_SERVER, Role, Step};

/// Why the desk decides in spite of its cautions, for the audit.
const BY_TELEPHONE: &str = "the customer was called back";

/// What everyone can do next, below their lanes.
pub(super) fn turn(lanes: &Lanes, cards: &[Card], played: &[Step], quirks: &[String]) -> Markup {
    markup! {
        div.narration {
            h3 { "What happens next?" }
            p.says { "Each button runs the real programs and becomes a step of the story." }
            div.buttons { (button("Thief tries", "Somebody else sets up a License Server with this id and synchronizes", &json!({
                "do": "synchronize", "server": free_name(lanes, "thief"), "tell": "Somebody else has the id, sets up a server with it and synchronizes"
            }))) }
        }
        div.hands {
            @for (lane, name) in lanes.0.iter().enumerate().take(LANES) {
                section.buttons.{ "at" (lane) } aria-label={ "What " (name) " can do" } {
                    p.whose { (shown(name)) }
                    @match Role::of(name) {
                        Role::LicensingDesk => (desk()),
                        Role::MainServer => (main_server(cards, played, quirks)),
                        Role::LicenseServer => (license_server(lanes, name, played)),
                    }
                }
            }
        }
    }
}

fn button(label: &str, title: &str, step: &Value) -> Markup {
    markup! { button type="button" title=(title) data-step=(step.to_string()) { (label) } }
}

fn license_server(lanes: &Lanes, name: &str, played: &[Step]) -> Markup {
    let one = |label: &str, action: &str, title: &str| button(label, title, &json!({ "do": action, "server": name }));
    let did =
        |action: Action| played.iter().any(|step| step.action() == action && step.server.as_deref() == Some(name));
    markup! {
        (one("Synchronize", "synchronize", "Over ports 443 and 8080"))
        (one("May it issue?", "may-issue", "Asks whether a license may be issued"))
        (one("Reinstall", "reinstall", "Loses its state, and its key pair with it"))
        (one("Write the mail", "request-clear", "Asks licensing@solme.se to clear the key pair"))
        (one("Copy the state", "back-up", "Backs up its state"))
        @if did(Action::BackUp) { (one("Restore the copy", "restore", "Restores its state from the backup")) }
        (button("Clone", "Copies its state to another machine", &json!({ "do": "copy", "server": name, "to": free_name(lanes, &format!("{name}-copy")) })))
        (one("New key pair", "new-key-pair", "Archives its state and starts over, unsynchronized"))
        (one("Export", "export-request", "Writes a request file"))
        @if did(Action::ExportRequest) { (one("Process", "process-request", "The main server answers the request file with a response file")) }
        @if did(Action::ProcessRequest) { (one("Import", "import-response", "Imports the response file")) }
    }
}

fn desk() -> Markup {
    markup! {
        (button("Approve", "Approves the oldest open request, after calling the customer", &json!({ "do": "approve", "even_so": true, "reason": BY_TELEPHONE })))
        (button("Reject", "Rejects the oldest open request", &json!({ "do": "reject", "reason": "the customer did not ask for it" })))
        (button("Clear by telephone", "The customer called; no mail is needed", &json!({ "do": "clear-key-pair", "even_so": true, "reason": BY_TELEPHONE, "tell": format!("{LICENSING_DESK}: clears the key pair by telephone") })))
    }
}

fn main_server(cards: &[Card], played: &[Step], quirks: &[String]) -> Markup {
    let added = played.iter().filter(|step| step.action() == Action::AddLicense).count();
    let mine = cards.iter().find(|card| card.name == MAIN_SERVER);
    let has = |name: &str| mine.is_some_and(|card| card.facts.iter().any(|fact| fact.name == name));
    let days = |days: i64| json!({ "do": "days-pass", "days": days });
    markup! {
        (button("Add a license", "Ten users of Base", &json!({ "do": "add-license", "license": format!("license-{}", added + 1), "users": 10 })))
        @if has("id is") {
            (button("Enable the id", "It may synchronize again", &json!({ "do": "enable" })))
        } @else {
            (button("Disable the id", "Synchronizations are refused until it is enabled", &json!({ "do": "disable" })))
        }
        (button("+1 day", "A day passes for everyone", &days(1)))
        (button("+30 days", "30 days pass for everyone", &days(30)))
        (button("+366 days", "366 days pass for everyone", &days(366)))
        @if has("misbehaves") {
            (button("Behave again", "Disarms all quirks", &json!({ "do": "disarm" })))
        } @else {
            span.arm {
                select id="quirk" aria-label="Quirk" { @for quirk in quirks { option selected[quirk == "drop-reply"] { (shown(quirk)) } } }
                button type="button" title="Misbehaves in this way until *Behave again*" data-with="quirk"
                    data-step=(json!({ "do": "arm" }).to_string()) { "Arm" }
            }
        }
    }
}

/// A name that nobody on the stage has: `thief`, `thief-2`, `thief-3`.
fn free_name(lanes: &Lanes, name: &str) -> String {
    // A License Server's name has 32 characters at most.
    let stem: String = name.chars().take(28).collect();
    let numbered = (2..).map(|number| format!("{stem}-{number}"));
    std::iter::once(stem.clone()).chain(numbered).find(|name| lanes.of(name).is_none()).unwrap_or(stem)
}

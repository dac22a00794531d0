//! What the window shows: days left, messages, licenses and their components.

use maud::{Markup, html};
use solme_sync_pages::Shown;
use solme_sync_protocol::UtcTime;

use super::answers::changes;
use crate::command::{AllocatedLicense, Status, Verdict};
use crate::core::{FIRST_WARNING, Mode, State};
use crate::output::sentence;

/// More messages than these are folded away.
const MESSAGES: usize = 6;
/// Days from a synchronization to the next required one (P 6.2).
const INTERVAL: u64 = 366;

pub(super) fn view(status: &Status, verdict: &Verdict, server_name: &str) -> Markup {
    html! {
        div.overview {
            (deadline(status, verdict))
            (messages(status, verdict))
            (facts(status, server_name))
        }
        (licenses(status))
        @if let Some(last) = &status.last_changes {
            section.card.last aria-labelledby="last-title" {
                h2 #last-title { "What the last synchronization changed" }
                (changes(last))
            }
        }
    }
}

/// The counter of days left until the required synchronization.
fn deadline(status: &Status, verdict: &Verdict) -> Markup {
    let days = status.days_left.unwrap_or(0);
    let mood = match (verdict.may_issue, days <= FIRST_WARNING) {
        (false, _) => "bad",
        (true, true) => "warn",
        (true, false) => "good",
    };
    let arc = format!("{} {INTERVAL}", days.min(INTERVAL));
    html! {
        section class={ "card deadline " (mood) } aria-labelledby="deadline-title" {
            h2 #deadline-title { "Required synchronization" }
            div.ring {
                svg viewBox="0 0 120 120" aria-hidden="true" {
                    circle.track cx="60" cy="60" r="52" pathLength=(INTERVAL) {}
                    circle.arc cx="60" cy="60" r="52" pathLength=(INTERVAL) stroke-dasharray=(arc) transform="rotate(-90 60 60)" {}
                }
                p {
                    strong #days { @if status.days_left.is_some() { (days) } @else { "–" } }
                    span { @if days == 1 { "day left" } @else { "days left" } }
                }
            }
            p.by {
                @match status.synchronize_by {
                    Some(by) => { "by " (date(by)) }
                    None => "not synchronized yet",
                }
            }
            p class={ "badge " (if verdict.may_issue { "good" } else { "bad" }) } #may-issue {
                @if verdict.may_issue { "May issue licenses" } @else { "No license may be issued" }
            }
        }
    }
}

/// What is near, or has happened.
fn messages(status: &Status, verdict: &Verdict) -> Markup {
    let kind = if verdict.may_issue { "note warn" } else { "note bad" };
    let (shown, folded) = status.notes.split_at(status.notes.len().min(MESSAGES));
    html! {
        section.card.messages aria-labelledby="messages-title" {
            h2 #messages-title { "Messages" }
            @if status.notes.is_empty() {
                p.note.good { "Nothing needs your attention." }
            }
            ul #messages { @for note in shown { li class=(kind) { (Shown(sentence(note))) } } }
            @if !folded.is_empty() {
                details {
                    summary { (folded.len()) " more messages" }
                    ul { @for note in folded { li class=(kind) { (Shown(sentence(note))) } } }
                }
            }
            @if let Some(detail) = &status.state_detail { p { (Shown(sentence(detail))) } }
            p.next { b { "Next: " } (Shown(sentence(&status.next_step))) }
        }
    }
}

fn facts(status: &Status, server_name: &str) -> Markup {
    let automatic = &status.automatic_synchronization;
    html! {
        section.card.facts aria-labelledby="facts-title" {
            h2 #facts-title { "Server" }
            dl {
                dt { "Server name" } dd #server-name { (Shown(server_name)) }
                dt { "State" } dd { span class={ "badge " (mood(status.state)) } { (status.state.as_str()) } }
                dt { "Main server" } dd { (Shown(&status.main_server.name)) " " span.quiet { (Shown(&status.main_server.id)) } }
                dt { "Key pair" }
                dd {
                    code title=(status.key_thumbprint) { (status.key_thumbprint.to_string().chars().take(12).collect::<String>()) "…" }
                    @if let Some(generation) = status.key_generation { span.quiet { " generation " (generation) } }
                }
                dt { "Last synchronized" }
                dd {
                    @match status.last_synchronized_at {
                        Some(at) => { (date_and_time(at)) @if let Some(n) = status.sequence { span.quiet { " number " (n) } } }
                        None => "never",
                    }
                }
                dt { "Automatic" }
                dd {
                    (mode_in_words(automatic.mode))
                    @if let Some(next) = automatic.next_at { span.quiet { ", next " (date_and_time(next)) } }
                }
                @if let Some(last) = &automatic.last {
                    dt { "Last automatic" } dd { (date_and_time(last.at)) span.quiet { ", " (Shown(&last.message)) } }
                }
                @if let Some(outstanding) = &status.outstanding_request {
                    dt { "Waiting for an answer" } dd { "request of " (date_and_time(outstanding.made_at)) }
                }
            }
        }
    }
}

fn licenses(status: &Status) -> Markup {
    let count = status.licenses.len();
    html! {
        section.card.licenses aria-labelledby="licenses-title" {
            div.list {
                div.head {
                    h2 #licenses-title { "Licenses " span.quiet #license-count { (count) } }
                    @if count > 8 {
                        label.away for="find" { "Find a license" }
                        input #find type="search" placeholder="Find a license" autocomplete="off";
                    }
                }
                @if count == 0 {
                    p.empty { "No license is allocated to this server. Synchronize to learn of new ones." }
                } @else {
                    div.rows #rows role="radiogroup" aria-labelledby="licenses-title" {
                        @for license in &status.licenses { (row(license)) }
                    }
                    p.empty #nothing-found hidden { "No license matches." }
                }
            }
            div.detail #license role="region" aria-live="polite" aria-label="The chosen license" {}
        }
    }
}

fn row(license: &AllocatedLicense) -> Markup {
    html! {
        label.row {
            input type="radio" name="license" value=(license.number);
            span.name {
                @match &license.display {
                    Some(display) => { b { (Shown(display)) } span.quiet.mono { (license.number) } }
                    None => b.mono { (license.number) },
                }
            }
            span.ends.quiet { @match license.expires_at { Some(end) => { "until " (date(end)) } None => "no end" } }
        }
    }
}

/// One license: validity, domain, components.
pub(super) fn license(license: &AllocatedLicense, verdict: &Verdict) -> Markup {
    html! {
        h3 { @match &license.display { Some(display) => (Shown(display)), None => (license.number) } }
        @if license.display.is_some() { p.mono.quiet { (license.number) } }
        p class={ "badge " (if verdict.may_issue { "good" } else { "bad" }) } {
            @if verdict.may_issue { "May be issued" } @else { "May not be issued" }
        }
        @if !verdict.may_issue {
            p.note.bad { (Shown(sentence(&verdict.message))) @if let Some(cure) = &verdict.cure { " " (Shown(sentence(cure))) } }
        }
        div.scroll {
            table {
                caption.away { "Components" }
                thead { tr {
                    th scope="col" { "Component" } th.number scope="col" { "Max users" }
                    th scope="col" { "Valid" } th scope="col" { "Domain" }
                } }
                tbody {
                    @for component in &license.components {
                        tr {
                            th scope="row" { span title=(Shown(&component.id)) { (Shown(&component.name)) } }
                            td.number { (component.max_users) }
                            td { (validity(license)) }
                            td { @match &license.domain { Some(domain) => (Shown(domain)), None => span.quiet { "open to all" } } }
                        }
                    }
                }
            }
        }
        @if !license.properties.is_empty() {
            dl { @for (name, value) in &license.properties { dt { (Shown(name)) } dd { (Shown(value)) } } }
        }
    }
}

fn validity(license: &AllocatedLicense) -> Markup {
    html! { (date(license.valid_from)) "\u{a0}– " @match license.expires_at { Some(end) => (date(end)), None => "no end" } }
}

const fn mood(state: State) -> &'static str {
    match state {
        State::Synchronized => "good",
        State::Unsynchronized => "warn",
        State::Overdue | State::Cleared | State::Tampered => "bad",
    }
}

pub(super) const fn mode_in_words(mode: Mode) -> &'static str {
    match mode {
        Mode::Off => "off",
        Mode::Daily => "each day",
        Mode::Weekly => "each week",
    }
}

/// A day; the exact time on pointing.
pub(super) fn date(time: UtcTime) -> Markup {
    let exact = time.to_string();
    html! { time datetime=(exact) title=(exact) { (exact.split('T').next().unwrap_or(&exact)) } }
}

/// To the minute, UTC.
pub(super) fn date_and_time(time: UtcTime) -> Markup {
    let exact = time.to_string();
    html! { time datetime=(exact) title=(exact) { (exact.replace('T', " ").chars().take(16).collect::<String>()) " UTC" } }
}

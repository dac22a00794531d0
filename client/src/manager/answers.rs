//! What came of what a person did: changes, the failed check and its cure, the mail.

use maud::{Markup, html};
use solme_sync_pages::Shown;

use super::view::date;
use crate::command::{Answered, ClearRequest, Diagnosis, ExportedRequest, NewKeyPair, Synchronization};
use crate::core::{Changes, Check};
use crate::output::sentence;

/// More changes than these are folded away.
const CHANGES: usize = 12;

pub(super) fn synchronization(ended: &Synchronization) -> Markup {
    let Answered { message, cure, check, notes, synchronize_by, days_left, .. } = ended.answered();
    let is_good = ended.is_synchronized();
    html! {
        div class={ "note " (if is_good { "good" } else { "bad" }) } {
            p { b { (Shown(sentence(message))) } }
            @if let Some(check) = check { p { "Failed check: " b { (title(*check)) } } }
            @if let Some(cure) = cure { p { b { "Next: " } (Shown(sentence(cure))) } }
        }
        @if is_good || !ended.answered().changes.is_empty() { (changes(&ended.answered().changes)) }
        @for note in notes { p.note.warn { (Shown(sentence(note))) } }
        @if let (Some(by), Some(days)) = (synchronize_by, days_left) {
            p.quiet { "Synchronize again by " (date(*by)) ", " (days) " days from now." }
        }
    }
}

pub(super) fn changes(changes: &Changes) -> Markup {
    let line = |kind: &'static str, sign: &'static str, number: &dyn std::fmt::Display, text: String| {
        html! { li class=(kind) { b aria-hidden="true" { (sign) } " " span.mono { (Shown(number)) } " " (Shown(text)) } }
    };
    let mut lines: Vec<Markup> = Vec::new();
    lines.extend(changes.added.iter().map(|number| line("good", "+", number, "added".to_owned())));
    lines.extend(changes.removed.iter().map(|number| line("bad", "−", number, "removed".to_owned())));
    lines.extend(changes.changed.iter().map(|number| {
        let differences = changes.differences.get(number).map(|lines| lines.join("; ")).unwrap_or_default();
        line("warn", "~", number, format!("changed: {differences}"))
    }));
    let folded = lines.split_off(lines.len().min(CHANGES));
    html! {
        @if changes.is_empty() { p.quiet { "No license was added, removed or changed." } }
        ul.changes { @for line in lines { (line) } }
        @if !folded.is_empty() {
            details { summary { (folded.len()) " more" } ul.changes { @for line in folded { (line) } } }
        }
    }
}

pub(super) fn exported(written: &ExportedRequest) -> Markup {
    html! {
        p.note.good {
            b { (Shown(sentence(&written.done.message))) }
            " Send the file to the main server's side. A response file comes back; check and import it below."
        }
    }
}

pub(super) fn clear_request(asked: &ClearRequest, mail: Option<&str>) -> Markup {
    html! {
        div.note.good {
            p { b { (Shown(sentence(&asked.done.message))) } }
            p {
                @if mail.is_some() { "Send it from an address that Solme knows. " }
                "Once the key pair is cleared, synchronize."
            }
        }
        // Line breaks of the mail stay; the caller made everything else printable.
        @if let Some(mail) = mail { pre.mail tabindex="0" aria-label="The mail" { (mail) } }
    }
}

pub(super) fn new_key_pair(new: &NewKeyPair) -> Markup {
    html! {
        div.note.good {
            p { b { (Shown(sentence(&new.done.message))) } }
            p { b { "Next: " } "Once Solme has cleared the old key pair, synchronize. The mail names the new one." }
        }
        dl {
            @if let Some(old) = new.old_key_thumbprint { dt { "Old key pair" } dd { code { (old) } } }
            dt { "New key pair" } dd { code { (new.key_thumbprint) } }
            dt { "Old state" } dd { code { (Shown(new.archive.display())) } }
        }
    }
}

pub(super) fn diagnosis(diagnosis: &Diagnosis) -> Markup {
    let wrong = diagnosis.checks.iter().filter(|check| check.is_wrong()).count();
    html! {
        p class={ "note " (if wrong == 0 { "good" } else { "bad" }) } {
            b {
                @match wrong {
                    0 => "All is well: this server can synchronize.",
                    1 => "One check failed.",
                    _ => { (wrong) " checks failed." }
                }
            }
        }
        ol.checks {
            @for check in &diagnosis.checks {
                @let kind = if check.ok { "good" } else if check.is_wrong() { "bad" } else { "skipped" };
                li class=(kind) {
                    b { (title(check.name)) }
                    span.away { @match kind { "good" => ": all is well. ", "bad" => ": failed. ", _ => ": skipped. " } }
                    p { (Shown(sentence(&check.message))) }
                    @if let (Some(cure), true) = (&check.cure, check.is_wrong()) { p.cure { b { "Next: " } (Shown(sentence(cure))) } }
                }
            }
        }
    }
}

const fn title(check: Check) -> &'static str {
    match check {
        Check::State => "State",
        Check::KeyPair => "Key pair",
        Check::Clock => "Clock",
        Check::NameLookup => "Name lookup",
        Check::Proxy => "Proxy",
        Check::Port443 => "Port 443",
        Check::Tls => "TLS",
        Check::Port8080 => "Port 8080",
        Check::MainServer => "Main server",
        Check::LastAnswer => "Last answer",
        Check::Deadline => "Deadline",
    }
}

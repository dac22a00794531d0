//! What happens between those who play: arrows, marks on a lane, and the narration beside them.

use maud::{Markup, html as markup};

use super::{Lanes, anchor, cards, letter, shown};
use crate::scenario::{Action, Beat, Exchange, LICENSING_DESK, MAIN_SERVER, Mail, Outcome, Told, WORLD};

/// An arrow: between whom, how it looks, and what it opens.
struct Arrow<'a> {
    from: &'a str,
    to: &'a str,
    /// `443`, `8080`, `file` or `mail`.
    carrier: &'static str,
    class: &'static str,
    label: String,
    /// The clause that decided.
    clause: Option<&'a str>,
    opens: Markup,
}

/// A step: its narration, what happened, what changed, and what everyone has then.
pub(crate) fn step(story: usize, lanes: &Lanes, told: &Told) -> Markup {
    let anchor = anchor(story, told.number);
    let mut arrows = 0;
    markup! {
        section.step.failed[!told.ok] id=(anchor) tabindex="-1" aria-labelledby={ (anchor) "-title" } {
            div.narration { (narration(&anchor, told)) }
            div.scene {
                @for beat in &told.beats { (self::beat(&anchor, lanes, beat, &mut arrows)) }
                (cards::changes(lanes, &told.changes))
            }
            details.after { summary { "Everyone after this step" } (cards::cards(lanes, &told.cards)) }
        }
    }
}

fn narration(anchor: &str, told: &Told) -> Markup {
    markup! {
        h3 id={ (anchor) "-title" } {
            a.number href={ "#" (anchor) } title="Link to this step" { (told.number) } span { (shown(&told.step)) }
        }
        @if let Some(note) = told.note() { p.says { b { "note" } " " (note) } }
        @if let Some(says) = &told.says {
            p.says { b { (shown(&told.actor)) } " " (shown(&says.message)) }
            @if let Some(cure) = &says.cure { p.says.next { b { "next" } " " (shown(cure)) } }
        }
        @if told.ok {
            p.verdict.good { "✓ " (shown(&told.got)) }
        } @else {
            p.verdict.bad { "✗ expected " (shown(&told.expected)) ", got " (shown(&told.got)) }
        }
    }
}

fn beat(anchor: &str, lanes: &Lanes, beat: &Beat, arrows: &mut usize) -> Markup {
    let mut drawn: Vec<Arrow<'_>> = beat.wire.iter().flat_map(|exchange| of_exchange(exchange, beat)).collect();
    drawn.extend(beat.mails.iter().map(|mail| of_mail(mail, lanes)));
    markup! {
        @if beat.action == Action::DaysPass {
            p.band { (beat.what) }
        } @else if beat.wire.is_empty() && !beat.mails.iter().any(|mail| mail.is_to_the_desk() && mail.lane.is_some()) {
            (mark(lanes, beat))
        }
        @for arrow in drawn {
            @let number = { *arrows += 1; *arrows };
            (self::arrow(&format!("{anchor}-{number}"), lanes, arrow))
        }
    }
}

/// Something that is done at one lane.
fn mark(lanes: &Lanes, beat: &Beat) -> Markup {
    let at = if beat.actor == WORLD { LICENSING_DESK } else { &beat.actor };
    markup! {
        @if let Some(lane) = lanes.of(at) {
            div.marks { p.mark.{ "at" (lane) } { span.whose { (shown(&beat.actor)) } " " (shown(&beat.what)) } }
        }
    }
}

fn of_exchange<'a>(exchange: &'a Exchange, beat: &'a Beat) -> [Arrow<'a>; 2] {
    let class = match exchange.outcome() {
        Outcome::Accepted => "good",
        Outcome::Refused => "bad",
        Outcome::Quirk => "quirk",
    };
    let there = Arrow {
        from: &exchange.from,
        to: MAIN_SERVER,
        carrier: exchange.carrier,
        class: "asks",
        label: exchange.asks(),
        clause: None,
        opens: letter::request(exchange),
    };
    let quirk = exchange.quirk.as_ref().map(|quirk| format!("quirk {quirk}"));
    let back = Arrow {
        from: MAIN_SERVER,
        to: &exchange.from,
        class,
        label: quirk.unwrap_or_else(|| exchange.answers()),
        clause: Some(&exchange.clause),
        carrier: exchange.carrier,
        opens: letter::answer(exchange, &beat.changes),
    };
    [there, back]
}

/// A mail to or from the desk; of a stranger, a mark at the desk.
fn of_mail<'a>(mail: &'a Mail, lanes: &Lanes) -> Arrow<'a> {
    let customer = mail.lane.as_deref().filter(|name| lanes.of(name).is_some());
    let (from, to) = if mail.is_to_the_desk() {
        (customer.unwrap_or(LICENSING_DESK), LICENSING_DESK)
    } else {
        (LICENSING_DESK, customer.unwrap_or(LICENSING_DESK))
    };
    let label = if mail.subject.is_empty() { "mail".to_owned() } else { shown(&mail.subject) };
    Arrow { from, to, carrier: "mail", class: "post", label, clause: None, opens: letter::mail(mail) }
}

fn arrow(id: &str, lanes: &Lanes, arrow: Arrow<'_>) -> Markup {
    let (Some(from), Some(to)) = (lanes.of(arrow.from), lanes.of(arrow.to)) else { return Markup::default() };
    let direction = match from.cmp(&to) {
        std::cmp::Ordering::Less => "rightward",
        std::cmp::Ordering::Greater => "leftward",
        std::cmp::Ordering::Equal => "nowhere",
    };
    let columns = if from == to { format!("at{from}") } else { format!("a{} b{}", from.min(to), from.max(to)) };
    markup! {
        details.arrow.(arrow.class).(direction).{ "by-" (arrow.carrier) } id=(id) {
            summary {
                span.line.(columns) {
                    span.ends { (arrow.from) " → " (arrow.to) }
                    span.label {
                        span.words { (arrow.label) }
                        span.carrier { (arrow.carrier) }
                        @if let Some(clause) = arrow.clause { span.clause { "P " (clause) } }
                    }
                }
            }
            div.letter { (arrow.opens) }
        }
    }
}

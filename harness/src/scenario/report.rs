//! A story that was played, for a CI and as a page.

use std::time::Duration;

use maud::{DOCTYPE, Markup, PreEscaped, html as markup};
use solme_sync_protocol::printable;

use super::told::{Story, Told};
use super::wire::{Exchange, Mail, Message};
use crate::conformance::report::{JUNIT_PROLOG, seconds};
use crate::conformance::requirement;

const STYLE: &str = include_str!("story.css");

/// JUnit XML, as `harness/reports/junit.xsd` has it: a suite a story, a test case a step.
pub(super) fn junit(stories: &[Story]) -> String {
    markup! {
        (PreEscaped(JUNIT_PROLOG))
        testsuites name="harness scenario" { @for story in stories { (suite(story)) "\n" } }
    }
    .into_string()
        + "\n"
}

fn suite(story: &Story) -> Markup {
    let failures = story.steps.iter().filter(|told| !told.ok).count() + usize::from(story.broken.is_some());
    let took = |told: &Told| seconds(Duration::from_secs_f64(told.took));
    let total = Duration::from_secs_f64(story.steps.iter().map(|told| told.took).sum());
    markup! {
        testsuite name=(shown(&story.title)) tests=(story.steps.len() + usize::from(story.broken.is_some()))
            failures=(failures) errors="0" time=(seconds(total)) {
            @for told in &story.steps {
                "\n"
                testcase name={ (told.number) ". " (shown(&told.step)) } classname=(told.action.name()) time=(took(told)) {
                    @if !told.ok {
                        failure type="unexpected"
                            message=(shown(&format!("expected {}, got {}", told.expected, told.got))) {}
                    }
                }
            }
            @if let Some(broken) = &story.broken {
                testcase name="the story broke off" { failure type="unexpected" message=(shown(broken)) {} }
            }
        }
    }
}

/// One self-contained page.
pub(super) fn html(stories: &[Story]) -> String {
    let title = match stories {
        [story] => story.title.as_str(),
        _ => "Scenarios",
    };
    markup! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                title { (shown(title)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                @for story in stories { (story_on_page(story)) }
            }
        }
    }
    .into_string()
}

fn story_on_page(story: &Story) -> Markup {
    markup! {
        main {
            h1 { (shown(&story.title)) }
            p.about { (shown(&story.about)) }
            ol.steps { @for told in &story.steps { (step(told)) } }
            @if let Some(broken) = &story.broken { p.failed { "The story broke off: " (shown(broken)) } }
        }
    }
}

fn step(told: &Told) -> Markup {
    markup! {
        li id={ "step-" (told.number) } {
            h2 { a href={ "#step-" (told.number) } { (told.number) "." } " " (shown(&told.step)) }
            p.who { span.actor { (told.actor) } " " code { (told.action.name()) } }
            @for exchange in &told.wire { (exchange_on_page(exchange)) }
            @for mail in &told.mails { (mail_on_page(mail)) }
            @if let Some(says) = &told.says {
                p.says { (shown(&says.message)) }
                @if let Some(cure) = &says.cure { p.says { b { "Next: " } (shown(cure)) } }
            }
            @if told.ok {
                p.passed { "✓ " (shown(&told.got)) }
            } @else {
                p.failed { "✗ expected " (shown(&told.expected)) ", got " (shown(&told.got)) }
            }
        }
    }
}

fn exchange_on_page(exchange: &Exchange) -> Markup {
    let class = match (&exchange.quirk, exchange.verdict.as_str()) {
        (Some(_), _) => "quirk",
        (None, "accepted" | "payload") => "passed",
        (None, _) => "failed",
    };
    markup! {
        details.wire {
            summary {
                (exchange.from) " → main server, " (exchange.carrier) ": "
                b.(class) { (exchange.verdict) }
                @if let Some(quirk) = &exchange.quirk { " (quirk " (quirk) ")" }
                " · P " (exchange.clause)
            }
            p.clause { (requirement(&exchange.clause)) }
            @for message in [&exchange.request, &exchange.answer].into_iter().flatten() { (message_on_page(message)) }
        }
    }
}

fn message_on_page(message: &Message) -> Markup {
    markup! {
        table {
            caption { (message.kind()) ", " (message.bytes) " bytes, signed with ES384" }
            tbody {
                @for (part, members) in [("header", &message.header), ("payload", &message.payload)] {
                    @for (name, value) in &members.0 {
                        tr { th { (part) } th { (shown(name)) } td { code { (shown(&value.to_string())) } } }
                    }
                }
            }
        }
    }
}

fn mail_on_page(mail: &Mail) -> Markup {
    markup! {
        details.mail open[mail.is_to_the_desk()] {
            summary { "Mail to " (shown(&mail.to)) ": " (shown(&mail.subject)) }
            p { "From " (shown(&mail.from)) }
            pre { @for line in mail.text.trim_end().lines() { (shown(line)) "\n" } }
        }
    }
}

fn shown(text: &str) -> String {
    printable(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::action::Action;
    use super::*;

    #[test]
    fn what_others_wrote_stays_text() {
        let hostile = "<script>x</script>\u{1b}[31m\u{202e}\u{0}]]>&";
        let told = Told {
            number: 1,
            step: hostile.to_owned(),
            actor: "server-a".to_owned(),
            action: Action::Mail,
            expected: "done".to_owned(),
            got: hostile.to_owned(),
            ok: false,
            clause: None,
            says: None,
            wire: Vec::new(),
            mails: vec![Mail {
                from: hostile.into(),
                to: hostile.into(),
                subject: hostile.into(),
                text: hostile.into(),
            }],
            answer: serde_json::Value::Null,
            took: 0.0,
            decode: false,
        };
        let story =
            Story { title: hostile.into(), about: hostile.into(), steps: vec![told], broken: Some(hostile.into()) };
        let stories = [story];
        for report in [html(&stories), junit(&stories)] {
            assert!(!report.contains("<script") && report.contains("&lt;script&gt;"), "{report}");
            let harmless = |c: char| c == '\n' || !(c.is_control() || c == '\u{202e}');
            assert!(report.chars().all(harmless), "{report:?}");
        }
    }
}

//! A story that was played, for a CI and as a page.

use std::time::Duration;

use anyhow::Result;
use maud::{DOCTYPE, Markup, PreEscaped, html as markup};
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};
use solme_sync_protocol::printable;

use super::told::{Story, Told};
use super::wire::{Exchange, Mail, Message};
use crate::conformance::requirement;

const STYLE: &str = include_str!("story.css");

/// JUnit XML: a suite a story, a test case a step.
pub(super) fn junit(stories: &[Story]) -> Result<String> {
    let mut junit = quick_junit::Report::new("harness scenario");
    for story in stories {
        let mut suite = TestSuite::new(printable(&story.title).to_string());
        for told in &story.steps {
            let status = if told.ok {
                TestCaseStatus::success()
            } else {
                failure(&format!("expected {}, got {}", told.expected, told.got))
            };
            let mut test = TestCase::new(format!("{}. {}", told.number, printable(&told.step)), status);
            test.set_classname(told.action.name());
            test.set_time(Duration::from_secs_f64(told.took));
            suite.add_test_case(test);
        }
        if let Some(broken) = &story.broken {
            suite.add_test_case(TestCase::new("the story broke off", failure(broken)));
        }
        junit.add_test_suite(suite);
    }
    Ok(junit.to_string()?)
}

fn failure(message: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_type("unexpected");
    status.set_message(printable(message).to_string());
    status
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
            p.about { (shown(story.about.trim())) }
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
        for report in [html(&stories), junit(&stories).unwrap()] {
            assert!(!report.contains("<script") && report.contains("&lt;script&gt;"), "{report}");
            let harmless = |c: char| c == '\n' || !(c.is_control() || c == '\u{202e}');
            assert!(report.chars().all(harmless), "{report:?}");
        }
    }
}

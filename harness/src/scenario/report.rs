//! A story that was played, for a CI.

use std::time::Duration;

use maud::{Markup, PreEscaped, html as markup};
use solme_sync_protocol::printable;

use super::told::{Story, Told};
use crate::conformance::report::{JUNIT_PROLOG, seconds};

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

fn shown(text: &str) -> String {
    printable(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::action::Action;
    use super::super::wire::Mail;
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
                lane: None,
            }],
            beats: Vec::new(),
            cards: Vec::new(),
            changes: Vec::new(),
            answer: serde_json::Value::Null,
            took: 0.0,
            decode: false,
        };
        let story = Story {
            title: hostile.into(),
            about: hostile.into(),
            servers: Vec::new(),
            cards: Vec::new(),
            steps: vec![told],
            broken: Some(hostile.into()),
        };
        let stories = [story];
        for report in [crate::stage::page(&stories), junit(&stories)] {
            assert!(!report.contains("<script>x") && report.contains("&lt;script&gt;"), "{report}");
            let harmless = |c: char| c == '\n' || !(c.is_control() || c == '\u{202e}');
            assert!(report.chars().all(harmless), "{report:?}");
        }
    }
}

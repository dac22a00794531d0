//! A hostile subject: whatever it says, each form of report has the structure that it has for a harmless one.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use html5gum::{Token, Tokenizer};
use proptest::prelude::*;

use super::super::reached::Reached;
use super::super::runner::{Ended, Options};
use super::super::{ClosedList, Deviations, Finding, Heard, Level, WireLog};
use super::*;
use crate::stop::Stop;

/// What could end a line, a string, an element or a document, or act on a terminal.
const WEAPONS: [&str; 24] = [
    "\u{1b}[31m\u{1b}]0;title\u{7}",
    "\0\u{8}\u{7f}\u{85}\u{9b}31m",
    "\u{202e}\u{2066}\u{200b}\u{feff}",
    "\u{fffe}\u{ffff}\u{1fffe}\u{e0001}",
    "\nok 999 - forged",
    "\r\nnot ok 1 - forged\r",
    "\nBail out!",
    "\n1..3\n",
    "\npragma +strict",
    " # SKIP all",
    "\\",
    "\n  ...\n  ---\n",
    "</code></details><script>alert(1)</script>",
    "\" onmouseover=\"alert(1)",
    "' x='",
    "]]>",
    "<!--",
    "--><![CDATA[",
    "&lt;&#0;&bogus;",
    "\u{2028}\u{2029}\u{b}\u{c}",
    "\nConforms: forged",
    "`` ` ``` | \\| [a](javascript:b) ![i](http://x/y) <b> @all http://x.example\n\n# H\n\n---\n",
    "\n```\n</code></pre>\n| a | b |\n|---|---|\n",
    "{{7*7}}${x}%s%n",
];

fn foreign() -> impl Strategy<Value = String> {
    let weapon = prop_oneof![prop::sample::select(&WEAPONS[..]).prop_map(str::to_owned), ".{0,12}", any::<String>()];
    prop::collection::vec(weapon, 1..6).prop_map(|parts| format!("x{}", parts.concat()))
}

/// A report of a subject that says `text` wherever it has a say.
fn report(text: &str, interrupted: bool) -> Report {
    let options = Options {
        suite: "client",
        subject: text.to_owned(),
        only: vec!["9.*".to_owned()],
        seed: 1,
        parallel: 1,
        time_limit: Duration::ZERO,
        verb_limit: Duration::ZERO,
        workers: true,
        require_all: false,
        deviations: Deviations::default(),
        stop: Stop::never(),
    };
    let said = || text.to_owned();
    let outcomes = [
        Ok(()),
        Err(Finding::deviates(said(), said())),
        Err(Finding::Unimplemented(said())),
        Err(Finding::Skipped(said())),
        Err(Finding::deviates(said(), said())),
        Ok(()),
    ];
    let cases = outcomes.into_iter().enumerate().map(|(number, outcome)| {
        let wire = WireLog::default();
        wire.add(said(), said());
        let ended = Ended { outcome, wire: wire.entries(), heard: Heard::new() };
        let (level, deviation) = if number == 4 { (Level::Should, Some(said())) } else { (Level::Must, None) };
        let id = format!("9.{}/case", number + 1);
        CaseReport::new(id, "A requirement.", level, ended, Duration::from_millis(1234), said(), deviation)
    });
    let heard = Heard::from([("word", said())]);
    let reached = vec![Reached::of(&ClosedList::new("word", ["known"]), &heard)];
    let mut report = Report::new(&options, cases.collect(), &[], reached, SystemTime::UNIX_EPOCH, false);
    report.took_ms = 1234;
    report.remarks.push(said().into());
    report.notes.push(said().into());
    report.interrupted = interrupted;
    report
}

/// What a page, a file or a terminal acts on.
fn has_controls(text: &str) -> bool {
    let acts = "\u{202e}\u{2066}\u{200b}\u{feff}\u{fffe}\u{2028}";
    text.chars().any(|c| (c.is_control() && c != '\n') || acts.contains(c))
}

/// The elements of a page and the names of their attributes, in order.
fn structure_of_html(page: &str) -> Vec<String> {
    // Our script is the last element, and the only one.
    let scripts: Vec<&str> = page.split("<script").collect();
    let [page, _] = scripts[..] else { panic!("{} scripts", scripts.len() - 1) };
    let tokens = Tokenizer::new(page).map(|token| token.unwrap());
    let shape = tokens.filter_map(|token| match token {
        Token::StartTag(tag) => {
            let names: Vec<String> = tag.attributes.keys().map(|name| format!("{name:?}")).collect();
            Some(format!("{:?} {names:?}", tag.name))
        }
        Token::EndTag(tag) => Some(format!("/{:?}", tag.name)),
        Token::Comment(_) => Some("comment".to_owned()),
        Token::Error(error) => panic!("{error:?}"),
        _ => None,
    });
    shape.collect()
}

fn structure_of_xml(document: &str) -> Vec<String> {
    let document = roxmltree::Document::parse(document).unwrap();
    let elements = document.descendants().filter(|node| !node.is_text());
    let shape = |node: roxmltree::Node<'_, '_>| {
        let names: Vec<&str> = node.attributes().map(|attribute| attribute.name()).collect();
        format!("{:?} {} {names:?}", node.node_type(), node.tag_name().name())
    };
    elements.map(shape).collect()
}

/// What a renderer makes of it, but for the texts.
fn structure_of_markdown(text: &str) -> Vec<String> {
    let parser = pulldown_cmark::Parser::new_ext(text, pulldown_cmark::Options::all());
    let events = parser.filter_map(|event| match event {
        pulldown_cmark::Event::Text(_) => None,
        other => Some(format!("{other:?}")),
    });
    events.collect()
}

/// Reads the lines that we write; any other one was forged. Gives how many points there are.
fn points_of_tap(text: &str) -> usize {
    let mut lines = text.lines();
    assert!(lines.next().unwrap().starts_with("TAP version 1"));
    let (mut points, mut last) = (0, HashMap::new());
    for line in lines {
        let subtest = line.starts_with("    ");
        let line = if subtest { &line[4..] } else { line };
        if line.starts_with("1..") {
            assert!(last.insert(subtest, 0).is_none() || subtest, "a second plan: {line}");
        } else if let Some(point) = line.strip_prefix("not ").unwrap_or(line).strip_prefix("ok ") {
            let number: usize = point.split(" - ").next().unwrap().parse().unwrap();
            let last = last.get_mut(&subtest).unwrap();
            *last += 1;
            assert_eq!(number, *last, "{line}");
            points += 1;
        } else if !["  ---", "  ..."].contains(&line) && !line.starts_with("# Subtest: x") {
            let value = ["  expected: ", "  got: ", "  again: "].iter().find_map(|key| line.strip_prefix(key));
            let value = value.or(line.strip_prefix("Bail out! interrupted: x").map(|_| "\"\""));
            serde_json::from_str::<String>(value.unwrap_or_default()).unwrap_or_else(|_| panic!("forged: {line}"));
        }
    }
    points
}

const PAGE: Page<'_> = Page { require_all: true, protocol: None };

type Structure = (fn(&[Report]) -> String, fn(&str) -> Vec<String>);

const STRUCTURES: [Structure; 6] = [
    (|reports| junit(reports, true), structure_of_xml),
    (|reports| html("title", reports, PAGE), structure_of_html),
    (|reports| mutants("title", &reports[0], reports), structure_of_html),
    (|reports| markdown(reports, true), structure_of_markdown),
    (|reports| tap(reports, true, TapVersion::V13), |text| vec![points_of_tap(text).to_string()]),
    (|reports| tap(reports, true, TapVersion::V14), |text| vec![points_of_tap(text).to_string()]),
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn each_form_of_report_keeps_its_structure(text in foreign(), interrupted: bool, two: bool) {
        let of = |text: &str| {
            let report = report(text, interrupted);
            if two { vec![report.clone(), report] } else { vec![report] }
        };
        let (hostile, harmless) = (of(&text), of("x"));
        for (form, structure) in STRUCTURES {
            let written = form(&hostile);
            prop_assert!(!has_controls(&written), "{written}");
            prop_assert_eq!(structure(&written), structure(&form(&harmless)));
        }
        let json = serde_json::to_string_pretty(&hostile).unwrap();
        prop_assert!(!has_controls(&json), "{json}");

        let written: String = hostile.iter().map(summary).collect();
        let plain = anstream::adapter::strip_str(&written).to_string();
        prop_assert!(!has_controls(&plain), "{plain}");
        let colours = |text: &str| text.matches('\u{1b}').count();
        prop_assert_eq!(colours(&written), harmless.iter().map(|report| colours(&summary(report))).sum::<usize>());
        // What a subject says stands below what we say of it, and never at the beginning of a line.
        let forged = |line: &str| ["Conforms", "ok ", "Bail out"].iter().any(|word| line.starts_with(word));
        prop_assert!(!plain.lines().any(forged), "{plain}");
    }
}

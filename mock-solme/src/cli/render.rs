//! What people read: the same answers, as short tables.

use std::io::IsTerminal as _;

use serde_json::Value;
use solme_sync_protocol::{printable, printable_json, printable_lines};
use textwrap::core::display_width;

/// Components in a line of a table; `--json` shows all.
const COMPONENTS_SHOWN: usize = 3;

/// Turns an answer of the admin API into text.
pub(super) type Render = fn(&Value) -> String;

/// An object, a member a line.
pub(super) fn object(answer: &Value) -> String {
    let Some(members) = answer.as_object() else { return plain(answer) };
    let width = members.keys().map(String::len).max().unwrap_or(0);
    let lines = members.iter().map(|(name, value)| format!("{:width$}  {}", words(name), shown(value)));
    lines.collect::<Vec<_>>().join("\n")
}

/// As a file: it is what License Servers are set up with.
pub(super) fn trust_file(answer: &Value) -> String {
    serde_json::to_string_pretty(answer).unwrap_or_default()
}

pub(super) fn ids(answer: &Value) -> String {
    let columns = ["license_server_id", "name", "licenses", "key_generation", "key_thumbprint", "last_synchronized_at"];
    let mut rows = answer.clone();
    for row in rows.as_array_mut().into_iter().flatten() {
        if let Some(damage) = row["damage"].as_str() {
            row["name"] = Value::from(format!("DAMAGED: {damage}. Next: mock-solme reset ID"));
        }
    }
    table(&rows, &columns, "There are no license server ids. Next: mock-solme ids add ID")
}

pub(super) fn licenses(answer: &Value) -> String {
    let licenses = answer["licenses"].as_array().map(Vec::as_slice).unwrap_or_default();
    let rows: Vec<Value> = licenses.iter().cloned().map(with_component_summary).collect();
    let columns = ["number", "display", "domain", "components", "valid_from", "expires_at"];
    let none = "There are no licenses. Next: mock-solme licenses add ID";
    format!("revision {}\n{}", plain(&answer["revision"]), table(&Value::from(rows), &columns, none))
}

fn with_component_summary(mut license: Value) -> Value {
    let components = license["components"].as_array().map(Vec::as_slice).unwrap_or_default();
    let each = |component: &Value| format!("{}={}", plain(&component["name"]), component["max_users"]);
    let mut summary = components.iter().take(COMPONENTS_SHOWN).map(each).collect::<Vec<_>>().join(", ");
    if let Some(more) = components.len().checked_sub(COMPONENTS_SHOWN).filter(|more| *more > 0) {
        summary = format!("{summary}, {more} more");
    }
    license["components"] = Value::from(summary);
    license
}

pub(super) fn key_pair(answer: &Value) -> String {
    let mut head = answer.clone();
    let cleared = head.as_object_mut().and_then(|members| members.remove("cleared")).unwrap_or_default();
    let columns =
        ["key_generation", "thumbprint", "bound_at", "last_synchronized_at", "cleared_at", "cleared_by", "reason"];
    format!("{}\n\nCleared key pairs:\n{}", object(&head), table(&cleared, &columns, "none"))
}

pub(super) fn cleared(answer: &Value) -> String {
    match (answer["outcome"].as_str(), answer["key_thumbprint"].as_str()) {
        (Some("cleared"), _) => format!(
            "Cleared {}. The next key pair that synchronizes has generation {}.",
            plain(&answer["cleared_thumbprint"]),
            answer["key_generation"]
        ),
        (_, Some(in_use)) => format!("Already done: another key pair is in use by now, {in_use}. Nothing was changed."),
        (_, None) => "Already done: no key pair is in use. Nothing was changed.".to_owned(),
    }
}

pub(super) fn clear_requests(answer: &Value) -> String {
    let columns = ["id", "license_server_id", "thumbprint", "sender", "received_at", "further_mails", "state"];
    table(answer, &columns, "There are no clear requests.")
}

pub(super) fn mails(answer: &Value) -> String {
    table(answer, &["id", "at", "to", "subject", "handed_on_at"], "There are no mails.")
}

/// A mail as a mail program shows it.
pub(super) fn mail(answer: &Value) -> String {
    let to = shown(&answer["to"]);
    format!("To: {to}\nSubject: {}\n\n{}", plain(&answer["subject"]), body(&answer["text"]))
}

/// A text with lines of its own.
fn body(text: &Value) -> String {
    printable_lines(text.as_str().unwrap_or_default()).to_string()
}

pub(super) fn inbox(answer: &Value) -> String {
    table(answer, &["id", "at", "from", "subject", "clear_requests"], "There are no mails.")
}

/// A mail as it came in.
pub(super) fn received(answer: &Value) -> String {
    body(&Value::from(answer["text"].as_str().unwrap_or_default().replace("\r\n", "\n")))
}

pub(super) fn clock(answer: &Value) -> String {
    format!("{}, {} s from real time", plain(&answer["now"]), answer["offset"])
}

pub(super) fn variants(answer: &Value) -> String {
    table(answer, &["variant", "of", "clause", "about"], "There are no variants.")
}

pub(super) fn quirks(answer: &Value) -> String {
    table(answer, &["quirk", "operations", "clause", "about"], "There are no quirks.")
}

pub(super) fn armed(fault: &Value) -> String {
    format!("Armed {} as fault {}. Next: mock-solme quirks report", plain(&fault["quirk"]), fault["number"])
}

pub(super) fn faults(answer: &Value) -> String {
    let faults = answer.as_array().map(Vec::as_slice).unwrap_or_default();
    let rows: Vec<Value> = faults.iter().cloned().map(with_words).collect();
    let columns = ["number", "quirk", "where", "when", "with", "matched", "fired", "left"];
    table(&Value::from(rows), &columns, "No fault is armed. Next: mock-solme quirks arm QUIRK")
}

/// Places, times and parameters as on the command line; what is left of a fault without `next` is "for ever".
fn with_words(mut fault: Value) -> Value {
    for part in ["where", "when", "with"] {
        let members = fault[part].as_object().cloned().unwrap_or_default();
        let words = members.iter().map(|(name, value)| format!("{}={}", name.replace('_', "-"), plain(value)));
        fault[part] = Value::from(words.collect::<Vec<_>>().join(" "));
    }
    if fault["left"].is_null() {
        fault["left"] = Value::from("for ever");
    }
    fault
}

pub(super) fn trace(answer: &Value) -> String {
    let columns = ["operation", "license_server_id", "quirk", "verdict", "clause"];
    table(answer, &columns, "Nothing has happened yet.")
}

pub(super) fn journal(answer: &Value) -> String {
    let columns =
        ["number", "at", "carrier", "license_server_id", "verdict", "clause", "quirk", "detail", "judgements"];
    table(answer, &columns, "Nothing has happened yet.")
}

/// One exchange, as people read it: why, then what went over the wire, then how to repeat it.
pub(super) fn exchange(answer: &Value) -> String {
    let members = ["at", "carrier", "license_server_id", "thumbprint", "key_pair", "verdict", "clause", "quirk"];
    let head: serde_json::Map<_, _> = members.iter().map(|name| ((*name).to_owned(), answer[*name].clone())).collect();
    let mut text = vec![plain(&answer["why"]), object(&Value::from(head))];
    for (title, name) in [("Request", "request"), ("Answer", "answer")] {
        let message = &answer[format!("{name}_message")];
        text.push(match message.as_object() {
            None => format!("{title}: {}", plain(&answer[name])),
            Some(_) => format!(
                "{title}: {}, {} bytes, digest {}; {} with {}\n{}\n{}",
                plain(&message["kind"]),
                message["bytes"],
                plain(&message["digest"]),
                message["signature"]["flaw"].as_str().map_or("verified".to_owned(), |flaw| printable(flaw).to_string()),
                plain(&message["signature"]["whose"]),
                pretty(&message["header"]),
                pretty(&message["payload"]),
            ),
        });
    }
    let lines = ["curl", "license_server"].map(|name| &answer["repeat"][name]);
    let lines: Vec<_> =
        lines.into_iter().filter(|line| !line.is_null()).map(|line| format!("  {}", plain(line))).collect();
    if !lines.is_empty() {
        text.push(format!("To repeat it:\n{}", lines.join("\n")));
    }
    text.join("\n\n")
}

fn pretty(value: &Value) -> String {
    printable_json(&serde_json::to_string_pretty(value).unwrap_or_default()).to_string()
}

pub(super) fn audit(answer: &Value) -> String {
    let columns = ["number", "at", "license_server_id", "action", "operator", "reason", "thumbprint", "detail"];
    table(answer, &columns, "Nothing has been changed yet.")
}

/// What became of a request file.
pub(super) fn outcome(answer: &Value) -> String {
    let out = plain(&answer["out"]);
    match answer["outcome"].as_str() {
        Some("accepted") => format!("Accepted. The response file is {out}; next: give it back to the customer."),
        Some(code) => format!("Refused, {code}. The response file {out} says so; next: give it back to the customer."),
        None => format!("The response file is {out}."),
    }
}

fn table(rows: &Value, columns: &[&str], none: &str) -> String {
    let rows = rows.as_array().map(Vec::as_slice).unwrap_or_default();
    if rows.is_empty() {
        return none.to_owned();
    }
    let head = columns.iter().map(|column| words(column)).collect();
    let cells = rows.iter().map(|row| columns.iter().map(|column| shown(&row[*column])).collect());
    let lines: Vec<Vec<String>> = std::iter::once(head).chain(cells).collect();
    fit(&lines, screen())
}

/// Cells between columns.
const GAP: usize = 2;
/// A column is not made narrower.
const NARROWEST: usize = 8;

/// The columns side by side. Where they are wider than the screen the widest ones are cut; `--json` has all.
fn fit(lines: &[Vec<String>], screen: Option<usize>) -> String {
    let columns = lines.first().map_or(0, Vec::len);
    let width_of = |at: usize| lines.iter().map(|line| display_width(&line[at])).max().unwrap_or(0);
    let mut widths: Vec<usize> = (0..columns).map(width_of).collect();
    let total = |widths: &[usize]| widths.iter().sum::<usize>() + GAP * columns.saturating_sub(1);
    while screen.is_some_and(|screen| total(&widths) > screen) {
        match widths.iter_mut().max() {
            Some(widest) if *widest > NARROWEST => *widest -= 1,
            _ => break,
        }
    }
    let line = |line: &Vec<String>| {
        let cells = line.iter().zip(&widths).map(|(cell, width)| padded(cell, *width));
        cells.collect::<Vec<_>>().join(&" ".repeat(GAP)).trim_end().to_owned()
    };
    lines.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The cell, cut to the width or filled up to it.
fn padded(cell: &str, width: usize) -> String {
    let mut shown = String::new();
    if display_width(cell) <= width {
        shown.push_str(cell);
    } else {
        for c in cell.chars() {
            if display_width(&shown) + display_width(c.encode_utf8(&mut [0; 4])) + 1 > width {
                break;
            }
            shown.push(c);
        }
        shown.push('…');
    }
    let missing = width.saturating_sub(display_width(&shown));
    shown + &" ".repeat(missing)
}

/// Columns of the screen; none where nobody looks at one, so that a script gets everything.
fn screen() -> Option<usize> {
    let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    columns.or_else(|| std::io::stdout().is_terminal().then(textwrap::termwidth))
}

fn words(name: &str) -> String {
    name.replace('_', " ")
}

/// A member for people: nothing as a dash.
fn shown(value: &Value) -> String {
    match value {
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => plain(other),
    }
}

/// On one line, and harmless whoever wrote it.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => printable(text).to_string(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_table_is_as_wide_as_the_screen_and_the_widest_column_pays() {
        let lines = [["id", "subject"], ["DEMO-4711", "a subject that is far too long for this"]];
        let lines = lines.map(|line| line.map(str::to_owned).to_vec());
        let narrow = fit(&lines, Some(30));
        assert_eq!(narrow, "id         subject\nDEMO-4711  a subject that is …");
        assert!(narrow.lines().all(|line| display_width(line) <= 30));
        assert!(fit(&lines, None).contains("for this"));
        assert!(fit(&lines, Some(1)).lines().all(|line| display_width(line) <= 2 * NARROWEST + GAP));
        assert!(display_width(&padded("日本語日本語", 8)) <= 8);
    }

    #[test]
    fn a_stranger_s_text_cannot_act_or_begin_a_line_of_its_own() {
        let evil = "x\u{1b}[2J\u{202e}y\n9  SITE-9  approved";
        let list = json!([{ "id": 1, "subject": evil, "to": [evil] }]);
        for text in [mails(&list), object(&list[0])] {
            assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text:?}");
            assert!(!text.contains("\n9  SITE-9"), "{text:?}");
        }
        let mail = mail(&json!({ "to": ["a@b.example"], "subject": evil, "text": "line 1\nline 2\u{1b}[2J" }));
        assert!(mail.contains("line 1\nline 2") && !mail.contains('\u{1b}') && !mail.contains("\n9  SITE"), "{mail:?}");
    }

    #[test]
    fn a_damaged_id_says_so_in_the_list() {
        let list = json!([{ "license_server_id": "SITE-1", "damage": "its allocation is missing" }]);
        assert!(ids(&list).contains("DAMAGED: its allocation is missing"));
    }
}

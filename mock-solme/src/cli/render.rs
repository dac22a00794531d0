//! What people read: the answers of the admin API, as short tables.

use std::io::IsTerminal as _;

use serde::Serialize;
use serde_json::Value;
use solme_sync_protocol::{LicenseServerId, printable, printable_json, printable_lines};
use textwrap::core::display_width;

use super::admin::Written;
use super::failure::pretty;
use crate::admin::api::{
    AuditEntry, CataloguedQuirk, CataloguedVariant, ClearRequest, Cleared, ClockReading, Exchange, FaultReport,
    InboxMail, JournalEntry, KeyPair, License, Licenses, ListedId, Message, NumberedMail, TraceEntry,
};

/// Components in a line of a table; `--json` shows all.
const COMPONENTS_SHOWN: usize = 3;

/// An object, a member a line.
pub(super) fn object<T: Serialize>(answer: T) -> String {
    let answer = json(&answer);
    let members = || answer.as_object().into_iter().flatten();
    let width = members().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines =
        members().map(|(name, value)| format!("{:width$}  {}", words(name), shown(value)).trim_end().to_owned());
    lines.collect::<Vec<_>>().join("\n")
}

/// As a file: it is what License Servers are set up with.
pub(super) fn trust_file(answer: Value) -> String {
    pretty(&answer)
}

pub(super) fn ids(answer: Vec<ListedId>) -> String {
    let columns = ["license_server_id", "name", "licenses", "key_generation", "key_thumbprint", "last_synchronized_at"];
    let rows = answer.iter().map(|id| {
        let mut row = json(id);
        if let ListedId::Damaged { damage, .. } = id {
            row["name"] = Value::from(format!("DAMAGED: {damage}. Next: mock-solme reset ID"));
        }
        row
    });
    table(rows, &columns, "There are no license server ids. Next: mock-solme ids add ID")
}

pub(super) fn licenses(Licenses { revision, licenses, .. }: Licenses) -> String {
    let columns = ["number", "display", "domain", "components", "valid_from", "expires_at"];
    let rows = licenses.iter().map(|license| {
        let mut row = json(license);
        row["components"] = Value::from(components(license));
        row
    });
    let table = table(rows, &columns, "There are no licenses. Next: mock-solme licenses add ID");
    format!("revision {revision}\n{table}")
}

fn components(License { components, .. }: &License) -> String {
    let shown = components.iter().take(COMPONENTS_SHOWN);
    let mut shown: Vec<_> = shown.map(|component| format!("{}={}", component.name, component.max_users)).collect();
    if components.len() > COMPONENTS_SHOWN {
        shown.push(format!("{} more", components.len() - COMPONENTS_SHOWN));
    }
    shown.join(", ")
}

pub(super) fn key_pair(answer: KeyPair) -> String {
    let mut head = json(&answer);
    head.as_object_mut().map(|members| members.remove("cleared"));
    let columns =
        ["key_generation", "thumbprint", "bound_at", "last_synchronized_at", "cleared_at", "cleared_by", "reason"];
    format!("{}\n\nCleared key pairs:\n{}", object(head), table(rows(&answer.cleared), &columns, "none"))
}

pub(super) fn cleared(answer: Cleared) -> String {
    match answer {
        Cleared::Cleared { cleared_thumbprint, key_generation, .. } => {
            format!(
                "Cleared {cleared_thumbprint}. The next key pair that synchronizes has generation {key_generation}."
            )
        }
        Cleared::AlreadyDone { key_thumbprint: Some(in_use) } => {
            format!("Already done: another key pair is in use now, {in_use}. Nothing changed.")
        }
        Cleared::AlreadyDone { key_thumbprint: None } => {
            "Already done: no key pair is in use. Nothing changed.".to_owned()
        }
    }
}

pub(super) fn clear_requests(answer: Vec<ClearRequest>) -> String {
    let columns = ["id", "license_server_id", "thumbprint", "sender", "received_at", "further_mails", "state"];
    table(rows(&answer), &columns, "There are no clear requests.")
}

pub(super) fn mails(answer: Vec<NumberedMail>) -> String {
    table(rows(&answer), &["id", "at", "to", "subject", "handed_on_at"], "There are no mails.")
}

/// A mail as a mail program shows it.
pub(super) fn mail(NumberedMail { mail, .. }: NumberedMail) -> String {
    let (to, subject) = (mail.to.join(", "), &mail.subject);
    format!("To: {}\nSubject: {}\n\n{}", printable(&to), printable(subject), printable_lines(&mail.text))
}

pub(super) fn clock(ClockReading { now, offset }: ClockReading) -> String {
    let (size, direction) = (offset.unsigned_abs(), if offset < 0 { "behind" } else { "ahead of" });
    match size {
        0 => format!("{now}, real time"),
        _ if size % 86_400 == 0 => format!("{now}, {} days {direction} real time", size / 86_400),
        _ => format!("{now}, {size} s {direction} real time"),
    }
}

pub(super) fn inbox(answer: Vec<InboxMail>) -> String {
    table(rows(&answer), &["id", "at", "from", "subject", "clear_requests"], "There are no mails.")
}

/// A mail as it came in.
pub(super) fn received(answer: InboxMail) -> String {
    printable_lines(&answer.text.replace("\r\n", "\n")).to_string()
}

pub(super) fn variants(answer: Vec<CataloguedVariant>) -> String {
    table(rows(&answer), &["variant", "of", "clause", "about"], "There are no variants.")
}

pub(super) fn quirks(answer: Vec<CataloguedQuirk>) -> String {
    table(rows(&answer), &["quirk", "operations", "clause", "about"], "There are no quirks.")
}

pub(super) fn armed(FaultReport { number, fault, .. }: FaultReport) -> String {
    format!("Armed {} as fault {number}. Next: mock-solme quirks report", fault.quirk)
}

/// Places, times and parameters as on the command line.
pub(super) fn faults(answer: Vec<FaultReport>) -> String {
    let rows = answer.iter().map(|report| {
        let mut row = json(report);
        for part in ["where", "when", "with"] {
            let members = row[part].as_object().into_iter().flatten();
            let flags = members.map(|(name, value)| format!("{}={}", name.replace('_', "-"), plain(value)));
            row[part] = Value::from(flags.collect::<Vec<_>>().join(" "));
        }
        if report.left.is_none() {
            row["left"] = Value::from("unlimited");
        }
        row
    });
    let columns = ["number", "quirk", "where", "when", "with", "matched", "fired", "left"];
    table(rows, &columns, "No quirk is armed. Next: mock-solme quirks arm QUIRK")
}

pub(super) fn trace(answer: Vec<TraceEntry>) -> String {
    let columns = ["operation", "license_server_id", "quirk", "verdict", "clause"];
    table(rows(&answer), &columns, "No exchanges yet.")
}

pub(super) fn journal(answer: Vec<JournalEntry>) -> String {
    let columns =
        ["number", "at", "carrier", "license_server_id", "verdict", "clause", "quirk", "detail", "judgements"];
    table(rows(&answer), &columns, "No exchanges yet.")
}

/// One exchange of those that are followed, on one line.
pub(super) fn followed(entry: &JournalEntry, as_json: bool) -> String {
    if as_json {
        return printable_json(&json(entry).to_string()).to_string();
    }
    let JournalEntry { number, at, carrier, license_server_id, verdict, clause, quirk, detail, judgements, .. } = entry;
    let id = license_server_id.as_ref().map_or("-", LicenseServerId::as_str);
    let mut line = format!("{number:>5}  {at}  {:<5}  {id:<16}  {verdict:<24}  P {clause:<6}", carrier.as_str());
    if let Some(quirk) = quirk {
        line += &format!("  quirk {quirk}");
    }
    for text in std::iter::once(detail).chain(judgements).filter(|text| !text.is_empty()) {
        line += &format!("  {text}");
    }
    printable(line.trim_end()).to_string()
}

/// One exchange, as people read it: why, then what went over the wire, then how to repeat it.
pub(super) fn exchange(answer: Exchange) -> String {
    let Exchange { entry, why, key_pair, request_message, answer_message, repeat, .. } = answer;
    let members = ["at", "carrier", "license_server_id", "thumbprint", "verdict", "clause", "quirk"];
    let whole = json(&entry);
    let mut head: serde_json::Map<_, _> =
        members.iter().map(|name| ((*name).to_owned(), whole[*name].clone())).collect();
    head.insert("key_pair".to_owned(), key_pair.into());
    let mut text = vec![printable(&why).to_string(), object(head)];
    for (title, bytes, message) in
        [("Request", &entry.request, request_message), ("Answer", &entry.answer, answer_message)]
    {
        text.push(match message {
            None => format!("{title}: {}", printable(bytes)),
            Some(Message { kind, header, payload, bytes, digest, signature }) => format!(
                "{title}: {}, {bytes} bytes, digest {digest}; {} with {}\n{}\n{}",
                printable(&kind),
                printable(signature.flaw.as_deref().unwrap_or("verified")),
                printable(&signature.whose),
                printable_json(&pretty(&header)),
                printable_json(&pretty(&payload)),
            ),
        });
    }
    let lines: Vec<_> = [repeat.curl, repeat.license_server].into_iter().flatten().collect();
    if !lines.is_empty() {
        text.push(format!(
            "To repeat it:\n  {}",
            lines.iter().map(|line| printable(line).to_string()).collect::<Vec<_>>().join("\n  ")
        ));
    }
    text.join("\n\n")
}

pub(super) fn audit(answer: Vec<AuditEntry>) -> String {
    let columns = ["number", "at", "license_server_id", "action", "operator", "reason", "thumbprint", "detail"];
    table(rows(&answer), &columns, "No changes yet.")
}

/// A file that was written, and what to do with it.
pub(super) fn written(Written { outcome, out }: Written, next: &str) -> String {
    let out = out.display();
    match outcome.as_deref() {
        Some("accepted") => format!("Accepted. Wrote the response file {out}. Next: {next}"),
        Some(code) => format!("Refused: {code}. Wrote the response file {out}. Next: {next}"),
        None => format!("Wrote {out}. Next: {next}"),
    }
}

fn json(answer: &impl Serialize) -> Value {
    serde_json::to_value(answer).expect("it has string keys and no failing serializers")
}

fn rows<T: Serialize>(answer: &[T]) -> impl Iterator<Item = Value> {
    answer.iter().map(json)
}

fn table(rows: impl Iterator<Item = Value>, columns: &[&str], none: &str) -> String {
    let head: Vec<String> = columns.iter().map(|column| words(column)).collect();
    let cells = rows.map(|row| columns.iter().map(|column| shown(&row[*column])).collect());
    let lines: Vec<Vec<String>> = std::iter::once(head).chain(cells).collect();
    if lines.len() == 1 { none.to_owned() } else { fit(&lines, screen()) }
}

/// Blanks between two columns.
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

/// A member for people: nothing as a dash, and what has members of its own as these.
fn shown(value: &Value) -> String {
    match value {
        Value::Array(items) if !items.is_empty() => items.iter().map(members).collect::<Vec<_>>().join(", "),
        other => members(other),
    }
}

fn members(value: &Value) -> String {
    let Value::Object(members) = value else { return plain(value) };
    let each = members.iter().map(|(name, value)| format!("{} {}", words(name), plain(value)));
    if members.is_empty() { "-".to_owned() } else { format!("({})", each.collect::<Vec<_>>().join(", ")) }
}

/// On one line, and harmless whoever wrote it.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Array(items) if items.is_empty() => "-".to_owned(),
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
        let stored = |text: &str| {
            let mail = json!({
                "id": 1, "at": 1_800_000_000, "to": [evil], "subject": evil, "message_id": "", "text": text, "raw": ""
            });
            serde_json::from_value::<NumberedMail>(mail).unwrap()
        };
        for text in [mails(vec![stored(evil)]), object(stored(evil))] {
            assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text:?}");
            assert!(!text.contains("\n9  SITE-9"), "{text:?}");
        }
        let mail = mail(stored("line 1\nline 2\u{1b}[2J"));
        assert!(mail.contains("line 1\nline 2") && !mail.contains('\u{1b}') && !mail.contains("\n9  SITE"), "{mail:?}");
    }

    #[test]
    fn a_damaged_id_says_so_in_the_list() {
        let list = json!([{ "license_server_id": "SITE-1", "damage": "its allocation is missing" }]);
        assert!(ids(serde_json::from_value(list).unwrap()).contains("DAMAGED: its allocation is missing"));
    }
}

//! What people read: the answers of the admin API, as short tables.

use std::io::IsTerminal as _;

use serde::Serialize;
use serde_json::Value;
use solme_sync_protocol::{
    KeyThumbprint, LicenseNumber, LicenseServerId, UtcTime, printable, printable_json, printable_lines,
};
use textwrap::core::display_width;

use super::admin::Written;
use super::failure::pretty;
use crate::admin::api::{
    AuditEntry, Carrier, CataloguedQuirk, CataloguedVariant, ClearRequest, ClearRequestStatus, Cleared, ClockReading,
    Exchange, FaultReport, Id, InboxMail, JournalEntry, KeyPair, License, Licenses, ListedId, Message, NumberedMail,
    Operation, Quirk, TraceEntry, Variant,
};

/// Components in a line of a table; `--json` shows all.
const COMPONENTS_SHOWN: usize = 3;

/// A table of these rows, or `none`. A column is a member of the row, or has what it shows after `=`.
macro_rules! table {
    (@ $row:ident, $column:tt = $cell:expr) => { $cell };
    (@ $row:ident, $column:tt) => { $row.$column.cell() };
    ($rows:expr, $none:expr, |$row:ident| { $($column:tt $(= $cell:expr)?),* $(,)? }) => {
        table(
            &[$(stringify!($column)),*],
            $rows.iter().map(|$row| vec![$(table!(@ $row, $column $(= $cell)?)),*]).collect(),
            $none,
        )
    };
}

/// What people see of a value: nothing as a dash, a text on one line and harmless whoever wrote it.
trait Cell {
    fn cell(&self) -> String;
}

macro_rules! cells {
    ($($type:ty),*) => { $(impl Cell for $type {
        fn cell(&self) -> String {
            printable(&self.to_string()).to_string()
        }
    })* };
}

cells!(String, u64, usize, UtcTime, LicenseServerId, LicenseNumber, KeyThumbprint, Quirk, Operation, Variant);

impl Cell for Carrier {
    fn cell(&self) -> String {
        self.as_str().to_owned()
    }
}

impl Cell for ClearRequestStatus {
    fn cell(&self) -> String {
        self.as_str().to_owned()
    }
}

impl<T: Cell> Cell for Option<T> {
    fn cell(&self) -> String {
        self.as_ref().map_or_else(|| "-".to_owned(), Cell::cell)
    }
}

impl<T: Cell> Cell for Vec<T> {
    fn cell(&self) -> String {
        if self.is_empty() { "-".to_owned() } else { self.iter().map(Cell::cell).collect::<Vec<_>>().join(", ") }
    }
}

/// An object, a member a line.
pub(super) fn object<T: Serialize>(answer: T) -> String {
    let answer = json(&answer);
    let members: Vec<_> =
        answer.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), shown(value))).collect();
    aligned(&members)
}

fn aligned(members: &[(&str, String)]) -> String {
    let width = members.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines = members.iter().map(|(name, value)| format!("{:width$}  {value}", words(name)).trim_end().to_owned());
    lines.collect::<Vec<_>>().join("\n")
}

/// As a file: it is what License Servers are set up with.
pub(super) fn trust_file(answer: Value) -> String {
    pretty(&answer)
}

pub(super) fn ids(answer: Vec<ListedId>) -> String {
    let none = "There are no license server ids. Next: mock-solme ids add ID";
    table!(answer, none, |id| {
        license_server_id = match id {
            ListedId::Sound(id) => id.license_server_id.cell(),
            ListedId::Damaged { license_server_id, .. } => license_server_id.cell(),
        },
        name = match id {
            ListedId::Sound(id) => id.name.cell(),
            ListedId::Damaged { damage, .. } => format!("DAMAGED: {damage}. Next: mock-solme reset ID").cell(),
        },
        licenses = sound(id).map(|id| id.licenses).cell(),
        key_generation = sound(id).map(|id| id.key_generation).cell(),
        key_thumbprint = sound(id).and_then(|id| id.key_thumbprint).cell(),
        last_synchronized_at = sound(id).and_then(|id| id.last_synchronized_at).cell(),
    })
}

fn sound(id: &ListedId) -> Option<&Id> {
    if let ListedId::Sound(id) = id { Some(id) } else { None }
}

pub(super) fn licenses(Licenses { revision, licenses, .. }: Licenses) -> String {
    let none = "There are no licenses. Next: mock-solme licenses add ID";
    let table = table!(licenses, none, |license| {
        number, display, domain, components = components(license).cell(), valid_from, expires_at
    });
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

pub(super) fn key_pair(mut answer: KeyPair) -> String {
    let cleared = std::mem::take(&mut answer.cleared);
    let cleared = table!(cleared, "none", |key_pair| {
        key_generation, thumbprint, bound_at, last_synchronized_at, cleared_at, cleared_by, reason
    });
    let mut head = json(&answer);
    head.as_object_mut().map(|members| members.remove("cleared"));
    format!("{}\n\nCleared key pairs:\n{cleared}", object(head))
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
    table!(answer, "There are no clear requests.", |request| {
        id, license_server_id, thumbprint, sender = request.mail.sender.cell(),
        received_at = request.mail.received_at.cell(), further_mails, state
    })
}

pub(super) fn mails(answer: Vec<NumberedMail>) -> String {
    table!(answer, "There are no mails.", |mail| {
        id, at, to = mail.mail.to.cell(), subject = mail.mail.subject.cell(), handed_on_at = mail.mail.handed_on_at.cell()
    })
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
    table!(answer, "There are no mails.", |mail| { id, at, from, subject, clear_requests })
}

/// A mail as it came in.
pub(super) fn received(answer: InboxMail) -> String {
    printable_lines(&answer.text.replace("\r\n", "\n")).to_string()
}

pub(super) fn variants(answer: Vec<CataloguedVariant>) -> String {
    table!(answer, "There are no variants.", |variant| { variant, of, clause, about })
}

pub(super) fn quirks(answer: Vec<CataloguedQuirk>) -> String {
    table!(answer, "There are no quirks.", |quirk| { quirk, operations, clause, about })
}

pub(super) fn armed(FaultReport { number, fault, .. }: FaultReport) -> String {
    format!("Armed {} as fault {number}. Next: mock-solme quirks report", fault.quirk)
}

/// Places, times and parameters as on the command line.
pub(super) fn faults(answer: Vec<FaultReport>) -> String {
    table!(answer, "No quirk is armed. Next: mock-solme quirks arm QUIRK", |report| {
        number,
        quirk = report.fault.quirk.cell(),
        where = flags(&report.fault.place).cell(),
        when = flags(&report.fault.when).cell(),
        with = flags(&report.fault.parameters).cell(),
        matched,
        fired,
        left = report.left.map_or_else(|| "unlimited".to_owned(), |left| left.to_string()),
    })
}

fn flags(members: &impl Serialize) -> String {
    let members = json(members);
    let flags = members.as_object().into_iter().flatten();
    flags.map(|(name, value)| format!("{}={}", name.replace('_', "-"), plain(value))).collect::<Vec<_>>().join(" ")
}

pub(super) fn trace(answer: Vec<TraceEntry>) -> String {
    table!(answer, "No exchanges yet.", |entry| { operation, license_server_id, quirk, verdict, clause })
}

pub(super) fn journal(answer: Vec<JournalEntry>) -> String {
    table!(answer, "No exchanges yet.", |entry| {
        number, at, carrier, license_server_id, verdict, clause, quirk, detail, judgements
    })
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
    let head = [
        ("at", entry.at.cell()),
        ("carrier", entry.carrier.cell()),
        ("clause", entry.clause.cell()),
        ("key_pair", key_pair.cell()),
        ("license_server_id", entry.license_server_id.cell()),
        ("quirk", entry.quirk.cell()),
        ("thumbprint", entry.thumbprint.cell()),
        ("verdict", entry.verdict.cell()),
    ];
    let mut text = vec![printable(&why).to_string(), aligned(&head)];
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
    table!(answer, "No changes yet.", |change| {
        number, at, license_server_id, action, operator, reason, thumbprint, detail
    })
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

fn table(columns: &[&str], rows: Vec<Vec<String>>, none: &str) -> String {
    let head: Vec<String> = columns.iter().map(|column| words(column)).collect();
    let lines: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
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

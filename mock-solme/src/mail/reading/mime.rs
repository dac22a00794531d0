//! The texts of a mail: out of multiparts, encodings, charsets and HTML.
//!
//! `mail-parser` decodes; the descent into parts is ours. It nests messages in messages without a bound and drops
//! them by recursion, so that one mail of 1 MiB of `Content-Type: message/rfc822` overflows the stack, which ends the
//! process. Here a part is given to it only when it is a leaf.

use mail_parser::decoders::html::html_to_text;
use mail_parser::{ContentType, MessageParser, MimeHeaders as _, PartType};

/// Multiparts and forwarded mails within each other; what lies deeper is passed over.
const MAX_DEPTH: usize = 20;

/// Parts of one mail that are looked at, of all levels together.
const MAX_PARTS: usize = 200;

/// HTML elements that do not end a word. Every other one does: `<td>A</td><td>B</td>` are two words.
const WITHIN_WORDS: [&str; 16] =
    ["a", "abbr", "b", "bdi", "code", "em", "font", "i", "ins", "mark", "small", "span", "strong", "tt", "u", "wbr"];

/// Calls `found` with each text of the mail, in order. Attachments are passed over, forwarded mails are not.
pub(super) fn for_each_text(raw: &[u8], found: &mut dyn FnMut(&str)) {
    let mut parts_left = MAX_PARTS;
    descend(raw, MAX_DEPTH, &mut parts_left, found);
}

fn descend(entity: &[u8], depth_left: usize, parts_left: &mut usize, found: &mut dyn FnMut(&str)) {
    if *parts_left == 0 {
        return;
    }
    *parts_left -= 1;
    let headers = MessageParser::default().parse_headers(entity);
    if headers.as_ref().and_then(|headers| headers.content_disposition()).is_some_and(ContentType::is_attachment) {
        return;
    }
    let Some(content_type) = headers.as_ref().and_then(|headers| headers.content_type()) else {
        return leaf(entity, found);
    };
    match (content_type.ctype(), content_type.subtype().unwrap_or_default()) {
        ("multipart", _) if depth_left > 0 => {
            let boundary = content_type.attribute("boundary").unwrap_or_default();
            for part in parts(body(entity), boundary.as_bytes()) {
                descend(part, depth_left - 1, parts_left, found);
            }
        }
        ("message", "rfc822" | "global") if depth_left > 0 => descend(body(entity), depth_left - 1, parts_left, found),
        ("text", _) => leaf(entity, found),
        _ => {}
    }
}

fn leaf(entity: &[u8], found: &mut dyn FnMut(&str)) {
    let Some(message) = MessageParser::default().parse(entity) else { return };
    match message.parts.first().map(|part| &part.body) {
        Some(PartType::Text(text)) => found(text),
        Some(PartType::Html(html)) => found(&html_to_text(&with_spaces_between_blocks(html))),
        _ => {}
    }
}

/// What follows the first empty line; nothing if there is none.
fn body(entity: &[u8]) -> &[u8] {
    let mut at = 0;
    for line in entity.split_inclusive(|b| *b == b'\n') {
        at += line.len();
        if line.trim_ascii().is_empty() {
            break;
        }
    }
    &entity[at..]
}

/// The parts between the boundaries (RFC 2046 section 5.1.1). A missing last boundary is forgiven.
fn parts<'b>(body: &'b [u8], boundary: &[u8]) -> Vec<&'b [u8]> {
    let (mut found, mut start, mut at) = (Vec::new(), None, 0);
    for line in body.split_inclusive(|b| *b == b'\n') {
        let next = at + line.len();
        if let Some(rest) = line.strip_prefix(b"--").and_then(|line| line.strip_prefix(boundary)) {
            let is_last = rest.starts_with(b"--");
            if is_last || rest.trim_ascii().is_empty() {
                found.extend(start.map(|start| &body[start..at]));
                start = (!is_last).then_some(next);
                if is_last || found.len() >= MAX_PARTS {
                    return found;
                }
            }
        }
        at = next;
    }
    found.extend(start.map(|start| &body[start..]));
    found
}

/// `html` with a space before every element that ends a word: the decoder only drops them.
fn with_spaces_between_blocks(html: &str) -> String {
    let mut spaced = String::with_capacity(html.len() + html.len() / 4);
    for (at, piece) in html.split('<').enumerate() {
        if at > 0 {
            let name = piece.strip_prefix('/').unwrap_or(piece);
            let name = &name[..name.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(name.len())];
            // No name: a comment, or no element at all.
            if !name.is_empty() && !WITHIN_WORDS.iter().any(|within| name.eq_ignore_ascii_case(within)) {
                spaced.push(' ');
            }
            spaced.push('<');
        }
        spaced.push_str(piece);
    }
    spaced
}

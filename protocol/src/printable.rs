//! The border of output: text of others as it may reach a terminal, a page, a log or a report.
//!
//! A name, a mail's subject or a server's reply may hold characters that move the cursor, recolour or retitle the
//! window, turn the reading order around, start a line of their own, or cannot be seen at all. Whatever a program of
//! this workspace shows of them goes through [`printable`], or through [`printable_json`] where the output is JSON.

use std::fmt;

/// `text` of a stranger, fit to be shown as a part of one line: each character that would act instead of being seen
/// is shown as an escape such as `\u{1b}`. Line breaks and tabs are among them.
///
/// What is left is text of one line that XML 1.0 allows, too. Escaping twice changes nothing.
pub fn printable(text: &str) -> Printable<'_> {
    Printable { text, lines: false }
}

/// As [`printable`], for text that has lines of its own, such as the body of a mail: `\n` stays.
pub fn printable_lines(text: &str) -> Printable<'_> {
    Printable { text, lines: true }
}

/// `json` with the same characters written as JSON's own escapes, such as `\u202e`: the same value, fit for a terminal.
/// Line breaks between its members stay.
///
/// `json` is JSON as a serializer writes it. Of anything else the outcome is harmless, but not the same value.
pub fn printable_json(json: &str) -> PrintableJson<'_> {
    PrintableJson(json)
}

/// Text of others that can be shown; see [`printable`]. Width, fill and precision of a format apply to what is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Printable<'a> {
    text: &'a str,
    lines: bool,
}

impl Printable<'_> {
    /// Whether the text is shown as it was given, so that nothing had to be escaped.
    pub fn is_as_given(&self) -> bool {
        !self.text.contains(|c| self.escapes(c))
    }

    fn escapes(&self, c: char) -> bool {
        acts(c) && !(self.lines && c == '\n')
    }
}

/// JSON with text of others that can be shown; see [`printable_json`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrintableJson<'a>(&'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_as_given() {
            return f.pad(self.text);
        }
        let mut shown = String::with_capacity(self.text.len() + 16);
        for c in self.text.chars() {
            if self.escapes(c) { shown.extend(c.escape_unicode()) } else { shown.push(c) }
        }
        f.pad(&shown)
    }
}

impl fmt::Display for PrintableJson<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown_to = 0;
        for (at, c) in self.0.char_indices().filter(|(_, c)| *c != '\n' && acts(*c)) {
            f.write_str(&self.0[shown_to..at])?;
            shown_to = at + c.len_utf8();
            match c {
                '\t' | '\r' => f.write_str(" ")?, // between two members: inside a string they are escaped already
                _ => c.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write!(f, "\\u{unit:04x}"))?,
            }
        }
        f.write_str(&self.0[shown_to..])
    }
}

/// Whether `c` acts on whoever shows it, or cannot be seen: controls, separators of lines and paragraphs, what Unicode
/// calls default-ignorable (bidi controls, zero widths, tags), annotation marks, and noncharacters.
///
/// The joiners of scripts and emoji (ZWNJ, ZWJ) and the two selectors of text or emoji style stay: they neither move
/// nor hide anything else.
fn acts(c: char) -> bool {
    match c {
        '\u{200c}' | '\u{200d}' | '\u{fe0e}' | '\u{fe0f}' => false,
        '\u{ad}'
        | '\u{34f}'
        | '\u{61c}'
        | '\u{115f}'..='\u{1160}'
        | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}'
        | '\u{fdd0}'..='\u{fdef}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}' => true,
        _ => c.is_control() || (c as u32) & 0xfffe == 0xfffe,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// One of each kind of hazard.
    const HAZARDS: &str = "\0\u{7}\u{8}\t\n\r\u{1b}\u{7f}\u{85}\u{9b}\u{ad}\u{61c}\u{200b}\u{200e}\u{200f}\u{2028}\u{2029}\
                           \u{202a}\u{202e}\u{2060}\u{2066}\u{2069}\u{3164}\u{feff}\u{fff9}\u{ffff}\u{e0001}\u{e007f}\u{e0100}";

    #[test]
    fn what_would_act_is_seen_instead() {
        for (text, shown) in [
            ("Solme AB, Göteborg 日本語 \\ \"", "Solme AB, Göteborg 日本語 \\ \""),
            ("\u{1b}[2J\u{9b}31m\u{7}", r"\u{1b}[2J\u{9b}31m\u{7}"),
            ("one\r\nok 999 - forged\ttab", r"one\u{d}\u{a}ok 999 - forged\u{9}tab"),
            ("\u{202e}gpj.exe\u{2069}\u{feff}", r"\u{202e}gpj.exe\u{2069}\u{feff}"),
            ("\u{e0041}\u{e007f}", r"\u{e0041}\u{e007f}"),
            ("می\u{200c}شود ❤\u{fe0f} 👩\u{200d}💻", "می\u{200c}شود ❤\u{fe0f} 👩\u{200d}💻"),
        ] {
            assert_eq!(printable(text).to_string(), shown);
            assert_eq!(printable(text).is_as_given(), text == shown);
        }
        assert_eq!(printable_lines("a\nb\r\u{1b}").to_string(), "a\nb\\u{d}\\u{1b}");
        assert_eq!(printable_json("{\r\n\t\"a\": 1\r\n}").to_string(), "{ \n \"a\": 1 \n}");
        for hazard in HAZARDS.chars() {
            assert!(printable(&hazard.to_string()).to_string().starts_with("\\u{"), "{hazard:?} is shown as it is");
        }
    }

    #[test]
    fn a_width_counts_what_is_shown() {
        assert_eq!(format!("[{:<8}]", printable("\u{1b}x")), r"[\u{1b}x ]");
        assert_eq!(format!("[{:>4}]", printable("ab")), "[  ab]");
    }

    fn any_text() -> impl Strategy<Value = String> {
        let hazard = prop::sample::select(HAZARDS.chars().collect::<Vec<_>>());
        prop::collection::vec(prop_oneof![any::<char>(), hazard, prop::char::range(' ', '~')], 0..40)
            .prop_map(|chars| chars.into_iter().collect())
    }

    /// Written apart from `acts`: what XML 1.0 forbids, and what breaks or turns a line.
    fn forbidden(c: char) -> bool {
        (c < ' ' || ('\u{7f}'..='\u{9f}').contains(&c))
            || ['\u{fffe}', '\u{ffff}', '\u{feff}', '\u{61c}', '\u{200b}', '\u{200e}', '\u{200f}'].contains(&c)
            || (0x2028..=0x202e).contains(&(c as u32))
            || (0x2066..=0x2069).contains(&(c as u32))
            || (0xe0000..=0xe007f).contains(&(c as u32))
    }

    proptest! {
        #[test]
        fn whatever_is_shown_is_one_harmless_line(text in any_text()) {
            let shown = printable(&text).to_string();
            prop_assert!(!shown.contains(forbidden), "{shown:?}");
            prop_assert_eq!(printable(&shown).to_string(), shown.as_str(), "a second time changes it");
            prop_assert_eq!(shown == text, !text.contains(acts), "harmless text stays as it is");
        }

        #[test]
        fn json_stays_the_same_value_and_is_harmless(text in any_text(), name in any_text()) {
            let value = serde_json::json!({ name: [text, null, 1] });
            for json in [serde_json::to_string(&value)?, serde_json::to_string_pretty(&value)?] {
                let shown = printable_json(&json).to_string();
                prop_assert!(!shown.contains(|c| c != '\n' && forbidden(c)), "{shown:?}");
                prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&shown)?, value.clone());
                prop_assert_eq!(shown.lines().count(), json.lines().count());
            }
        }
    }
}

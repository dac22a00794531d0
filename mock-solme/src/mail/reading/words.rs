//! Words of a text that have the form of a license server id.

use std::collections::HashMap;

use solme_sync_protocol::{KeyThumbprint, LicenseServerId};

/// Words kept of each kind. Each has its own bound, so that a long letter in front does not crowd out the id at its end.
pub(super) const MAX_OF_A_KIND: usize = 256;

/// Thumbprints taken from one mail.
const MAX_THUMBPRINTS: usize = 10;

/// How much a word is like a license server id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// As any word of a language.
    Plain,
    /// It has a digit, a hyphen or an underscore, or is in capitals: few words of a language do.
    LooksLikeAnId,
    /// It is called one: `License server id: X`.
    Announced,
}

/// The words of a mail that may be license server ids, in order of appearance, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Words {
    words: Vec<(LicenseServerId, Kind)>,
    places: HashMap<LicenseServerId, usize>,
    /// Of each kind, as each word was when it came in.
    counts: [usize; 3],
    thumbprints: Vec<KeyThumbprint>,
}

impl Words {
    /// The words, in order of appearance.
    pub(super) fn iter(&self) -> impl Iterator<Item = &LicenseServerId> {
        self.words.iter().map(|(id, _)| id)
    }

    /// How many of them seem to be license server ids, by their form alone.
    pub(super) fn seeming_ids(&self) -> usize {
        self.words.iter().filter(|(_, kind)| *kind > Kind::Plain).count()
    }

    pub(super) fn take_thumbprints(&mut self) -> Vec<KeyThumbprint> {
        std::mem::take(&mut self.thumbprints)
    }

    /// Adds the words of `text`.
    pub(super) fn scan(&mut self, text: &str) {
        // Writing programs make a hyphen one that does not break; in an id it is meant as the plain one.
        let text = text.replace(['\u{2010}', '\u{2011}'], "-");
        let (mut after_id, mut last_end) = (false, 0);
        for (start, end) in runs(&text) {
            let (gap, word) = (&text[last_end..start], &text[start..end]);
            let announced = after_id && gap.contains([':', '=', '#']);
            after_id = word.get(word.len().saturating_sub(2)..).is_some_and(|last| last.eq_ignore_ascii_case("id"));
            last_end = end;
            if !is_part_of_a_longer_word(&text, start, end) {
                self.take_thumbprint(word);
                self.add(word, announced);
                // A text's `_DEMO-4711_` is emphasis, and `DEMO-` may be the id itself.
                self.add(word.trim_matches(['-', '_']), announced);
            }
        }
    }

    fn add(&mut self, word: &str, announced: bool) {
        let Ok(id) = word.parse::<LicenseServerId>() else { return };
        let kind = match announced {
            true => Kind::Announced,
            false if looks_like_an_id(word) => Kind::LooksLikeAnId,
            false => Kind::Plain,
        };
        if let Some(&place) = self.places.get(&id) {
            let known = &mut self.words[place].1;
            *known = kind.max(*known);
        } else if self.counts[kind as usize] < MAX_OF_A_KIND {
            self.counts[kind as usize] += 1;
            self.places.insert(id.clone(), self.words.len());
            self.words.push((id, kind));
        }
    }

    fn take_thumbprint(&mut self, word: &str) {
        if self.thumbprints.len() < MAX_THUMBPRINTS
            && let Ok(thumbprint) = word.parse::<KeyThumbprint>()
            && !self.thumbprints.contains(&thumbprint)
        {
            self.thumbprints.push(thumbprint);
        }
    }
}

fn is_word_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'-' || b == b'_'
}

/// The runs of letters, digits, hyphens and underscores.
fn runs(text: &str) -> impl Iterator<Item = (usize, usize)> {
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + bytes[at..].iter().position(|b| is_word_byte(*b))?;
        let length = bytes[start..].iter().position(|b| !is_word_byte(*b)).unwrap_or(bytes.len() - start);
        at = start + length;
        Some((start, at))
    })
}

/// Whether the run is a piece of a mail address, a host name or a word with other letters: nothing is cut out of those.
fn is_part_of_a_longer_word(text: &str, start: usize, end: usize) -> bool {
    let bytes = text.as_bytes();
    let joins = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(|b| is_word_byte(*b));
    let before = text[..start].chars().next_back();
    let after = text[end..].chars().next();
    let by_dot = before == Some('.') && joins(start.checked_sub(2)) || after == Some('.') && joins(end.checked_add(1));
    let by_letter = |c: Option<char>| c.is_some_and(|c| c == '@' || !c.is_ascii() && c.is_alphanumeric());
    by_dot || by_letter(before) || by_letter(after)
}

fn looks_like_an_id(word: &str) -> bool {
    let marked = word.bytes().any(|b| b.is_ascii_digit() || b == b'_') || word.trim_matches('-').contains('-');
    marked || word.len() >= 4 && word.bytes().all(|b| b.is_ascii_uppercase())
}

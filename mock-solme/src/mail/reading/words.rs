//! Words of a text that have the form of a license server id, and those that are called one.

use std::collections::HashMap;

use solme_sync_protocol::{KeyThumbprint, LicenseServerId};

/// Candidates kept of each kind: plain words, words that look like an id, and announced ones. Each kind has its own
/// bound, so that a long letter in front does not crowd out the id at its end.
pub(super) const MAX_CANDIDATES: usize = 256;

/// Thumbprints taken from one mail.
const MAX_THUMBPRINTS: usize = 10;

/// A word that may be a license server id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) id: LicenseServerId,
    /// The mail calls it a license server id: `License server id: X`.
    pub(super) announced: bool,
    /// It has a digit, a hyphen or an underscore, or is in capitals: few words of a language do.
    pub(super) looks_like_an_id: bool,
}

/// The candidates of a mail, in order of appearance, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Words {
    candidates: Vec<Candidate>,
    places: HashMap<LicenseServerId, usize>,
    /// Plain, looking like an id, announced: as each was when it came in.
    counts: [usize; 3],
    thumbprints: Vec<KeyThumbprint>,
}

/// What the words before say about the next one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expecting {
    Nothing,
    /// "id": the next word is announced, if it looks like one or a colon stands between.
    Id,
    /// "id: X": what follows after a comma or "and" is announced too, if it looks like one.
    More,
}

impl Words {
    /// The candidates, in order of appearance.
    pub(super) fn candidates(&self) -> impl Iterator<Item = &Candidate> {
        self.candidates.iter()
    }

    pub(super) fn take_thumbprints(&mut self) -> Vec<KeyThumbprint> {
        std::mem::take(&mut self.thumbprints)
    }

    /// Adds the words of `text`, which ends the sentence before it.
    pub(super) fn scan(&mut self, text: &str) {
        // Writing programs make a hyphen one that does not break; in an id it is meant as the plain one.
        let text = text.replace(['\u{2010}', '\u{2011}'], "-");
        let mut expecting = Expecting::Nothing;
        let mut strongly = false;
        let mut last_end = 0;
        for (start, end) in runs(&text) {
            let gap = &text[last_end..start];
            last_end = end;
            let word = &text[start..end];
            if is_part_of_a_longer_word(&text, start, end) {
                expecting = Expecting::Nothing;
                continue;
            }
            self.take_thumbprint(word);
            if !leads_on(gap, expecting) {
                expecting = Expecting::Nothing;
            }
            strongly = expecting == Expecting::Id && (strongly || gap.contains([':', '=', '#']));
            if says_id(word) {
                (expecting, strongly) = (Expecting::Id, false);
            } else if expecting != Expecting::Nothing && is_filler(word) {
                // "id is X", "ids X and Y": the word between changes nothing.
                self.add(word, false);
                continue;
            }
            let announced = match expecting {
                Expecting::Nothing => false,
                Expecting::Id => !says_id(word) && (strongly || looks_like_an_id(word)),
                Expecting::More => looks_like_an_id(word),
            };
            self.add(word, announced);
            if !says_id(word) {
                expecting = if announced { Expecting::More } else { Expecting::Nothing };
            }
        }
    }

    /// Adds a word as it stands, and without the hyphens and underscores around it if it has any: a text's
    /// `_DEMO-4711_` is emphasis, and `DEMO-` may be the id itself.
    fn add(&mut self, word: &str, announced: bool) {
        self.add_exact(word, announced);
        let bare = word.trim_matches(['-', '_']);
        if bare.len() < word.len() {
            self.add_exact(bare, announced);
        }
    }

    fn add_exact(&mut self, word: &str, announced: bool) {
        let Ok(id) = word.parse::<LicenseServerId>() else { return };
        if let Some(&place) = self.places.get(&id) {
            self.candidates[place].announced |= announced;
            return;
        }
        let looks_like_an_id = looks_like_an_id(word);
        let count = &mut self.counts[if announced { 2 } else { usize::from(looks_like_an_id) }];
        if *count >= MAX_CANDIDATES {
            return;
        }
        *count += 1;
        self.places.insert(id.clone(), self.candidates.len());
        self.candidates.push(Candidate { id, announced, looks_like_an_id });
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

/// "id", "license-server-id", `license_server_id`, "ServerID", with or without an s.
fn says_id(word: &str) -> bool {
    let bare: String = word.chars().filter(|c| c.is_ascii_alphabetic()).collect::<String>().to_ascii_lowercase();
    let one = bare.strip_suffix('s').unwrap_or(&bare);
    one == "id" && word.len() == bare.len() || one.ends_with("serverid") && one.len() <= "licenseserverid".len()
}

fn is_filler(word: &str) -> bool {
    ["is", "are", "and", "or", "no", "number"].iter().any(|filler| word.eq_ignore_ascii_case(filler))
}

/// Whether what stands between two words lets the second still belong to the announcement.
fn leads_on(gap: &str, expecting: Expecting) -> bool {
    let within = |c: char| c.is_whitespace() || ":=#\"'`()[]<>*|\u{201c}\u{201d}\u{201e}\u{2018}\u{2019}".contains(c);
    let short = gap.len() <= 40;
    short && gap.chars().all(|c| within(c) || expecting == Expecting::More && (c == ',' || c == ';' || c == '&'))
}

fn looks_like_an_id(word: &str) -> bool {
    let marked = word.bytes().any(|b| b.is_ascii_digit() || b == b'_') || word.trim_matches('-').contains('-');
    marked || word.len() >= 4 && word.bytes().all(|b| b.is_ascii_uppercase())
}

//! Which words of the closed lists a subject has said: states, refusals, failures. A suite that never brings a subject to
//! say one of them says nothing about it.

use std::collections::BTreeSet;

use serde::Serialize;

/// What was heard: the list, and the word.
pub(crate) type Heard = BTreeSet<(&'static str, String)>;

/// A closed list of PROTOCOL.md or SUBJECT.md.
pub(crate) struct ClosedList {
    /// What its words are: `state`.
    pub(crate) name: &'static str,
    /// Its words.
    pub(crate) words: Vec<Word>,
}

/// One word of a closed list.
pub(crate) struct Word {
    pub(crate) word: String,
    /// Why the suite never hears it. None: it has to.
    pub(crate) unheard: Option<&'static str>,
}

impl ClosedList {
    /// A list of which the suite hears every word.
    pub(crate) fn new<'a>(name: &'static str, words: impl IntoIterator<Item = &'a str>) -> Self {
        Self { name, words: words.into_iter().map(|word| Word { word: word.to_owned(), unheard: None }).collect() }
    }

    /// This word is never heard, for this reason.
    pub(crate) fn except(mut self, word: &str, reason: &'static str) -> Self {
        for found in self.words.iter_mut().filter(|found| found.word == word) {
            found.unheard = Some(reason);
        }
        self
    }
}

/// How much of a closed list was reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Reached {
    /// What its words are.
    pub(crate) list: &'static str,
    /// The words that the subject said, in the order of the list.
    pub(crate) reached: Vec<String>,
    /// The others.
    pub(crate) never: Vec<Never>,
    /// Reasons for words that were heard all the same.
    #[serde(skip)]
    stale: Vec<String>,
}

/// A word that the subject never said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Never {
    pub(crate) word: String,
    /// Why the suite cannot bring a subject to say it; null where it can.
    pub(crate) reason: Option<&'static str>,
}

impl Reached {
    /// What was heard of a list.
    pub(crate) fn of(list: &ClosedList, heard: &Heard) -> Self {
        let said = |word: &&Word| heard.contains(&(list.name, word.word.clone()));
        let word = |word: &Word| word.word.clone();
        let never = |word: &Word| Never { word: word.word.clone(), reason: word.unheard };
        Self {
            list: list.name,
            reached: list.words.iter().filter(said).map(word).collect(),
            never: list.words.iter().filter(|word| !said(word)).map(never).collect(),
            stale: list.words.iter().filter(|word| said(word) && word.unheard.is_some()).map(word).collect(),
        }
    }

    /// The words that should have been heard, in one sentence.
    pub(super) fn missed(&self) -> Option<String> {
        let missed = self.never.iter().filter(|never| never.reason.is_none());
        let words: Vec<&str> = missed.map(|never| never.word.as_str()).collect();
        (!words.is_empty()).then(|| format!("never reached, {}: {}", self.list, words.join(", ")))
    }

    /// What is wrong, where the whole suite was run and nothing may be missing.
    pub(super) fn remarks(&self) -> impl Iterator<Item = String> {
        let stale =
            |word| format!("the {} {word} was reached, but is listed as unreachable; remove that entry", self.list);
        self.missed().into_iter().chain(self.stale.iter().map(stale))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remarks(heard: &[&str]) -> Vec<String> {
        let list = ClosedList::new("state", ["new", "old", "broken"]).except("broken", "nothing breaks here");
        let heard = heard.iter().map(|word| ("state", (*word).to_owned())).collect();
        Reached::of(&list, &heard).remarks().collect()
    }

    #[test]
    fn each_word_is_heard_or_has_a_reason_and_not_both() {
        assert_eq!(remarks(&["old", "new"]), Vec::<String>::new());
        assert_eq!(remarks(&["old", "of no list"]), ["never reached, state: new"]);
        let stale = "the state broken was reached, but is listed as unreachable; remove that entry";
        assert_eq!(remarks(&["old", "new", "broken"]), [stale]);
    }
}

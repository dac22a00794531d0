//! Expected deviations: a file that names cases and says why their subject deviates.

use std::path::Path;

use serde::Deserialize;

use crate::failure::Failure;

/// Cases with the reason why a subject deviates there.
#[derive(Debug, Default, Clone)]
pub(crate) struct Deviations(Vec<Entry>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    deviation: Vec<Entry>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    case: String,
    /// As `--subject` names it; where it is absent, each subject deviates so.
    subject: Option<String>,
    reason: String,
}

impl Deviations {
    /// Reads a TOML file of `[[deviation]]` tables with `case`, `reason`, and `subject` where it is about one of several.
    ///
    /// # Errors
    /// Where it cannot be read, a case appears twice, or a reason is missing.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let text =
            std::fs::read_to_string(path).map_err(|error| Failure::unreadable(path, "a file of deviations", &error))?;
        Self::parse(&text).map_err(|detail| Failure::NotDeviations { path: path.to_owned(), detail })
    }

    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let File { deviation: entries } = toml::from_str(text).map_err(|error| error.to_string())?;
        for (index, Entry { case, subject, reason }) in entries.iter().enumerate() {
            if reason.trim().is_empty() {
                return Err(format!("case {case} has no reason; say why the subject deviates"));
            }
            // An entry for each subject is one for this subject too.
            let same = |earlier: &Entry| {
                earlier.case == *case && (earlier.subject.is_none() || subject.is_none() || earlier.subject == *subject)
            };
            if entries[..index].iter().any(same) {
                return Err(format!("case {case} appears twice; keep one entry"));
            }
        }
        Ok(Self(entries))
    }

    /// Those of one subject.
    pub(crate) fn of(&self, subject: &str) -> Self {
        let its = |entry: &&Entry| entry.subject.as_deref().is_none_or(|name| name == subject);
        Self(self.0.iter().filter(its).cloned().collect())
    }

    /// Why the subject deviates in this case, if it is expected to.
    pub(crate) fn reason(&self, case: &str) -> Option<&str> {
        self.0.iter().find(|entry| entry.case == case).map(|entry| entry.reason.as_str())
    }

    /// Entries that name no case of the suite.
    pub(crate) fn stale<'a>(&'a self, suite: &'a [String]) -> impl Iterator<Item = &'a String> {
        self.0.iter().map(|entry| &entry.case).filter(|case| !suite.contains(case))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_has_a_case_and_a_reason_once() {
        let one = "[[deviation]]\ncase = \"9.7/x\"\nreason = \"because\"\n";
        assert_eq!(Deviations::parse(one).unwrap().reason("9.7/x"), Some("because"));
        assert_eq!(Deviations::parse("").unwrap().reason("9.7/x"), None);
        for bad in [
            format!("{one}{one}"),
            format!("{one}{one}subject = \"peer\"\n"),
            format!("{one}subject = \"peer\"\n{one}subject = \"peer\"\n"),
            "[[deviation]]\ncase = \"9.7/x\"\n".to_owned(),
            "[[deviation]]\ncase = \"9.7/x\"\nreason = \" \"\n".to_owned(),
            "[[deviations]]\n".to_owned(),
        ] {
            assert!(Deviations::parse(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_entry_may_be_about_one_of_several_subjects() {
        let of = |subject: &str| {
            format!("[[deviation]]\ncase = \"9.7/x\"\nsubject = \"{subject}\"\nreason = \"of {subject}\"\n")
        };
        let deviations = Deviations::parse(&(of("mine") + &of("peer"))).unwrap();
        let reason = |subject: &str| deviations.of(subject).reason("9.7/x").map(str::to_owned);
        assert_eq!(reason("mine"), Some("of mine".to_owned()));
        assert_eq!(reason("peer"), Some("of peer".to_owned()));
        assert_eq!(reason("another"), None);
    }

    #[test]
    fn a_stale_entry_is_found() {
        let deviations = Deviations::parse("[[deviation]]\ncase = \"0.0/gone\"\nreason = \"r\"\n").unwrap();
        let suite = ["9.7/x".to_owned()];
        assert_eq!(deviations.stale(&suite).collect::<Vec<_>>(), ["0.0/gone"]);
    }
}

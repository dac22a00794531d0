//! Expected deviations: a file that names cases and says why their subject deviates.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// Case ids with the reason why the subject deviates there.
#[derive(Debug, Default, Clone)]
pub(crate) struct Deviations(BTreeMap<String, String>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    deviation: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    case: String,
    reason: String,
}

impl Deviations {
    /// Reads a TOML file of `[[deviation]]` tables with `case` and `reason`.
    ///
    /// # Errors
    /// Where it cannot be read, a case stands twice, or a reason is missing.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("{} is no file of deviations", path.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        let file: File = toml::from_str(text)?;
        let mut deviations = BTreeMap::new();
        for Entry { case, reason } in file.deviation {
            if reason.trim().is_empty() {
                bail!("case {case} has no reason; write down why the subject deviates");
            }
            if deviations.insert(case.clone(), reason).is_some() {
                bail!("case {case} stands twice; keep one entry");
            }
        }
        Ok(Self(deviations))
    }

    /// Why the subject deviates in this case, if it is expected to.
    pub(crate) fn reason(&self, case: &str) -> Option<&str> {
        self.0.get(case).map(String::as_str)
    }

    /// Entries that name no case of the suite.
    pub(crate) fn stale<'a>(&'a self, suite: &'a [String]) -> impl Iterator<Item = &'a String> {
        self.0.keys().filter(|case| !suite.contains(case))
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
            "[[deviation]]\ncase = \"9.7/x\"\n".to_owned(),
            "[[deviation]]\ncase = \"9.7/x\"\nreason = \" \"\n".to_owned(),
            "[[deviations]]\n".to_owned(),
        ] {
            assert!(Deviations::parse(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_stale_entry_is_found() {
        let deviations = Deviations::parse("[[deviation]]\ncase = \"0.0/gone\"\nreason = \"r\"\n").unwrap();
        let suite = ["9.7/x".to_owned()];
        assert_eq!(deviations.stale(&suite).collect::<Vec<_>>(), ["0.0/gone"]);
    }
}

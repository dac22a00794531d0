//! `harness diff OLD.json NEW.json`: what got better, worse, new and gone between two runs.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::conformance::report::code;
use crate::conformance::{CaseResult, Foreign};
use crate::failure::Failure;
use crate::voice::{Voice, can_be_written, json, write};

/// Arguments of `harness diff`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The earlier report, written by `harness conformance --json`
    old: PathBuf,
    /// The later report
    new: PathBuf,
    /// Write the difference as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the difference as Markdown, for a CI's job page
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
}

/// What a difference has to know of a report.
#[derive(Deserialize)]
struct Report {
    suite: Foreign,
    subject: Foreign,
    #[serde(default)]
    interrupted: bool,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    id: Foreign,
    result: CaseResult,
}

/// Of several subjects a report is an array.
#[derive(Deserialize)]
#[serde(untagged, expecting = "it is JSON, but not what a suite has written")]
enum File {
    One(Report),
    Several(Vec<Report>),
}

/// One case that is not as it was.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Change {
    subject: Foreign,
    case: Foreign,
    /// Null where the case is new.
    old: Option<CaseResult>,
    /// Null where it is gone.
    new: Option<CaseResult>,
}

/// All changes, by what they mean.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Difference {
    worse: Vec<Change>,
    better: Vec<Change>,
    new: Vec<Change>,
    gone: Vec<Change>,
    /// One of the runs was: what is gone may only not have been reached.
    interrupted: bool,
}

/// Compares two reports. True where nothing got worse.
///
/// # Errors
/// Where one cannot be read, or they are about different suites.
pub(crate) fn run(arguments: &Arguments) -> Result<bool, Failure> {
    let files: Vec<&Path> =
        [&arguments.json, &arguments.markdown].into_iter().flatten().map(PathBuf::as_path).collect();
    can_be_written(&files)?;
    let difference = Difference::between(&read(&arguments.old)?, &read(&arguments.new)?)?;
    Voice::beside(files).say(difference.text().trim_end());
    if let Some(path) = &arguments.json {
        write(path, &json(&difference))?;
    }
    if let Some(path) = &arguments.markdown {
        write(path, &difference.markdown())?;
    }
    Ok(difference.worse.is_empty())
}

fn read(path: &Path) -> Result<Vec<Report>, Failure> {
    let bytes = std::fs::read(path)
        .map_err(|error| Failure::unreadable(path, "a report of `harness conformance --json`", &error))?;
    let file = serde_json::from_slice(&bytes)
        .map_err(|error| Failure::NotAReport { path: path.to_owned(), detail: error.to_string() })?;
    Ok(match file {
        File::One(report) => vec![report],
        File::Several(reports) => reports,
    })
}

/// How good a result is.
const fn rank(result: CaseResult) -> u8 {
    match result {
        CaseResult::Failed => 0,
        CaseResult::Unimplemented | CaseResult::Skipped => 1,
        CaseResult::Warning => 2,
        CaseResult::Passed => 3,
    }
}

fn cases(report: Option<&Report>) -> impl Iterator<Item = &Case> {
    report.into_iter().flat_map(|report| &report.cases)
}

impl Difference {
    fn between(old: &[Report], new: &[Report]) -> Result<Self, Failure> {
        let suites = [old, new].map(|reports| reports.first().map(|report| &report.suite));
        let [Some(before), Some(after)] = suites else {
            return Err(Failure::NotComparable("a report has no subject".to_owned()));
        };
        if before != after {
            let (before, after) = (before.line(), after.line());
            return Err(Failure::NotComparable(format!("the reports are of different suites: {before}, {after}")));
        }
        // One subject against one is the same one, whatever it was called then: a path with a version in it, say.
        let renamed = old.len() == 1 && new.len() == 1;
        let same = |one: &Report, other: &Report| renamed || one.subject == other.subject;
        let mut difference = Self::default();
        for after in new {
            difference.compare(old.iter().find(|before| same(before, after)), Some(after));
        }
        for before in old.iter().filter(|before| !new.iter().any(|after| same(before, after))) {
            difference.compare(Some(before), None);
        }
        difference.interrupted = old.iter().chain(new).any(|report| report.interrupted);
        Ok(difference)
    }

    fn compare(&mut self, old: Option<&Report>, new: Option<&Report>) {
        let Some(subject) = new.or(old).map(|report| &report.subject) else { return };
        let result = |report: Option<&Report>, id: &Foreign| {
            report?.cases.iter().find(|case| case.id == *id).map(|case| case.result)
        };

        let mut ids: Vec<&Foreign> = cases(new).map(|case| &case.id).collect();
        ids.extend(cases(old).map(|case| &case.id).filter(|id| result(new, id).is_none()));
        for id in ids {
            let (before, after) = (result(old, id), result(new, id));
            let list = match (before.map(rank), after.map(rank)) {
                (Some(before), Some(after)) if after < before => &mut self.worse,
                (Some(before), Some(after)) if after > before => &mut self.better,
                (None, Some(_)) => &mut self.new,
                (Some(_), None) => &mut self.gone,
                _ => continue,
            };
            list.push(Change { subject: subject.clone(), case: id.clone(), old: before, new: after });
        }
    }

    fn lists(&self) -> [(&'static str, &[Change]); 4] {
        [("worse", &self.worse), ("better", &self.better), ("new", &self.new), ("gone", &self.gone)]
    }

    fn counts(&self) -> String {
        let counts = self.lists().map(|(name, changes)| format!("{} {name}", changes.len())).join(", ");
        if self.interrupted { format!("{counts} (of an interrupted run)") } else { counts }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for (name, changes) in self.lists() {
            for change in changes {
                let _ =
                    writeln!(text, "{name:>7}  {}: {} ({})", change.case.line(), change.how(), change.subject.line());
            }
        }
        text + &self.counts()
    }

    fn markdown(&self) -> String {
        let mark = if self.worse.is_empty() { "\u{2705}" } else { "\u{274c}" };
        let mut text = format!("## {mark} {}\n", self.counts());
        if self.lists().iter().any(|(_, changes)| !changes.is_empty()) {
            text += "\n| | case | change | subject |\n| --- | --- | --- | --- |\n";
        }
        for (name, changes) in self.lists() {
            for change in changes {
                let (case, subject) = (code(&change.case), code(&change.subject));
                let _ = writeln!(text, "| {name} | {case} | {} | {subject} |", change.how());
            }
        }
        text
    }
}

impl Change {
    fn how(&self) -> String {
        match (self.old, self.new) {
            (Some(old), Some(new)) => format!("{} -> {}", old.as_str(), new.as_str()),
            (Some(result), None) | (None, Some(result)) => result.as_str().to_owned(),
            (None, None) => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(subject: &str, cases: &[(&str, &str)]) -> serde_json::Value {
        let cases: Vec<_> =
            cases.iter().map(|(id, result)| serde_json::json!({ "id": id, "result": result })).collect();
        serde_json::json!({ "suite": "client", "subject": subject, "cases": cases, "seed": 1 })
    }

    fn between(old: serde_json::Value, new: serde_json::Value) -> Result<Difference, Failure> {
        let read = |value| match serde_json::from_value(value).unwrap() {
            File::One(report) => vec![report],
            File::Several(reports) => reports,
        };
        Difference::between(&read(old), &read(new))
    }

    #[test]
    fn each_change_has_its_list() {
        let old =
            report("v1", &[("1", "passed"), ("2", "failed"), ("3", "warning"), ("4", "skipped"), ("5", "passed")]);
        let new = report("v2", &[("1", "failed"), ("2", "passed"), ("3", "warning"), ("4", "passed"), ("6", "failed")]);
        let difference = between(old, new).unwrap();
        let ids = difference.lists().map(|(_, list)| list.iter().map(|change| &*change.case).collect::<String>());
        assert_eq!(ids, ["1", "24", "6", "5"]);
        assert_eq!(difference.counts(), "1 worse, 2 better, 1 new, 1 gone");
        assert!(difference.text().contains("  worse  1: passed -> failed (v2)\n"), "{}", difference.text());
        assert!(difference.markdown().contains("| worse | <code>1</code> | passed -> failed |"));
    }

    #[test]
    fn several_subjects_are_compared_by_name() {
        let (one, other) = (report("a", &[("1", "passed")]), report("b", &[("1", "failed")]));
        let both = serde_json::json!([one, other]);
        assert_eq!(between(both.clone(), both.clone()).unwrap(), Difference::default());
        let difference = between(both.clone(), other).unwrap();
        assert_eq!((difference.gone.len(), difference.worse.len()), (1, 0));
        let mut another_suite = both;
        another_suite[0]["suite"] = "server".into();
        assert!(between(one, another_suite).is_err());
    }

    #[test]
    fn a_hostile_report_stays_text() {
        let hostile = "x|`<b>\u{1b}[31m\n0 worse";
        let difference = between(report(hostile, &[("1", "passed")]), report(hostile, &[(hostile, "failed")])).unwrap();
        assert_eq!(difference.text().lines().count(), 3);
        let written = difference.text() + &difference.markdown();
        assert!(!written.contains('\u{1b}') && !difference.markdown().contains("<b>"), "{written}");
    }
}

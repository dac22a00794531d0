//! The files that reports are written to.

use std::path::{Path, PathBuf};

use crate::conformance::report::{self, Page, Report, TapVersion};
use crate::failure::Failure;
use crate::voice::{self, Voice, can_be_replaced, can_be_written, write};

/// One option a form of report; each takes a file, or `-` for standard output.
#[derive(clap::Args)]
pub(crate) struct Files {
    /// Write the report as JSON; an array for several subjects
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the report as JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write the report in the Test Anything Protocol
    #[arg(long, value_name = "FILE")]
    tap: Option<PathBuf>,
    /// The version of TAP; in 14 each of several subjects is a subtest, which some consumers do not support
    #[arg(long, value_name = "VERSION", value_enum, default_value_t, requires = "tap")]
    tap_version: TapVersion,
    /// Write a summary as Markdown, for a CI's job page
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Write the report as one HTML page
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Web address of PROTOCOL.md for links in the HTML page [default: the page quotes the clauses]
    #[arg(long, value_name = "URL", requires = "html", value_parser = web_address)]
    protocol: Option<String>,
}

/// A link on a page leads to nothing that could run in it.
fn web_address(text: &str) -> Result<String, &'static str> {
    let known = text.starts_with("https://") || text.starts_with("http://");
    if known { Ok(text.to_owned()) } else { Err("expected an address that begins with https://") }
}

impl Files {
    /// Where people are told how it goes: beside the reports.
    ///
    /// # Errors
    /// Where they cannot be written, as [`can_be_written`] says.
    pub(super) fn voice(&self) -> Result<Voice, Failure> {
        let files = [&self.json, &self.junit, &self.tap, &self.html, &self.markdown]
            .map(Option::as_deref)
            .into_iter()
            .flatten();
        let files: Vec<&Path> = files.collect();
        can_be_written(&files)?;
        Ok(Voice::beside(files))
    }

    /// Writes the reports that were asked for.
    pub(super) fn write(&self, reports: &[Report], require_all: bool) -> Result<(), Failure> {
        self.write_where(|_| true, reports, require_all)
    }

    /// Writes what is known so far, where that can be replaced later.
    pub(super) fn write_meanwhile(&self, reports: &[Report], require_all: bool) -> Result<(), Failure> {
        self.write_where(can_be_replaced, reports, require_all)
    }

    fn write_where(&self, to: fn(&Path) -> bool, reports: &[Report], require_all: bool) -> Result<(), Failure> {
        if let Some(path) = self.json.as_deref().filter(|path| to(path)) {
            let json = match reports {
                [report] => voice::json(report),
                _ => voice::json(&reports),
            };
            write(path, &json)?;
        }
        if let Some(path) = self.junit.as_deref().filter(|path| to(path)) {
            write(path, &report::junit(reports, require_all))?;
        }
        if let Some(path) = self.tap.as_deref().filter(|path| to(path)) {
            write(path, &report::tap(reports, require_all, self.tap_version))?;
        }
        if let Some(path) = self.markdown.as_deref().filter(|path| to(path)) {
            write(path, &report::markdown(reports, require_all))?;
        }
        if let Some(path) = self.html.as_deref().filter(|path| to(path)) {
            let page = Page { require_all, protocol: self.protocol.as_deref() };
            let whose = match reports {
                [report] => report.subject.line(),
                _ => format!("{} subjects", reports.len()),
            };
            write(path, &report::html(&format!("Conformance of {whose}"), reports, page))?;
        }
        Ok(())
    }
}

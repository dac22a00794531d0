//! The suites: today the one for License Servers. The one for main servers comes next.

use anyhow::Result;

use crate::client_suite;
use crate::conformance::{CaseReport, Level, Options, Report};

/// Which kind of subject is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Suite {
    /// License Servers
    Client,
}

impl Suite {
    /// As the command line names it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
        }
    }

    /// Runs its cases over the subject of `options`.
    ///
    /// # Errors
    /// Where the subject is no command.
    pub(crate) async fn run(self, options: &Options, tell: impl FnMut(&CaseReport)) -> Result<Report> {
        match self {
            Self::Client => client_suite::run(options, tell).await,
        }
    }

    /// Id and level of its cases.
    pub(crate) fn list(self) -> Vec<(String, Level)> {
        match self {
            Self::Client => client_suite::cases().iter().map(|case| (case.id(), case.level)).collect(),
        }
    }
}

//! The two suites: for License Servers, and for main servers.

use crate::conformance::{Level, News, Options, Report};
use crate::failure::Failure;
use crate::license_server_mutants;
use crate::license_server_suite;
use crate::main_server_mutants;
use crate::main_server_suite;
use crate::programs::{LICENSE_SERVER_SUBJECT, MOCK_SOLME_SUBJECT};

/// Which kind of subject is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Suite {
    /// License Servers
    Client,
    /// Main servers
    Server,
}

impl Suite {
    /// As the command line names it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }

    /// The word that makes this executable our own subject of the suite.
    pub(crate) const fn our_subject(self) -> &'static str {
        match self {
            Self::Client => LICENSE_SERVER_SUBJECT,
            Self::Server => MOCK_SOLME_SUBJECT,
        }
    }

    /// The verb that a subject is started with before it is judged, with the flag that names its directory.
    pub(crate) const fn first_verb(self) -> [&'static str; 2] {
        match self {
            Self::Client => ["status", "--state"],
            Self::Server => ["serve", "--data"],
        }
    }

    /// The bugs that our own subject can be given: their names, and the clauses that they break.
    pub(crate) fn mutants(self) -> Vec<(&'static str, &'static str)> {
        match self {
            Self::Client => license_server_mutants::all().map(|mutant| (mutant.name, mutant.clause())).collect(),
            Self::Server => main_server_mutants::all().iter().map(|mutant| (mutant.name, mutant.clause)).collect(),
        }
    }

    /// Why no mutant ignores a clause that a case is about.
    pub(crate) fn no_mutant(self, clause: &str) -> Option<&'static str> {
        let reasons = match self {
            Self::Client => license_server_mutants::NO_MUTANT,
            Self::Server => main_server_mutants::NO_MUTANT,
        };
        reasons.iter().find(|(of, _)| *of == clause).map(|(_, reason)| *reason)
    }

    /// Runs its cases over the subject of `options`.
    ///
    /// # Errors
    /// Where the subject is no command.
    pub(crate) async fn run(self, options: &Options, tell: impl FnMut(News<'_>)) -> Result<Report, Failure> {
        match self {
            Self::Client => license_server_suite::run(options, tell).await,
            Self::Server => main_server_suite::run(options, tell).await,
        }
    }

    /// Id and level of its cases.
    pub(crate) fn list(self) -> Vec<(String, Level)> {
        match self {
            Self::Client => license_server_suite::cases().iter().map(|case| (case.id(), case.level)).collect(),
            Self::Server => main_server_suite::cases().iter().map(|case| (case.id(), case.level)).collect(),
        }
    }

    /// Why it has no case for a clause.
    pub(crate) fn no_case(self, clause: &str) -> Option<&'static str> {
        match self {
            Self::Client => license_server_suite::no_case(clause),
            Self::Server => main_server_suite::no_case(clause),
        }
    }
}

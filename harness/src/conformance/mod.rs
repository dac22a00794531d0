//! Conformance: what a case is, how cases run, and what comes out.
//!
//! Framework and cases are apart: this folder knows nothing of License Servers or main servers. A suite is a list of
//! [`Case`]s over a stage of its own.

mod case;
mod clauses;
pub(crate) mod command;
mod deviations;
pub(crate) mod report;
mod runner;
mod subject;

pub(crate) use case::{Case, Finding, Level, Outcome, WireEntry, WireLog};
pub(crate) use clauses::requirement;
pub(crate) use deviations::Deviations;
#[cfg(test)]
pub(crate) use report::CaseResult;
pub(crate) use report::{CaseReport, Report, Verdict};
pub(crate) use runner::{Ended, Options, run};
pub(crate) use subject::Subject;

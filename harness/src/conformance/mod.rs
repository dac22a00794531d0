//! Conformance: what a case is, how cases run, and what comes out.
//!
//! Framework and cases are apart: this folder knows nothing of License Servers, main servers, or how either is started. A
//! suite is a list of [`Case`]s over a stage of its own.

mod case;
mod clauses;
mod deviations;
mod foreign;
mod reached;
pub(crate) mod report;
mod runner;

pub(crate) use case::{Case, Finding, Level, Outcome, WireEntry, WireLog, case, cases};
pub(crate) use clauses::{clauses, requirement, section_title};
pub(crate) use deviations::Deviations;
pub(crate) use foreign::Foreign;
pub(crate) use reached::{ClosedList, Heard, Word};
pub(crate) use report::{CaseReport, CaseResult, Report, Verdict};
pub(crate) use runner::{Ended, News, Options, matches, run, shell_word};

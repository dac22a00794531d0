//! Conformance: what a case is, how cases run, and what comes out.
//!
//! Framework and cases are apart: this folder knows nothing of License Servers or main servers. A suite is a list of
//! [`Case`]s over a stage of its own.

mod case;
mod clauses;
pub(crate) mod command;
mod deviations;
mod files;
mod foreign;
pub(crate) mod progress;
mod reached;
pub(crate) mod report;
mod runner;
mod subject;

pub(crate) use case::{Case, Finding, Level, Outcome, WireEntry, WireLog};
pub(crate) use clauses::{clauses, requirement, section_title};
pub(crate) use deviations::Deviations;
pub(crate) use foreign::Foreign;
pub(crate) use reached::{ClosedList, Heard, Word};
pub(crate) use report::{CaseReport, CaseResult, Report, Verdict};
pub(crate) use runner::{Ended, Options, run, shell_word};
pub(crate) use subject::{OURS, Subject, UNIMPLEMENTED, ended_so, this_executable};

//! The verbs of `harness`, one each; `scenario` and `demo` are in a room of their own.

pub(crate) mod clauses;
pub(crate) mod conformance;
pub(crate) mod diff;
pub(crate) mod mutants;
pub(crate) mod pages;
mod progress;
mod report_files;

//! What speaks the contract of harness/SUBJECT.md: the process of any subject, and our own programs as subjects.

pub(crate) mod answers;
mod contract;
pub(crate) mod our_license_server;
pub(crate) mod our_main_server;
mod process;
mod worker;

pub(crate) use process::{OURS, Subject, UNIMPLEMENTED, ended_so, one_object, this_executable};
pub(crate) use worker::said;

//! Whole commands against a small main server in memory: each test is a sentence of the manual or of the protocol.

mod automatic;
mod bad_inputs;
mod crash;
mod deadline;
mod direct;
mod doctor;
mod environment;
#[cfg(unix)]
mod exposed;
mod file;
mod hostile;
mod local_state;
mod screens;
pub(crate) mod world;

pub(crate) use environment::Environment;

//! The referee: drives License Servers and main servers from outside, as processes, and judges what they do.

mod cli;
mod client_suite;
mod conformance;
pub mod license_server_subject;
pub mod programs;
mod scenario;
mod step;
mod suite;

pub use cli::run;

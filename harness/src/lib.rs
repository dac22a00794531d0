//! The referee: drives License Servers and main servers from outside, as processes, and judges what they do.

mod black_hole;
mod clauses;
mod cli;
mod client_suite;
mod conformance;
mod diff;
mod license_server_mutants;
mod license_server_subject;
mod main_server_mutants;
mod mock_solme_subject;
mod mutants;
mod pages;
pub mod programs;
mod scenario;
mod server_suite;
mod stop;
mod suite;
mod usage;
mod voice;

pub use black_hole::BlackHole;
pub use cli::run;

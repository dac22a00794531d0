//! The referee: drives License Servers and main servers from outside, as processes, and judges what they do.

mod adapters;
mod black_hole;
mod both_suites;
mod cli;
mod command;
mod conformance;
mod failure;
mod fleet;
mod license_server_mutants;
mod license_server_suite;
mod main_server_mutants;
mod main_server_suite;
mod nearest;
mod page;
pub mod programs;
mod scenario;
mod stage;
mod stop;
mod subject;
pub mod testing;
mod voice;
mod work_folders;

pub use black_hole::BlackHole;
pub use cli::run;

//! The referee: drives License Servers and main servers from outside, as processes, and judges what they do.

mod cli;

mod demo;
pub mod programs;
mod step;

pub use cli::run;

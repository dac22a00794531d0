//! Integration and property tests of the whole, one test binary.

mod cores;
mod crashes;
mod files;
mod foreign_answers;
mod foreign_main_server;
mod interleavings;
mod mails;
mod registry_model;
mod stage;
mod stories;

//! Integration and property tests of the whole, one test binary.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

mod budgets;
mod calls_of_the_harness;
mod conformance_client;
mod conformance_modes;
mod conformance_server;
mod cores;
mod crashes;
#[path = "../../fuzz/damage.rs"]
mod damage;
mod damaged;
mod elsewhere;
mod failures;
mod files;
mod fleet;
mod foreign_answers;
mod foreign_main_server;
mod interleavings;
mod known_answers;
mod library;
mod mails;
mod manual;
mod nobody_in;
mod pages;
#[path = "../../fuzz/programs.rs"]
mod programs;
mod proxies;
mod proxy_stage;
mod readme;
mod real_proxies;
mod registry_model;
mod scenarios;
mod secrets;
mod security;
mod service;
mod stage;
mod stories;
mod test_proxies;
mod walls;

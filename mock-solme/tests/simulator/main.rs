//! The simulator over real sockets, against License Servers made of the protocol crate alone.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

mod admin;
mod bad_input;
mod console;
mod damaged;
mod data_directory;
mod description;
mod durable;
mod exports;
mod files;
#[cfg(target_os = "linux")]
mod floods;
mod hostile_bytes;
mod hostile_tls;
mod large_bodies;
mod library;
mod license_server;
mod mail;
mod overload;
mod program;
mod quirks;
mod refusals;
mod synchronizing;

//! The simulator over real sockets, against License Servers made of the protocol crate alone.

mod admin;
mod durable;
mod files;
mod license_server;
mod mail;
mod program;
mod refusals;
mod synchronizing;

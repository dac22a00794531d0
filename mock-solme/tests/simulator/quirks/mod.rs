//! Quirks over real sockets: each does what its line in the catalogue says.

mod arming;
mod carrier;
mod client;
mod hostile;
mod messages;

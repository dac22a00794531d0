//! A simulator of Solme's main license server, for developing and testing License Servers.
//!
//! [`registry`] decides; everything else acts.

pub mod registry;

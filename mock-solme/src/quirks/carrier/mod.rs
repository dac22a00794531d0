//! The quirks of the carrier, acted out: at the door, on the wire, and in the response.

mod bomb;
mod door;
pub(crate) mod file;
mod response;
mod wire;

pub(crate) use door::Door;
pub(crate) use response::{damaged, instead};
pub(crate) use wire::WireControl;

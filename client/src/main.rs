//! The binary `license-server`.
fn main() {}

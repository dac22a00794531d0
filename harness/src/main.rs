//! The binary `harness`.
fn main() {}

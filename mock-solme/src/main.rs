//! The binary `mock-solme`.
fn main() {}

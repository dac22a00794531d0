//! Integration and property tests of the whole, one test binary.

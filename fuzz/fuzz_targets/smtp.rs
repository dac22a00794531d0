#![no_main]

#[path = "../programs.rs"]
#[allow(dead_code)] // the other targets
mod programs;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| programs::smtp(bytes));

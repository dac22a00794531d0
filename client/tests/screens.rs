//! What a person reads: the help of each verb, what is said about wrong input, and the first steps. After a change of words
//! `TRYCMD=overwrite cargo test -p license-server --test screens` writes the files anew, to be read in the review.

#![cfg(unix)]

#[test]
fn each_screen_is_as_it_was_reviewed() {
    trycmd::TestCases::new().case("tests/screens/*.md").env("COLUMNS", "100").env("HOME", "/nowhere");
}

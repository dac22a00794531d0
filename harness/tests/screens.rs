//! What a person reads: the help of each verb, usual answers, and what is said where something cannot be done. After a change of
//! words `TRYCMD=overwrite cargo test -p solme-sync-harness --test screens` writes the files anew, to be read in the review.

#![cfg(unix)]

#[test]
fn each_screen_is_as_it_was_reviewed() {
    let _ = std::fs::create_dir_all(env!("CARGO_TARGET_TMPDIR"));
    trycmd::TestCases::new()
        .case("tests/screens/*.md")
        .env("COLUMNS", "100")
        .env("HOME", "/nowhere")
        .insert_var("[VERSION]", env!("CARGO_PKG_VERSION"))
        .expect("the name of a variable has brackets");
}

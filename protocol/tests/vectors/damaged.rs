//! Every fixture, damaged at random, through every parser: the targets of `fuzz/`, without a nightly compiler.

use crate::{damage, targets};

#[test]
fn no_parser_breaks_a_property_over_whole_and_damaged_fixtures() {
    let fixtures = damage::seeds(&["fixtures/golden", "fixtures/bad", "fuzz/seeds"]);
    assert!(fixtures.len() > 800, "{} fixtures", fixtures.len());
    damage::try_all(&fixtures, targets::ALL, 2_000);
}

//! The model: every order of what two License Servers with one id, a copy, a network and an operator do, up to a bound.
//!
//! It is no model *of* the programs: what decides is the core of the License Server and the registry of the main server,
//! as they ship. A state is what both sides keep, and the files that are still on their way. From each state every step is
//! taken, and [`laws`] hold after each of them.
//!
//! - The newest request file of each server and the newest response file for it lie about: each may arrive anywhere, any
//!   number of times, late, after others, or never. On the direct way replies and payloads are lost, and requests damaged;
//!   nothing is held back there (TLS).
//! - A program dies between any two durable steps: a request is stored and not sent, accepted and not heard, applied and
//!   not followed by the next one. The main server's one step is a transaction (P 9.13).
//! - *Disturbances* are what people and machines do beside: a new key pair, a copy of the first server, a backup and its
//!   restore on either side (there is one of the first day), a clear with or without a reservation, a reservation, an id
//!   that is disabled, a license more, 366 days that pass, a clock that is set. A path has at most so many of them.
//! - The second server is an honest one, or a thief who knows the id: to the main server there is no difference.
//!
//! One disturbance and two accepted requests are exhausted in each run of the tests, 27,916 states; two disturbances are
//! 1,991,502 states, and a minute and a half:
//!
//! ```sh
//! cargo test -p tests --test model -- --nocapture      # says how many states, what was seen, and how broken rules show
//! MODEL_DISTURBANCES=2 cargo test --release -p tests --test model no_order -- --nocapture
//! ```
//!
//! Not in it: wrong main server keys and edited databases, which no honest program makes, and storage that fails
//! (`tests/all/crashes.rs`); more than one id, since the registry sees one record at a time.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

mod broken;
mod laws;
mod parts;
mod search;
mod stand_in;
mod story;
mod wire;
mod world;
#[path = "../years/mod.rs"]
mod years;

use mock_solme::testing::Protocol;

use search::Found;
use stand_in::Honest;
use world::Bounds;

fn bounds() -> Bounds {
    let number = |name, default| std::env::var(name).map_or(default, |value: String| value.parse().unwrap());
    Bounds { disturbances: number("MODEL_DISTURBANCES", 1), synchronizations: number("MODEL_SYNCHRONIZATIONS", 2) }
}

#[test]
fn no_order_of_steps_breaks_a_law_and_every_answer_is_reached() {
    let Found { states, steps, seen, broken } = search::exhaust(&Honest, &Protocol, bounds());
    println!("{states} states, {steps} steps, {:?}", bounds());
    println!("seen: {seen:?}");
    if let Some(story) = broken {
        panic!("{}\n\n{}", story.title(), story.to_toml().unwrap_or_default());
    }
    let missing: Vec<_> = laws::SOMETIMES.iter().filter(|name| !seen.contains_key(*name)).collect();
    assert!(missing.is_empty(), "never reached: {missing:?}");
}

#[test]
fn each_rule_that_is_broken_on_purpose_is_found_and_its_story_plays_on_the_real_programs() {
    let mut played = 0;
    for broken in broken::ALL {
        let found = search::exhaust(broken.license_server, broken.main_server, bounds());
        let story = found.broken.unwrap_or_else(|| panic!("not found: {}", broken.rule));
        println!("{}, found after {} states\n{}\n", broken.rule, found.states, story.title());
        assert!(story.title().contains(broken.law), "{}: {}", broken.rule, story.title());
        if let Some(scenario) = story.to_toml() {
            play(broken.rule, &scenario);
            played += 1;
        }
    }
    assert_eq!((broken::ALL.len(), played), (7, 6), "no scenario can reserve a free id");
}

/// Plays a scenario. The rules of the real programs are whole, so that every step comes as it should.
fn play(rule: &str, scenario: &str) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("story.toml");
    std::fs::write(&file, scenario).unwrap();
    let subject = env!("CARGO_BIN_EXE_subject");
    let output = std::process::Command::new(subject).arg("scenario").arg(&file).arg("--json").output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{rule}\n{scenario}\n{told}\n{}", String::from_utf8_lossy(&output.stderr));
}

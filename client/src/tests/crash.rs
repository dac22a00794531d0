//! The process dies before or after any durable step, and the command is run again.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::Environment;
use crate::output::Exit;
use crate::seams::{DurableStep, Moment};

/// Runs `words` with a crash before or after a durable step. Whether there was such a step.
fn crash_at(local: &Environment, words: &str, number: u64, moment: Moment) -> bool {
    let seams = local.seams().on_durable_step(move |step: DurableStep| {
        if (step.number, step.moment) == (number, moment) {
            std::panic::resume_unwind(Box::new("crash"));
        }
    });
    catch_unwind(AssertUnwindSafe(|| local.run_with(words, seams))).is_err()
}

/// Runs `words` with a crash at each durable step in turn, each in a fresh environment, then again without one.
/// Returns how often it crashed.
fn crash_everywhere(prepare: fn() -> Environment, words: &str, check: fn(&Environment, &Environment)) -> usize {
    let untouched = prepare();
    let mut crashes = 0;
    for number in 1.. {
        let mut fired = false;
        for moment in [Moment::Before, Moment::After] {
            let local = prepare();
            if crash_at(&local, words, number, moment) {
                fired = true;
                crashes += 1;
                let again = local.run(words);
                assert_eq!(again.exit, Exit::Done, "{words}, {moment:?} step {number}: {again:?}");
            }
            check(&local, &untouched);
        }
        if !fired {
            break;
        }
    }
    crashes
}

#[test]
fn an_interrupted_init_ends_with_one_key_pair() {
    let crashes = crash_everywhere(Environment::empty, "init --id DEMO-4711 --trust trust.json", |local, _| {
        assert_eq!(local.run("synchronize").exit, Exit::Done);
        assert_eq!(local.run("synchronize").exit, Exit::Done);
    });
    assert_eq!(crashes, 12, "directory, key written and in place, setup written and in place, database");
}

#[test]
fn an_interrupted_first_synchronization_ends_synchronized_with_the_same_key_pair() {
    let crashes = crash_everywhere(Environment::new, "synchronize", |local, _| {
        let status = local.run("status").json;
        assert_eq!(status["state"], "synchronized");
        let keys: std::collections::HashSet<_> =
            local.main().requests.iter().map(|jws| super::environment::thumbprint(jws)).collect();
        assert_eq!(keys.len(), 1);
        // The main server keeps its own count, so a request that was sent twice got one receipt.
        assert_eq!(status["sequence"], local.main().sequence);
    });
    assert_eq!(crashes, 6, "request stored, answer applied, log emptied");
}

#[test]
fn an_interrupted_import_ends_synchronized() {
    let prepare = || {
        let local = Environment::new();
        local.run("export-request request.json");
        local.process("request.json", "response.json");
        local
    };
    let crashes = crash_everywhere(prepare, "import-response response.json", |local, _| {
        assert_eq!(local.run("status").json["sequence"], 1);
    });
    assert!(crashes >= 4);
}

#[test]
fn an_interrupted_new_key_pair_ends_with_a_key_pair_that_works() {
    let crashes = crash_everywhere(Environment::synchronized, "new-key-pair --yes", |local, _| {
        assert_eq!(local.run("status").json["state"], "unsynchronized");
        assert_eq!(local.run("synchronize").exit, Exit::Done);
    });
    assert!(crashes >= 16, "{crashes}");
}

#[test]
fn an_interrupted_new_key_pair_after_a_lost_database_ends_with_a_key_pair_that_works() {
    let prepare = || {
        let local = Environment::synchronized();
        std::fs::write(local.state().join("state.sqlite"), "x".repeat(5_000)).unwrap();
        local
    };
    let crashes = crash_everywhere(prepare, "new-key-pair --yes", |local, _| {
        assert_eq!(local.run("status").json["state"], "unsynchronized");
        assert_eq!(local.run("synchronize").exit, Exit::Done);
    });
    assert!(crashes >= 16, "{crashes}");
}

#[test]
fn an_interrupted_new_key_pair_is_the_old_or_the_new_one_to_every_other_command() {
    let mut found = std::collections::BTreeSet::new();
    for number in 1..20 {
        for moment in [Moment::Before, Moment::After] {
            let local = Environment::synchronized();
            crash_at(&local, "new-key-pair --yes", number, moment);
            let status = local.run("status").json;
            found.insert(status["state"].as_str().unwrap().to_owned());
            assert_eq!(local.run("synchronize").exit, Exit::Done, "{moment:?} step {number}");
            assert_eq!(local.run("status").json["key_thumbprint"], status["key_thumbprint"]);
        }
    }
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["synchronized", "unsynchronized"]);
}

#[test]
fn between_any_two_steps_the_state_is_the_old_one_or_the_new_one() {
    for number in 1..20 {
        for moment in [Moment::Before, Moment::After] {
            let local = Environment::synchronized();
            local.main().allocation = crate::tests::world::allocation(2, &[2]);
            crash_at(&local, "synchronize", number, moment);
            let status = local.run("status").json;
            let found = (status["sequence"].as_u64(), status["licenses"].as_array().map(Vec::len));
            assert!(found == (Some(1), Some(2)) || found == (Some(2), Some(1)), "{moment:?} step {number}: {found:?}");
            assert_eq!(status["state"], "synchronized");
        }
    }
}

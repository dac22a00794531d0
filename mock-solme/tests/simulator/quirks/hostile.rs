//! The profile `hostile`: whoever keeps to the protocol gets through, and the seed tells the whole story beforehand.

use mock_solme::quirks::Operation;
use mock_solme::{MockSolme, TraceEntry};

use super::client::Client;

const SYNCHRONIZATIONS: usize = 12;
/// More than any synchronization needs.
const TRIES: usize = 100;

/// Sends the same request until its answer is right, and says how often.
fn tries(client: &mut Client<'_>, operation: Operation) -> usize {
    let outstanding = client.server.request();
    (1..=TRIES).find(|_| client.over(operation, &outstanding).is_ok()).expect("it never gets through")
}

/// A run of both carriers under a seed.
fn run(seed: u32) -> Vec<TraceEntry> {
    let mock = MockSolme::builder().seed(seed).hostile().start();
    let mut client = Client::new(&mock);
    for _ in 0..SYNCHRONIZATIONS {
        assert!(tries(&mut client, Operation::Synchronize) <= 9);
        assert!(tries(&mut client, Operation::File) <= 3);
    }
    let record = mock.record(mock.demo_id()).unwrap();
    assert_eq!(record.sequence, 2 * SYNCHRONIZATIONS as u64, "each request was accepted once");
    mock.trace()
}

#[test]
fn a_simple_client_that_tries_again_always_gets_through() {
    for seed in 1..=3 {
        let quirks = run(seed).iter().filter(|entry| entry.quirk.is_some()).count();
        assert!(quirks > 0, "seed {seed}");
    }
}

#[test]
fn the_same_seed_gives_the_same_trace_and_another_seed_another_one() {
    let first = run(7);
    assert_eq!(run(7), first);
    assert_ne!(run(8), first);
}

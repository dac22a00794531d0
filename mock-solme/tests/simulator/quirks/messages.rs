//! The quirks of messages, on both carriers: each breaks the clause that the catalogue names, and the same request gets
//! the honest answer at the next try.

use mock_solme::quirks::{Fault, Operation, Quirk};
use mock_solme::{MockSolme, NewLicense};

use super::client::Client;

/// The quirks that are decided before and after the messages are made.
const OF_THE_CARRIER: usize = 22;

/// A client of the second key generation, with two receipts of its own behind it and a revision that can go back.
fn experienced(mock: &MockSolme) -> Client<'_> {
    let mut first = Client::new(mock);
    assert_eq!(first.file(&first.server.request()), Ok(()));
    mock.clear_key_pair(mock.demo_id(), None, None).unwrap();
    mock.add_license(mock.demo_id(), NewLicense::default()).unwrap();
    let mut client = Client::new(mock);
    for _ in 0..2 {
        assert_eq!(client.file(&client.server.request()), Ok(()));
    }
    client
}

fn broken_and_healed(quirk: Quirk, operation: Operation) {
    let mock = MockSolme::start();
    let mut client = experienced(&mock);
    mock.arm(Fault::new(quirk).operation(operation).next(1)).unwrap();
    let outstanding = client.server.request();
    let verdict = client.over(operation, &outstanding);
    let report = &mock.quirks_report()[0];
    assert_eq!((report.fired, report.left), (1, Some(0)), "{quirk} {operation}");
    if matches!(quirk, Quirk::UnknownMembers | Quirk::ReorderedMembers) {
        assert_eq!(verdict, Ok(()), "{quirk} {operation}");
        let next = client.server.request();
        assert_eq!(client.over(operation, &next), Ok(()), "{quirk}: it was the receipt that counts (P 9.11)");
        return;
    }
    assert_eq!(verdict, Err(quirk.clause()), "{quirk} {operation}");
    let sequence = mock.record(mock.demo_id()).unwrap().sequence;
    assert_eq!(client.over(operation, &outstanding), Ok(()), "{quirk} {operation}");
    assert_eq!(mock.record(mock.demo_id()).unwrap().sequence, sequence, "the honest answer lay ready");
    let trace = mock.trace();
    let requests: Vec<_> = trace.iter().filter(|entry| entry.operation == operation).collect();
    let [.., dishonest, honest] = requests[..] else { panic!("{trace:?}") };
    assert_eq!((dishonest.quirk, dishonest.verdict.as_str()), (Some(quirk), "accepted"), "{operation}");
    assert_eq!((honest.quirk, honest.verdict.as_str()), (None, "answered-again"), "{quirk} {operation}");
}

#[test]
fn every_quirk_of_a_message_breaks_its_clause_and_the_next_answer_is_honest() {
    let messages = &Quirk::ALL[OF_THE_CARRIER..];
    assert_eq!(messages[0], Quirk::WrongSignature);
    for quirk in messages {
        for operation in quirk.operations() {
            broken_and_healed(*quirk, *operation);
        }
    }
}

#[test]
fn a_quirk_waits_for_an_answer_that_it_can_change() {
    let mock = MockSolme::start();
    for quirk in [Quirk::OldReceipt, Quirk::OlderReceipt, Quirk::GenerationBack, Quirk::RevisionBack] {
        mock.arm(Fault::new(quirk).next(1)).unwrap();
    }
    let mut client = Client::new(&mock);
    assert_eq!(client.direct(&client.server.request()), Ok(()), "there is no receipt before the first one");
    assert!(mock.quirks_report().iter().all(|fault| fault.matched == 0));
    assert_eq!(client.direct(&client.server.request()), Err("11.11"));
    assert_eq!(mock.quirks_report()[0].fired, 1);
}

#[test]
fn a_refusal_has_the_quirks_of_messages_too() {
    let mock = MockSolme::start();
    mock.disable(mock.demo_id()).unwrap();
    let mut client = Client::new(&mock);
    for (quirk, verdict) in [
        (Quirk::WrongSignature, "11.10"),
        (Quirk::UnknownVersion, "4.7"),
        (Quirk::UnknownMembers, "license-server-id-disabled"),
        (Quirk::ReorderedMembers, "license-server-id-disabled"),
        (Quirk::DuplicateMembers, "2.2"),
        (Quirk::UnsignedRefusal, "8.2"),
        (Quirk::OtherKey, "license-server-id-disabled"),
    ] {
        let number = mock.arm(Fault::new(quirk).next(1)).unwrap().number;
        assert_eq!(client.direct(&client.server.request()), Err(verdict), "{quirk}");
        mock.disarm(number).unwrap();
    }
}

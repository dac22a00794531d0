//! The quirks of messages, on both carriers: each breaks the clause that the catalogue names, and the same request gets
//! the honest answer at the next try.

use mock_solme::quirks::{Fault, Operation, Quirk, Variant};
use mock_solme::{MockSolme, NewLicense};

use super::client::Client;

/// The quirks that are decided before and after the messages are made.
const OF_THE_CARRIER: usize = 27;

/// A client of the second key generation, with two receipts of its own behind it and a revision that can go back.
fn experienced(mock: &MockSolme) -> Client<'_> {
    let mut first = Client::new(mock);
    assert_eq!(first.file(&first.server.request()), Ok(()));
    mock.clear_key_pair(mock.demo_id(), mock_solme::Clear::default()).unwrap();
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
    let counts = quirk == Quirk::ProblemOfAnotherCode;
    let broken = if counts { "temporarily-unavailable" } else { quirk.clause() };
    assert_eq!(verdict, Err(broken), "{quirk} {operation}");
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
    let tells_nothing = [Quirk::ReceiptVariant, Quirk::RefusalVariant, Quirk::AllocationVariant];
    for quirk in messages.iter().filter(|quirk| !tells_nothing.contains(quirk)) {
        for operation in quirk.operations() {
            broken_and_healed(*quirk, *operation);
        }
    }
}

#[test]
fn no_variant_of_an_answer_is_good_and_the_next_answer_is_honest() {
    let mock = MockSolme::start();
    let mut client = Client::new(&mock);
    let outstanding = client.server.request();
    for variant in Variant::all() {
        let fault = Fault::of(variant).unwrap();
        let of_a_refusal = fault.quirk == Quirk::ProblemVariant;
        if of_a_refusal {
            mock.disable(mock.demo_id()).unwrap();
        }
        // The carriers share what makes the variant; a file takes less time.
        let operation = *fault.quirk.operations().last().unwrap();
        let number = mock.arm(fault.next(1)).unwrap().number;
        let verdict = client.over(operation, &outstanding);
        assert_eq!(mock.disarm(number).unwrap().fired, 1, "{variant} {operation}");
        let accepted = ["invalid-request", "license-server-id-disabled"];
        assert!(verdict.is_err_and(|broken| !accepted.contains(&broken)), "{variant} {operation}: {verdict:?}");
        if of_a_refusal {
            assert_eq!(client.over(operation, &outstanding), Err("license-server-id-disabled"), "{variant}");
            mock.enable(mock.demo_id()).unwrap();
        }
    }
    for operation in [Operation::Synchronize, Operation::File] {
        mock.arm(Fault::of("receipt_jws_alg_none".parse().unwrap()).unwrap().next(1)).unwrap();
        assert_eq!(client.over(operation, &outstanding), Err("11.1"), "{operation}");
    }
    assert_eq!(client.direct(&outstanding), Ok(()));
    assert_eq!(mock.record(mock.demo_id()).unwrap().sequence, 1);
    assert!(Variant::all().count() > 250);
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

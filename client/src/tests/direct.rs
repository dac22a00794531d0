//! Direct synchronization.

use serde_json::json;
use solme_sync_protocol::RefusalCode;

use super::Environment;
use super::environment::content;
use crate::core::{Failure, Role};
use crate::output::Exit;
use crate::tests::world::{MAIN_TIME, MainServer, NUMBERS, allocation, http};

const DAY: u64 = 86_400;

#[test]
fn the_first_synchronization_allows_to_issue() {
    let local = Environment::new();
    let before = local.run("may-issue");
    assert_eq!((before.exit, before.code()), (Exit::MayNotIssue, "unsynchronized"));
    let done = local.run("synchronize");
    assert_eq!((done.exit, done.code(), &done.json["cure"]), (Exit::Done, "synchronized", &json!(null)));
    assert_eq!(done.json["changes"]["added"], json!([NUMBERS[0], NUMBERS[1]]));
    assert_eq!(local.run("may-issue").json["may_issue"], true);
    let status = local.run("status").json;
    assert_eq!(
        (&status["state"], &status["days_left"], &status["sequence"]),
        (&json!("synchronized"), &json!(366), &json!(1))
    );
}

#[test]
fn the_next_synchronization_shows_exactly_what_changed() {
    let local = Environment::synchronized();
    local.main().allocation = allocation(2, &[0, 2]);
    let changes = local.run("synchronize").json["changes"].clone();
    assert_eq!(changes["added"], json!([NUMBERS[2]]));
    assert_eq!(changes["removed"], json!([NUMBERS[1]]));
    assert_eq!(changes["changed"], json!([]));
    assert_eq!(local.run("may-issue AVIX1-00000-00000-00000-00000-DEMO002").code(), "license-not-allocated");
}

#[test]
fn each_request_has_its_own_id_and_sealing_key_and_claims_the_last_receipt() {
    let local = Environment::synchronized();
    local.run("synchronize");
    let [first, second] = [0, 1].map(|n| content(&local.main().requests[n]));
    assert_ne!(first.request_id, second.request_id);
    assert_ne!(first.sealing_jwk, second.sealing_jwk);
    assert_eq!(first.last_receipt, None);
    assert!(second.last_receipt.is_some());
}

#[test]
fn after_366_days_nothing_is_issued_until_one_synchronization_brings_it_back() {
    let local = Environment::synchronized();
    local.days_pass(366);
    let no = local.run("may-issue");
    assert_eq!((no.exit, no.code()), (Exit::MayNotIssue, "overdue"));
    assert_eq!(local.run("status").json["state"], "overdue");
    assert_eq!(local.run("status").json["days_left"], 0);
    local.run("synchronize");
    assert_eq!(local.run("may-issue").exit, Exit::Done);
}

#[test]
fn a_failure_leaves_everything_and_the_same_request_is_sent_again() {
    let local = Environment::synchronized();
    local.main().payload_answers = vec![Err(port_8080_refused())];
    let failed = local.run("synchronize");
    assert_eq!((failed.exit, failed.code()), (Exit::NotReached, "8080-refused"));
    assert!(failed.json["cure"].as_str().unwrap().contains("export-request"));
    assert_eq!(local.run("may-issue").exit, Exit::Done);
    local.main().allocation = allocation(2, &[0]);
    let done = local.run("synchronize");
    assert_eq!(done.exit, Exit::Done, "{done:?}");
    assert_eq!(done.json["changes"]["removed"], json!([NUMBERS[1]]), "both exchanges of this run together");
    let requests = local.main().requests.clone();
    assert_eq!(requests.len(), 4, "first, failed, the same again, and one more (P 12.5)");
    assert_eq!(requests[1], requests[2]);
    assert_ne!(requests[2], requests[3]);
}

#[test]
fn a_404_on_the_payload_is_answered_by_the_same_request_once() {
    let local = Environment::new();
    local.main().payload_answers = vec![Ok(http(404, "text/plain", ""))];
    assert_eq!(local.run("synchronize").exit, Exit::Done);
    local.main().payload_answers = vec![Ok(http(404, "text/plain", "")), Ok(http(404, "text/plain", ""))];
    assert_eq!(local.run("synchronize").code(), "payload-not-found");
    let requests = local.main().requests.clone();
    assert_eq!((requests[0] == requests[1], requests[2] == requests[3], requests.len()), (true, true, 4));
}

#[test]
fn every_refusal_is_named_and_only_the_marked_ones_end_the_request() {
    for code in RefusalCode::ALL {
        let local = Environment::synchronized();
        local.main().refuse = Some(*code);
        let refused = local.run("synchronize");
        assert_eq!((refused.exit, refused.code()), (Exit::Refused, code.as_str()));
        let kept = local.run("status").json["outstanding_request"] != json!(null);
        assert_eq!(kept, !code.ends_request(), "{code}");
        let may_issue = local.run("may-issue").exit == Exit::Done;
        assert_eq!(may_issue, *code != RefusalCode::KeyPairCleared, "{code}");
    }
}

#[test]
fn a_cleared_server_issues_nothing_asks_no_more_and_begins_again_with_a_new_key_pair() {
    let local = Environment::synchronized();
    local.main().refuse = Some(RefusalCode::KeyPairCleared);
    local.run("synchronize");
    let asked = local.main().requests.len();
    let again = local.run("synchronize");
    assert_eq!((again.exit, again.code()), (Exit::Refused, "key-pair-cleared"));
    assert_eq!(local.main().requests.len(), asked);
    assert_eq!(local.run("may-issue").code(), "cleared");
    assert_eq!(local.run("status").json["state"], "cleared");
    let old = local.run("status").json["key_thumbprint"].clone();
    assert_eq!(local.run("new-key-pair").exit, Exit::Usage);
    let new = local.run("new-key-pair --yes");
    assert_eq!((&new.json["old_key_thumbprint"], new.json["key_thumbprint"] == old), (&old, false));
    assert_eq!(local.run("status").json["state"], "unsynchronized");
    local.main().refuse = None;
    assert_eq!(local.run("synchronize").exit, Exit::Done);
}

#[test]
fn a_refusal_of_something_else_does_not_count() {
    let local = Environment::synchronized();
    local.main().refuse = Some(RefusalCode::KeyPairCleared);
    for (edit, code) in [
        (
            (|r| r.request_digest = solme_sync_protocol::Digest::of(b"other")) as fn(&mut solme_sync_protocol::Refusal),
            "refusal-not-ours",
        ),
        (|r| r.license_server_id = "OTHER".parse().unwrap(), "refusal-not-ours"),
        (|r| r.main_server_id = "OTHER".parse().unwrap(), "refusal-not-ours"),
        (|r| r.version = 2, "refusal-wrong"),
    ] {
        local.main().edit_refusal = Some(edit);
        let failed = local.run("synchronize");
        assert_eq!((failed.exit, failed.code()), (Exit::NotReached, code));
    }
    assert_eq!(local.run("status").json["state"], "synchronized");
}

#[test]
fn a_receipt_that_fails_a_check_is_named_with_it_and_nothing_is_stored() {
    type Edit = fn(&mut solme_sync_protocol::Receipt);
    let edits: [(Edit, &str, &str); 11] = [
        (|r| r.license_server_id = "OTHER".parse().unwrap(), "receipt-wrong", "P 11.2"),
        (|r| r.main_server_id = "OTHER".parse().unwrap(), "receipt-wrong", "P 11.2"),
        (|r| r.version = 2, "receipt-wrong", "P 11.2"),
        (|r| r.request_id = solme_sync_protocol::RequestId::from_random([9; 16]), "receipt-wrong", "P 11.3"),
        (|r| r.request_digest = solme_sync_protocol::Digest::of(b"other"), "receipt-wrong", "P 11.3"),
        (|r| r.sequence += 1, "receipt-wrong", "P 11.4"),
        (|r| r.key_generation += 1, "receipt-wrong", "P 11.4"),
        (|r| r.synchronize_by = r.synchronize_by.plus(1), "receipt-wrong", "P 11.5"),
        (|r| r.payload_size += 1, "payload-wrong", "P 11.6"),
        (|r| r.payload_digest = solme_sync_protocol::Digest::of(b"other"), "payload-wrong", "P 11.6"),
        (|r| r.allocation_digest = solme_sync_protocol::Digest::of(b"other"), "payload-wrong", "P 11.7"),
    ];
    for (edit, code, clause) in edits {
        let local = Environment::synchronized();
        let before = local.run("status").json;
        local.main().edit = Some(edit);
        let failed = local.run("synchronize");
        assert_eq!((failed.exit, failed.code()), (Exit::NotReached, code), "{clause}: {failed:?}");
        assert!(failed.json["message"].as_str().unwrap().contains(clause), "{clause}: {failed:?}");
        let after = local.run("status").json;
        assert_eq!((&before["sequence"], &before["licenses"]), (&after["sequence"], &after["licenses"]));
        assert_eq!(local.run("may-issue").exit, Exit::Done);
    }
}

#[test]
fn an_old_receipt_is_never_accepted_again() {
    let local = Environment::new();
    local.run("synchronize");
    let first = local.main().requests[0].clone();
    let old = local.main.server.accept(&first, &allocation(1, &[0]), 1, MAIN_TIME).0;
    local.run("synchronize");
    local.main().answer = Some(Ok(http(200, "application/jose", local.main.server.sign(&old))));
    let failed = local.run("synchronize");
    assert_eq!((failed.exit, failed.code()), (Exit::NotReached, "receipt-wrong"));
}

#[test]
fn a_message_of_another_main_server_is_named_by_that_server_and_a_strange_key_by_the_key() {
    let local = Environment::synchronized();
    let stranger = MainServer::new();
    let request = local.main().requests[0].clone();
    let mut receipt = local.main.server.accept(&request, &allocation(1, &[0]), 1, MAIN_TIME).0;
    let key = stranger.key.thumbprint().to_string();
    for (main_server, name) in [("SOLME-TEST", key.as_str()), ("SOLME-OTHER", "SOLME-OTHER")] {
        receipt.main_server_id = main_server.parse().unwrap();
        local.main().answer = Some(Ok(http(200, "application/jose", stranger.sign(&receipt))));
        let failed = local.run("synchronize");
        assert_eq!(failed.code(), "receipt-wrong");
        let message = failed.json["message"].as_str().unwrap();
        assert!(message.contains(name), "{message}");
    }
}

#[test]
fn what_is_not_the_main_server_is_named() {
    let local = Environment::synchronized();
    let mut redirect = http(302, "text/html", "");
    redirect.location = Some("http://login.example/".to_owned());
    let mut encoded = http(200, "application/jose", "x");
    encoded.content_encoding = Some("gzip".to_owned());
    for (answer, code) in [
        (http(200, "text/html; charset=utf-8", "<html>Please log in</html>"), "not-the-main-server"),
        (redirect, "not-the-main-server"),
        (encoded, "not-the-main-server"),
        (http(404, "text/html", ""), "not-the-main-server"),
        (http(503, "text/html", ""), "main-server-trouble"),
        (http(400, "application/problem+json", "{}"), "main-server-trouble"),
        (http(413, "application/problem+json", "{}"), "main-server-trouble"),
        (http(418, "application/problem+json", "{}"), "not-the-main-server"),
        (http(200, "application/jose", "x.y.z"), "receipt-wrong"),
    ] {
        local.main().answer = Some(Ok(answer));
        let failed = local.run("synchronize");
        assert_eq!((failed.exit, failed.code()), (Exit::NotReached, code));
    }
    local.main().answer = None;
    let mut encoded_payload = http(200, "application/octet-stream", "x");
    encoded_payload.content_encoding = Some("gzip".to_owned());
    for (answer, code) in [
        (http(200, "text/html", "<html>"), "not-the-main-server"),
        (http(302, "text/plain", ""), "not-the-main-server"),
        (encoded_payload, "not-the-main-server"),
        (http(503, "text/html", ""), "not-the-main-server"),
        (http(200, "application/octet-stream", "short"), "payload-wrong"),
        (http(500, "text/plain", ""), "main-server-trouble"),
    ] {
        local.main().payload_answers = vec![Ok(answer)];
        assert_eq!(local.run("synchronize").code(), code);
    }
    assert_eq!(local.run("synchronize").exit, Exit::Done);
}

#[test]
fn a_fast_clock_is_named_and_set_straight_by_a_synchronization() {
    let local = Environment::synchronized();
    *local.clock.borrow_mut() = MAIN_TIME.plus(400 * DAY);
    assert_eq!(local.run("may-issue").code(), "overdue");
    *local.clock.borrow_mut() = MAIN_TIME.plus(DAY);
    assert_eq!(local.run("may-issue").code(), "overdue", "the mark stays where the clock has been");
    local.main().now = MAIN_TIME.plus(DAY);
    assert_eq!(local.run("synchronize").exit, Exit::Done);
    assert_eq!(local.run("may-issue").exit, Exit::Done);
    *local.clock.borrow_mut() = MAIN_TIME.plus(30 * DAY);
    let notes = local.run("synchronize").json["notes"].to_string();
    assert!(notes.contains("29 days fast"), "{notes}");
}

#[test]
fn a_shifted_clock_says_so_and_opens_no_loophole() {
    let local = Environment::synchronized();
    let shifted = local.run("may-issue --clock-offset 366d");
    assert_eq!((shifted.code(), &shifted.json["clock_offset_seconds"]), ("overdue", &json!(366 * DAY)));
    local.days_pass(366);
    assert_eq!(local.run("may-issue --clock-offset -366d").code(), "overdue");
}

#[test]
fn the_history_tells_what_happened_and_is_bounded() {
    let local = Environment::synchronized();
    local.main().refuse = Some(RefusalCode::RateLimited);
    local.run("synchronize");
    let events = local.run("history").json["events"].clone();
    let codes: Vec<&str> = events.as_array().unwrap().iter().map(|e| e["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["initialized", "synchronized", "rate-limited"]);
    let filler = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
        INSERT INTO history (at, event, outcome, code, message, key_thumbprint)
        SELECT 0, 'x', 'x', 'x', 'x', 'x' FROM n";
    local.edit_database(filler);
    local.run("synchronize");
    let kept = local.run("history").json["events"].as_array().unwrap().len();
    assert_eq!(kept, 1_001, "1,000, and the newest receipt");
    assert_eq!(local.run("may-issue").exit, Exit::Done);
}

fn port_8080_refused() -> Failure {
    let (at, detail) = ("127.0.0.1:1".to_owned(), String::new());
    Failure::Port { role: Role::Http, fault: crate::core::PortFault::Refused, at, detail }
}

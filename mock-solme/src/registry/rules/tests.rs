//! Each rule of P 9.3 to 9.12.

use solme_sync_protocol::{
    InvalidRequestReason, Receipt, RefusalCode, RequestId, RustCrypto, SignEs384 as _, Signed, SigningKey, VERSION,
    Verified,
};

use super::super::players::{LicenseServer, MainServer, T0, clear};
use super::super::{Clear, ClearOutcome, Disabled, clear_key_pair, disable, enable};
use super::*;

fn refused(decision: Decision) -> (Clause, RefusalCode, Option<InvalidRequestReason>) {
    match decision {
        Decision::Refuse(refused) => (refused.clause, refused.code, refused.reason),
        other => panic!("not refused: {other:?}"),
    }
}

/// A main server with which `server` has synchronized `times` times.
fn synchronized(times: usize) -> (MainServer, LicenseServer) {
    let (mut main_server, mut server) = (MainServer::new(), LicenseServer::new());
    for _ in 0..times {
        server.synchronize(&mut main_server).unwrap();
    }
    (main_server, server)
}

fn disabled() -> Disabled {
    Disabled { at: T0, by: "olle".to_owned(), reason: "unpaid".to_owned() }
}

#[test]
fn an_unknown_license_server_id_is_refused() {
    let (main_server, server) = synchronized(0);
    let Ok(decision) = decide(None, &server.request(), &main_server);
    assert_eq!(refused(decision), ("9.3", RefusalCode::UnknownLicenseServerId, None));
}

#[test]
fn beyond_the_rate_limit_nothing_else_is_looked_at() {
    let (mut main_server, server) = synchronized(1);
    main_server.record = disable(&main_server.record, disabled());
    main_server.within_rate_limit = false;
    assert_eq!(refused(main_server.decide(&server.request())), ("9.4", RefusalCode::RateLimited, None));
}

#[test]
fn the_key_pair_in_use_pays_from_its_own_bucket() {
    let (main_server, server) = synchronized(1);
    assert_eq!(Bucket::of(&main_server.record, &server.request().thumbprint()), Bucket::KeyPairInUse);
    let thief = LicenseServer::new().request().thumbprint();
    assert_eq!(Bucket::of(&main_server.record, &thief), Bucket::Others);
}

#[test]
fn a_disabled_id_is_refused_until_it_is_enabled() {
    let (mut main_server, mut server) = synchronized(1);
    main_server.record = disable(&main_server.record, disabled());
    assert_eq!(refused(main_server.decide(&server.request())), ("9.5", RefusalCode::LicenseServerIdDisabled, None));
    main_server.record = enable(&main_server.record);
    server.synchronize(&mut main_server).unwrap();
}

#[test]
fn a_disabled_id_does_not_even_resend() {
    let (mut main_server, server) = synchronized(0);
    let request = server.request();
    main_server.synchronize(&request).unwrap();
    main_server.record = disable(&main_server.record, disabled());
    assert_eq!(refused(main_server.decide(&request)).0, "9.5");
}

#[test]
fn a_cleared_key_pair_is_refused_for_ever_even_after_others_were_bound() {
    let (mut main_server, server) = synchronized(1);
    for _ in 0..3 {
        main_server.clear();
        assert_eq!(refused(main_server.decide(&server.request())), ("9.6", RefusalCode::KeyPairCleared, None));
        LicenseServer::new().synchronize(&mut main_server).unwrap();
        assert_eq!(refused(main_server.decide(&server.request())), ("9.6", RefusalCode::KeyPairCleared, None));
    }
}

#[test]
fn the_answered_request_of_a_cleared_key_pair_is_not_answered_again() {
    let (mut main_server, server) = synchronized(0);
    let request = server.request();
    main_server.synchronize(&request).unwrap();
    main_server.clear();
    assert_eq!(refused(main_server.decide(&request)).0, "9.6");
}

#[test]
fn the_newest_request_gets_the_same_answer_again() {
    let (mut main_server, server) = synchronized(1);
    let request = server.request();
    let receipt = main_server.synchronize(&request).unwrap();
    let before = main_server.record.clone();
    for _ in 0..2 {
        let decision = main_server.decide(&request);
        assert_eq!(decision.clause(), "9.7");
        assert!(matches!(decision, Decision::Resend(answer) if answer.receipt == receipt));
    }
    assert_eq!(main_server.record, before);
}

#[test]
fn an_older_answered_request_is_refused() {
    let (mut main_server, mut server) = synchronized(0);
    let request = server.request();
    server.last_receipt = Some(main_server.synchronize(&request).unwrap());
    server.synchronize(&mut main_server).unwrap();
    assert_eq!(refused(main_server.decide(&request)), ("9.7", RefusalCode::RequestAlreadyAnswered, None));
}

#[test]
fn another_version_is_named_before_the_content() {
    let (main_server, server) = synchronized(0);
    let mut content = server.content();
    content.version = VERSION + 1;
    content.main_server_id = "OTHER".parse().unwrap();
    let request = parse_again(&server, &content);
    assert_eq!(refused(main_server.decide(&request)), ("9.8", RefusalCode::UnsupportedVersion, None));
}

/// Signed as it is, and then read, so that what the frame says is what stands in the payload.
fn parse_again(server: &LicenseServer, content: &Request) -> Verified<Request> {
    let jws = Signed::sign(content, &server.key).as_str().to_owned();
    Signed::<Request>::parse(&jws).unwrap().verify(&RustCrypto).unwrap()
}

fn invalid(change: impl FnOnce(&LicenseServer, &mut Request)) -> (Clause, RefusalCode, Option<InvalidRequestReason>) {
    let (main_server, server) = synchronized(0);
    let mut content = server.content();
    change(&server, &mut content);
    refused(main_server.decide(&server.sign(&content)))
}

#[test]
fn malformed_claims_come_before_the_wrong_main_server() {
    let found = invalid(|_, content| {
        content.product = String::new();
        content.main_server_id = "OTHER".parse().unwrap();
    });
    assert_eq!(found, ("9.8", RefusalCode::InvalidRequest, Some(InvalidRequestReason::MalformedClaims)));
}

#[test]
fn a_request_for_another_main_server_is_invalid() {
    let found = invalid(|server, content| {
        content.main_server_id = "OTHER".parse().unwrap();
        content.sealing_jwk = *server.key.public_jwk();
    });
    assert_eq!(found, ("9.8", RefusalCode::InvalidRequest, Some(InvalidRequestReason::WrongMainServer)));
}

#[test]
fn the_signing_key_is_no_sealing_key() {
    let found = invalid(|server, content| content.sealing_jwk = *server.key.public_jwk());
    assert_eq!(found, ("9.8", RefusalCode::InvalidRequest, Some(InvalidRequestReason::SealingKeyIsSigningKey)));
}

#[test]
fn a_request_id_with_another_content_is_invalid_even_from_another_key_pair() {
    let (mut main_server, mut server) = synchronized(0);
    let first = server.content();
    server.last_receipt = Some(main_server.synchronize(&server.sign(&first)).unwrap());
    for other in [&server, &LicenseServer::new()] {
        let mut second = other.content();
        second.request_id = first.request_id.clone();
        let found = refused(main_server.decide(&other.sign(&second)));
        assert_eq!(found, ("9.8", RefusalCode::InvalidRequest, Some(InvalidRequestReason::RequestIdReused)));
    }
}

#[test]
fn another_key_pair_is_refused_while_one_is_in_use() {
    let (main_server, server) = synchronized(1);
    let mut thief = LicenseServer::new();
    assert_eq!(refused(main_server.decide(&thief.request())), ("9.9", RefusalCode::KeyPairInUse, None));
    thief.last_receipt = server.last_receipt;
    assert_eq!(refused(main_server.decide(&thief.request())), ("9.9", RefusalCode::KeyPairInUse, None));
}

#[test]
fn a_reserved_id_is_bound_only_by_the_key_pair_that_it_is_reserved_for() {
    let (mut main_server, _) = synchronized(1);
    let mut new = LicenseServer::new();
    let reserved = Clear { reserve_for: Some(new.request().thumbprint()), ..clear() };
    let Ok(ClearOutcome::Cleared { record, .. }) = clear_key_pair(&main_server.record, &reserved) else { panic!() };
    main_server.record = record;
    assert_eq!(refused(main_server.decide(&LicenseServer::new().request())), ("9.9", RefusalCode::KeyPairInUse, None));
    new.synchronize(&mut main_server).unwrap();
    assert_eq!(main_server.record.reserved_for, None, "binding consumes the reservation");
}

#[test]
fn the_first_request_binds_and_the_next_one_is_accepted() {
    let (mut main_server, mut server) = synchronized(0);
    assert_eq!(main_server.decide(&server.request()).clause(), "9.10");
    server.synchronize(&mut main_server).unwrap();
    let in_use = main_server.record.key_pair_in_use.clone().unwrap();
    assert_eq!(in_use.thumbprint, server.request().thumbprint());

    assert_eq!(main_server.decide(&server.request()).clause(), "9.11");
    server.synchronize(&mut main_server).unwrap();
    let later = main_server.record.key_pair_in_use.clone().unwrap();
    assert_eq!(later.bound_at, in_use.bound_at);
    assert!(later.last_synchronized_at > in_use.last_synchronized_at);
    assert_eq!((main_server.record.sequence, main_server.record.key_generation), (2, 1));
}

#[test]
fn the_last_receipt_is_recognised_whatever_its_signature() {
    let (main_server, mut server) = synchronized(1);
    let receipt = server.last_receipt.take().unwrap();
    let (signing_input, _) = receipt.rsplit_once('.').unwrap();
    server.last_receipt = Some(format!("{signing_input}.{}", "A".repeat(128)));
    assert_eq!(main_server.decide(&server.request()).clause(), "9.11");
    let too_long = "A".repeat(solme_sync_protocol::limits::ANSWER);
    for no_signature in ["", "AAAA", &format!("{}==", "A".repeat(126)), "*", &"A".repeat(129)] {
        server.last_receipt = Some(format!("{signing_input}.{no_signature}"));
        assert_eq!(refused(main_server.decide(&server.request())), NOT_OURS, "{no_signature:?}");
    }
    server.last_receipt = Some(format!("{signing_input}.{too_long}"));
    assert_eq!(refused(main_server.decide(&server.request())).2, Some(InvalidRequestReason::MalformedClaims));
}

#[test]
fn a_copy_is_found_out_whether_it_claims_an_older_receipt_or_none() {
    let (mut main_server, mut server) = synchronized(1);
    let older = server.last_receipt.clone();
    server.synchronize(&mut main_server).unwrap();
    for claimed in [older, None] {
        server.last_receipt = claimed;
        assert_eq!(refused(main_server.decide(&server.request())), ("9.12", RefusalCode::StateDiverged, None));
    }
}

/// What a claim of a receipt comes to, that the main server's own key signed, changed from the newest one given.
fn claim(bound: bool, change: impl FnOnce(&mut Receipt)) -> (Clause, RefusalCode, Option<InvalidRequestReason>) {
    let (mut main_server, mut server) = synchronized(2);
    let newest = Signed::<Receipt>::parse(server.last_receipt.as_deref().unwrap()).unwrap();
    let mut receipt = newest.verify(&RustCrypto, &[*main_server.key.public_jwk()]).unwrap().read().unwrap();
    change(&mut receipt);
    server.last_receipt = Some(Signed::sign(&receipt, &main_server.key).as_str().to_owned());
    if !bound {
        main_server.record.key_pair_in_use = None;
    }
    refused(main_server.decide(&server.request()))
}

const NOT_OURS: (Clause, RefusalCode, Option<InvalidRequestReason>) =
    ("9.12", RefusalCode::InvalidRequest, Some(InvalidRequestReason::LastReceiptNotOurs));

#[test]
fn the_sequence_of_the_claimed_receipt_tells_who_was_restored() {
    for bound in [true, false] {
        assert_eq!(claim(bound, |r| r.sequence = 3), ("9.12", RefusalCode::MainServerBehind, None));
        assert_eq!(claim(bound, |r| r.sequence = 1), ("9.12", RefusalCode::StateDiverged, None));
        let same_sequence = claim(bound, |r| r.main_server_time = T0.plus(99));
        assert_eq!(same_sequence, ("9.12", RefusalCode::StateDiverged, None));
    }
}

#[test]
fn a_receipt_of_another_main_server_id_or_key_pair_is_not_ours() {
    for bound in [true, false] {
        assert_eq!(claim(bound, |r| r.main_server_id = "OTHER".parse().unwrap()), NOT_OURS);
        assert_eq!(claim(bound, |r| r.license_server_id = "OTHER".parse().unwrap()), NOT_OURS);
        assert_eq!(claim(bound, |r| r.key_thumbprint = SigningKey::generate().thumbprint()), NOT_OURS);
        assert_eq!(claim(bound, |r| r.version = 2), NOT_OURS);
    }
}

#[test]
fn a_receipt_that_another_key_signed_or_that_cannot_be_read_is_not_ours() {
    let (main_server, mut server) = synchronized(1);
    let newest = Signed::<Receipt>::parse(server.last_receipt.as_deref().unwrap()).unwrap();
    let mut receipt = newest.verify(&RustCrypto, &[*main_server.key.public_jwk()]).unwrap().read().unwrap();
    receipt.sequence = 9;
    let foreign = Signed::sign(&receipt, &SigningKey::generate()).as_str().to_owned();
    for claimed in [foreign, String::new(), "a.b.c".to_owned(), server.request().signed().as_str().to_owned()] {
        server.last_receipt = Some(claimed);
        assert_eq!(refused(main_server.decide(&server.request())), NOT_OURS);
    }
}

#[test]
fn a_new_key_pair_that_claims_the_receipt_of_the_cleared_one_is_not_bound() {
    let (mut main_server, old) = synchronized(1);
    main_server.clear();
    let mut new = LicenseServer::new();
    new.last_receipt = old.last_receipt;
    assert_eq!(refused(main_server.decide(&new.request())), NOT_OURS);
}

#[test]
fn a_refusal_leaves_the_record_and_every_decision_names_a_request_id_only_once() {
    let (mut main_server, server) = synchronized(1);
    let before = main_server.record.clone();
    let thief = LicenseServer::new();
    let mut content = thief.content();
    content.request_id = RequestId::from_random([9; 16]);
    main_server.synchronize(&thief.sign(&content)).unwrap_err();
    assert_eq!(main_server.record, before);
    let mut own = server.content();
    own.request_id = content.request_id;
    main_server.synchronize(&server.sign(&own)).expect("a refused request used no request id up");
}

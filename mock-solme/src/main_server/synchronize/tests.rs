//! Two requests in flight, one step at a time: both are planned before either is committed.

mod groups;

use solme_sync_protocol::{RustCrypto, SealingKey, SigningKey, VERSION};

use super::*;
use crate::main_server::{By, NewLicense, Settings};

fn main_server() -> (MainServer, LicenseServerId) {
    let main_server = MainServer::in_memory(Settings::default()).unwrap();
    let id = "SITE-1".parse().unwrap();
    main_server.add_id(&id, crate::main_server::NewId::default(), &By::default()).unwrap();
    (main_server, id)
}

fn request(
    main_server: &MainServer,
    id: &LicenseServerId,
    key: &SigningKey,
    last: Option<String>,
) -> Verified<Request> {
    let content = Request {
        version: VERSION,
        license_server_id: id.clone(),
        main_server_id: main_server.id().clone(),
        request_id: RequestId::from_random(crypto::random().unwrap()),
        made_at: UtcTime::from_secs(0),
        sealing_jwk: SealingKey::generate().public_jwk(),
        last_receipt: last,
        high_water_mark: UtcTime::from_secs(0),
        product: "test".to_owned(),
        product_version: "1".to_owned(),
    };
    Signed::sign(&content, key).verify(&RustCrypto).unwrap()
}

fn planned(main_server: &MainServer, request: &Verified<Request>) -> Prepared {
    match main_server.plan(request, Carrier::Https, true).unwrap() {
        Plan::Accept(prepared) => prepared,
        Plan::Done(_) => panic!("not to be accepted"),
    }
}

fn committed(main_server: &MainServer, request: &Verified<Request>, prepared: &Prepared) -> bool {
    main_server.store.write("accept a request", |store| main_server.judge().commit(store, request, prepared)).unwrap()
}

#[test]
fn of_two_copies_of_one_request_the_second_is_not_committed_and_gets_the_answer_of_the_first() {
    let (main_server, id) = main_server();
    let copy = request(&main_server, &id, &SigningKey::generate(), None);
    let (first, second) = (planned(&main_server, &copy), planned(&main_server, &copy));
    assert!(committed(&main_server, &copy, &first));
    assert!(!committed(&main_server, &copy, &second));
    let Ok(Outcome::AnsweredAgain { receipt, payload }) = main_server.decide_and_carry_out(&copy, Carrier::Https)
    else {
        panic!()
    };
    assert_eq!((receipt.as_str(), payload), (first.receipt.as_str(), first.payload));
    assert_eq!(main_server.record(&id).unwrap().sequence, 1);
}

#[test]
fn of_two_key_pairs_that_race_for_an_id_the_second_is_not_bound() {
    let (main_server, id) = main_server();
    let [first, second] = [(); 2].map(|()| request(&main_server, &id, &SigningKey::generate(), None));
    let (first_plan, second_plan) = (planned(&main_server, &first), planned(&main_server, &second));
    assert!(committed(&main_server, &first, &first_plan));
    assert!(!committed(&main_server, &second, &second_plan));
    let Ok(Outcome::Refused(refused)) = main_server.decide_and_carry_out(&second, Carrier::Https) else { panic!() };
    assert_eq!(refused.clause, "9.9");
    assert_eq!(main_server.record(&id).unwrap().bound_thumbprint(), Some(first.thumbprint()));
}

#[test]
fn a_clear_between_plan_and_commit_is_not_undone() {
    let (main_server, id) = main_server();
    let key = SigningKey::generate();
    let first = request(&main_server, &id, &key, None);
    let Ok(Outcome::Accepted { receipt, .. }) = main_server.decide_and_carry_out(&first, Carrier::Https) else {
        panic!()
    };
    let next = request(&main_server, &id, &key, Some(receipt));
    let plan = planned(&main_server, &next);
    main_server
        .clear_key_pair(
            &id,
            crate::main_server::ClearOrder { even_so: true, ..Default::default() },
            &By { reason: "test".to_owned(), ..By::default() },
        )
        .unwrap();
    assert!(!committed(&main_server, &next, &plan));
    let Ok(Outcome::Refused(refused)) = main_server.decide_and_carry_out(&next, Carrier::Https) else { panic!() };
    assert_eq!(refused.clause, "9.6");
}

#[test]
fn a_license_that_is_added_between_plan_and_commit_is_in_the_answer() {
    let (main_server, id) = main_server();
    let first = request(&main_server, &id, &SigningKey::generate(), None);
    let plan = planned(&main_server, &first);
    main_server.add_license(&id, NewLicense::default(), &By::default()).unwrap();
    assert!(!committed(&main_server, &first, &plan));
    let again = planned(&main_server, &first);
    assert!(committed(&main_server, &first, &again));
    assert_eq!(again.acceptance.receipt(&again.fresh, &again.payload).allocation_revision, 1);
}

#[test]
fn what_an_operator_changes_between_plan_and_commit_stays_where_no_rule_asks_for_it() {
    let (main_server, id) = main_server();
    let first = request(&main_server, &id, &SigningKey::generate(), None);
    let plan = planned(&main_server, &first);
    main_server.change_id(&id, Some(Some("Hamburg".to_owned())), None, &By::default()).unwrap();
    assert!(!committed(&main_server, &first, &plan));
    assert!(committed(&main_server, &first, &planned(&main_server, &first)));
    assert_eq!(main_server.record(&id).unwrap().name.as_deref(), Some("Hamburg"));
}

#[test]
fn a_store_that_fails_answers_temporarily_unavailable_and_has_changed_nothing() {
    let (main_server, id) = main_server();
    let request = request(&main_server, &id, &SigningKey::generate(), None);
    let before = main_server.record(&id).unwrap();
    let break_audit = |sql: &str| {
        let broken: Result<(), StoreError> = main_server.store.write("test", |store| Ok(store.execute_batch(sql)?));
        broken.unwrap();
    };
    break_audit("ALTER TABLE audit RENAME TO gone");
    let text = request.signed().as_str().as_bytes();
    let answer = main_server.answer(text, Carrier::Https, Vec::new()).answer;
    let Some(Answer::Refused { refused, .. }) = answer else { panic!() };
    assert_eq!((refused.code.as_str(), refused.clause), ("temporarily-unavailable", "9.14"));
    assert_eq!(main_server.record(&id).unwrap(), before);
    break_audit("ALTER TABLE gone RENAME TO audit");
    let answer = main_server.answer(text, Carrier::Https, Vec::new()).answer;
    assert!(matches!(answer, Some(Answer::Accepted { .. })));
}

#[test]
fn two_who_are_getting_a_payload_share_one_copy_and_a_newer_one_takes_its_name_away() {
    let (main_server, id) = main_server();
    let key = SigningKey::generate();
    let first = request(&main_server, &id, &key, None);
    let plan = planned(&main_server, &first);
    assert!(committed(&main_server, &first, &plan));
    let get = || main_server.payload(&plan.fresh.payload_name, Vec::new()).unwrap().answer.unwrap();
    let (one, other) = (get().unwrap(), get().unwrap());
    assert!(Arc::ptr_eq(&one, &other));
    assert_eq!(&one[..], plan.payload);
    let next = request(&main_server, &id, &key, Some(plan.receipt.as_str().to_owned()));
    assert!(committed(&main_server, &next, &planned(&main_server, &next)));
    assert_eq!(get(), None);
    drop((one, other));
}

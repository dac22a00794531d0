//! Clearing the key pair by e-mail, with mails that a real mail library writes and sends.

use lettre::message::{MultiPart, SinglePart};
use lettre::{Message, SmtpTransport, Transport as _};
use serde_json::Value;

use crate::stage::{Stage, done, refused, synchronize, synchronized};

fn send(stage: &Stage, mail: &Message) {
    let (host, port) = stage.main_server.ready("smtp").unwrap().rsplit_once(':').unwrap();
    let host = host.trim_start_matches("smtp://");
    let transport = SmtpTransport::builder_dangerous(host).port(port.parse().unwrap()).build();
    transport.send(mail).unwrap();
}

fn mail_to_the_licensing_desk(from: &str) -> lettre::message::MessageBuilder {
    Message::builder().from(from.parse().unwrap()).to("licensing@solme.se".parse().unwrap())
}

async fn clear_requests(stage: &Stage) -> Vec<Value> {
    stage.admin(["clear-requests", "list"]).await.json.as_array().expect("a list").clone()
}

fn id_of(request: &Value) -> String {
    request["id"].as_str().map_or_else(|| request["id"].to_string(), str::to_owned)
}

async fn thumbprint(server: &solme_sync_harness::programs::LicenseServer) -> String {
    done(server, ["status"]).await.text("key_thumbprint")
}

#[tokio::test]
async fn a_mail_becomes_a_clear_request_and_approving_it_frees_the_id() {
    let stage = Stage::begin().await;
    stage.allocate("SITE-1").await;
    let before = stage.set_up("before", "SITE-1").await;
    assert_eq!(synchronize(&before).await, synchronized());
    let reinstalled = stage.set_up("reinstalled", "SITE-1").await;
    assert_eq!(synchronize(&reinstalled).await, refused("key-pair-in-use"));

    let html = "<p>Our license server <b>SITE-1</b> was reinstalled. Gr&uuml;&szlig;e, J&ouml;rg</p>".to_owned();
    let body = MultiPart::alternative()
        .singlepart(SinglePart::plain("Unser Server SITE-1 wurde neu installiert. Grüße, Jörg".to_owned()))
        .singlepart(SinglePart::html(html));
    let mail = mail_to_the_licensing_desk("it@customer.example").subject("Schlüssel löschen").multipart(body).unwrap();
    send(&stage, &mail);

    let requests = clear_requests(&stage).await;
    assert_eq!(requests.len(), 1, "{requests:?}");
    assert_eq!(requests[0]["license_server_id"], "SITE-1");
    assert_eq!(requests[0]["state"], "open");
    assert_eq!(requests[0]["sender"], "it@customer.example");
    assert_eq!(requests[0]["thumbprint"], thumbprint(&before).await);

    let id = id_of(&requests[0]);
    let careless = stage.main_server.admin(["clear-requests", "approve", &id]).await.unwrap();
    assert_ne!(careless.exit, 0, "the sender is no contact, and the bound server synchronized today: {careless:?}");
    assert_eq!(synchronize(&reinstalled).await, refused("key-pair-in-use"));
    stage.admin(["clear-requests", "approve", &id, "--even-so", "--reason", "called back"]).await;
    assert_eq!(synchronize(&reinstalled).await, synchronized());
    assert_eq!(clear_requests(&stage).await[0]["state"], "approved");
    assert!(!stage.admin(["outbox", "list"]).await.json.as_array().expect("a list").is_empty(), "it was answered");
}

#[tokio::test]
async fn two_mails_for_one_clear_are_one_request_and_a_late_one_never_kills_the_new_key_pair() {
    let stage = Stage::begin().await;
    stage.allocate("SITE-1").await;
    let before = stage.set_up("before", "SITE-1").await;
    assert_eq!(synchronize(&before).await, synchronized());
    let write = |subject| {
        let mail =
            mail_to_the_licensing_desk("it@customer.example").subject(subject).body("Thanks".to_owned()).unwrap();
        send(&stage, &mail);
    };
    write("Please clear SITE-1");
    write("Did you get my mail? SITE-1");
    let requests = clear_requests(&stage).await;
    assert_eq!((requests.len(), &requests[0]["further_mails"]), (1, &1.into()));
    stage.admin(["clear-requests", "approve", &id_of(&requests[0]), "--even-so", "--reason", "called back"]).await;
    write("And this one? SITE-1");
    let late = id_of(&clear_requests(&stage).await[1]);
    let after = stage.set_up("after", "SITE-1").await;
    assert_eq!(synchronize(&after).await, synchronized());
    let new = thumbprint(&after).await;

    let closed = stage
        .main_server
        .admin(["clear-requests", "approve", &late, "--even-so", "--reason", "called back"])
        .await
        .unwrap();
    assert_eq!(closed.text("state"), "already-done", "{closed:?}");
    assert_eq!(stage.admin(["key-pair", "show", "SITE-1"]).await.text("key_thumbprint"), new);
    assert_eq!(synchronize(&after).await, synchronized());
    assert_eq!(done(&after, ["status"]).await.json["key_generation"], 2);
}

#[tokio::test]
async fn a_server_that_asks_for_itself_may_have_the_id_reserved_against_whoever_polls() {
    let stage = Stage::begin().await;
    stage.allocate("SITE-1").await;
    let before = stage.set_up("before", "SITE-1").await;
    assert_eq!(synchronize(&before).await, synchronized());
    let reinstalled = stage.set_up("reinstalled", "SITE-1").await;
    let thief = stage.set_up("thief", "SITE-1").await;
    let smtp = stage.main_server.ready("smtp").unwrap().trim_start_matches("smtp://").to_owned();
    done(&reinstalled, ["request-clear", "--smtp", &smtp, "--from", "it@customer.example"]).await;

    let requests = clear_requests(&stage).await;
    assert_eq!(requests.len(), 1, "{requests:?}");
    stage
        .admin(["clear-requests", "approve", &id_of(&requests[0]), "--even-so", "--reason", "called back", "--reserve"])
        .await;
    assert_eq!(synchronize(&thief).await, refused("key-pair-in-use"));
    assert_eq!(synchronize(&reinstalled).await, synchronized());
}

#[tokio::test]
async fn a_mail_without_a_known_id_makes_no_clear_request() {
    let stage = Stage::begin().await;
    stage.allocate("SITE-1").await;
    for subject in ["Hello", "License server id: SITE-2", "SITE-11", "XSITE-1"] {
        let mail = mail_to_the_licensing_desk("it@customer.example").subject(subject).body(String::new()).unwrap();
        send(&stage, &mail);
    }
    assert_eq!(clear_requests(&stage).await, Vec::<Value>::new());
}

//! Answers that a main server should never give: each is named, and changes nothing.

use std::sync::{Arc, Mutex};

use serde_json::Value;
use solme_sync_harness::programs::{Answer, LicenseServer};
use solme_sync_protocol::{
    Digest, InvalidRequestReason, Problem, Receipt, RefusalCode, RequestId, Signed, SigningKey, UtcTime, base64url,
    limits,
};
use tempfile::TempDir;
use wiremock::ResponseTemplate;

use crate::foreign_main_server::{Draft, ForeignMainServer, MainServerKeys, PAYLOAD_PATH, With, refusal, request_in};
use crate::stage::{done, init, may_issue, programs};

const ID: &str = "SITE-1";

/// A table of what is made wrong: its name, how, and what has to come of it.
type Cases<How, const N: usize> = [(&'static str, How, &'static str); N];

/// What the 443 role answers to a request, with what the 8080 role then has.
type Answers = fn(&wiremock::Request, &MainServerKeys) -> (ResponseTemplate, Vec<u8>);

/// A License Server that is set up for a main server of a test, with its directory.
struct Subject {
    license_server: LicenseServer,
    before: Vec<Value>,
    _dir: TempDir,
}

/// Synchronizes once with a main server that answers so; whatever is no success has changed nothing.
async fn synchronize_with(
    https: impl Fn(&wiremock::Request, &MainServerKeys) -> (ResponseTemplate, Vec<u8>) + Send + Sync + 'static,
    http: impl Fn(Vec<u8>) -> ResponseTemplate + Send + Sync + 'static,
) -> (Answer, Subject) {
    let (answer, subject) = exchange(https, http).await;
    if answer.text("outcome") != "synchronized" {
        assert_eq!(standing(&subject.license_server).await, subject.before, "{answer:?}");
    }
    (answer, subject)
}

async fn exchange(
    https: impl Fn(&wiremock::Request, &MainServerKeys) -> (ResponseTemplate, Vec<u8>) + Send + Sync + 'static,
    http: impl Fn(Vec<u8>) -> ResponseTemplate + Send + Sync + 'static,
) -> (Answer, Subject) {
    let keys = Arc::new(MainServerKeys::new("test-main"));
    let payload = Arc::new(Mutex::new(Vec::new()));
    let (put, signer) = (Arc::clone(&payload), Arc::clone(&keys));
    let answer_request = With(move |request: &wiremock::Request| {
        assert_eq!((request.method.as_str(), request.url.path()), ("POST", "/synchronize"));
        let (template, sealed) = https(request, &signer);
        *put.lock().unwrap() = sealed;
        template
    });
    let answer_payload = With(move |request: &wiremock::Request| {
        assert!(request.url.path().starts_with(PAYLOAD_PATH), "{}", request.url);
        http(payload.lock().unwrap().clone())
    });
    let main_server = ForeignMainServer::start(&keys, answer_request, answer_payload).await;

    let dir = tempfile::tempdir().unwrap();
    let trust = dir.path().join("trust.json");
    main_server.write_trust(&trust);
    let license_server = LicenseServer::new(&programs(), dir.path().join("state"));
    init(&license_server, ID, &trust).await;
    let before = standing(&license_server).await;
    let answer = license_server.run(["synchronize"]).await.unwrap();
    (answer, Subject { license_server, before, _dir: dir })
}

/// What a wrong answer must not touch.
async fn standing(server: &LicenseServer) -> Vec<Value> {
    let status = done(server, ["status"]).await.json;
    ["state", "key_thumbprint", "key_generation", "sequence", "last_synchronized_at", "synchronize_by", "licenses"]
        .map(|member| status[member].clone())
        .to_vec()
}

fn receipt_answer(receipt: &Receipt, keys: &SigningKey) -> ResponseTemplate {
    jose(Signed::sign(receipt, keys).as_str())
}

fn jose(body: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(body, "application/jose")
}

fn octets(body: Vec<u8>) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(body, "application/octet-stream")
}

/// An honest answer, but for what `change` makes of the receipt before it is signed.
fn with_receipt(
    change: fn(&mut Receipt),
) -> impl Fn(&wiremock::Request, &MainServerKeys) -> (ResponseTemplate, Vec<u8>) {
    move |request, keys| {
        let mut draft = Draft::answering(&request_in(request), keys);
        let payload = draft.seal();
        change(&mut draft.receipt);
        (receipt_answer(&draft.receipt, &keys.key), payload)
    }
}

/// An honest answer, but for what `change` makes of allocation and sealing key before they are sealed.
fn with_draft(change: fn(&mut Draft)) -> impl Fn(&wiremock::Request, &MainServerKeys) -> (ResponseTemplate, Vec<u8>) {
    move |request, keys| {
        let mut draft = Draft::answering(&request_in(request), keys);
        change(&mut draft);
        let payload = draft.seal();
        (receipt_answer(&draft.receipt, &keys.key), payload)
    }
}

fn is_failure(answer: &Answer, code: &str, words: &str, what: &str) {
    let found = (answer.text("outcome"), answer.text("code"), answer.exit);
    assert_eq!(found, ("failed".to_owned(), code.to_owned(), 11), "{what}: {answer:?}");
    assert!(answer.text("message").contains(words), "{what}: {words:?} is not in {:?}", answer.text("message"));
    assert!(answer.text("cure").contains("via file"), "{what}: the file route is offered");
}

#[tokio::test]
async fn an_honest_answer_of_the_test_server_synchronizes() {
    let (answer, server) = synchronize_with(with_receipt(|_| {}), octets).await;
    assert_eq!(answer.text("outcome"), "synchronized", "{answer:?}");
    assert_eq!(done(&server.license_server, ["status"]).await.json["sequence"], 1);
}

#[tokio::test]
async fn a_receipt_that_is_wrong_in_one_member_is_named_with_its_clause() {
    let cases: Cases<fn(&mut Receipt), 11> = [
        ("another main server", |r| r.main_server_id = "other-main".parse().unwrap(), "P 11.2"),
        ("another license server id", |r| r.license_server_id = "SITE-2".parse().unwrap(), "P 11.2"),
        ("another version", |r| r.version = 2, "P 11.2"),
        ("another request id", |r| r.request_id = RequestId::from_random([9; 16]), "P 11.3"),
        ("another request's digest", |r| r.request_digest = Digest::of("another"), "P 11.3"),
        ("another key pair", |r| r.key_thumbprint = SigningKey::generate().thumbprint(), "P 11.3"),
        ("a deadline too far", |r| r.synchronize_by = r.synchronize_by.plus(1), "P 11.5"),
        ("a deadline too near", |r| r.synchronize_by = r.synchronize_by.offset(-1), "P 11.5"),
        ("a deadline in the past", |r| r.synchronize_by = UtcTime::from_secs(1), "P 11.5"),
        ("sequence 0", |r| r.sequence = 0, "P 11"),
        ("generation 0", |r| r.key_generation = 0, "P 11"),
    ];
    for (what, change, clause) in cases {
        let (answer, _) = synchronize_with(with_receipt(change), octets).await;
        is_failure(&answer, "receipt-wrong", clause, what);
    }
}

#[tokio::test]
async fn a_receipt_that_the_trusted_key_did_not_sign_is_refused() {
    let foreign_key: Answers = |request, keys| {
        let mut draft = Draft::answering(&request_in(request), keys);
        let payload = draft.seal();
        (receipt_answer(&draft.receipt, &SigningKey::generate()), payload)
    };
    let wrong_signature: Answers = |request, keys| {
        let mut draft = Draft::answering(&request_in(request), keys);
        let payload = draft.seal();
        let honest = Signed::sign(&draft.receipt, &keys.key);
        let forged = format!("{}.{}", honest.signing_input(), base64url::encode([0x11; 96]));
        (jose(&forged), payload)
    };
    let request_echoed: Answers = |request, _| (jose(std::str::from_utf8(&request.body).unwrap()), Vec::new());
    let cases = [("a foreign key", foreign_key), ("a forged signature", wrong_signature), ("an echo", request_echoed)];
    for (what, answers) in cases {
        let (answer, _) = synchronize_with(answers, octets).await;
        is_failure(&answer, "receipt-wrong", "P 11.1", what);
    }
}

#[tokio::test]
async fn a_payload_that_is_not_the_receipts_is_named_with_its_clause() {
    let cases: Cases<fn(Vec<u8>) -> Vec<u8>, 5> = [
        ("nothing", |_| Vec::new(), "P 11.6"),
        ("truncated", |p| p[..p.len() - 1].to_vec(), "P 11.6"),
        ("one byte more", |p| [p, vec![0]].concat(), "P 11.6"),
        (
            "one bit flipped",
            |mut p| {
                p[100] ^= 1;
                p
            },
            "P 11.6",
        ),
        ("another receipt's", |p| vec![7; p.len()], "P 11.6"),
    ];
    for (what, change, clause) in cases {
        let (answer, _) = synchronize_with(with_receipt(|_| {}), move |payload| octets(change(payload))).await;
        is_failure(&answer, "payload-wrong", clause, what);
    }
}

#[tokio::test]
async fn an_allocation_that_does_not_open_or_is_malformed_is_named_with_its_clause() {
    let cases: Cases<fn(&mut Draft), 4> = [
        (
            "sealed to another key",
            |d| d.sealing_key = solme_sync_protocol::SealingKey::generate().public_jwk(),
            "P 11.7",
        ),
        ("not JSON", |d| d.allocation = b"<html>".to_vec(), "P 11.8"),
        ("a duplicate member", |d| d.allocation = br#"{"revision":1,"revision":1,"licenses":[]}"#.to_vec(), "P 11.8"),
        ("another revision", |d| d.allocation = br#"{"revision":2,"licenses":[]}"#.to_vec(), "P 11.8"),
    ];
    for (what, change, clause) in cases {
        let (answer, _) = synchronize_with(with_draft(change), octets).await;
        is_failure(&answer, "payload-wrong", clause, what);
    }
    let other_digest = with_receipt(|r| r.allocation_digest = Digest::of("another"));
    let (answer, _) = synchronize_with(other_digest, octets).await;
    is_failure(&answer, "payload-wrong", "P 11.7", "another allocation's digest");
    let other_info = with_receipt(|r| r.sync_id = solme_sync_protocol::SyncId::from_random([1; 16]));
    let (answer, _) = synchronize_with(other_info, octets).await;
    is_failure(&answer, "payload-wrong", "P 11.7", "sealed under another sync id");
}

#[tokio::test]
async fn what_answers_on_443_and_is_not_the_main_server_is_named() {
    let cases: Cases<Answers, 7> = [
        ("HTML with status 200", |_, _| (html(200), Vec::new()), "not-the-main-server"),
        ("a redirect", |_, _| (redirect("https://127.0.0.1:1/"), Vec::new()), "not-the-main-server"),
        ("HTML with status 404", |_, _| (html(404), Vec::new()), "not-the-main-server"),
        ("status 500", |_, _| (html(500), Vec::new()), "main-server-trouble"),
        ("status 503 without a problem", |_, _| (ResponseTemplate::new(503), Vec::new()), "main-server-trouble"),
        ("a body without end", |_, _| (jose(&"a".repeat(limits::ANSWER + 1)), Vec::new()), "receipt-wrong"),
        ("an empty receipt", |_, _| (jose(""), Vec::new()), "receipt-wrong"),
    ];
    for (what, answers, code) in cases {
        let (answer, server) = synchronize_with(answers, octets).await;
        is_failure(&answer, code, "", what);
        assert_eq!(may_issue(&server.license_server).await, Err("unsynchronized".to_owned()), "{what}");
    }
}

#[tokio::test]
async fn what_answers_on_8080_and_is_not_the_main_server_is_named_with_its_port() {
    let cases: Cases<fn(Vec<u8>) -> ResponseTemplate, 7> = [
        ("HTML with status 200", |_| html(200), "not-the-main-server"),
        ("a redirect", |_| redirect("http://127.0.0.1:1/"), "not-the-main-server"),
        ("nothing there, twice", |_| ResponseTemplate::new(404), "payload-not-found"),
        ("the error page of something on the way", |_| html(502), "not-the-main-server"),
        ("status 503", |_| ResponseTemplate::new(503), "main-server-trouble"),
        ("a content encoding", |p| octets(p).insert_header("content-encoding", "gzip"), "not-the-main-server"),
        ("a part", |p| ResponseTemplate::new(206).set_body_raw(p, "application/octet-stream"), "not-the-main-server"),
    ];
    for (what, http, code) in cases {
        let (answer, _) = synchronize_with(with_receipt(|_| {}), http).await;
        is_failure(&answer, code, "8080", what);
    }
}

#[tokio::test]
async fn a_refusal_counts_only_signed_and_for_the_request_that_was_sent() {
    let unsigned: Answers = |_, _| {
        let cleared = RefusalCode::KeyPairCleared;
        let problem = Problem::carrying(cleared, "t".to_owned(), "c".to_owned(), String::new());
        (problem_answer(&Problem { refusal: None, ..problem }), Vec::new())
    };
    let foreign: Answers = |request, keys| {
        let refusal = refusal(&request_in(request), keys, RefusalCode::KeyPairCleared);
        (refusal_answer(refusal.code, Signed::sign(&refusal, &SigningKey::generate()).as_str()), Vec::new())
    };
    let of_another_request: Answers = |request, keys| {
        let mut refusal = refusal(&request_in(request), keys, RefusalCode::KeyPairCleared);
        refusal.request_digest = Digest::of("another");
        (refusal_answer(refusal.code, Signed::sign(&refusal, &keys.key).as_str()), Vec::new())
    };
    let of_another_key_pair: Answers = |request, keys| {
        let mut refusal = refusal(&request_in(request), keys, RefusalCode::KeyPairCleared);
        refusal.key_thumbprint = SigningKey::generate().thumbprint();
        (refusal_answer(refusal.code, Signed::sign(&refusal, &keys.key).as_str()), Vec::new())
    };
    let reason_where_none_belongs: Answers = |request, keys| {
        let mut refusal = refusal(&request_in(request), keys, RefusalCode::KeyPairInUse);
        refusal.reason = Some(InvalidRequestReason::WrongMainServer);
        (refusal_answer(refusal.code, Signed::sign(&refusal, &keys.key).as_str()), Vec::new())
    };
    let cases = [
        ("without a signature", unsigned, "main-server-trouble"),
        ("signed by a foreign key", foreign, "refusal-wrong"),
        ("of another request", of_another_request, "refusal-not-ours"),
        ("of another key pair", of_another_key_pair, "refusal-not-ours"),
        ("with a reason where none belongs", reason_where_none_belongs, "refusal-wrong"),
    ];
    for (what, answers, code) in cases {
        let (answer, server) = synchronize_with(answers, octets).await;
        is_failure(&answer, code, "", what);
        assert_eq!(
            done(&server.license_server, ["status"]).await.text("state"),
            "unsynchronized",
            "{what}: not cleared"
        );
    }
}

#[tokio::test]
async fn an_honest_refusal_is_an_answer_and_tells_what_to_do() {
    for code in RefusalCode::ALL.iter().copied().filter(|code| *code != RefusalCode::InvalidRequest) {
        let answers = move |request: &wiremock::Request, keys: &MainServerKeys| {
            let refusal = refusal(&request_in(request), keys, code);
            (refusal_answer(code, Signed::sign(&refusal, &keys.key).as_str()), Vec::<u8>::new())
        };
        let (answer, server) = exchange(answers, octets).await;
        let found = (answer.text("outcome"), answer.text("code"), answer.exit);
        assert_eq!(found, ("refused".to_owned(), code.to_string(), 10));
        assert!(!answer.text("message").is_empty() && !answer.text("cure").is_empty(), "{answer:?}");
        let wanted = if code == RefusalCode::KeyPairCleared { "cleared" } else { "unsynchronized" };
        assert_eq!(done(&server.license_server, ["status"]).await.text("state"), wanted, "{code} (P 12.6)");
    }
}

fn html(status: u16) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_raw("<html><body>Log in to the network</body></html>", "text/html")
}

fn redirect(to: &str) -> ResponseTemplate {
    ResponseTemplate::new(302).insert_header("location", to)
}

fn problem_answer(problem: &Problem) -> ResponseTemplate {
    let body = serde_json::to_vec(problem).unwrap();
    ResponseTemplate::new(problem.status).set_body_raw(body, "application/problem+json")
}

fn refusal_answer(code: RefusalCode, refusal: &str) -> ResponseTemplate {
    problem_answer(&Problem::carrying(code, "text".to_owned(), "cure".to_owned(), refusal.to_owned()))
}

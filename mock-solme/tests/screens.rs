//! What a person reads: the help of each verb, the usual answers, and what is wrong. After a change of words
//! `TRYCMD=overwrite cargo test -p mock-solme --test screens` writes the files anew, to be read in the review; what is
//! different each time is then to be elided again, as `[..]`.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

#[path = "simulator/license_server.rs"]
#[expect(dead_code, reason = "the tests of the simulator use all of it")]
mod license_server;

use mock_solme::{MockSolme, ReceivedMail};

fn cases() -> trycmd::TestCases {
    let cases = trycmd::TestCases::new();
    cases.env("COLUMNS", "100");
    cases
}

#[test]
fn the_help_of_each_verb_and_what_is_wrong_on_the_command_line_are_as_they_were_reviewed() {
    cases().case("tests/screens/help.md").case("tests/screens/command-line.md");
}

/// The screens in a file, for a simulator of their own: a key pair in use, two clear requests, and a day that is fixed.
async fn screens(file: &str) {
    let mock = MockSolme::builder().empty().seed(7).quiet().start();
    mock.set_clock("2027-01-31T12:00:00Z".parse().unwrap()).unwrap();
    let ids = ["DEMO-4711", "DEMO-4712"].map(|id| id.parse().unwrap());
    for (id, sender) in ids.iter().zip(["it@customer.example", "mallory@elsewhere.example"]) {
        mock.add_id(id, &["it@customer.example"]).unwrap();
        license_server::LicenseServer::with_id(&mock, id).synchronize().await.unwrap();
        let raw = format!("From: {sender}\r\nSubject: Reinstalled\r\n\r\nLicense server id: {id}\r\n").into_bytes();
        let envelope_to = vec!["licensing@solme.se".to_owned()];
        mock.receive_mail(&ReceivedMail { envelope_from: Some(sender.to_owned()), envelope_to, raw }).unwrap();
    }
    let cases = cases();
    cases.env("MOCK_SOLME_ADMIN_URL", mock.admin()).env("MOCK_SOLME_TOKEN", mock.admin_token());
    cases.case(format!("tests/screens/{file}"));
}

#[tokio::test]
async fn the_usual_answers_are_as_they_were_reviewed() {
    screens("using.md").await;
}

#[tokio::test]
async fn what_a_simulator_refuses_is_as_it_was_reviewed() {
    screens("refused.md").await;
}

//! Mails written by a real mail library, and mails that nobody should write.

mod forms;
mod hostile;

use lettre::Message;
use lettre::message::header::ContentType;
use lettre::message::{Body, MultiPart, SinglePart};

use super::*;

fn id(text: &str) -> LicenseServerId {
    text.parse().unwrap()
}

fn read(raw: impl AsRef<[u8]>) -> ReadMail {
    ReadMail::read(&ReceivedMail {
        envelope_from: Some("anna@customer.example".to_owned()),
        envelope_to: vec![LICENSING.to_owned()],
        raw: raw.as_ref().to_vec(),
    })
}

/// The known license server ids of `raw`, where DEMO-4711, DEMO-4712 and plain are known.
fn known(raw: impl AsRef<[u8]>) -> Vec<String> {
    known_and_unknown(raw).0
}

fn known_and_unknown(raw: impl AsRef<[u8]>) -> (Vec<String>, Vec<String>) {
    let ids = read(raw)
        .license_server_ids(|id| ["DEMO-4711", "DEMO-4712", "plain"].iter().any(|known| id.as_str() == *known));
    let texts = |ids: Vec<LicenseServerId>| ids.into_iter().map(String::from).collect();
    (texts(ids.known), texts(ids.unknown))
}

fn text(text: &str) -> String {
    format!("Subject: x\r\n\r\n{text}\r\n")
}

fn builder(subject: &str) -> lettre::message::MessageBuilder {
    Message::builder()
        .from("Anna <anna@customer.example>".parse().unwrap())
        .to(LICENSING.parse().unwrap())
        .message_id(Some("<wish-1@customer.example>".to_owned()))
        .subject(subject)
}

//! Mails written by a real mail library, and mails that nobody should write.

mod forms;
mod hostile;

use lettre::Message;
use lettre::message::header::ContentType;
use lettre::message::{Body, MultiPart, SinglePart};

use super::*;

fn read(raw: impl AsRef<[u8]>) -> ReadMail {
    ReadMail::read(&ReceivedMail {
        envelope_from: Some("anna@customer.example".to_owned()),
        envelope_to: vec![LICENSING.to_owned()],
        raw: raw.as_ref().to_vec(),
    })
}

/// The known license server ids of `raw`, where DEMO-4711, DEMO-4712 and plain are known.
fn known(raw: impl AsRef<[u8]>) -> Vec<String> {
    let read = read(raw);
    let known = |id: &&LicenseServerId| ["DEMO-4711", "DEMO-4712", "plain"].contains(&id.as_str());
    read.candidates().filter(known).map(ToString::to_string).collect()
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

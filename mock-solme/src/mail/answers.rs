//! The answers of the licensing desk, as mails.
//!
//! Two kinds of reader, and never the same text for both. The *sender* of a mail is whoever wrote an address into it,
//! so the answer to a sender ([`Answer::Acknowledged`], [`Answer::NoLicenseServerId`]) is chosen by the form of the
//! mail alone ([`ReadMail::answer_to_sender`]) and says nothing about what exists here: to ask by mail which license
//! server ids exist is to get the same answer for each. The *registered contacts* of a license server id get the
//! others. A sender who is a registered contact needs no acknowledgement beside them: the address is then not one that
//! a stranger reads.
//!
//! Nothing of the mail that is answered goes into the answer but its message id: a forged sender would otherwise have
//! us carry text of someone else's choice to a stranger.
//!
//! Time and message id are arguments; the same arguments give the same bytes.

use std::time::{Duration, SystemTime};

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};
use solme_sync_protocol::{KeyThumbprint, LicenseServerId, UtcTime, printable, printable_lines};

use super::reading::{MAX_LICENSE_SERVER_IDS, ReadMail};
use super::{Address, LICENSING, MessageId, OutboxMail};

/// The last second that the form of a mail's date can tell: the end of the year 9999.
const LAST_DATE: u64 = 253_402_300_799;

/// What the licensing desk answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer<'a> {
    /// To the sender, for every mail that seems to name a license server id, known or not.
    Acknowledged,
    /// The same for a mail that seems to name more license server ids than are looked at.
    AcknowledgedInPart,
    /// To the sender: the mail seems to name no license server id.
    NoLicenseServerId,
    /// To the contacts: a request to clear the key pair in use has come in and awaits the operator.
    ClearRequestReceived {
        /// The license server id.
        license_server_id: &'a LicenseServerId,
        /// Whose address the mail carries.
        sender: &'a str,
    },
    /// To the contacts: the key pair has been cleared.
    KeyPairCleared {
        /// The license server id.
        license_server_id: &'a LicenseServerId,
        /// The key pair that was in use.
        thumbprint: &'a KeyThumbprint,
        /// The only key pair that can be bound now (P 16.6).
        reserved_for: Option<&'a KeyThumbprint>,
    },
    /// To the contacts: the operator has said no.
    ClearRequestRejected {
        /// The license server id.
        license_server_id: &'a LicenseServerId,
        /// The reason that the operator gave.
        reason: &'a str,
    },
    /// To the contacts: the key pair that was in use when the request came in is not any more (P 16.2).
    AlreadyDone {
        /// The license server id.
        license_server_id: &'a LicenseServerId,
    },
}

/// Where an answer goes, and what the core decides about it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Addressing<'a> {
    /// The recipients; at least one.
    pub(crate) to: &'a [Address],
    /// The mail that is answered.
    pub(crate) in_reply_to: Option<&'a MessageId>,
    /// The name of the answer, unique among the mails of this main server.
    pub(crate) message_id: &'a MessageId,
    /// Date of the mail, main server time.
    pub(crate) date: UtcTime,
}

/// An answer that cannot be composed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ComposeError {
    /// Nobody to send it to.
    #[error("the answer has no recipient; register a contact for the license server id")]
    NoRecipient,
    /// The mail library refused it.
    #[error("the answer cannot be composed: {0}")]
    Refused(String),
}

impl ReadMail {
    /// What its sender is answered, and where; `None` for automatic mails and for those that name no sender, which
    /// must not be answered.
    ///
    /// It goes to the envelope sender (RFC 3834 section 4), and depends on nothing that is known here.
    pub(crate) fn answer_to_sender(&self) -> Option<(&Address, Answer<'static>)> {
        if self.automatic {
            return None;
        }
        let answer = match self.seeming_ids() {
            0 => Answer::NoLicenseServerId,
            1..=MAX_LICENSE_SERVER_IDS => Answer::Acknowledged,
            _ => Answer::AcknowledgedInPart,
        };
        Some((self.envelope_from.as_ref()?, answer))
    }
}

/// Composes `answer` as a mail.
///
/// It is marked as automatic (RFC 3834), so that an automatic answer to it, if there is one, is not answered.
///
/// # Errors
/// [`ComposeError`].
pub(crate) fn compose(answer: &Answer<'_>, addressing: &Addressing<'_>) -> Result<OutboxMail, ComposeError> {
    if addressing.to.is_empty() {
        return Err(ComposeError::NoRecipient);
    }
    let refused = |error: &dyn std::fmt::Display| ComposeError::Refused(error.to_string());
    let from: Address = LICENSING.parse().map_err(|error| refused(&error))?;
    let (subject, body) = words(answer);
    let text = format!("Hello,\n\n{body}\n\nKind regards\nSolme licensing (simulator)\n");

    let date = SystemTime::UNIX_EPOCH + Duration::from_secs(addressing.date.as_secs().min(LAST_DATE));
    let mut mail = Message::builder()
        .from(Mailbox::new(Some("Solme licensing (simulator)".to_owned()), from))
        .date(date)
        .message_id(Some(addressing.message_id.to_string()))
        .subject(&subject)
        .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-replied".to_owned()))
        .header(ContentType::TEXT_PLAIN);
    for to in addressing.to {
        mail = mail.to(Mailbox::new(None, to.clone()));
    }
    if let Some(answered) = addressing.in_reply_to {
        mail = mail.in_reply_to(answered.to_string()).references(answered.to_string());
    }
    let mail = mail.body(text.clone()).map_err(|error| refused(&error))?;
    Ok(OutboxMail {
        to: addressing.to.iter().map(ToString::to_string).collect(),
        subject,
        message_id: addressing.message_id.as_str().to_owned(),
        text,
        raw: String::from_utf8_lossy(&mail.formatted()).into_owned(),
        handed_on_at: None,
    })
}

/// The subject, and what stands between greeting and signature.
fn words(answer: &Answer<'_>) -> (String, String) {
    match answer {
        Answer::Acknowledged => (
            "We received your mail".to_owned(),
            "thank you for your mail. If it names a license server id that we know, its registered\n\
             contacts will hear from us. For security reasons we say nothing more to this address.\n\
             \n\
             Next step: wait for our mail to the registered contacts. If it does not come, check the\n\
             license server id in the title bar of License Server Manager, and write to us again from\n\
             the address of a registered contact, with the line\n\
             \n\
             License server id: YOUR-ID"
                .to_owned(),
        ),
        Answer::AcknowledgedInPart => (
            "We received part of your mail".to_owned(),
            format!(
                "thank you for your mail. It seems to name more than {MAX_LICENSE_SERVER_IDS} license server ids. We handle the\n\
                 first {MAX_LICENSE_SERVER_IDS} that we know, and their registered contacts will hear from us; the others were\n\
                 left out. For security reasons we say nothing more to this address.\n\
                 \n\
                 Next step: send the other license server ids in separate mails, at most {MAX_LICENSE_SERVER_IDS} in each."
            ),
        ),
        Answer::NoLicenseServerId => (
            "Your mail names no license server id".to_owned(),
            "thank you for your mail. We could not tell which License Server it is about: it does not\n\
             seem to name a license server id.\n\
             \n\
             Next step: look up the license server id in the title bar of License Server Manager, and\n\
             write to us again from the address of a registered contact, with the line\n\
             \n\
             License server id: YOUR-ID"
                .to_owned(),
        ),
        Answer::ClearRequestReceived { license_server_id, sender } => (
            format!("License server id {license_server_id}: request to clear the key pair received"),
            format!(
                "we received a request to clear the key pair in use for the license server id\n\n  {license_server_id}\n\n\
                 It came by mail from\n\n  {}\n\n\
                 Nothing has changed yet; we review every request.\n\n\
                 Next step: if you asked for this, wait for our decision, which comes by mail. If you did\n\
                 not, reply to this mail at once: someone else may be after your licenses.",
                printable(if sender.is_empty() { "an unnamed sender" } else { sender })
            ),
        ),
        Answer::KeyPairCleared { license_server_id, thumbprint, reserved_for } => (
            format!("License server id {license_server_id}: key pair cleared"),
            cleared(license_server_id, thumbprint, *reserved_for),
        ),
        Answer::ClearRequestRejected { license_server_id, reason } => (
            format!("License server id {license_server_id}: request to clear the key pair rejected"),
            format!(
                "we rejected the request to clear the key pair in use for the license server id\n\n  {license_server_id}\n\n\
                 The reason:\n\n  {}\n\n\
                 The key pair stays in use, and its License Server goes on as before.\n\n\
                 Next step: if you still need the key pair cleared, reply to this mail and tell us what\n\
                 has changed.",
                printable_lines(&reason.replace('\r', "")).to_string().trim()
            ),
        ),
        Answer::AlreadyDone { license_server_id } => (
            format!("License server id {license_server_id}: nothing left to clear"),
            format!(
                "your request was about a key pair that is no longer in use for the license server id\n\n  {license_server_id}\n\n\
                 Nothing had to be changed, and nothing was.\n\n\
                 Next step: synchronize the License Server (Server -> Synchronize Server, or\n\
                 `license-server synchronize`). If it is refused, write to us again."
            ),
        ),
    }
}

fn cleared(
    license_server_id: &LicenseServerId,
    thumbprint: &KeyThumbprint,
    reserved_for: Option<&KeyThumbprint>,
) -> String {
    let who_is_next = match reserved_for {
        None => "The first License Server that synchronizes with this id now takes it, so do not wait.".to_owned(),
        Some(reserved) => format!("The id is reserved for the key pair\n\n  {reserved}\n\nand no other can take it."),
    };
    format!(
        "we cleared the key pair in use for the license server id\n\n  {license_server_id}\n\n\
         as requested. Its thumbprint was\n\n  {thumbprint}\n\n\
         and it can never be used with this id again. {who_is_next}\n\n\
         Next step: on a License Server that was reinstalled, synchronize (Server -> Synchronize\n\
         Server, or `license-server synchronize`). A License Server that still holds the cleared key\n\
         pair needs a new one first: `license-server new-key-pair --yes`, then synchronize."
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::ReceivedMail;

    fn id() -> LicenseServerId {
        "DEMO-4711".parse().unwrap()
    }

    fn thumbprint() -> KeyThumbprint {
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".parse().unwrap()
    }

    fn composed(answer: &Answer<'_>) -> OutboxMail {
        let addressing = Addressing {
            to: &["anna@customer.example".parse().unwrap()],
            in_reply_to: Some(&"wish-1@customer.example".parse().unwrap()),
            message_id: &"answer-1@mock-solme.invalid".parse().unwrap(),
            date: UtcTime::from_secs(1_800_000_000),
        };
        compose(answer, &addressing).unwrap()
    }

    fn received(raw: &[u8]) -> ReceivedMail {
        ReceivedMail { envelope_from: Some("anna@customer.example".to_owned()), envelope_to: vec![], raw: raw.to_vec() }
    }

    #[test]
    fn every_answer_ends_with_the_next_step_is_marked_automatic_and_is_the_same_each_time() {
        let (id, thumbprint) = (id(), thumbprint());
        let sender = "anna@customer.example";
        let answers = [
            Answer::Acknowledged,
            Answer::AcknowledgedInPart,
            Answer::NoLicenseServerId,
            Answer::ClearRequestReceived { license_server_id: &id, sender },
            Answer::KeyPairCleared { license_server_id: &id, thumbprint: &thumbprint, reserved_for: None },
            Answer::KeyPairCleared { license_server_id: &id, thumbprint: &thumbprint, reserved_for: Some(&thumbprint) },
            Answer::ClearRequestRejected { license_server_id: &id, reason: "Not signed by a registered contact. Ä" },
            Answer::AlreadyDone { license_server_id: &id },
        ];
        for answer in &answers {
            let mail = composed(answer);
            assert_eq!(mail, composed(answer));
            let last_paragraphs = mail.text.rsplit("Next step: ").next().unwrap();
            assert!(last_paragraphs.len() < mail.text.len(), "{answer:?} has no next step");
            let read = ReadMail::read(&received(mail.raw.as_bytes()));
            assert!(read.automatic, "{answer:?}");
            assert_eq!(read.answer_to_sender(), None, "an answer is never answered");
            assert_eq!(read.subject.as_deref(), Some(mail.subject.as_str()));
            assert_eq!(read.message_id, mail.message_id.parse().ok());
            let raw = mail.raw;
            assert!(raw.contains("Auto-Submitted: auto-replied\r\n"), "{raw}");
            assert!(raw.contains("In-Reply-To: <wish-1@customer.example>\r\n"), "{raw}");
            assert!(raw.contains("References: <wish-1@customer.example>\r\n"), "{raw}");
            assert!(raw.contains("Date: Fri, 15 Jan 2027 08:00:00 +0000\r\n"), "{raw}");
        }
    }

    #[test]
    fn the_sender_hears_the_same_for_a_known_and_an_unknown_license_server_id() {
        let known = ReadMail::read(&received(b"Subject: clear\r\n\r\nLicense server id: DEMO-4711\r\n"));
        let unknown = ReadMail::read(&received(b"Subject: clear\r\n\r\nLicense server id: DEMO-4712\r\n"));
        assert!(known.candidates().any(|candidate| *candidate == id()));
        assert!(!unknown.candidates().any(|candidate| *candidate == id()));
        assert_eq!(known.answer_to_sender(), unknown.answer_to_sender());
        let (to, answer) = known.answer_to_sender().unwrap();
        assert_eq!((to.to_string().as_str(), answer), ("anna@customer.example", Answer::Acknowledged));
        assert!(!composed(&answer).text.contains("DEMO"));
    }

    #[test]
    fn a_mail_that_names_more_ids_than_are_looked_at_is_told_so_whether_they_exist_or_not() {
        let mail = |ids: usize| {
            let ids: String = (1..=ids).map(|number| format!("SITE-{number}\r\n")).collect();
            ReadMail::read(&received(format!("Subject: clear\r\n\r\n{ids}").as_bytes()))
        };
        assert_eq!(mail(10).answer_to_sender().unwrap().1, Answer::Acknowledged);
        let (_, answer) = mail(11).answer_to_sender().map(|(to, answer)| (to.to_string(), answer)).unwrap();
        assert_eq!(answer, Answer::AcknowledgedInPart);
        assert!(composed(&answer).text.contains("more than 10 license server ids"));
    }

    #[test]
    fn no_foreign_control_or_bidi_character_reaches_the_text_of_an_answer() {
        let id = id();
        let mut answers =
            vec![Answer::ClearRequestRejected { license_server_id: &id, reason: "no\x1b[2J\r\n\u{202e}x" }];
        let senders = ["a\u{202e}b@c.example", "a\u{200b}b@c.example", "\"a\\tb\"@c.example"];
        answers.extend(senders.iter().map(|sender| Answer::ClearRequestReceived { license_server_id: &id, sender }));
        for answer in &answers {
            let mail = composed(answer);
            assert!(printable_lines(&mail.text).is_as_given(), "{:?}", mail.text);
            assert!(printable(&mail.subject).is_as_given(), "{:?}", mail.subject);
        }
    }

    #[test]
    fn a_mail_without_an_id_is_asked_for_one() {
        let read = ReadMail::read(&received(b"Subject: help\r\n\r\nplease clear our key pair\r\n"));
        assert_eq!(read.answer_to_sender().map(|(_, answer)| answer), Some(Answer::NoLicenseServerId));
    }

    #[test]
    fn nothing_of_a_mail_can_break_into_the_headers_of_its_answer() {
        for evil in ["a@b\r\nBcc: victim@x.example", "a@b\nBcc: v@x", "a@b>\r\n", "a @b", "<a@b>", "ä@b", "a@b\0"] {
            assert!(evil.parse::<MessageId>().is_err(), "{evil:?}");
        }
        for evil in ["a@b.example\r\nBcc: victim@x.example", "a\r\nBcc: v@b.example", "a@b.example\n"] {
            assert!(evil.parse::<Address>().is_err(), "{evil:?}");
        }
        let mail = received(
            b"From: \"x\r\n Bcc: victim@x.example\" <anna@customer.example>\r\n\
              Subject: =?utf-8?q?hi=0D=0ABcc:_victim@x.example?=\r\n\
              Message-ID: <a=0D=0ABcc:victim@x.example>\r\n\r\nid DEMO-4711\r\n",
        );
        let read = ReadMail::read(&mail);
        let (to, answer) = read.answer_to_sender().unwrap();
        let addressing = Addressing {
            to: std::slice::from_ref(to),
            in_reply_to: read.message_id.as_ref(),
            message_id: &"answer-1@mock-solme.invalid".parse().unwrap(),
            date: UtcTime::from_secs(0),
        };
        let raw = compose(&answer, &addressing).unwrap().raw;
        let head = raw.split("\r\n\r\n").next().unwrap();
        assert!(!head.lines().any(|line| line.trim_start().starts_with("Bcc")), "{head}");
        assert!(!head.contains("hi"), "the subject is not carried on: {head}");
    }

    #[test]
    fn an_operators_reason_cannot_leave_the_body_and_a_far_date_does_not_panic() {
        let id = id();
        let answer = Answer::ClearRequestRejected { license_server_id: &id, reason: "no\r\n.\r\nMAIL FROM:<x>\r\n" };
        let raw = composed(&answer).raw;
        assert!(raw.split("\r\n\r\n").next().unwrap().lines().all(|line| !line.starts_with("MAIL")));
        let addressing = Addressing {
            to: &["anna@customer.example".parse().unwrap()],
            in_reply_to: None,
            message_id: &"answer-1@mock-solme.invalid".parse().unwrap(),
            date: UtcTime::from_secs(u64::MAX),
        };
        assert!(compose(&answer, &addressing).is_ok());
        assert_eq!(compose(&answer, &Addressing { to: &[], ..addressing }), Err(ComposeError::NoRecipient));
    }
}

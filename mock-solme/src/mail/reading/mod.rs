//! Reads a mail to the licensing desk: who sent it, whether a machine did, and which license server ids it names.
//!
//! Every ordinary word has the form of a license server id (P 2.7), so a mail alone cannot say what is one: reading
//! gives candidates, and those that are known are meant. Everything is bounded: candidates, parts and their depth.

mod mime;
#[cfg(test)]
mod tests;
mod words;

use mail_parser::{HeaderValue, Message, MessageParser};
use solme_sync_protocol::{KeyThumbprint, LicenseServerId};

use self::words::Words;
use super::{Address, LICENSING, MessageId, ReceivedMail};

/// Known license server ids taken from one mail; those that follow are left out.
pub(crate) const MAX_LICENSE_SERVER_IDS: usize = 10;

/// Addresses in `From` that are read.
const MAX_AUTHORS: usize = 10;

/// Characters of a subject that are read.
const SUBJECT: usize = 200;

/// What a mail says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReadMail {
    /// Who wrote it: all addresses of the header `From` (RFC 5322 section 3.6.2), or the envelope sender where that names
    /// no one. A hint, never a proof.
    pub(crate) from: Vec<Address>,
    /// Addresses in `From` beyond those that were read.
    pub(crate) from_left_out: usize,
    /// The envelope sender: where an answer to the sender goes (RFC 3834 section 4).
    pub(crate) envelope_from: Option<Address>,
    /// The subject, decoded; its first 200 characters.
    pub(crate) subject: Option<String>,
    /// The name of the mail, for the answer's `In-Reply-To`.
    pub(crate) message_id: Option<MessageId>,
    /// A machine sent it: it is no customer's wish, and an answer could be answered for ever (RFC 3834 section 2).
    pub(crate) automatic: bool,
    /// What has the form of a key pair's thumbprint (P 3.2), in order of appearance.
    pub(crate) thumbprints: Vec<KeyThumbprint>,
    words: Words,
}

impl ReadMail {
    /// Reads `mail`. There is no mail that cannot be read: what makes no sense is passed over.
    pub(crate) fn read(mail: &ReceivedMail) -> Self {
        let envelope_from = mail.envelope_from.as_deref().and_then(address);
        let headers = MessageParser::default().parse_headers(&mail.raw);
        let headers = headers.as_ref();
        let mut from = headers.map(authors).unwrap_or_default();
        let from_left_out = from.len().saturating_sub(MAX_AUTHORS);
        from.truncate(MAX_AUTHORS);
        if from.is_empty() {
            from.extend(envelope_from.clone());
        }
        let subject = headers.and_then(Message::subject).map(str::to_owned);
        let shortened = subject.as_ref().map(|subject| subject.chars().take(SUBJECT).collect());
        let message_id = headers.and_then(|headers| headers.message_id()?.parse().ok());
        let automatic = mail.envelope_from.is_none()
            || from.iter().any(is_machine)
            || envelope_from.as_ref().is_some_and(is_machine)
            || headers.is_some_and(says_automatic);

        let mut words = Words::default();
        if let Some(subject) = &subject {
            words.scan(subject);
        }
        mime::for_each_text(&mail.raw, &mut |text| words.scan(text));
        let thumbprints = words.take_thumbprints();
        Self { from, from_left_out, envelope_from, subject: shortened, message_id, automatic, thumbprints, words }
    }

    /// Who wrote it: each address, and that there are more.
    pub(crate) fn authors(&self) -> Vec<String> {
        let left_out = (self.from_left_out > 0).then(|| format!("{} more", self.from_left_out));
        self.from.iter().map(ToString::to_string).chain(left_out).collect()
    }

    /// Words that may be license server ids, in order of appearance: at most 768.
    pub(crate) fn candidates(&self) -> impl Iterator<Item = &LicenseServerId> {
        self.words.iter()
    }

    /// How many license server ids the mail seems to name, by its form alone. The answer to the sender depends on this
    /// and never on what is known here ([`super::answers`]).
    pub(crate) fn seeming_ids(&self) -> usize {
        self.words.seeming_ids()
    }
}

/// All addresses of all `From` headers: a mail has one, and who writes two does not do it by accident.
fn authors(headers: &Message<'_>) -> Vec<Address> {
    let from = headers.header_values("From").filter_map(HeaderValue::as_address);
    from.flat_map(|addresses| addresses.iter()).filter_map(|author| author.address().and_then(address)).collect()
}

fn address(text: &str) -> Option<Address> {
    text.parse().ok()
}

/// Senders behind which nobody reads (RFC 3834 section 2), and ourselves.
fn is_machine(sender: &Address) -> bool {
    let user = sender.user().to_ascii_lowercase();
    let own = sender.to_string().eq_ignore_ascii_case(LICENSING);
    own || user == "mailer-daemon" || user.starts_with("owner-") || user.ends_with("-request")
}

fn says_automatic(headers: &Message<'_>) -> bool {
    let auto_submitted = header_text(headers, "Auto-Submitted");
    let first_word = |text: &str| text.split([';', ' ', '(']).next().unwrap_or_default().to_ascii_lowercase();
    auto_submitted.is_some_and(|text| first_word(text) != "no")
        || header_text(headers, "Precedence")
            .is_some_and(|text| ["bulk", "list", "junk"].contains(&first_word(text).as_str()))
        || headers.header("List-Id").is_some()
}

fn header_text<'m>(headers: &'m Message<'_>, name: &'static str) -> Option<&'m str> {
    headers.header(name).map(|value| match value {
        HeaderValue::Text(text) => text.trim(),
        // Present, and no plain text: nothing that says "no".
        _ => "",
    })
}

//! The inbox of the licensing desk: the newest mails of this run, as they came in, for people to look at. What became of a
//! mail is in the store; the inbox decides nothing, lies in memory, and is bounded.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use solme_sync_protocol::UtcTime;

use crate::mail::ReceivedMail;
use crate::mail::reading::ReadMail;

/// Mails that are kept.
const KEPT: usize = 200;
/// Bytes of a mail that are kept.
const BYTES: usize = 16 << 10;

/// A mail that came in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InboxMail {
    /// Its number, from 1 in each run.
    pub id: u64,
    /// When it came in.
    #[serde(with = "crate::rfc3339")]
    #[schemars(with = "crate::form::Time")]
    pub at: UtcTime,
    /// Who wrote it, as it says: a hint, never a proof.
    pub from: Vec<String>,
    /// Who sent it, as its envelope says.
    pub envelope_from: Option<String>,
    /// Its subject.
    pub subject: Option<String>,
    /// The mail as it travelled, header and body; of a long one the beginning.
    pub text: String,
    /// Whether only the beginning was kept.
    pub shortened: bool,
    /// Whether a machine sent it: it asks for nothing then.
    pub automatic: bool,
    /// The clear requests that it opened, or was noted at (P 16.1).
    pub clear_requests: Vec<u64>,
}

#[derive(Default)]
pub(crate) struct Inbox(Mutex<Mails>);

#[derive(Default)]
struct Mails {
    last: u64,
    kept: VecDeque<InboxMail>,
}

impl Inbox {
    /// Keeps a mail that was taken in.
    pub(crate) fn keep(&self, mail: &ReceivedMail, read: &ReadMail, at: UtcTime, clear_requests: Vec<u64>) {
        let kept = &mail.raw[..mail.raw.len().min(BYTES)];
        let mut mails = self.lock();
        mails.last += 1;
        let mail = InboxMail {
            id: mails.last,
            at,
            from: read.authors(),
            envelope_from: mail
                .envelope_from
                .as_ref()
                .map(|sender| sender.chars().take(super::mails::ADDRESS).collect()),
            subject: read.subject.clone(),
            text: String::from_utf8_lossy(kept).into_owned(),
            shortened: kept.len() < mail.raw.len(),
            automatic: read.automatic,
            clear_requests,
        };
        if mails.kept.len() == KEPT {
            mails.kept.pop_front();
        }
        mails.kept.push_back(mail);
    }

    /// The newest `limit` mails before `before`, oldest first.
    pub(crate) fn list(&self, before: Option<u64>, limit: usize) -> Vec<InboxMail> {
        let mails = self.lock();
        let newest = mails.kept.iter().rev().filter(|mail| before.is_none_or(|before| mail.id < before)).take(limit);
        let mut found: Vec<_> = newest.cloned().collect();
        found.reverse();
        found
    }

    /// One mail.
    pub(crate) fn mail(&self, id: u64) -> Option<InboxMail> {
        self.lock().kept.iter().find(|mail| mail.id == id).cloned()
    }

    pub(crate) fn clear(&self) {
        *self.lock() = Mails::default();
    }

    fn lock(&self) -> MutexGuard<'_, Mails> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inbox_keeps_the_newest_mails_and_of_long_ones_the_beginning() {
        let inbox = Inbox::default();
        let raw = [b"Subject: x\r\n\r\n".to_vec(), vec![b'a'; BYTES]].concat();
        let mail = ReceivedMail { envelope_from: None, envelope_to: Vec::new(), raw };
        for _ in 0..=KEPT {
            inbox.keep(&mail, &ReadMail::read(&mail), UtcTime::from_secs(0), vec![7]);
        }
        let kept = inbox.list(None, usize::MAX);
        assert_eq!((kept.len(), kept[0].id), (KEPT, 2));
        assert!(kept[0].shortened && kept[0].text.len() == BYTES);
        assert_eq!(inbox.list(Some(4), 1)[0].id, 3);
        assert!(inbox.mail(1).is_none() && inbox.mail(2).is_some());
    }
}

//! The licensing desk: mails become clear requests, operators decide on them, answers go into the outbox (P 16.1).

use std::collections::VecDeque;
use std::slice;
use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;
use solme_sync_protocol::{LicenseServerId, UtcTime, base64url};

use super::operator::{Note, in_spite_of, load};
use super::{By, MainServer, NumberedMail, OperatorError};
use crate::crypto;
use crate::mail::answers::{Addressing, Answer, compose};
use crate::mail::reading::{MAX_LICENSE_SERVER_IDS, ReadMail};
use crate::mail::{Address, MessageId, ReceivedMail};
use crate::registry::{
    self, Caution, ClearOutcome, ClearRequest, ClearRequestState, Judgement, Received, Record, Wish,
};
use crate::store::audit::AuditAction;
use crate::store::{StoreError, audit, clear_requests, outbox, records};

/// Requests of an id that a further mail is compared with.
const REQUESTS: u32 = registry::REQUESTS_AN_HOUR as u32;

/// Characters of an envelope sender that are kept: as many as an address has (RFC 5321 section 4.5.3.1).
pub(super) const ADDRESS: usize = 320;

/// Acknowledgements within an hour: to one address, and to all of them.
const TO_ONE: usize = 10;
const TO_ALL: usize = 1_000;
const HOUR: u64 = 3_600;

/// Who was answered in the last hour. Mails beyond the limits are taken in all the same, without an answer.
#[derive(Default)]
pub(super) struct Answered(Mutex<VecDeque<(UtcTime, Address)>>);

impl Answered {
    /// Whether one more answer may go to this address; it counts then.
    fn take(&self, to: &Address, now: UtcTime) -> bool {
        let mut answered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        answered.retain(|(at, _)| now.since(*at) < HOUR);
        let may = answered.len() < TO_ALL && answered.iter().filter(|(_, address)| address == to).count() < TO_ONE;
        if may {
            answered.push_back((now, to.clone()));
        }
        may
    }
}

/// A clear request, its number, and what an operator has to know to decide on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberedClearRequest {
    /// Number of the request, from 1.
    pub id: u64,
    /// The request as it is stored.
    pub request: ClearRequest,
    /// Reasons to look twice, as things stand now; none once it is closed.
    pub cautions: Vec<Caution>,
    /// When the key pair in use last synchronized.
    pub last_synchronized_at: Option<UtcTime>,
    /// When the key pair that the request is about was bound; `None` where it was forgotten.
    pub bound_at: Option<UtcTime>,
    /// Whether everyone who wrote the mail, as it says, is a registered contact.
    pub sender_is_contact: bool,
}

impl MainServer {
    /// Takes a mail in. One clear request for each known id that it names; the sender hears the same whether an id is
    /// known or not.
    pub(crate) fn receive_mail(&self, mail: &ReceivedMail) -> Result<(), OperatorError> {
        let read = ReadMail::read(mail);
        let now = self.now();
        let clear_requests = self.store.write("receive a mail", |store| {
            // A machine's mail is no customer's wish.
            let mut known = if read.automatic { Vec::new() } else { known_ids(store, &read)? };
            let ids_left_out = known.len().saturating_sub(MAX_LICENSE_SERVER_IDS);
            known.truncate(MAX_LICENSE_SERVER_IDS);
            let wish = Wish {
                sender: read.authors().join(registry::AND),
                // As it stands, also where it is no address: a contact's it is not.
                envelope_sender: mail.envelope_from.as_ref().map(|sender| sender.chars().take(ADDRESS).collect()),
                subject: read.subject.clone().unwrap_or_default(),
                named: read.thumbprints.clone(),
                ids_left_out,
            };
            let mut clear_requests = Vec::new();
            for id in &known {
                match self.receive_clear_request(store, id, wish.clone(), now) {
                    // The others that the mail names are not concerned, and to try again would not help.
                    Err(OperatorError::Store(error @ StoreError::DamagedRecord { .. })) => {
                        tracing::error!(%error, "a mail asks to clear the key pair of a damaged id");
                    }
                    received => clear_requests.push(received?),
                }
            }
            if let Some((sender, answer)) = read.answer_to_sender()
                && self.answered.take(sender, now)
            {
                self.write_mail(store, slice::from_ref(sender), read.message_id.as_ref(), &answer, now)?;
            }
            Ok::<_, OperatorError>(clear_requests)
        })?;
        self.inbox.keep(mail, &read, now, clear_requests);
        self.feed.send("changed", &"/inbox");
        Ok(())
    }

    fn receive_clear_request(
        &self,
        store: &Connection,
        id: &LicenseServerId,
        wish: Wish,
        now: UtcTime,
    ) -> Result<u64, OperatorError> {
        let record = load(store, id)?;
        let newest = clear_requests::list(store, Some(id), None, REQUESTS)?;
        let request = match registry::receive(&record, &newest, wish, now) {
            Received::Opened(request) => request,
            Received::Noted(number, request) => {
                clear_requests::update(store, number, &request)?;
                return Ok(number);
            }
        };
        let number = clear_requests::insert(store, &request)?;
        let by = By { operator: format!("mail from {}", request.mail.sender), reason: String::new() };
        let detail = format!("clear request {number}");
        let note = Note::of_key_pair(AuditAction::ClearRequestReceived, request.thumbprint, &detail);
        audit::append(store, &note.entry(id, &by, now))?;
        let contacts = addresses(record.contacts.iter().map(String::as_str));
        if !contacts.is_empty() {
            let answer = Answer::ClearRequestReceived { license_server_id: id, sender: &request.mail.sender };
            self.write_mail(store, &contacts, None, &answer, now)?;
        }
        if self.settings.auto_approve {
            let by = By { operator: "auto-approve".to_owned(), reason: "mock-solme serve --auto-approve".to_owned() };
            let reserve = request.mail.new_thumbprint.is_some();
            self.approve_in(store, number, &judgement(&by, true, reserve, now), &by)?;
        }
        Ok(number)
    }

    /// Approves a clear request: clears the key pair that it remembers, or finds that this is done already.
    pub(crate) fn approve_clear_request(
        &self,
        number: u64,
        even_so: bool,
        reserve: bool,
        by: &By,
    ) -> Result<NumberedClearRequest, OperatorError> {
        let judgement = judgement(by, even_so, reserve, self.now());
        self.store.write("approve a clear request", |store| self.approve_in(store, number, &judgement, by))
    }

    fn approve_in(
        &self,
        store: &Connection,
        number: u64,
        judgement: &Judgement,
        by: &By,
    ) -> Result<NumberedClearRequest, OperatorError> {
        let (request, before) = request_and_record(store, number)?;
        let id = &before.license_server_id;
        let (closed, outcome) = registry::approve(&request, &before, judgement)?;
        clear_requests::update(store, number, &closed)?;
        let detail = match &closed.state {
            ClearRequestState::Closed { overridden, .. } if !overridden.is_empty() => {
                format!("clear request {number}; {}", in_spite_of(overridden))
            }
            _ => format!("clear request {number}"),
        };
        let note = |action| Note::of_key_pair(action, request.thumbprint, &detail).entry(id, by, judgement.now);
        let mut after = before.clone();
        match &outcome {
            ClearOutcome::Cleared { record, cleared } => {
                records::save(store, Some(&before), record)?;
                audit::append(store, &note(AuditAction::ClearRequestApproved))?;
                audit::append(store, &note(AuditAction::KeyPairCleared))?;
                let answer = Answer::KeyPairCleared {
                    license_server_id: id,
                    thumbprint: &cleared.thumbprint,
                    reserved_for: record.reserved_for.as_ref(),
                };
                self.answer_contacts(store, &request, &before, &answer, judgement.now)?;
                after.clone_from(record);
            }
            ClearOutcome::AlreadyDone { .. } => {
                audit::append(store, &note(AuditAction::ClearRequestAlreadyDone))?;
                self.answer_contacts(
                    store,
                    &request,
                    &before,
                    &Answer::AlreadyDone { license_server_id: id },
                    judgement.now,
                )?;
            }
        }
        Ok(numbered(number, closed, &after, judgement.now))
    }

    /// Rejects a clear request.
    pub(crate) fn reject_clear_request(&self, number: u64, by: &By) -> Result<NumberedClearRequest, OperatorError> {
        let judgement = judgement(by, false, false, self.now());
        self.store.write("reject a clear request", |store| {
            let (request, record) = request_and_record(store, number)?;
            let id = &record.license_server_id;
            let closed = registry::reject(&request, &judgement)?;
            clear_requests::update(store, number, &closed)?;
            let detail = format!("clear request {number}");
            let note = Note::of_key_pair(AuditAction::ClearRequestRejected, request.thumbprint, &detail);
            audit::append(store, &note.entry(id, by, judgement.now))?;
            let reason = if by.reason.is_empty() { "none was given" } else { &by.reason };
            let answer = Answer::ClearRequestRejected { license_server_id: id, reason };
            self.answer_contacts(store, &request, &record, &answer, judgement.now)?;
            Ok(numbered(number, closed, &record, judgement.now))
        })
    }

    /// One clear request, by its number.
    pub(crate) fn clear_request(&self, number: u64) -> Result<NumberedClearRequest, OperatorError> {
        let now = self.now();
        let mut found = Err(OperatorError::UnknownClearRequest(number));
        self.store.read(|store| {
            found = request_and_record(store, number);
            Ok(())
        })?;
        found.map(|(request, record)| numbered(number, request, &record, now))
    }

    /// The newest `limit` clear requests before `before`, of one id or of all, in the order of their arrival.
    pub(crate) fn clear_requests(
        &self,
        id: Option<&LicenseServerId>,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<NumberedClearRequest>, StoreError> {
        let now = self.now();
        self.store.read(|store| {
            let requests = clear_requests::list(store, id, before, limit)?.into_iter();
            let with_records = requests.map(|(number, request)| {
                let id = &request.license_server_id;
                match records::load(store, id) {
                    Ok(record) => {
                        let record = record.ok_or_else(|| StoreError::no_record(id))?;
                        Ok(numbered(number, request, &record, now))
                    }
                    // Nobody can decide on it until the record is whole again; the others stay in the list.
                    Err(StoreError::DamagedRecord { .. }) => Ok(NumberedClearRequest {
                        id: number,
                        request,
                        cautions: Vec::new(),
                        last_synchronized_at: None,
                        bound_at: None,
                        sender_is_contact: false,
                    }),
                    Err(error) => Err(error),
                }
            });
            with_records.collect()
        })
    }

    /// The newest `limit` mails in the outbox before `before`, in the order in which they were written.
    pub(crate) fn outbox(&self, before: Option<u64>, limit: u32) -> Result<Vec<NumberedMail>, StoreError> {
        self.store.read(|store| outbox::list(store, before, limit))
    }

    /// One mail in the outbox.
    pub(crate) fn outbox_mail(&self, number: u64) -> Result<NumberedMail, OperatorError> {
        self.store.read(|store| outbox::load(store, number))?.ok_or(OperatorError::UnknownMail(number))
    }

    /// Notes that a mail of the outbox was handed on.
    pub(crate) fn mail_was_handed_on(&self, number: u64) -> Result<NumberedMail, OperatorError> {
        let now = self.now();
        self.store.write("hand a mail on", |store| {
            let mut numbered = outbox::load(store, number)?.ok_or(OperatorError::UnknownMail(number))?;
            numbered.mail.handed_on_at = Some(now);
            outbox::update(store, number, &numbered.mail)?;
            Ok(numbered)
        })
    }

    /// The answer goes to the registered contacts. Only where there are none it goes to the sender, whom nobody knows:
    /// it says nothing there that the mail did not say itself.
    fn answer_contacts(
        &self,
        store: &Connection,
        request: &ClearRequest,
        record: &Record,
        answer: &Answer<'_>,
        now: UtcTime,
    ) -> Result<(), OperatorError> {
        let contacts = addresses(record.contacts.iter().map(String::as_str));
        let to = if contacts.is_empty() { addresses(request.mail.sender.split(registry::AND)) } else { contacts };
        if to.is_empty() { Ok(()) } else { self.write_mail(store, &to, None, answer, now) }
    }

    fn write_mail(
        &self,
        store: &Connection,
        to: &[Address],
        in_reply_to: Option<&MessageId>,
        answer: &Answer<'_>,
        now: UtcTime,
    ) -> Result<(), OperatorError> {
        let random: [u8; 16] = crypto::random()?;
        let message_id = format!("{}@mock-solme.invalid", base64url::encode(random));
        let message_id: MessageId = message_id.parse().expect("base64url, an at sign and a name");
        let mail = compose(answer, &Addressing { to, in_reply_to, message_id: &message_id, date: now })?;
        outbox::insert(store, now, &mail)?;
        Ok(())
    }
}

fn known_ids(store: &Connection, read: &ReadMail) -> Result<Vec<LicenseServerId>, StoreError> {
    let mut known = Vec::new();
    for id in read.candidates() {
        if records::exists(store, id)? {
            known.push(id.clone());
        }
    }
    Ok(known)
}

fn request_and_record(store: &Connection, number: u64) -> Result<(ClearRequest, Record), OperatorError> {
    let request = clear_requests::load(store, number)?.ok_or(OperatorError::UnknownClearRequest(number))?;
    let record = load(store, &request.license_server_id)?;
    Ok((request, record))
}

fn numbered(id: u64, request: ClearRequest, record: &Record, now: UtcTime) -> NumberedClearRequest {
    let open = request.state == ClearRequestState::Open;
    let cautions = if open { registry::cautions(&request, record, now) } else { Vec::new() };
    let in_use = record.key_pair_in_use.as_ref();
    let cleared = request.thumbprint.and_then(|thumbprint| record.cleared(&thumbprint));
    NumberedClearRequest {
        cautions,
        last_synchronized_at: in_use.map(|in_use| in_use.last_synchronized_at),
        bound_at: in_use
            .filter(|in_use| request.thumbprint == Some(in_use.thumbprint))
            .map(|in_use| in_use.bound_at)
            .or(cleared.map(|cleared| cleared.bound_at)),
        sender_is_contact: request.mail.sender.split(registry::AND).all(|author| record.is_contact(author)),
        id,
        request,
    }
}

fn judgement(by: &By, even_so: bool, reserve: bool, now: UtcTime) -> Judgement {
    Judgement { by: by.operator.clone(), reason: by.reason.clone(), even_so, reserve, now }
}

fn addresses<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<Address> {
    texts.into_iter().filter_map(|text| text.parse().ok()).collect()
}

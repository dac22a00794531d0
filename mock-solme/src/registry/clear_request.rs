//! Requests to clear a key pair that arrived by e-mail (P 16.1, 16.2), and what an operator decides on them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use solme_sync_protocol::{KeyThumbprint, LicenseServerId, UtcTime, printable};

use super::{Clear, ClearError, ClearOutcome, Record, clear_key_pair};

/// A synchronization within this many seconds is recent: the key pair to be cleared seems to be alive.
pub const RECENT: u64 = 30 * 86_400;

/// A request to clear the key pair of one id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClearRequest {
    /// License server id whose key pair is to be cleared.
    pub license_server_id: LicenseServerId,
    /// The key pair that was in use when the request arrived; approval clears only that one.
    pub thumbprint: Option<KeyThumbprint>,
    /// The mail, or the first one of a contact if there were several.
    #[serde(flatten)]
    pub mail: RequestMail,
    /// Known license server ids that the mail names and that were left out, because it names so many.
    #[serde(default)]
    pub ids_left_out: usize,
    /// Mails about the same key pair that came while this request was open.
    #[serde(default)]
    pub further_mails: u64,
    /// The first ten of those mails.
    #[serde(default)]
    pub further: Vec<RequestMail>,
    /// What became of it.
    pub state: ClearRequestState,
}

/// What a mail that asks for a clear says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RequestMail {
    /// Who sent it, as it says: a hint, never a proof. Several authors are separated by [`AND`].
    pub sender: String,
    /// Who sent it, as its envelope says: just as easily made up.
    #[serde(default)]
    pub envelope_sender: Option<String>,
    /// Subject of the mail, its first 200 characters.
    pub subject: String,
    /// The new key pair that it names, if it names one.
    #[schemars(with = "Option<crate::form::KeyThumbprint>")]
    pub new_thumbprint: Option<KeyThumbprint>,
    /// When it arrived, main server time.
    #[serde(with = "crate::rfc3339")]
    #[schemars(with = "crate::form::Time")]
    pub received_at: UtcTime,
}

/// Between the authors of a mail that has several. No contact has it in its address, so that an author whose address
/// does is a stranger.
pub const AND: &str = ", ";

/// Mails that are kept at a request; of those beyond it says how many there were.
const FURTHER: usize = 10;

/// Requests of one id that mails can open within an hour. A further mail is noted at the newest one.
pub const REQUESTS_AN_HOUR: usize = 10;
const HOUR: u64 = 3_600;

/// A mail that names a license server id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wish {
    /// Who sent it, as it says.
    pub sender: String,
    /// Who sent it, as its envelope says.
    pub envelope_sender: Option<String>,
    /// Subject of the mail, its first 200 characters.
    pub subject: String,
    /// The key pairs that it names.
    pub named: Vec<KeyThumbprint>,
    /// Known license server ids that it names beyond those that are looked at.
    pub ids_left_out: usize,
}

/// What becomes of a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// A request of its own.
    Opened(ClearRequest),
    /// A note at the request of this number.
    Noted(u64, ClearRequest),
}

/// What became of a clear request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClearRequestState {
    /// Nobody has decided yet.
    Open,
    /// An operator has decided on it.
    Closed {
        /// How it was decided.
        closed_as: ClosedAs,
        /// When it was decided, main server time.
        #[serde(with = "crate::rfc3339")]
        at: UtcTime,
        /// Name of the operator who decides.
        by: String,
        /// The operator's reason, for the audit.
        reason: String,
        /// The cautions in spite of which it was approved.
        #[serde(default)]
        overridden: Vec<Caution>,
    },
}

/// How a clear request was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClosedAs {
    /// The key pair was cleared.
    Approved,
    /// The key pair stays in use.
    Rejected,
    /// The key pair was not in use any more (P 16.2).
    AlreadyDone,
}

impl ClearRequestState {
    /// `open`, `approved`, `rejected` or `already-done`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed { closed_as: ClosedAs::Approved, .. } => "approved",
            Self::Closed { closed_as: ClosedAs::Rejected, .. } => "rejected",
            Self::Closed { closed_as: ClosedAs::AlreadyDone, .. } => "already-done",
        }
    }
}

/// A reason to look twice before approving.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "caution")]
pub enum Caution {
    /// The sender, or one of several, is not among the contacts registered for the id.
    SenderIsNoContact,
    /// The mail says that it is from a contact, and its envelope names somebody who is none.
    EnvelopeSenderIsNoContact {
        /// The envelope sender, who is not a contact.
        envelope_sender: String,
    },
    /// The key pair to be cleared synchronized within the last 30 days: its License Server seems to be alive.
    SynchronizedRecently {
        /// When it synchronized, main server time.
        #[serde(with = "crate::rfc3339")]
        #[schemars(with = "crate::form::Time")]
        last_synchronized_at: UtcTime,
    },
}

/// What an operator says to a clear request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// Name of the operator who decides.
    pub by: String,
    /// Why, for the audit.
    pub reason: String,
    /// Approve in spite of every [`Caution`]. That takes a reason.
    pub even_so: bool,
    /// Reserve the id for the new key pair that the mail names (P 16.6).
    pub reserve: bool,
    /// Main server time, UTC in seconds.
    pub now: UtcTime,
}

/// Why a key pair is not cleared so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApproveError {
    /// It was decided before.
    #[error("the clear request is already closed: {0}")]
    Closed(&'static str),
    /// There are reasons to look twice.
    #[error("{}", describe(.0))]
    NeedsEvenSo(Vec<Caution>),
    /// Cautions are overridden only for a reason, which is kept.
    #[error("overriding cautions needs a reason")]
    EvenSoWithoutReason,
    /// `reserve` was asked for, and the mail names no new key pair.
    #[error("the mail names no new key pair to reserve the license server id for")]
    NothingToReserveFor,
    /// The clear itself is not possible.
    #[error(transparent)]
    Clear(#[from] ClearError),
}

/// A mail that names the id of `record`, and perhaps key pairs, asks for a clear. `newest` are the newest
/// [`REQUESTS_AN_HOUR`] requests of the id, with their numbers, the newest last.
///
/// A request remembers the key pair in use now, so that a late or second mail cannot clear the next one (P 16.2); of one
/// key pair there is one open request, however many mails there are. Of the key pairs that the mail names, the first that
/// could bind the id afterwards is the new one.
pub fn receive(record: &Record, newest: &[(u64, ClearRequest)], wish: Wish, received_at: UtcTime) -> Received {
    let in_use = record.bound_thumbprint();
    let could_bind = |named: &&KeyThumbprint| in_use != Some(**named) && record.cleared(named).is_none();
    let mail = RequestMail {
        new_thumbprint: wish.named.iter().find(could_bind).copied(),
        sender: wish.sender,
        envelope_sender: wish.envelope_sender,
        subject: wish.subject,
        received_at,
    };
    let open = |request: &ClearRequest| request.state == ClearRequestState::Open && request.thumbprint == in_use;
    let too_many = newest.len() >= REQUESTS_AN_HOUR
        && newest.iter().all(|(_, request)| received_at.since(request.mail.received_at) < HOUR);
    let noted_at = newest.iter().rev().find(|(_, request)| open(request));
    if let Some((number, request)) = noted_at.or(newest.last().filter(|_| too_many)) {
        return Received::Noted(*number, with_further(request, mail, record));
    }
    Received::Opened(ClearRequest {
        license_server_id: record.license_server_id.clone(),
        thumbprint: in_use,
        mail,
        ids_left_out: wish.ids_left_out,
        further_mails: 0,
        further: Vec::new(),
        state: ClearRequestState::Open,
    })
}

/// The request with one more mail. A contact's takes the place of a stranger's: nobody can speak first for the customer.
fn with_further(request: &ClearRequest, mut mail: RequestMail, record: &Record) -> ClearRequest {
    let mut request = request.clone();
    request.further_mails += 1;
    let is_contacts = |mail: &RequestMail| caution_of_sender(mail, record).is_none();
    if request.state == ClearRequestState::Open && is_contacts(&mail) && !is_contacts(&request.mail) {
        std::mem::swap(&mut request.mail, &mut mail);
    }
    if request.further.len() < FURTHER {
        request.further.push(mail);
    }
    request
}

fn caution_of_sender(mail: &RequestMail, record: &Record) -> Option<Caution> {
    if !mail.sender.split(AND).all(|author| record.is_contact(author)) {
        return Some(Caution::SenderIsNoContact);
    }
    let stranger = mail.envelope_sender.as_ref().filter(|envelope_sender| !record.is_contact(envelope_sender))?;
    Some(Caution::EnvelopeSenderIsNoContact { envelope_sender: stranger.clone() })
}

/// The reasons to look twice, as things stand now: a License Server that has synchronized since the mail arrived is
/// alive, whatever the mail says.
pub fn cautions(request: &ClearRequest, record: &Record, now: UtcTime) -> Vec<Caution> {
    let alive = request.thumbprint.and_then(|thumbprint| alive(record, thumbprint, now));
    caution_of_sender(&request.mail, record).into_iter().chain(alive).collect()
}

/// The reasons to look twice before the key pair in use, or the one named, is cleared without a mail.
pub fn cautions_of_clear(record: &Record, clear: &Clear) -> Vec<Caution> {
    let thumbprint = clear.thumbprint.or(record.bound_thumbprint());
    thumbprint.and_then(|thumbprint| alive(record, thumbprint, clear.now)).into_iter().collect()
}

fn alive(record: &Record, thumbprint: KeyThumbprint, now: UtcTime) -> Option<Caution> {
    let in_use = record.key_pair_in_use.as_ref().filter(|in_use| in_use.thumbprint == thumbprint)?;
    let last_synchronized_at = in_use.last_synchronized_at;
    (now.since(last_synchronized_at) < RECENT).then_some(Caution::SynchronizedRecently { last_synchronized_at })
}

/// The cautions that an operator overrides, to be kept; none where there are none.
///
/// # Errors
/// [`ApproveError::NeedsEvenSo`], [`ApproveError::EvenSoWithoutReason`].
pub fn overridden(cautions: Vec<Caution>, even_so: bool, reason: &str) -> Result<Vec<Caution>, ApproveError> {
    match even_so {
        false if !cautions.is_empty() => Err(ApproveError::NeedsEvenSo(cautions)),
        true if reason.trim().is_empty() => Err(ApproveError::EvenSoWithoutReason),
        _ => Ok(cautions),
    }
}

/// Approves: clears the remembered key pair and no other one; otherwise the request is closed as already done.
///
/// # Errors
/// [`ApproveError`]; nothing changes then.
pub fn approve(
    request: &ClearRequest,
    record: &Record,
    judgement: &Judgement,
) -> Result<(ClearRequest, ClearOutcome), ApproveError> {
    must_be_open(request)?;
    let in_use = record.bound_thumbprint();
    if request.thumbprint.is_none() || request.thumbprint != in_use {
        let closed = close(request, ClosedAs::AlreadyDone, judgement, Vec::new());
        return Ok((closed, ClearOutcome::AlreadyDone { in_use }));
    }
    let cautions = cautions(request, record, judgement.now);
    let overridden = overridden(cautions, judgement.even_so, &judgement.reason)?;
    if judgement.reserve && request.mail.new_thumbprint.is_none() {
        return Err(ApproveError::NothingToReserveFor);
    }
    let clear = Clear {
        thumbprint: request.thumbprint,
        by: judgement.by.clone(),
        reason: judgement.reason.clone(),
        reserve_for: request.mail.new_thumbprint.filter(|_| judgement.reserve),
        now: judgement.now,
    };
    let outcome = clear_key_pair(record, &clear)?;
    Ok((close(request, ClosedAs::Approved, judgement, overridden), outcome))
}

/// Rejects: the key pair stays in use.
///
/// # Errors
/// [`ApproveError::Closed`].
pub fn reject(request: &ClearRequest, judgement: &Judgement) -> Result<ClearRequest, ApproveError> {
    must_be_open(request)?;
    Ok(close(request, ClosedAs::Rejected, judgement, Vec::new()))
}

fn must_be_open(request: &ClearRequest) -> Result<(), ApproveError> {
    match request.state {
        ClearRequestState::Open => Ok(()),
        ClearRequestState::Closed { .. } => Err(ApproveError::Closed(request.state.as_str())),
    }
}

fn close(request: &ClearRequest, closed_as: ClosedAs, judgement: &Judgement, overridden: Vec<Caution>) -> ClearRequest {
    let Judgement { by, reason, now, .. } = judgement.clone();
    ClearRequest { state: ClearRequestState::Closed { closed_as, at: now, by, reason, overridden }, ..request.clone() }
}

/// The cautions in words.
pub fn describe(cautions: &[Caution]) -> String {
    let each = cautions.iter().map(|caution| match caution {
        Caution::SenderIsNoContact => "the sender is not a registered contact".to_owned(),
        Caution::EnvelopeSenderIsNoContact { envelope_sender } => {
            format!(
                "the mail claims to be from a contact, but was sent by {}, which is not one",
                printable(envelope_sender)
            )
        }
        Caution::SynchronizedRecently { last_synchronized_at } => {
            format!("the key pair in use synchronized less than 30 days ago, at {last_synchronized_at}")
        }
    });
    each.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::super::players::{LicenseServer, MainServer, T0};
    use super::*;

    const CONTACT: &str = "it@customer.example";

    fn bound() -> (MainServer, LicenseServer) {
        let (mut main_server, mut server) = (MainServer::new(), LicenseServer::new());
        main_server.record.contacts.push(CONTACT.to_owned());
        server.synchronize(&mut main_server).unwrap();
        (main_server, server)
    }

    fn mail(main_server: &MainServer) -> ClearRequest {
        opened(&main_server.record, Wish { sender: "IT@customer.example".to_owned(), ..Wish::default() })
    }

    fn opened(record: &Record, wish: Wish) -> ClearRequest {
        let Received::Opened(request) = receive(record, &[], wish, T0) else { panic!() };
        request
    }

    /// Long after the last synchronization, so that only the sender can be a reason to look twice.
    fn judgement() -> Judgement {
        let now = T0.plus(RECENT + 1_000);
        Judgement { by: "olle".to_owned(), reason: "as asked".to_owned(), even_so: false, reserve: false, now }
    }

    #[test]
    fn approval_clears_the_key_pair_that_was_in_use_when_the_mail_arrived() {
        let (main_server, server) = bound();
        let (closed, outcome) = approve(&mail(&main_server), &main_server.record, &judgement()).unwrap();
        assert_eq!(closed.state.as_str(), "approved");
        let ClearOutcome::Cleared { cleared, .. } = outcome else { panic!("{outcome:?}") };
        assert_eq!(
            (cleared.thumbprint, cleared.cleared_by.as_str(), cleared.reason.as_str()),
            (server.key.thumbprint(), "olle", "as asked")
        );
    }

    #[test]
    fn the_second_of_two_mails_never_clears_the_new_key_pair() {
        let (mut main_server, _) = bound();
        let (first, second) = (mail(&main_server), mail(&main_server));
        let (_, outcome) = approve(&first, &main_server.record, &judgement()).unwrap();
        let ClearOutcome::Cleared { record, .. } = outcome else { panic!("{outcome:?}") };
        main_server.record = record;
        let between = mail(&main_server);
        assert_eq!(between.thumbprint, None);

        let mut new = LicenseServer::new();
        new.synchronize(&mut main_server).unwrap();
        for late in [second, between] {
            let (closed, outcome) = approve(&late, &main_server.record, &judgement()).unwrap();
            assert_eq!(closed.state.as_str(), "already-done");
            assert_eq!(outcome, ClearOutcome::AlreadyDone { in_use: Some(new.key.thumbprint()) });
        }
    }

    #[test]
    fn a_sender_who_is_no_contact_needs_even_so() {
        let (main_server, _) = bound();
        let mut request = mail(&main_server);
        request.mail.sender = "mallory@elsewhere.example".to_owned();
        let needs = Err(ApproveError::NeedsEvenSo(vec![Caution::SenderIsNoContact]));
        assert_eq!(approve(&request, &main_server.record, &judgement()), needs);
        let even_so = Judgement { even_so: true, ..judgement() };
        let without = Judgement { reason: " ".to_owned(), ..even_so.clone() };
        assert_eq!(approve(&request, &main_server.record, &without), Err(ApproveError::EvenSoWithoutReason));
        let (closed, _) = approve(&request, &main_server.record, &even_so).unwrap();
        let ClearRequestState::Closed { overridden, .. } = closed.state else { panic!("{:?}", closed.state) };
        assert_eq!(overridden, [Caution::SenderIsNoContact]);
    }

    #[test]
    fn a_license_server_that_synchronized_within_30_days_needs_even_so() {
        let (main_server, _) = bound();
        let last = main_server.record.key_pair_in_use.as_ref().unwrap().last_synchronized_at;
        let days = |days: u64| last.plus(days * 24 * 60 * 60);
        let recent = Judgement { now: days(30).offset(-1), ..judgement() };
        let caution = Caution::SynchronizedRecently { last_synchronized_at: last };
        assert_eq!(
            approve(&mail(&main_server), &main_server.record, &recent),
            Err(ApproveError::NeedsEvenSo(vec![caution]))
        );
        let not_recent = Judgement { now: days(30), ..judgement() };
        assert!(approve(&mail(&main_server), &main_server.record, &not_recent).is_ok());
    }

    #[test]
    fn a_synchronization_after_the_mail_counts_as_recent() {
        let (mut main_server, mut server) = bound();
        let request = mail(&main_server);
        assert_eq!(cautions(&request, &main_server.record, judgement().now), []);
        server.synchronize(&mut main_server).unwrap();
        let in_use = main_server.record.key_pair_in_use.as_mut().unwrap();
        in_use.last_synchronized_at = judgement().now;
        assert_eq!(cautions(&request, &main_server.record, judgement().now).len(), 1);
    }

    #[test]
    fn the_id_is_reserved_for_the_key_pair_that_the_mail_names_if_it_names_one() {
        let (main_server, _) = bound();
        let reserve = Judgement { reserve: true, ..judgement() };
        let nothing = approve(&mail(&main_server), &main_server.record, &reserve);
        assert_eq!(nothing, Err(ApproveError::NothingToReserveFor));
        let new = LicenseServer::new().key.thumbprint();
        let mut names_it = mail(&main_server);
        names_it.mail.new_thumbprint = Some(new);
        for (judgement, reserved_for) in [(judgement(), None), (reserve, Some(new))] {
            let (_, outcome) = approve(&names_it, &main_server.record, &judgement).unwrap();
            assert!(matches!(outcome, ClearOutcome::Cleared { record, .. } if record.reserved_for == reserved_for));
        }
    }

    #[test]
    fn the_new_key_pair_of_a_mail_is_the_first_one_that_could_bind_the_id() {
        let (mut main_server, dead) = bound();
        main_server.clear();
        let mut in_use = LicenseServer::new();
        in_use.synchronize(&mut main_server).unwrap();
        let new = LicenseServer::new().key.thumbprint();
        let named = [dead.key.thumbprint(), in_use.key.thumbprint(), new];
        let named_by = |named: &[KeyThumbprint]| {
            opened(&main_server.record, Wish { named: named.to_vec(), ..Wish::default() }).mail.new_thumbprint
        };
        assert_eq!(named_by(&named), Some(new));
        assert_eq!(named_by(&named[..2]), None);
    }

    #[test]
    fn a_contact_in_from_and_a_stranger_in_the_envelope_is_a_caution_that_names_the_stranger() {
        let (main_server, _) = bound();
        let envelope = |sender: &str| {
            let mut request = mail(&main_server);
            request.mail.envelope_sender = Some(sender.to_owned());
            request
        };
        let stranger = "mallory@elsewhere.example".to_owned();
        let needs = approve(&envelope(&stranger), &main_server.record, &judgement()).unwrap_err();
        assert!(needs.to_string().contains(&stranger), "{needs}");
        let caution = Caution::EnvelopeSenderIsNoContact { envelope_sender: stranger };
        assert_eq!(needs, ApproveError::NeedsEvenSo(vec![caution]));
        assert!(approve(&envelope("it@CUSTOMER.example"), &main_server.record, &judgement()).is_ok());
    }

    fn wish(sender: &str) -> Wish {
        Wish { sender: sender.to_owned(), envelope_sender: Some(sender.to_owned()), ..Wish::default() }
    }

    #[test]
    fn of_one_key_pair_there_is_one_open_request_and_a_contacts_mail_leads_it() {
        let (main_server, _) = bound();
        let mut request = opened(&main_server.record, wish("mallory@elsewhere.example"));
        for number in 0..10_000 {
            let contact = number == 5_000;
            let wish = if contact { wish(CONTACT) } else { wish(&format!("m{number}@elsewhere.example")) };
            let Received::Noted(7, noted) = receive(&main_server.record, &[(7, request)], wish, T0) else { panic!() };
            request = noted;
        }
        assert_eq!(
            (request.mail.sender.as_str(), request.further_mails, request.further.len()),
            (CONTACT, 10_000, FURTHER)
        );
        assert_eq!(request.further[0].sender, "m0@elsewhere.example");
    }

    #[test]
    fn mails_open_so_many_requests_an_hour_and_the_next_ones_are_noted_at_the_newest() {
        let (main_server, _) = bound();
        let mut requests = Vec::new();
        for number in 0..REQUESTS_AN_HOUR as u64 {
            let now = T0.plus(number);
            let Received::Opened(request) = receive(&main_server.record, &requests, wish(CONTACT), now) else {
                panic!()
            };
            requests.push((number, reject(&request, &judgement()).unwrap()));
        }
        let (last, newest) = requests.last().cloned().unwrap();
        let next = |now| receive(&main_server.record, &requests, wish(CONTACT), now);
        let Received::Noted(number, noted) = next(T0.plus(HOUR - 1)) else { panic!() };
        assert_eq!((number, noted.further_mails, noted.state), (last, 1, newest.state));
        assert!(matches!(next(T0.plus(HOUR)), Received::Opened(_)));
    }

    #[test]
    fn what_is_closed_stays_closed() {
        let (main_server, _) = bound();
        let rejected = reject(&mail(&main_server), &judgement()).unwrap();
        assert_eq!(rejected.state.as_str(), "rejected");
        let even_so = Judgement { even_so: true, ..judgement() };
        assert_eq!(approve(&rejected, &main_server.record, &even_so), Err(ApproveError::Closed("rejected")));
        assert_eq!(reject(&rejected, &even_so), Err(ApproveError::Closed("rejected")));
    }
}

//! Requests to clear a key pair that arrived by e-mail (P 16.1, 16.2), and what an operator decides on them.

use serde::{Deserialize, Serialize};
use solme_sync_protocol::{KeyThumbprint, LicenseServerId, UtcTime};

use super::{Clear, ClearError, ClearOutcome, Record, clear_key_pair};

/// A synchronization within this many seconds is recent: the key pair to be cleared seems to be alive.
pub const RECENT: u64 = 30 * 86_400;

/// A request to clear the key pair of one id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClearRequest {
    /// Whose key pair.
    pub license_server_id: LicenseServerId,
    /// The key pair that was in use when the request arrived; approval clears only that one.
    pub thumbprint: Option<KeyThumbprint>,
    /// The new key pair that the mail names, if it names one.
    pub new_thumbprint: Option<KeyThumbprint>,
    /// Who sent the mail, as it says: a hint, never a proof.
    pub sender: String,
    /// Its subject.
    pub subject: String,
    /// When it arrived.
    #[serde(with = "crate::rfc3339")]
    pub received_at: UtcTime,
    /// What became of it.
    pub state: ClearRequestState,
}

/// What became of a clear request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClearRequestState {
    /// Nobody has decided yet.
    Open,
    /// Decided.
    Closed {
        /// How.
        closed_as: ClosedAs,
        /// When.
        #[serde(with = "crate::rfc3339")]
        at: UtcTime,
        /// The operator.
        by: String,
        /// Why.
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
    /// It was not.
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "caution")]
pub enum Caution {
    /// The sender is not among the contacts registered for the id.
    SenderIsNoContact,
    /// The key pair to be cleared synchronized within the last 30 days: its License Server seems to be alive.
    SynchronizedRecently {
        /// When.
        #[serde(with = "crate::rfc3339")]
        last_synchronized_at: UtcTime,
    },
}

/// What an operator says to a clear request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The operator.
    pub by: String,
    /// Why, for the audit.
    pub reason: String,
    /// Approve in spite of every [`Caution`]. That takes a reason.
    pub even_so: bool,
    /// Reserve the id for the new key pair that the mail names (P 16.6).
    pub reserve: bool,
    /// Main server time.
    pub now: UtcTime,
}

/// Why a key pair is not cleared so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApproveError {
    /// It was decided before.
    #[error("the clear request is closed: {0}")]
    Closed(&'static str),
    /// There are reasons to look twice.
    #[error("{}", describe(.0))]
    NeedsEvenSo(Vec<Caution>),
    /// Cautions are overridden only for a reason, which is kept.
    #[error("cautions are to be overridden, and no reason is given")]
    EvenSoWithoutReason,
    /// `reserve` was asked for, and the mail names no new key pair.
    #[error("the mail names no new key pair to reserve the license server id for")]
    NothingToReserveFor,
    /// The clear itself is not possible.
    #[error(transparent)]
    Clear(#[from] ClearError),
}

/// A mail that names the id of `record`, and perhaps key pairs, asks for a clear. It remembers the key pair in use now,
/// so that a late or second mail cannot clear the next one (P 16.2). Of the key pairs that it names, the first that
/// could bind the id afterwards is the new one.
pub fn receive(
    record: &Record,
    sender: String,
    subject: String,
    named: &[KeyThumbprint],
    received_at: UtcTime,
) -> ClearRequest {
    let in_use = record.bound_thumbprint();
    let could_bind = |named: &&KeyThumbprint| in_use != Some(**named) && record.cleared(named).is_none();
    ClearRequest {
        license_server_id: record.license_server_id.clone(),
        thumbprint: in_use,
        new_thumbprint: named.iter().find(could_bind).copied(),
        sender,
        subject,
        received_at,
        state: ClearRequestState::Open,
    }
}

/// The reasons to look twice, as things stand now: a License Server that has synchronized since the mail arrived is
/// alive, whatever the mail says.
pub fn cautions(request: &ClearRequest, record: &Record, now: UtcTime) -> Vec<Caution> {
    let mut cautions = Vec::new();
    if !record.is_contact(&request.sender) {
        cautions.push(Caution::SenderIsNoContact);
    }
    cautions.extend(request.thumbprint.and_then(|thumbprint| alive(record, thumbprint, now)));
    cautions
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
    if judgement.reserve && request.new_thumbprint.is_none() {
        return Err(ApproveError::NothingToReserveFor);
    }
    let clear = Clear {
        thumbprint: request.thumbprint,
        by: judgement.by.clone(),
        reason: judgement.reason.clone(),
        reserve_for: request.new_thumbprint.filter(|_| judgement.reserve),
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
        Caution::SenderIsNoContact => "the sender is not among the contacts of the id".to_owned(),
        Caution::SynchronizedRecently { last_synchronized_at } => {
            format!("the key pair in use synchronized recently, at {last_synchronized_at}")
        }
    });
    each.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::super::testing::{LicenseServer, MainServer, T0};
    use super::*;

    const CONTACT: &str = "it@customer.example";

    fn bound() -> (MainServer, LicenseServer) {
        let (mut main_server, mut server) = (MainServer::new(), LicenseServer::new());
        main_server.record.contacts.push(CONTACT.to_owned());
        server.synchronize(&mut main_server).unwrap();
        (main_server, server)
    }

    fn mail(main_server: &MainServer) -> ClearRequest {
        receive(&main_server.record, "IT@customer.example".to_owned(), "Clear".to_owned(), &[], T0)
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
        let request = ClearRequest { sender: "mallory@elsewhere.example".to_owned(), ..mail(&main_server) };
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
        let recent = Judgement { now: last.plus(RECENT - 1), ..judgement() };
        let caution = Caution::SynchronizedRecently { last_synchronized_at: last };
        assert_eq!(
            approve(&mail(&main_server), &main_server.record, &recent),
            Err(ApproveError::NeedsEvenSo(vec![caution]))
        );
        let not_recent = Judgement { now: last.plus(RECENT), ..judgement() };
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
        let names_it = ClearRequest { new_thumbprint: Some(new), ..mail(&main_server) };
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
            receive(&main_server.record, CONTACT.to_owned(), String::new(), named, T0).new_thumbprint
        };
        assert_eq!(named_by(&named), Some(new));
        assert_eq!(named_by(&named[..2]), None);
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

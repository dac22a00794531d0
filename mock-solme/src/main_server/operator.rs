//! What an operator does to the registry: each one transaction, its audit row inside.

use rusqlite::Connection;
use solme_sync_protocol::{FileError, KeyThumbprint, LicenseServerId, UtcTime};

use super::{MainServer, NewLicense};
use crate::crypto::CryptoError;
use crate::mail::Address;
use crate::mail::answers::ComposeError;
use crate::registry::{
    self, ApproveError, Caution, Clear, ClearError, ClearOutcome, Disabled, LicenseError, Record, ReserveError,
};
use crate::store::audit::{AuditAction, AuditEntry, NewAuditEntry};
use crate::store::records::DamagedRecord;
use crate::store::{StoreError, audit, records};

/// Who does it, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct By {
    /// Name of the operator, for the audit.
    pub operator: String,
    /// Why; may be empty.
    pub reason: String,
}

impl Default for By {
    fn default() -> Self {
        Self { operator: "operator".to_owned(), reason: String::new() }
    }
}

/// Why the main server does not do what an operator asks. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OperatorError {
    /// There is no such license server id.
    #[error("there is no license server id {0}")]
    UnknownId(LicenseServerId),
    /// It was added before.
    #[error("the license server id {0} already exists")]
    IdExists(LicenseServerId),
    /// Not a mail address.
    #[error("{0:?} is not a mail address")]
    Contact(String),
    /// Main server time would be before 1970, or too late.
    #[error("main server time must be from 1970-01-01T00:00:00Z to {}", super::LATEST_NOW)]
    Clock,
    /// The licenses cannot be changed so.
    #[error(transparent)]
    License(#[from] LicenseError),
    /// The key pair cannot be cleared so.
    #[error(transparent)]
    Clear(#[from] ClearError),
    /// The id cannot be reserved so.
    #[error(transparent)]
    Reserve(#[from] ReserveError),
    /// There is no such clear request.
    #[error("there is no clear request {0}")]
    UnknownClearRequest(u64),
    /// The clear request cannot be decided so.
    #[error(transparent)]
    Approve(#[from] ApproveError),
    /// There is no such mail.
    #[error("there is no mail {0} in the outbox")]
    UnknownMail(u64),
    /// The answer cannot be written.
    #[error(transparent)]
    Mail(#[from] ComposeError),
    /// The file cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// A response file where a request file is wanted.
    #[error("this is a response file, not a request file")]
    ResponseFile,
    /// The request in the file cannot be read (P 14.5).
    #[error("the file holds no readable request: {0}")]
    UnreadableRequest(String),
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The operating system has no random numbers.
    #[error("{0}")]
    Random(String),
}

impl From<CryptoError> for OperatorError {
    fn from(error: CryptoError) -> Self {
        Self::Random(error.to_string())
    }
}

/// A license server id to be added. The default: nothing allocated, free for the first key pair.
#[derive(Debug, Default)]
pub(crate) struct NewId {
    /// Whose License Server it is.
    pub(crate) name: Option<String>,
    /// Who may ask for a clear.
    pub(crate) contacts: Vec<String>,
    /// What is allocated to it.
    pub(crate) licenses: Vec<NewLicense>,
    /// The only key pair that may bind it (P 16.6), so that whoever sees the id on its way cannot be first.
    pub(crate) reserved_for: Option<KeyThumbprint>,
}

/// A clear without a mail, by telephone for example.
#[derive(Debug, Clone, Default)]
pub(crate) struct ClearOrder {
    /// Only this key pair; without it the one in use.
    pub(crate) thumbprint: Option<KeyThumbprint>,
    /// The only key pair that may bind the id next.
    pub(crate) reserve_for: Option<KeyThumbprint>,
    /// In spite of every caution.
    pub(crate) even_so: bool,
}

/// What the audit says of cautions that were overridden; nothing of none.
pub(super) fn in_spite_of(overridden: &[Caution]) -> String {
    if overridden.is_empty() { String::new() } else { format!("overridden: {}", registry::describe(overridden)) }
}

/// What the audit says of a change.
pub(super) struct Note {
    pub(super) action: AuditAction,
    pub(super) thumbprint: Option<KeyThumbprint>,
    pub(super) detail: String,
}

impl Note {
    pub(super) fn new(action: AuditAction, detail: impl Into<String>) -> Self {
        Self { action, thumbprint: None, detail: detail.into() }
    }

    pub(super) fn of_key_pair(action: AuditAction, thumbprint: Option<KeyThumbprint>, detail: &str) -> Self {
        Self { action, thumbprint, detail: detail.to_owned() }
    }

    pub(super) fn entry(self, id: &LicenseServerId, by: &By, at: UtcTime) -> NewAuditEntry {
        NewAuditEntry {
            at,
            license_server_id: id.clone(),
            action: self.action,
            operator: Some(by.operator.clone()),
            reason: Some(by.reason.clone()).filter(|reason| !reason.is_empty()),
            thumbprint: self.thumbprint,
            detail: self.detail,
        }
    }
}

impl MainServer {
    /// Adds an id with its licenses.
    pub(crate) fn add_id(&self, id: &LicenseServerId, new: NewId, by: &By) -> Result<Record, OperatorError> {
        let record = self.new_record(id, new, self.now())?;
        self.store.write("add an id", |store| {
            if records::exists(store, id)? {
                return Err(OperatorError::IdExists(id.clone()));
            }
            save_new(store, &record, by)?;
            Ok(record)
        })
    }

    fn new_record(&self, id: &LicenseServerId, new: NewId, now: UtcTime) -> Result<Record, OperatorError> {
        let NewId { name, contacts, licenses, reserved_for } = new;
        check_contacts(&contacts)?;
        let mut record = Record { name, contacts, reserved_for, ..Record::new(id.clone(), now) };
        for license in licenses {
            record = registry::add_license(&record, self.license(&record, license, now))?;
        }
        Ok(record)
    }

    /// Changes name and contacts; what is `None` stays.
    pub(crate) fn change_id(
        &self,
        id: &LicenseServerId,
        name: Option<Option<String>>,
        contacts: Option<Vec<String>>,
        by: &By,
    ) -> Result<Record, OperatorError> {
        check_contacts(contacts.as_deref().unwrap_or_default())?;
        self.change(id, "change an id", by, |record| {
            let mut changed = record.clone();
            changed.name = name.unwrap_or(changed.name);
            changed.contacts = contacts.unwrap_or(changed.contacts);
            Ok((changed, Note::new(AuditAction::IdChanged, "")))
        })
    }

    /// The record of an id.
    pub(crate) fn record(&self, id: &LicenseServerId) -> Result<Record, OperatorError> {
        self.store.read(|store| records::load(store, id))?.ok_or_else(|| OperatorError::UnknownId(id.clone()))
    }

    /// The records whose id begins so and comes after `after`, in the order of their ids.
    pub(crate) fn records(
        &self,
        begins_with: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<Result<Record, DamagedRecord>>, StoreError> {
        self.store.read(|store| records::list(store, begins_with, after, limit))
    }

    /// Disables an id (P 9.5).
    pub(crate) fn disable(&self, id: &LicenseServerId, by: &By) -> Result<Record, OperatorError> {
        let disabled = Disabled { at: self.now(), by: by.operator.clone(), reason: by.reason.clone() };
        self.change(id, "disable an id", by, |record| {
            Ok((registry::disable(record, disabled), Note::new(AuditAction::IdDisabled, "")))
        })
    }

    /// Enables an id again (P 9.5).
    pub(crate) fn enable(&self, id: &LicenseServerId, by: &By) -> Result<Record, OperatorError> {
        self.change(id, "enable an id", by, |record| {
            Ok((registry::enable(record), Note::new(AuditAction::IdEnabled, "")))
        })
    }

    /// Clears the key pair in use (P 16), or the one named. One that has synchronized recently takes an override.
    pub(crate) fn clear_key_pair(
        &self,
        id: &LicenseServerId,
        order: ClearOrder,
        by: &By,
    ) -> Result<ClearOutcome, OperatorError> {
        let now = self.now();
        let ClearOrder { thumbprint, reserve_for, even_so } = order;
        let (operator, reason) = (by.operator.clone(), by.reason.clone());
        let clear = Clear { thumbprint, by: operator, reason, reserve_for, now };
        self.store.write("clear a key pair", |store| {
            let before = load(store, id)?;
            let cautions = registry::cautions_of_clear(&before, &clear);
            let overridden = registry::overridden(cautions, even_so, &clear.reason)?;
            let outcome = self.settings.conduct.clear(&before, &clear)?;
            if let ClearOutcome::Cleared { record, cleared } = &outcome {
                records::save(store, Some(&before), record)?;
                let note =
                    Note::of_key_pair(AuditAction::KeyPairCleared, Some(cleared.thumbprint), &in_spite_of(&overridden));
                audit::append(store, &note.entry(id, by, now))?;
            }
            Ok(outcome)
        })
    }

    /// Sets or lifts the reservation of a free id (P 16.6).
    pub(crate) fn reserve(
        &self,
        id: &LicenseServerId,
        reserve_for: Option<KeyThumbprint>,
        by: &By,
    ) -> Result<Record, OperatorError> {
        self.change(id, "reserve an id", by, |record| {
            let changed = registry::reserve(record, reserve_for)?;
            let detail = if reserve_for.is_some() { "reserved" } else { "reservation lifted" };
            Ok((changed, Note::of_key_pair(AuditAction::ReservationChanged, reserve_for, detail)))
        })
    }

    /// For tests: forgets key pairs, receipts and requests of an id, as if it had just been added. What is allocated to
    /// it stays: of a damaged record what can be read of it. A License Server that was bound to it is refused from then on.
    pub(crate) fn reset_id(&self, id: &LicenseServerId, by: &By) -> Result<Record, OperatorError> {
        let now = self.now();
        self.store.write("reset an id", |store| {
            let before = match load(store, id) {
                Err(OperatorError::Store(StoreError::DamagedRecord { .. })) => records::salvage(store, id, now),
                sound => Ok(sound?),
            };
            let record = registry::reset(before?, now);
            records::delete(store, id)?;
            records::save(store, None, &record)?;
            audit::append(store, &Note::new(AuditAction::Reset, "").entry(id, by, now))?;
            Ok(record)
        })
    }

    /// For tests: forgets everything but who this main server is, and adds `first`, if there is one. The clock is real
    /// time again.
    pub(crate) fn reset(&self, first: Option<(LicenseServerId, NewId, By)>) -> Result<(), OperatorError> {
        self.change_clock_and(
            "reset",
            |_| 0,
            |store, now| {
                records::delete_all(store)?;
                let Some((id, new, by)) = first else { return Ok(()) };
                save_new(store, &self.new_record(&id, new, now)?, &by)
            },
        )?;
        self.journal.clear();
        self.inbox.clear();
        self.reset_quirks();
        Ok(())
    }

    /// All that is stored: records, answers, clear requests, mails and audit.
    pub(crate) fn snapshot(&self) -> Result<Connection, OperatorError> {
        Ok(self.store.snapshot()?)
    }

    /// As a main server that was restored from a backup: what came after the snapshot is forgotten, and time goes on.
    pub(crate) fn restore(&self, snapshot: &Connection) -> Result<(), OperatorError> {
        self.keep_clock_in(snapshot, || Ok(self.store.restore(snapshot)?))
    }

    /// The newest `limit` rows of the audit before `before`, oldest first; of one id, or of all.
    pub(crate) fn audit(
        &self,
        id: Option<&LicenseServerId>,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        self.store.read(|store| audit::list(store, id, before, limit))
    }

    /// Changes a record, and says so in the audit, unless nothing has changed.
    pub(super) fn change(
        &self,
        id: &LicenseServerId,
        step: &'static str,
        by: &By,
        change: impl FnOnce(&Record) -> Result<(Record, Note), OperatorError>,
    ) -> Result<Record, OperatorError> {
        let now = self.now();
        self.store.write(step, |store| {
            let before = load(store, id)?;
            let (record, note) = change(&before)?;
            if record != before {
                records::save(store, Some(&before), &record)?;
                audit::append(store, &note.entry(id, by, now))?;
            }
            Ok(record)
        })
    }
}

pub(super) fn load(store: &Connection, id: &LicenseServerId) -> Result<Record, OperatorError> {
    records::load(store, id)?.ok_or_else(|| OperatorError::UnknownId(id.clone()))
}

fn save_new(store: &Connection, record: &Record, by: &By) -> Result<(), OperatorError> {
    records::save(store, None, record)?;
    let detail = if record.reserved_for.is_some() { "reserved" } else { "" };
    let note = Note::of_key_pair(AuditAction::IdAdded, record.reserved_for, detail);
    Ok(audit::append(store, &note.entry(&record.license_server_id, by, record.added_at))?)
}

fn check_contacts(contacts: &[String]) -> Result<(), OperatorError> {
    let wrong = contacts.iter().find(|contact| contact.parse::<Address>().is_err());
    wrong.map_or(Ok(()), |wrong| Err(OperatorError::Contact(wrong.clone())))
}

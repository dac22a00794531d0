//! `import-response`: synchronize via file, second half (P 14). The same checks as over the network.

use std::path::Path;

use serde::Serialize;
use solme_sync_protocol::{FileError, Receipt, Signed, SyncFile, Unreadable, UtcTime, limits};

use super::Context;
use super::outcome::{Outcome, Synchronization};
use super::session::{Ending, Session, Step};
use crate::conduct::{Conduct, Document};
use crate::core::{AnswerError, Applied, Carrier, Changes, CheckedRefusal, FileFailure, read_receipt, read_refusal};
use crate::output::{Error, Report, rfc3339};
use crate::store::{Keeper, Turn, read_bounded};

const EVENT: &str = "import-response";

/// What a response file turned out to hold.
pub(crate) enum Found {
    Accepted(Applied),
    AlreadyApplied { sequence: u64 },
    Refused(CheckedRefusal),
}

/// What a response file brought, or would bring.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Import {
    /// How it ended; after a dry run, how it would.
    #[serde(flatten)]
    pub synchronization: Synchronization,
    /// Whether nothing was stored; `None` if the file was not looked at, because the key pair was cleared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<bool>,
    /// The deadline that a dry run found.
    #[serde(serialize_with = "rfc3339", skip_serializing_if = "Option::is_none")]
    pub would_synchronize_by: Option<UtcTime>,
}

impl Import {
    pub(super) fn report(&self) -> Report {
        let mut text = self.synchronization.text();
        if self.would_synchronize_by.is_some() {
            text.next("Import it without --dry-run.");
        }
        Report::of(self.synchronization.exit(), self, text)
    }
}

/// Reads a response file, and applies it but for a dry run.
pub(crate) fn import(context: &Context, file: &Path, dry_run: bool) -> Result<Import, Error> {
    // Read before anything is locked: it may come from a pipe.
    let answer = read(file, context.place.conduct);
    let _turn = Turn::take(&context.place, EVENT)?;
    let session = Session::open(context, EVENT)?;
    let imported = |synchronization, would_synchronize_by| Import {
        synchronization,
        dry_run: Some(dry_run),
        would_synchronize_by,
    };
    // Also what was on its way when the key pair was cleared no longer counts.
    if let Some(outcome) = Outcome::cleared(&session, Carrier::File) {
        return Ok(Import { dry_run: None, ..imported(outcome.of(&session), None) });
    }
    let found = answer.and_then(|(message, payload)| check(&message, payload.as_deref(), &session));
    if dry_run {
        let (outcome, by) = preview(&session, found?);
        return Ok(imported(outcome.of(&session), by));
    }
    let (session, outcome) = act(session, found)?;
    Ok(imported(outcome?.of(&session), None))
}

/// The answer in the file, and its payload.
fn read(file: &Path, conduct: &dyn Conduct) -> Result<(String, Option<Vec<u8>>), FileFailure> {
    let unreadable = |error: std::io::Error| {
        let named = || format!("the file {}", file.display());
        let what = if file == Path::new("-") { "standard input".to_owned() } else { named() };
        FileFailure::Unreadable { what, detail: error.to_string() }
    };
    let bytes = read_bounded(file, limits::FILE).map_err(unreadable)?;
    match SyncFile::parse(&conduct.document(Document::ResponseFile, &bytes)) {
        Ok(SyncFile::Response { message, payload }) => Ok((message, payload)),
        Ok(SyncFile::Request(_)) => Err(FileFailure::RequestInstead),
        Err(error) => Err(match error {
            FileError::TooLarge { .. } => FileFailure::TooLarge { detail: error.to_string() },
            FileError::NotASyncFile => FileFailure::NotAResponse,
            FileError::Truncated => FileFailure::Truncated,
            FileError::Damaged(detail) => FileFailure::Damaged { detail },
            FileError::Version(_) => FileFailure::NewerVersion { detail: error.to_string() },
        }),
    }
}

/// The checks of P 11; nothing is stored.
pub(crate) fn check<K>(message: &str, payload: Option<&[u8]>, session: &Session<K>) -> Result<Found, FileFailure> {
    let damaged = |detail: &str| Err(FileFailure::Damaged { detail: detail.to_owned() });
    // The `typ` tells receipt from refusal; the payload comes with a receipt, and only there (P 14.2, 14.5).
    let given = session.identity.conduct.message(message, &session.identity.trust);
    let is_refusal = matches!(Signed::<Receipt>::parse(&given), Err(Unreadable::Type { .. }));
    match payload {
        None if is_refusal => check_refusal(message, session),
        None => damaged("its payload is missing"),
        Some(_) if is_refusal => damaged("it has a payload and no receipt"),
        Some(payload) => check_receipt(message, payload, session),
    }
}

fn check_refusal<K>(message: &str, session: &Session<K>) -> Result<Found, FileFailure> {
    let given = read_refusal(message, &session.identity)?;
    Ok(Found::Refused(given.refuses(session.outstanding.as_ref(), &session.identity)?))
}

fn check_receipt<K>(message: &str, payload: &[u8], session: &Session<K>) -> Result<Found, FileFailure> {
    let (identity, outstanding) = (&session.identity, session.outstanding.as_ref());
    let given = read_receipt(message, identity)?;
    let receipt = match given.answers(outstanding, session.server.last_receipt(), identity) {
        Ok(receipt) => receipt,
        // A success that changes nothing (P 11.11), unless what it brought was tampered with since.
        Err(AnswerError::AlreadyApplied { sequence })
            if session.server.applied().is_some() && identity.conduct.takes_again() =>
        {
            return Ok(Found::AlreadyApplied { sequence });
        }
        Err(wrong) => return Err(wrong.into()),
    };
    let Some(outstanding) = outstanding else { unreachable!("a receipt that passed answers the outstanding request") };
    Ok(Found::Accepted(receipt.open(payload, &outstanding.sealing_key)?))
}

pub(crate) fn act<K: Keeper>(
    mut session: Session<K>,
    found: Result<Found, FileFailure>,
) -> Step<K, Result<Outcome, FileFailure>> {
    match found {
        Ok(Found::Accepted(applied)) => {
            let (session, changes) = session.apply(applied, false, EVENT)?;
            Ok((session, Ok(synchronized(changes))))
        }
        Ok(Found::AlreadyApplied { sequence }) => {
            let outcome = already_applied(sequence);
            let ending = Ending { outcome: "synchronized", code: outcome.code, message: &outcome.message };
            session.note(EVENT, ending)?;
            Ok((session, Ok(outcome)))
        }
        Ok(Found::Refused(refusal)) => {
            let outcome = Outcome::refused(&refusal.refusal, Carrier::File);
            Ok((session.refused(refusal, Carrier::File, EVENT)?, Ok(outcome)))
        }
        Err(failure) => {
            session.failed(EVENT, failure.code(), &failure.to_string())?;
            Ok((session, Err(failure)))
        }
    }
}

/// What would be stored, and the deadline that would bring.
fn preview(session: &Session, found: Found) -> (Outcome, Option<UtcTime>) {
    match found {
        Found::Accepted(applied) => {
            let (changes, by) = (session.changes(&applied), applied.receipt().synchronize_by);
            let mut outcome = synchronized(changes);
            outcome.message = format!("the file can be imported; the deadline would become {by}. Nothing was stored");
            (outcome, Some(by))
        }
        Found::AlreadyApplied { sequence } => (already_applied(sequence), None),
        Found::Refused(refusal) => (Outcome::refused(&refusal.refusal, Carrier::File), None),
    }
}

fn synchronized(changes: Changes) -> Outcome {
    Outcome::synchronized("synchronized", "the response was imported".to_owned(), changes)
}

fn already_applied(sequence: u64) -> Outcome {
    let message = format!("already imported (synchronization {sequence}); nothing changed");
    Outcome::synchronized("already-applied", message, Changes::default())
}

//! `synchronize`: direct synchronization over ports 443 and 8080 (P 13).

use solme_sync_protocol::limits;

use super::Context;
use super::answered::Outcome;
use super::session::{Asked, Ending, Session};
use crate::core::{
    Answered, Applied, Carrier, Changes, CheckedRefusal, Failure, Fate, changes_between, interpret_answer,
    interpret_payload,
};
use crate::mutant::Mutant;
use crate::output::{Report, Trouble};
use crate::store::{End, LocalStateError, Turn};
use crate::transport::Transport;

const EVENT: &str = "synchronize";

pub(super) fn run(context: &Context) -> Result<Report, Trouble> {
    let turn = Turn::take(&context.place, EVENT)?;
    let (session, outcome) = synchronize(context, Session::open(context, EVENT)?, &turn)?;
    Ok(outcome.report(&session))
}

/// A synchronization, by whoever has the turn.
pub(super) fn synchronize(
    context: &Context,
    mut session: Session,
    _turn: &Turn,
) -> Result<(Session, Outcome), LocalStateError> {
    if let Some(outcome) = Outcome::cleared(&session, Carrier::Direct) {
        session.store.save_times(&session.times)?;
        return Ok((session, outcome));
    }
    match context.transport(&session.identity.trust) {
        Ok(transport) => once_or_twice(context, session, &*transport),
        Err(failure) => failed(session, &failure, None),
    }
}

/// One exchange; and one more when the first answered a request of an earlier run, so that what is shown is fresh
/// (P 12.5).
fn once_or_twice(
    context: &Context,
    mut session: Session,
    transport: &dyn Transport,
) -> Result<(Session, Outcome), LocalStateError> {
    let before = session.server.applied().map(|applied| applied.allocation().clone());
    let of_an_earlier_run = session.outstanding.is_some();
    session.request()?;
    let (mut session, answer) = session.away(context, EVENT, |asked| exchange(asked, transport))?;
    if session.identity.mutant == Some(Mutant::StoresBeforeVerifying) {
        let event = session.event(EVENT, Ending { outcome: "done", code: "mutant", message: "" });
        session.store.note(End { fate: Fate::Ends, cleared: None }, &session.times, &event)?;
    }
    let Answer { end, retry_after } = answer;
    let session = match end {
        Ok(Exchanged::Accepted(applied)) => session.apply(applied, !of_an_earlier_run, EVENT)?.0,
        Ok(Exchanged::Refused(refusal)) => return refused(session, refusal, Changes::default(), retry_after),
        Err(failure) => return failed(session, &failure, retry_after),
    };
    let changes = |session: &Session| match session.server.applied() {
        Some(applied) => changes_between(before.as_ref(), applied.allocation()),
        None => Changes::default(),
    };
    if !of_an_earlier_run {
        let outcome = synchronized(changes(&session));
        return Ok((session, outcome));
    }
    once_more(context, session, transport, changes)
}

/// The second request of a run. The first was answered and applied, so a failure now is only worth a note.
fn once_more(
    context: &Context,
    mut session: Session,
    transport: &dyn Transport,
    changes: impl Fn(&Session) -> Changes,
) -> Result<(Session, Outcome), LocalStateError> {
    session.request()?;
    let (mut session, answer) = session.away(context, EVENT, |asked| exchange(asked, transport))?;
    match answer.end {
        Ok(Exchanged::Accepted(applied)) => {
            let (session, _) = session.apply(applied, true, EVENT)?;
            let outcome = synchronized(changes(&session));
            Ok((session, outcome))
        }
        Ok(Exchanged::Refused(refusal)) => {
            let changes = changes(&session);
            refused(session, refusal, changes, answer.retry_after)
        }
        Err(failure) => {
            let message = failure.message();
            session.note(EVENT, Ending { outcome: "failed", code: failure.code(), message: &message })?;
            let mut outcome = synchronized(changes(&session));
            outcome.notes.push(format!(
                "this is the answer to an earlier request; a fresh one could not be made ({}): {message}",
                failure.code()
            ));
            Ok((session, outcome))
        }
    }
}

/// What came back.
struct Answer {
    end: Result<Exchanged, Failure>,
    /// Seconds that the main server asked to wait, over 443 (P 13.7).
    retry_after: Option<u64>,
}

/// What the main server decided.
enum Exchanged {
    Accepted(Applied),
    Refused(CheckedRefusal),
}

/// Sends the outstanding request and fetches the payload. Changes nothing.
fn exchange(asked: &Asked<'_>, transport: &dyn Transport) -> Answer {
    let mut retry_after = None;
    let end = ask_and_fetch(asked, transport, &mut retry_after);
    Answer { end, retry_after }
}

fn ask_and_fetch(
    asked: &Asked<'_>,
    transport: &dyn Transport,
    retry_after: &mut Option<u64>,
) -> Result<Exchanged, Failure> {
    let Asked { identity, last, outstanding } = *asked;
    let mut not_found_at = String::new();
    // To a 404 the same request is sent again, once (P 13.5).
    let tries = if identity.mutant == Some(Mutant::GivesUpAtA404) { 1 } else { 2 };
    for _ in 0..tries {
        let answer = transport.post_request(&outstanding.jws)?;
        *retry_after = answer.retry_after();
        let receipt = match interpret_answer(&answer, outstanding, last, identity)? {
            Answered::Receipt(receipt) => receipt,
            Answered::Refusal(refusal) => return Ok(Exchanged::Refused(refusal)),
        };
        let size = receipt.payload_size();
        let at_most = usize::try_from(size).unwrap_or(usize::MAX).min(limits::PAYLOAD);
        let answer = transport.get_payload(receipt.payload_name(), at_most)?;
        not_found_at.clone_from(&answer.at);
        if let Some(payload) = interpret_payload(answer, size)? {
            let applied = receipt.open(&payload, &outstanding.sealing_key).map_err(Failure::PayloadWrong)?;
            return Ok(Exchanged::Accepted(applied));
        }
    }
    Err(Failure::PayloadNotFound { at: not_found_at })
}

fn synchronized(changes: Changes) -> Outcome {
    Outcome::synchronized("synchronized", "synchronized with the main server".to_owned(), changes)
}

fn refused(
    session: Session,
    refusal: CheckedRefusal,
    changes: Changes,
    retry_after: Option<u64>,
) -> Result<(Session, Outcome), LocalStateError> {
    let outcome = Outcome { changes, retry_after, ..Outcome::refused(&refusal.refusal, Carrier::Direct) };
    Ok((session.refused(refusal, Carrier::Direct, EVENT)?, outcome))
}

fn failed(
    mut session: Session,
    failure: &Failure,
    retry_after: Option<u64>,
) -> Result<(Session, Outcome), LocalStateError> {
    let message = failure.message();
    session.note(EVENT, Ending { outcome: "failed", code: failure.code(), message: &message })?;
    Ok((session, Outcome { retry_after, ..Outcome::failed(failure) }))
}

//! `synchronize`: direct synchronization over ports 443 and 8080 (P 13).

use solme_sync_protocol::limits;

use super::Context;
use super::answered::Outcome;
use super::session::{Asked, Session};
use crate::core::{
    Answered, Applied, Carrier, Changes, CheckedRefusal, Failure, Role, changes_between, interpret_answer,
    interpret_payload,
};
use crate::output::{Report, Trouble};
use crate::store::{LocalStateError, Turn};
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
    let (session, answer) = session.away(context, EVENT, |asked| exchange(asked, transport))?;
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
    if !of_an_earlier_run || !session.identity.conduct.asks_once_more() {
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
            session.failed(EVENT, failure.code(), &message)?;
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
    let conduct = identity.conduct;
    for _ in 0..conduct.tries() {
        let answer = conduct.answer(Role::Https, transport.post_request(&conduct.sends(&outstanding.jws))?);
        *retry_after = answer.retry_after();
        let receipt = match interpret_answer(&answer, outstanding, last, identity)? {
            Answered::Receipt(receipt) => receipt,
            Answered::Refusal(refusal) => return Ok(Exchanged::Refused(refusal)),
        };
        let size = receipt.payload_size();
        let at_most = usize::try_from(size).unwrap_or(usize::MAX).min(limits::PAYLOAD);
        let answer = conduct.answer(Role::Http, transport.get_payload(receipt.payload_name(), at_most)?);
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
    session.failed(EVENT, failure.code(), &failure.message())?;
    Ok((session, Outcome { retry_after, ..Outcome::failed(failure) }))
}

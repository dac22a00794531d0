//! `synchronize`: direct synchronization over ports 443 and 8080 (P 13).

use solme_sync_protocol::UtcTime;

use super::Context;
use super::outcome::{Outcome, Synchronization};
use super::session::{Session, Step};
use crate::core::{Answer, Asked, Carrier, Changes, End, Exchange, Failure, Round, changes_between};
use crate::output::Error;
use crate::store::{Keeper, Store, Turn};
use crate::transport::{Connection, Transport};

const EVENT: &str = "synchronize";

pub(crate) fn once(context: &Context, transport: &dyn Transport) -> Result<Synchronization, Error> {
    let turn = Turn::take(&context.place, EVENT)?;
    let (session, outcome) = synchronize(context, Session::open(context, EVENT)?, transport, &turn)?;
    Ok(outcome.of(&session))
}

/// A synchronization, for the caller that has the turn.
pub(super) fn synchronize(
    context: &Context,
    mut session: Session,
    transport: &dyn Transport,
    _turn: &Turn,
) -> Step<Store, Outcome> {
    if let Some(outcome) = Outcome::cleared(&session, Carrier::Direct) {
        session.store.save_times(&session.times)?;
        return Ok((session, outcome));
    }
    let trust = session.identity.trust.clone();
    match transport.connect(&trust) {
        Ok(connection) => {
            let (session, outcome) = carry(session, &*connection, || context.now())?;
            context.prove(&session);
            Ok((session, outcome))
        }
        Err(failure) => failed(session, &failure, None),
    }
}

/// Carries what the core asks for, and stores what it makes of the answers.
pub(crate) fn carry<K: Keeper>(
    mut session: Session<K>,
    connection: &dyn Connection,
    now: impl Fn() -> UtcTime,
) -> Step<K, Outcome> {
    let before = session.server.applied().map(|applied| applied.allocation().clone());
    let changes = |session: &Session<K>| match session.server.applied() {
        Some(applied) => changes_between(before.as_ref(), applied.allocation()),
        None => Changes::default(),
    };
    let mut round = Round::first(session.outstanding.is_some());
    loop {
        session.request()?;
        let (mut answered, Answer { end, retry_after }) = session.away(&now, |asked| exchange(asked, connection))?;
        match round.ends(end, answered.identity.conduct) {
            End::Apply { applied, next } => {
                (session, _) = answered.apply(applied, round.is_of_this_run(), EVENT)?;
                let Some(next) = next else {
                    let outcome = synchronized(changes(&session));
                    return Ok((session, outcome));
                };
                round = next;
            }
            End::Refused(refusal) => {
                let changes = changes(&answered);
                let outcome = Outcome { changes, retry_after, ..Outcome::refused(&refusal.refusal, Carrier::Direct) };
                return Ok((answered.refused(refusal, Carrier::Direct, EVENT)?, outcome));
            }
            End::Failed(failure) => return failed(answered, &failure, retry_after),
            End::Noted(failure) => {
                let (code, message) = (failure.code(), failure.message());
                answered.failed(EVENT, code, &message)?;
                let mut outcome = synchronized(changes(&answered));
                outcome
                    .notes
                    .push(format!("this answers an earlier request; a new request failed ({code}): {message}"));
                return Ok((answered, outcome));
            }
        }
    }
}

/// Sends the outstanding request and fetches the payload. Changes nothing.
fn exchange(asked: Asked<'_>, connection: &dyn Connection) -> Answer {
    let mut next = Exchange::begin(asked);
    loop {
        next = match next {
            Exchange::Post(post) => {
                let answer = connection.post_request(&post.request());
                post.answered(answer)
            }
            Exchange::Get(get) => {
                let answer = connection.get_payload(get.name(), get.at_most());
                get.answered(answer)
            }
            Exchange::Ended(answer) => return answer,
        };
    }
}

fn synchronized(changes: Changes) -> Outcome {
    Outcome::synchronized("synchronized", "synchronized with the main server".to_owned(), changes)
}

fn failed<K: Keeper>(mut session: Session<K>, failure: &Failure, retry_after: Option<u64>) -> Step<K, Outcome> {
    session.failed(EVENT, failure.code(), &failure.message())?;
    Ok((session, Outcome { retry_after, ..Outcome::failed(failure) }))
}

//! One direct synchronization as a machine (P 12, 13): what is sent next, and what its end does. The shell carries.

use std::borrow::Cow;

use solme_sync_protocol::{PayloadName, limits};

use super::{
    Applied, CheckedAnswer, CheckedReceipt, CheckedRefusal, Failure, HttpAnswer, Identity, LastReceipt, Outstanding,
    Role, interpret_answer, interpret_payload,
};
use crate::conduct::Conduct;

/// A request that is on its way, and what its answer is held against.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) identity: &'a Identity,
    pub(crate) last: Option<&'a LastReceipt>,
    pub(crate) outstanding: &'a Outstanding,
}

/// What is to be done next for a request.
pub(crate) enum Exchange<'a> {
    /// Send the request on the 443 role.
    Post(Post<'a>),
    /// Fetch the payload on the 8080 role.
    Get(Get<'a>),
    /// Nothing: this is the answer.
    Ended(Answer),
}

/// How a request was answered.
pub(crate) struct Answer {
    pub(crate) end: Result<Exchanged, Failure>,
    /// Seconds that the main server asked to wait, over 443 (P 13.7).
    pub(crate) retry_after: Option<u64>,
}

/// What the main server decided.
pub(crate) enum Exchanged {
    Accepted(Applied),
    Refused(CheckedRefusal),
}

/// The request is to be sent.
pub(crate) struct Post<'a> {
    asked: Asked<'a>,
    /// How often it may be sent again after this time.
    again: u32,
    retry_after: Option<u64>,
}

/// A receipt came; its payload is to be fetched.
pub(crate) struct Get<'a> {
    post: Post<'a>,
    receipt: CheckedReceipt,
}

impl<'a> Exchange<'a> {
    pub(crate) fn begin(asked: Asked<'a>) -> Self {
        let again = asked.identity.conduct.tries().saturating_sub(1);
        Self::Post(Post { asked, again, retry_after: None })
    }

    fn ended(end: Result<Exchanged, Failure>, retry_after: Option<u64>) -> Self {
        Self::Ended(Answer { end, retry_after })
    }
}

impl<'a> Post<'a> {
    /// The request, as it is sent.
    pub(crate) fn request(&self) -> Cow<'a, str> {
        self.asked.identity.conduct.sends(&self.asked.outstanding.jws)
    }

    pub(crate) fn answered(mut self, answer: Result<HttpAnswer, Failure>) -> Exchange<'a> {
        let Asked { identity, last, outstanding } = self.asked;
        let answer = match answer {
            Ok(answer) => identity.conduct.answer(Role::Https, answer),
            Err(failure) => return Exchange::ended(Err(failure), self.retry_after),
        };
        self.retry_after = answer.retry_after();
        match interpret_answer(&answer, outstanding, last, identity) {
            Ok(CheckedAnswer::Receipt(receipt)) => Exchange::Get(Get { post: self, receipt }),
            Ok(CheckedAnswer::Refusal(refusal)) => Exchange::ended(Ok(Exchanged::Refused(refusal)), self.retry_after),
            Err(failure) => Exchange::ended(Err(failure), self.retry_after),
        }
    }
}

impl<'a> Get<'a> {
    pub(crate) const fn name(&self) -> &PayloadName {
        self.receipt.payload_name()
    }

    /// Bytes after which a body is too long.
    pub(crate) fn at_most(&self) -> usize {
        usize::try_from(self.receipt.payload_size()).unwrap_or(usize::MAX).min(limits::PAYLOAD)
    }

    /// The 8080 role answered. To a 404 the same request is sent again, once (P 13.5).
    pub(crate) fn answered(self, answer: Result<HttpAnswer, Failure>) -> Exchange<'a> {
        let Post { asked, again, retry_after } = self.post;
        let opened = answer.and_then(|answer| {
            let answer = asked.identity.conduct.answer(Role::Http, answer);
            let at = answer.at.clone();
            match interpret_payload(answer, self.receipt.payload_size())? {
                Some(payload) => {
                    let opened = self.receipt.open(&payload, &asked.outstanding.sealing_key);
                    opened.map(Some).map_err(Failure::PayloadWrong)
                }
                None if again > 0 => Ok(None),
                None => Err(Failure::PayloadNotFound { at }),
            }
        });
        match opened {
            Ok(Some(applied)) => Exchange::ended(Ok(Exchanged::Accepted(applied)), retry_after),
            Ok(None) => Exchange::Post(Post { asked, again: again - 1, retry_after }),
            Err(failure) => Exchange::ended(Err(failure), retry_after),
        }
    }
}

/// Which request of a run an answer is to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Round {
    /// One of an earlier run.
    Earlier,
    /// One of this run, and the first.
    Fresh,
    /// One of this run, after the answer to one of an earlier run was applied.
    OnceMore,
}

/// What an answer does.
pub(crate) enum End {
    /// It is applied, and another round may follow.
    Apply {
        applied: Applied,
        next: Option<Round>,
    },
    Refused(CheckedRefusal),
    /// There is none.
    Failed(Failure),
    /// There is none, and what was applied before stays: it is only worth a note.
    Noted(Failure),
}

impl Round {
    /// The first round of a run; `outstanding`: a request was.
    pub(crate) const fn first(outstanding: bool) -> Self {
        if outstanding { Self::Earlier } else { Self::Fresh }
    }

    /// Whether the request was made in this run.
    pub(crate) const fn is_of_this_run(self) -> bool {
        !matches!(self, Self::Earlier)
    }

    /// What the answer does. One more request follows the answer to one of an earlier run, so that what is shown is
    /// fresh (P 12.5).
    pub(crate) fn ends(self, end: Result<Exchanged, Failure>, conduct: &dyn Conduct) -> End {
        match (end, self) {
            (Ok(Exchanged::Accepted(applied)), round) => {
                let more = round == Self::Earlier && conduct.asks_once_more();
                End::Apply { applied, next: more.then_some(Self::OnceMore) }
            }
            (Ok(Exchanged::Refused(refusal)), _) => End::Refused(refusal),
            (Err(failure), Self::Earlier | Self::Fresh) => End::Failed(failure),
            (Err(failure), Self::OnceMore) => End::Noted(failure),
        }
    }
}

#[cfg(test)]
mod tests {
    use solme_sync_protocol::RefusalCode;

    use super::*;
    use crate::conduct::Standard;
    use crate::tests::world::{MAIN_TIME, World, allocation, http};

    #[test]
    fn a_request_of_an_earlier_run_is_answered_first() {
        assert_eq!((Round::first(true), Round::first(false)), (Round::Earlier, Round::Fresh));
        let of_this_run = [Round::Earlier, Round::Fresh, Round::OnceMore].map(Round::is_of_this_run);
        assert_eq!(of_this_run, [false, true, true]);
    }

    fn not_found() -> Result<HttpAnswer, Failure> {
        Ok(http(404, "text/plain", ""))
    }

    fn post(exchange: Exchange<'_>) -> Post<'_> {
        let Exchange::Post(post) = exchange else { panic!("the request is not sent") };
        post
    }

    fn get(exchange: Exchange<'_>) -> Get<'_> {
        let Exchange::Get(get) = exchange else { panic!("the payload is not fetched") };
        get
    }

    fn ended(exchange: Exchange<'_>) -> Answer {
        let Exchange::Ended(answer) = exchange else { panic!("it has not ended") };
        answer
    }

    #[test]
    fn the_same_request_is_sent_again_after_one_404_and_not_after_two() {
        let world = World::new();
        let outstanding = world.outstanding();
        let asked = Asked { identity: &world.identity, last: None, outstanding: &outstanding };
        let (receipt, payload) = world.main.accept(&outstanding.jws, &allocation(1, &[0]), 1, MAIN_TIME);
        let receipt = || Ok(http(200, "application/jose", world.main.sign(&receipt)));
        let first = get(post(Exchange::begin(asked)).answered(receipt()));
        assert_eq!(first.at_most(), payload.len());
        let again = post(first.answered(not_found()));
        assert_eq!(again.request(), outstanding.jws);
        let found = ended(get(again.answered(receipt())).answered(Ok(http(200, "application/octet-stream", payload))));
        assert!(matches!(found.end, Ok(Exchanged::Accepted(_))));
        let again = post(get(post(Exchange::begin(asked)).answered(receipt())).answered(not_found()));
        let lost = ended(get(again.answered(receipt())).answered(not_found()));
        assert!(matches!(lost.end, Err(Failure::PayloadNotFound { .. })));
    }

    #[test]
    fn a_refusal_and_a_failure_end_it_with_what_the_443_role_asked_to_wait() {
        let world = World::new();
        let outstanding = world.outstanding();
        let asked = Asked { identity: &world.identity, last: None, outstanding: &outstanding };
        let refusal = world.main.sign(&world.main.refuse(&outstanding.jws, RefusalCode::RateLimited));
        let problem =
            solme_sync_protocol::Problem::carrying(RefusalCode::RateLimited, String::new(), String::new(), refusal);
        let body = serde_json::to_vec(&problem).unwrap();
        let wait = |answer| HttpAnswer { retry_after: Some("7".to_owned()), ..answer };
        let refused = post(Exchange::begin(asked)).answered(Ok(wait(http(429, "application/problem+json", body))));
        let refused = ended(refused);
        assert!(matches!(refused.end, Ok(Exchanged::Refused(_))) && refused.retry_after == Some(7));
        let failed = ended(post(Exchange::begin(asked)).answered(Ok(wait(http(503, "text/plain", "")))));
        assert!(matches!(failed.end, Err(Failure::MainServerTrouble { .. })) && failed.retry_after == Some(7));
        let cut = ended(post(Exchange::begin(asked)).answered(Err(Failure::Stopped)));
        assert!(matches!(cut.end, Err(Failure::Stopped)) && cut.retry_after.is_none());
    }

    #[test]
    fn one_more_request_follows_the_answer_to_one_of_an_earlier_run_and_no_other() {
        let world = World::new();
        let accepted = || Ok(Exchanged::Accepted(world.applied()));
        let next = |round: Round| match round.ends(accepted(), &Standard) {
            End::Apply { next, .. } => next,
            _ => panic!("it is not applied"),
        };
        assert_eq!(next(Round::first(true)), Some(Round::OnceMore));
        assert_eq!([Round::first(false), Round::OnceMore].map(next), [None, None]);
        let failed = |round: Round| round.ends(Err(Failure::Stopped), &Standard);
        assert!(matches!(failed(Round::Earlier), End::Failed(_)) && matches!(failed(Round::Fresh), End::Failed(_)));
        assert!(matches!(failed(Round::OnceMore), End::Noted(_)), "what was applied stands");
    }
}

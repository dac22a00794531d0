//! Both ports of the main server, for one synchronization.

use std::cell::{Cell, RefCell};

use license_server::testing::HttpAnswer;
use license_server::{Connection, Failure, PortFault, Role};
use solme_sync_protocol::{PayloadName, Problem, RefusalCode};

use super::parts::{At, Fault, Given, Id, Parts, Verdict};

/// Seconds that a main server which is busy, or in trouble, asks to wait.
pub(crate) const RETRY_AFTER: u64 = 1_800;

pub(crate) struct Wire<'a> {
    pub(crate) parts: &'a Parts,
    pub(crate) now: At,
    pub(crate) fault: Fault,
    pub(crate) main: Cell<Id>,
    pub(crate) given: RefCell<Vec<Given>>,
    pub(crate) held_back: Cell<Option<Id>>,
}

fn unreachable(role: Role) -> Failure {
    Failure::Port { role, fault: PortFault::TimedOut, at: "main".to_owned(), detail: String::new() }
}

impl Wire<'_> {
    fn process(&self, request: Id) -> Given {
        let given = self.parts.process(self.main.get(), request, self.now, self.fault);
        self.main.set(given.after);
        self.given.borrow_mut().push(given);
        given
    }
}

impl Connection for Wire<'_> {
    fn post_request(&self, request: &str) -> Result<HttpAnswer, Failure> {
        if self.fault == Fault::Unreachable {
            return Err(unreachable(Role::Https));
        }
        let request = self.parts.request_id(request.to_owned());
        if self.fault == Fault::HeldBack {
            self.held_back.set(Some(request));
            return Err(Failure::Stopped);
        }
        let mut given = self.process(request);
        if self.fault == Fault::Doubled {
            given = self.process(request);
        }
        let lost = match self.fault {
            Fault::ReplyLost => 1,
            Fault::SecondReplyLost => 2,
            _ => 0,
        };
        if self.given.borrow().len() == lost {
            return Err(Failure::Stopped);
        }
        let answer = self.parts.answer(given.answer);
        let http = |status, media_type: &str, body| HttpAnswer::new("main", status, Some(media_type.to_owned()), body);
        Ok(match given.verdict {
            Verdict::Refused(code) => {
                let problem = Problem::carrying(code, String::new(), String::new(), answer.message.clone());
                let body = serde_json::to_vec(&problem).unwrap();
                let mut refused = http(code.http_status(), "application/problem+json", body);
                let wait = matches!(code, RefusalCode::RateLimited | RefusalCode::TemporarilyUnavailable);
                refused.retry_after = wait.then(|| RETRY_AFTER.to_string());
                refused
            }
            Verdict::Accepted | Verdict::Again => http(200, "application/jose", answer.message.clone().into_bytes()),
        })
    }

    fn get_payload(&self, _: &PayloadName, _: usize) -> Result<HttpAnswer, Failure> {
        if self.fault == Fault::PayloadUnreachable {
            return Err(unreachable(Role::Http));
        }
        let newest = self.given.borrow().last().map(|given| given.answer).unwrap();
        let payload = self.parts.answer(newest).payload.clone();
        Ok(match payload.filter(|_| self.fault != Fault::PayloadNotFound) {
            Some(payload) => HttpAnswer::new("main", 200, Some("application/octet-stream".to_owned()), payload),
            None => HttpAnswer::new("main", 404, None, Vec::new()),
        })
    }

    fn get_health(&self) -> Result<HttpAnswer, Failure> {
        Err(Failure::Stopped)
    }

    fn proxy(&self, _: Role) -> Option<String> {
        None
    }
}

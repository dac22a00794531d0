//! The way to the main server, with each step told to the open pages. It carries what the transport carries.

use std::cell::Cell;

use serde::Serialize;
use solme_sync_pages::Feed;
use solme_sync_protocol::{PayloadName, TrustFile};

use crate::core::{Failure, HttpAnswer, Role};
use crate::transport::{Connection, Transport};

/// A step of a synchronization, as a person follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Phase {
    Prepare,
    Port443,
    Port8080,
    Check,
}

impl Phase {
    pub(super) const ALL: [Self; 4] = [Self::Prepare, Self::Port443, Self::Port8080, Self::Check];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::Port443 => "port443",
            Self::Port8080 => "port8080",
            Self::Check => "check",
        }
    }
}

/// A transport that tells.
pub(super) struct Carried<'a> {
    transport: &'a dyn Transport,
    told: Told<'a>,
}

struct Told<'a> {
    feed: &'a Feed,
    now: Cell<Phase>,
}

#[derive(Serialize)]
struct Event {
    phase: &'static str,
    state: &'static str,
}

impl Told<'_> {
    fn begins(&self, phase: Phase) {
        self.now.set(phase);
        self.feed.send("phase", &Event { phase: phase.as_str(), state: "doing" });
    }
}

impl<'a> Carried<'a> {
    pub(super) fn new(transport: &'a dyn Transport, feed: &'a Feed) -> Self {
        let told = Told { feed, now: Cell::new(Phase::Prepare) };
        told.begins(Phase::Prepare);
        Self { transport, told }
    }

    /// The last step is done, or the one that was under way failed.
    pub(super) fn end(&self, synchronized: bool) {
        let state = if synchronized { "done" } else { "failed" };
        self.told.feed.send("phase", &Event { phase: self.told.now.get().as_str(), state });
    }
}

impl Transport for Carried<'_> {
    fn connect<'a>(&'a self, main_server: &TrustFile) -> Result<Box<dyn Connection + 'a>, Failure> {
        let connection = self.transport.connect(main_server)?;
        Ok(Box::new(CarriedConnection { connection, told: &self.told }))
    }
}

struct CarriedConnection<'a> {
    connection: Box<dyn Connection + 'a>,
    told: &'a Told<'a>,
}

impl Connection for CarriedConnection<'_> {
    fn post_request(&self, request: &str) -> Result<HttpAnswer, Failure> {
        self.told.begins(Phase::Port443);
        self.connection.post_request(request)
    }

    fn get_payload(&self, name: &PayloadName, at_most: usize) -> Result<HttpAnswer, Failure> {
        self.told.begins(Phase::Port8080);
        let payload = self.connection.get_payload(name, at_most)?;
        self.told.begins(Phase::Check);
        Ok(payload)
    }

    fn get_health(&self) -> Result<HttpAnswer, Failure> {
        self.connection.get_health()
    }

    fn proxy(&self, role: Role) -> Option<String> {
        self.connection.proxy(role)
    }

    fn issuer(&self) -> Option<String> {
        self.connection.issuer()
    }
}

//! `history`: what happened, newest last.

use serde::Serialize;
use solme_sync_protocol::LicenseServerId;

use super::Context;
use crate::output::{Error, Exit, PLAIN, Report, Text};
use crate::store::{PastEvent, Store};

/// What happened, newest last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct History {
    /// The license server id.
    pub license_server_id: LicenseServerId,
    /// The newest 1,000 events.
    pub events: Vec<PastEvent>,
}

pub(crate) fn history(context: &Context) -> Result<History, Error> {
    let store = Store::open(&context.place, "history")?;
    Ok(History { license_server_id: store.identity()?.license_server_id, events: store.history()? })
}

impl History {
    pub(super) fn report(&self) -> Report {
        let mut text = Text::default();
        for event in &self.events {
            let PastEvent { at, event, outcome, code, message, .. } = event;
            text.row(4, PLAIN, "", format_args!("{at}  {event:<16} {outcome:<13} {code}"));
            text.row(4, PLAIN, "", format_args!("    {message}"));
        }
        text.next("`license-server status` shows the current state.");
        Report::of(Exit::Done, self, text)
    }
}

//! `history`: what happened, newest last.

use serde_json::json;

use super::Context;
use crate::output::{Exit, Report, Text, Trouble};
use crate::store::Store;

pub(super) fn run(context: &Context) -> Result<Report, Trouble> {
    let store = Store::open(&context.place, "history")?;
    let identity = store.identity()?;
    let events = store.history()?;
    let mut text = Text::default();
    for event in &events {
        text.line(format_args!("{}  {:<16} {:<13} {}", event.at, event.event, event.outcome, event.code));
        text.line(format_args!("    {}", event.message));
    }
    text.next("`license-server status` shows where this has led to.");
    let events: Vec<_> = events
        .iter()
        .map(|event| {
            json!({
                "at": event.at.to_string(),
                "event": event.event,
                "outcome": event.outcome,
                "code": event.code,
                "message": event.message,
                "key_thumbprint": event.key_thumbprint,
            })
        })
        .collect();
    let json = json!({ "license_server_id": identity.license_server_id, "events": events });
    Ok(Report::new(Exit::Done, json, text))
}

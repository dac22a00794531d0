//! Server-sent events of the admin API, as they come in pieces.

use crate::main_server::JournalEntry;

/// Something that happened.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// An exchange, without its bytes.
    Exchange(Box<JournalEntry>),
    /// So many events were dropped, since they came faster than they were read.
    Lagged(u64),
}

/// What has come of a line that has not ended, and of an event.
#[derive(Debug, Default)]
pub(super) struct Events {
    line: Vec<u8>,
    name: String,
}

impl Events {
    /// The events that are whole after these bytes. Other events, comments and what cannot be read are nothing to a
    /// journal. Our main server sends the data of an event on one line, after its name.
    pub(super) fn after(&mut self, bytes: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        for byte in bytes {
            if *byte != b'\n' {
                self.line.push(*byte);
                continue;
            }
            let line = std::mem::take(&mut self.line);
            let line = String::from_utf8_lossy(&line);
            if let Some(name) = line.strip_prefix("event: ") {
                name.clone_into(&mut self.name);
            } else if let Some(data) = line.strip_prefix("data: ") {
                events.extend(event(&std::mem::take(&mut self.name), data));
            }
        }
        events
    }
}

fn event(name: &str, data: &str) -> Option<Event> {
    match name {
        "exchange" => serde_json::from_str(data).ok().map(Event::Exchange),
        "lagged" => data.parse().ok().map(Event::Lagged),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_whole_however_they_are_cut() {
        let stream = ": still there\n\nevent: changed\ndata: \"/ids\"\n\nevent: lagged\ndata: 17\n\nevent: exchange\ndata: no JSON\n\n";
        for at in 0..stream.len() {
            let (first, second) = stream.as_bytes().split_at(at);
            let mut events = Events::default();
            let all: Vec<_> = events.after(first).into_iter().chain(events.after(second)).collect();
            assert_eq!(all, [Event::Lagged(17)], "cut at {at}");
        }
    }
}

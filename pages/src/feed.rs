//! What happens, as server-sent events, to each page that is open.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use solme_sync_protocol::printable_json;
use tokio::sync::{Semaphore, broadcast};

use crate::Problem;

/// More open pages than anyone has.
const PAGES: usize = 32;
/// `/house.js` takes a connection for dead that is silent for three of these.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// A feed to all open pages, with bounded memory: a page that does not keep up gets the event `lagged` in place of what it
/// missed, and has to look at the whole again.
#[derive(Debug, Clone)]
pub struct Feed {
    events: broadcast::Sender<Message>,
    places: Arc<Semaphore>,
}

#[derive(Debug, Clone)]
struct Message {
    name: &'static str,
    json: Arc<str>,
}

impl Feed {
    /// Keeps so many events for a page that is slow.
    pub fn new(capacity: usize) -> Self {
        Self { events: broadcast::channel(capacity).0, places: Arc::new(Semaphore::new(PAGES)) }
    }

    /// Tells all open pages. Nothing waits for them.
    pub fn send(&self, name: &'static str, value: &impl Serialize) {
        if self.events.receiver_count() > 0 {
            let json = serde_json::to_string(value).expect("events have string keys");
            let _ = self.events.send(Message { name, json: printable_json(&json).to_string().into() });
        }
    }

    /// The events from now on, for `live` of `/house.js`.
    pub fn subscribe(&self) -> Response {
        let Ok(place) = self.places.clone().try_acquire_owned() else {
            let (message, cure) = ("Too many pages of this program are open", "Close some of them.");
            return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too-many-pages", message, cure).into_response();
        };
        let events = futures_util::stream::unfold((self.events.subscribe(), place), |(mut events, place)| async {
            let event = match events.recv().await {
                Ok(Message { name, json }) => Event::default().event(name).data(json),
                Err(broadcast::error::RecvError::Lagged(missed)) => {
                    Event::default().event("lagged").data(missed.to_string())
                }
                Err(broadcast::error::RecvError::Closed) => return None,
            };
            Some((Ok::<_, std::convert::Infallible>(event), (events, place)))
        });
        Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
    }
}

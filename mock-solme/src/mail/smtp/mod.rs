//! The SMTP listener of the licensing desk (RFC 5321).
//!
//! It takes mails to licensing@solme.se and hands each to a sink before it answers 250: what the client was told is
//! stored. There is no AUTH, no STARTTLS and no relaying: this is a simulator's door on the loopback interface, and a
//! client that wants more than to leave a mail is refused.
//!
//! `lines` cuts the stream, `dialogue` is the state machine (the one of `mailin`, with what it lacks), `connection`
//! gives every wait an end. Who may be connected, and who has to go for a newcomer, is one matter for all listeners
//! ([`crate::connections`]). Invariants: no buffer grows beyond the limits below; a mail ends at CR LF . CR LF and
//! nowhere else; nothing is answered with 250 that the sink has not taken. No trace header is added: a mail is kept as
//! it came.
//!
//! Memory: a connection holds at most one line and one mail, [`MESSAGE_BYTES`]; there are at most 64 of them.

mod connection;
mod dialogue;
mod lines;
mod talk;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use self::connection::Connection;
pub use self::talk::{Talk, talk};
use super::ReceivedMail;
use crate::connections::Listener;

/// Its name in the greeting: no name of a real host.
const NAME: &str = "mock-solme.invalid";
/// Bytes of one mail, announced as SIZE (RFC 1870). A greater one gets 552; what exceeds is not kept.
const MESSAGE_BYTES: usize = 1 << 20;
/// Bytes of a mail that is already too large that are read and thrown away before the connection is cut. A client
/// that ends its mail within them reads an orderly 552.
const DISCARDED_BYTES: usize = 128 << 20;
/// Bytes of one line with its CR LF: the whole read buffer of a connection. A longer one gets 500 and ends the
/// connection. Four times what RFC 5321 section 4.5.3.1.6 allows.
const LINE_BYTES: usize = 4096;
/// Commands of one connection, the lines of mails not counted; then 421.
const COMMANDS: usize = 1000;
/// Commands of one connection answered with an error; then 421.
const ERRORS: usize = 10;
/// Recipients of one mail; a further one gets 452 (RFC 5321 section 4.5.3.1.10).
const RECIPIENTS: usize = 10;
/// The wait for a whole line, and for a client to take an answer; then 421.
const IDLE: Duration = Duration::from_secs(60);
/// From MAIL FROM to the end of the mail, however busily it trickles; then 421.
const MAIL: Duration = Duration::from_secs(300);
/// The wait for the sink; then 451.
const DELIVERY: Duration = Duration::from_secs(30);
/// The wait at shutdown for mails that are under way.
const SHUT_DOWN: Duration = Duration::from_secs(5);

/// What takes a mail: it has stored it once it says `Ok`; else why it could not, for the log (the client reads only 451).
type Sink = dyn Fn(ReceivedMail) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + Send + Sync;

/// A running listener; dropping it ends it and all its connections at once.
#[derive(Debug)]
pub(crate) struct Smtp {
    shut_down: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Smtp {
    /// Takes mails for licensing@solme.se within the current tokio runtime; any other recipient gets 550.
    ///
    /// `sink` may get one mail twice: a client whose connection broke before it read 250 sends again. A sink that takes
    /// longer than 30 s is dropped where it stands.
    pub(crate) fn start<F>(listener: Listener, sink: impl Fn(ReceivedMail) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        let (shut_down, told) = watch::channel(false);
        let task = tokio::spawn(serve(listener, Arc::new(move |mail| Box::pin(sink(mail))), told));
        Self { shut_down, task }
    }

    /// Takes no new connection, tells idle clients 421, and lets mails that are under way end within 5 s.
    pub(crate) async fn shut_down(mut self) {
        self.shut_down.send_replace(true);
        // The task ends by itself; it fails only by a panic, which has been reported where it happened.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Smtp {
    fn drop(&mut self) {
        // The task owns the listener and the set of connections, and takes them with it.
        self.task.abort();
    }
}

async fn serve(listener: Listener, sink: Arc<Sink>, shut_down: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    let mut ends = shut_down.clone();
    loop {
        let accepted = tokio::select! {
            _ = ends.wait_for(|down| *down) => break,
            accepted = listener.accept() => accepted,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, client)) => {
                let connection = Connection::new(stream, client.ip(), Arc::clone(&sink), shut_down.clone());
                connections.spawn(async move {
                    let end = connection.run().await;
                    tracing::debug!(%client, ?end, "mail connection ended");
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a mail connection could not be accepted");
                // Out of descriptors, most likely: what helps is that others end theirs.
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop(listener);
    let all_ended = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(SHUT_DOWN, all_ended).await;
}

//! The SMTP listener of the licensing desk (RFC 5321).
//!
//! It takes mails for a short list of recipients and hands each to a sink before it answers 250: what the client was
//! told is stored. There is no AUTH, no STARTTLS and no relaying: this is a simulator's door on the loopback
//! interface, and a client that wants more than to leave a mail for these recipients is refused.
//!
//! `lines` cuts the stream, `dialogue` is the state machine (the one of `mailin`, with what it lacks), `connection`
//! gives every wait an end, and `slots` keeps silent clients from holding the door shut. Invariants: no buffer grows
//! beyond [`Limits`]; a mail ends at CR LF . CR LF and nowhere else; nothing is answered with 250 that the sink has not
//! taken. No trace header is added: a mail is kept as it came.

mod connection;
mod dialogue;
mod limits;
mod lines;
mod slots;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use self::connection::{Connection, Shared};
use self::slots::{Slot, Slots};
use super::{LICENSING, ReceivedMail};

pub use limits::Limits;

/// How the listener presents itself and what it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Its name in the greeting. Default `mock-solme.invalid`: no name of a real host.
    pub name: String,
    /// The recipients it takes, compared without regard to case; others get 550. Default licensing@solme.se.
    pub recipients: Vec<String>,
    /// What one client, and all of them together, may take.
    pub limits: Limits,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name: "mock-solme.invalid".to_owned(),
            recipients: vec![LICENSING.to_owned()],
            limits: Limits::default(),
        }
    }
}

/// The sink could not take a mail now, and why (for the log; the client reads only 451).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Temporary(pub String);

/// A running listener; dropping it ends it and all its connections at once.
#[derive(Debug)]
pub struct Smtp {
    local_addr: SocketAddr,
    shut_down: watch::Sender<bool>,
    task: JoinHandle<()>,
    slots: Arc<Slots>,
}

impl Smtp {
    /// Starts to serve `listener`, within the current tokio runtime.
    ///
    /// `sink` must have stored a mail when it says `Ok`. It may get one mail twice: a client whose connection broke
    /// before it read 250 sends again. A sink that takes longer than [`Limits::delivery`] is dropped where it stands.
    ///
    /// # Errors
    /// The listener has no local address.
    pub fn start<D, F>(listener: TcpListener, settings: Settings, sink: D) -> io::Result<Self>
    where
        D: Fn(ReceivedMail) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), Temporary>> + Send + 'static,
    {
        let local_addr = listener.local_addr()?;
        let (shut_down, told) = watch::channel(false);
        let slots = Slots::new(settings.limits.connections);
        let shared = Shared { settings: Arc::new(settings), sink, shut_down: told };
        let task = tokio::spawn(serve(listener, Arc::new(shared), Arc::clone(&slots)));
        Ok(Self { local_addr, shut_down, task, slots })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Connections now open.
    pub fn connections(&self) -> usize {
        self.slots.held()
    }

    /// Takes no new connection, tells idle clients 421, and lets mails that are under way end within
    /// [`Limits::shut_down`].
    pub async fn shut_down(mut self) {
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

async fn serve<D, F>(listener: TcpListener, shared: Arc<Shared<D>>, slots: Arc<Slots>)
where
    D: Fn(ReceivedMail) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), Temporary>> + Send + 'static,
{
    let mut connections = JoinSet::new();
    let mut shut_down = shared.shut_down.clone();
    loop {
        let accepted = tokio::select! {
            _ = shut_down.wait_for(|down| *down) => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, client)) => match slots.take() {
                Some(slot) => {
                    connections.spawn(converse(stream, client, Arc::clone(&shared), slot));
                }
                None => refuse(stream),
            },
            Err(error) => {
                tracing::warn!(%error, "a mail connection could not be accepted");
                // Out of descriptors, most likely: what helps is that others end theirs.
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop(listener);
    let all_ended = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(shared.settings.limits.shut_down, all_ended).await;
}

async fn converse<D, F>(stream: TcpStream, client: SocketAddr, shared: Arc<Shared<D>>, slot: Slot)
where
    D: Fn(ReceivedMail) -> F,
    F: Future<Output = Result<(), Temporary>>,
{
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%client, %error, "TCP_NODELAY could not be set");
    }
    let end = Connection::new(stream, client.ip(), shared, slot).run().await;
    tracing::debug!(%client, ?end, "mail connection ended");
}

/// 421 to a client for which there is no slot, without waiting for it.
fn refuse(stream: TcpStream) {
    // tokio has not yet heard that the socket takes bytes; the socket itself knows. Whether the client reads the
    // answer is its own affair.
    if let Ok(stream) = stream.into_std() {
        let _ = (&stream).write(b"421 Too many connections; connect again later\r\n");
    }
}

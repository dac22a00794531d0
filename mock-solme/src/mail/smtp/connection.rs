//! One connection: bytes in and out around a [`Dialogue`], each wait with an end.

use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{Duration, Instant, timeout};

use super::dialogue::{Dialogue, Step, answer};
use super::lines::Lines;
use super::slots::Slot;
use super::{Settings, Temporary};
use crate::mail::ReceivedMail;

/// How a connection came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The dialogue ended it: QUIT, or a limit.
    Closed,
    /// The client is gone, or does not take its answers.
    ClientGone,
    /// A line without end.
    LineTooLong,
    /// A command that ends with LF alone.
    BareLf,
    /// Silence.
    Idle,
    /// A mail that never ended.
    MailTooSlow,
    /// The slot went to a newcomer.
    SlotLost,
    /// The listener is shutting down.
    ShutDown,
}

/// After the last answer, what a client still sends is read and thrown away for this long. A socket that is closed
/// with unread bytes is reset, and the reset takes the answer with it.
const LINGER: Duration = Duration::from_secs(2);

/// What all connections of a listener share.
pub(super) struct Shared<D> {
    pub(super) settings: Arc<Settings>,
    pub(super) sink: D,
    pub(super) shut_down: watch::Receiver<bool>,
}

/// One connection.
pub(super) struct Connection<S, D> {
    stream: S,
    shared: Arc<Shared<D>>,
    shut_down: watch::Receiver<bool>,
    slot: Slot,
    lines: Lines,
    dialogue: Dialogue,
    /// When the client's present silence is too long.
    silent_until: Instant,
    /// When the mail under way must have ended.
    mail_until: Option<Instant>,
}

impl<S, D, F> Connection<S, D>
where
    S: AsyncRead + AsyncWrite + Unpin,
    D: Fn(ReceivedMail) -> F,
    F: Future<Output = Result<(), Temporary>>,
{
    pub(super) fn new(stream: S, client: IpAddr, shared: Arc<Shared<D>>, slot: Slot) -> Self {
        let settings = Arc::clone(&shared.settings);
        Self {
            stream,
            slot,
            shut_down: shared.shut_down.clone(),
            lines: Lines::new(settings.limits.line_bytes),
            silent_until: Instant::now() + settings.limits.idle,
            dialogue: Dialogue::new(client, settings),
            mail_until: None,
            shared,
        }
    }

    /// Runs the dialogue to its end.
    pub(super) async fn run(mut self) -> End {
        match self.talk().await {
            Ok(never) => match never {},
            Err((end, last_answer)) => {
                if !last_answer.is_empty() && self.write(&last_answer).await.is_ok() && end != End::SlotLost {
                    self.linger().await;
                }
                end
            }
        }
    }

    async fn talk(&mut self) -> Result<std::convert::Infallible, (End, Vec<u8>)> {
        let greeting = self.dialogue.greeting();
        self.write(&greeting).await?;
        loop {
            let step = match self.lines.next_line() {
                Ok(Some(line)) => self.dialogue.line(line),
                Ok(None) => {
                    self.read().await?;
                    continue;
                }
                Err(_) => return Err((End::LineTooLong, answer(500, "The line is too long"))),
            };
            self.heard();
            match step {
                Step::Continue => {}
                Step::Answer(text) => self.write(&text).await?,
                Step::Deliver(mail) => self.deliver(mail).await?,
                Step::Close(text) => return Err((End::Closed, text)),
            }
        }
    }

    /// A whole line has come in: the silence begins anew, and a mail gets its deadline once.
    fn heard(&mut self) {
        self.slot.heard();
        let limits = &self.shared.settings.limits;
        let now = Instant::now();
        self.silent_until = now + limits.idle;
        self.mail_until =
            if self.dialogue.in_mail() { Some(self.mail_until.unwrap_or(now + limits.mail)) } else { None };
    }

    async fn read(&mut self) -> Result<(), (End, Vec<u8>)> {
        if !self.dialogue.in_text() && self.lines.has_bare_lf() {
            // Whoever waits for the LF to be understood would wait until the silence is too long.
            return Err((End::BareLf, answer(500, "A line ends with CR LF; this one has an LF alone")));
        }
        let until = self.mail_until.map_or(self.silent_until, |until| until.min(self.silent_until));
        let count = tokio::select! {
            // First of all the lost slot, or a client that trickles would stay on beyond the count of slots. Then bytes
            // that are there already: they count before any other reason to stop.
            biased;
            () = self.slot.lost() => {
                return Err((End::SlotLost, answer(421, "Others are waiting and you were silent; connect again")));
            }
            read = self.stream.read(self.lines.room()) => read.unwrap_or(0),
            _ = self.shut_down.wait_for(|down| *down), if !self.dialogue.in_mail() => {
                return Err((End::ShutDown, answer(421, "Shutting down; connect again later")));
            }
            () = tokio::time::sleep_until(until) => {
                let end = if self.mail_until == Some(until) { End::MailTooSlow } else { End::Idle };
                return Err((end, answer(421, "Waited too long; connect again")));
            }
        };
        if count == 0 {
            return Err((End::ClientGone, Vec::new()));
        }
        self.lines.filled(count);
        Ok(())
    }

    /// The sink first, then the answer: what has been answered with 250 is stored.
    async fn deliver(&mut self, mail: ReceivedMail) -> Result<(), (End, Vec<u8>)> {
        self.slot.busy();
        let delivery = timeout(self.shared.settings.limits.delivery, (self.shared.sink)(mail)).await;
        let stored = match delivery {
            Ok(Ok(())) => true,
            Ok(Err(Temporary(reason))) => {
                tracing::warn!(%reason, "a mail could not be stored; its client was told to send it again");
                false
            }
            Err(_) => {
                tracing::warn!("storing a mail took too long; its client was told to send it again");
                false
            }
        };
        self.heard();
        let answer = self.dialogue.delivered(stored);
        self.write(&answer).await
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), (End, Vec<u8>)> {
        let gone = || (End::ClientGone, Vec::new());
        let idle = self.shared.settings.limits.idle;
        tokio::select! {
            biased;
            written = timeout(idle, self.stream.write_all(bytes)) => match written {
                Ok(Ok(())) => Ok(()),
                _ => Err(gone()),
            },
            () = self.slot.lost() => Err(gone()),
        }
    }

    async fn linger(&mut self) {
        if self.stream.shutdown().await.is_err() {
            return;
        }
        let Self { stream, slot, .. } = self;
        let mut scrap = [0; 1024];
        let drain = async { while matches!(stream.read(&mut scrap).await, Ok(1..)) {} };
        tokio::select! {
            _ = timeout(LINGER, drain) => {}
            () = slot.lost() => {}
        }
    }
}

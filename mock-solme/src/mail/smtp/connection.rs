//! One connection: bytes in and out around a [`Dialogue`], each wait with an end.

use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::dialogue::{Dialogue, Step, answer};
use super::lines::Lines;
use super::{DELIVERY, IDLE, LINE_BYTES, MAIL, Temporary};
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
    /// The listener is shutting down.
    ShutDown,
}

/// What all connections of a listener share.
pub(super) struct Shared<D> {
    pub(super) recipient: &'static str,
    pub(super) sink: D,
    pub(super) shut_down: watch::Receiver<bool>,
}

/// One connection.
pub(super) struct Connection<S, D> {
    stream: S,
    shared: Arc<Shared<D>>,
    shut_down: watch::Receiver<bool>,
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
    pub(super) fn new(stream: S, client: IpAddr, shared: Arc<Shared<D>>) -> Self {
        Self {
            stream,
            shut_down: shared.shut_down.clone(),
            lines: Lines::new(LINE_BYTES),
            silent_until: Instant::now() + IDLE,
            dialogue: Dialogue::new(client, shared.recipient),
            mail_until: None,
            shared,
        }
    }

    /// Runs the dialogue to its end.
    pub(super) async fn run(mut self) -> End {
        match self.talk().await {
            Ok(never) => match never {},
            Err((end, last_answer)) => {
                if !last_answer.is_empty() && self.write(&last_answer).await.is_ok() {
                    // It lingers: whether the client reads the answer is its own affair.
                    let _ = self.stream.shutdown().await;
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
        let now = Instant::now();
        self.silent_until = now + IDLE;
        self.mail_until = if self.dialogue.in_mail() { Some(self.mail_until.unwrap_or(now + MAIL)) } else { None };
    }

    async fn read(&mut self) -> Result<(), (End, Vec<u8>)> {
        if !self.dialogue.in_text() && self.lines.has_bare_lf() {
            // Whoever waits for the LF to be understood would wait until the silence is too long.
            return Err((End::BareLf, answer(500, "A line ends with CR LF; this one has an LF alone")));
        }
        let until = self.mail_until.map_or(self.silent_until, |until| until.min(self.silent_until));
        let count = tokio::select! {
            // Bytes that are there already count before any reason to stop.
            biased;
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
        let delivery = timeout(DELIVERY, (self.shared.sink)(mail)).await;
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
        match timeout(IDLE, self.stream.write_all(bytes)).await {
            Ok(Ok(())) => Ok(()),
            _ => Err((End::ClientGone, Vec::new())),
        }
    }
}

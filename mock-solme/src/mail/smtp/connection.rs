//! One connection: bytes in and out around a [`Dialogue`], each wait with an end.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::dialogue::{Dialogue, Step, answer};
use super::lines::Lines;
use super::{DELIVERY, IDLE, LINE_BYTES, MAIL, Sink};
use crate::mail::ReceivedMail;

/// How a connection came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// The dialogue ended it with this answer: QUIT, or a limit.
    Closed(String),
    /// The client is gone, or does not take its answers.
    ClientGone,
    /// A line without end.
    LineTooLong,
    /// A command that ends with LF alone.
    BareLf,
    /// No whole line for 60 s.
    Idle,
    /// A mail that never ended.
    MailTooSlow,
    /// The listener is shutting down.
    ShutDown,
}

impl End {
    /// What the client is told.
    fn last_answer(&self) -> String {
        match self {
            Self::Closed(answer) => answer.clone(),
            Self::ClientGone => String::new(),
            Self::LineTooLong => answer(500, "The line is too long"),
            Self::BareLf => answer(500, "A line ends with CR LF; this one has an LF alone"),
            Self::Idle | Self::MailTooSlow => answer(421, "Waited too long; connect again"),
            Self::ShutDown => answer(421, "Shutting down; connect again later"),
        }
    }
}

/// One connection with a mail client.
pub(super) struct Connection<S> {
    stream: S,
    sink: Arc<Sink>,
    shut_down: watch::Receiver<bool>,
    lines: Lines,
    dialogue: Dialogue,
    /// When the client's present silence is too long.
    silent_until: Instant,
    /// When the mail under way must have ended.
    mail_until: Option<Instant>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub(super) fn new(stream: S, client: IpAddr, sink: Arc<Sink>, shut_down: watch::Receiver<bool>) -> Self {
        Self {
            stream,
            sink,
            shut_down,
            lines: Lines::new(LINE_BYTES),
            dialogue: Dialogue::new(client),
            silent_until: Instant::now() + IDLE,
            mail_until: None,
        }
    }

    /// Runs the dialogue to its end.
    pub(super) async fn run(mut self) -> End {
        let Err(end) = self.talk().await;
        let last_answer = end.last_answer();
        if !last_answer.is_empty() && self.write(&last_answer).await.is_ok() {
            // It lingers: whether the client reads the answer is its own affair.
            let _ = self.stream.shutdown().await;
        }
        end
    }

    async fn talk(&mut self) -> Result<Infallible, End> {
        self.write(&self.dialogue.greeting()).await?;
        loop {
            let step = match self.lines.next_line() {
                Ok(Some(line)) => self.dialogue.line(line),
                Ok(None) => {
                    self.read().await?;
                    continue;
                }
                Err(_) => return Err(End::LineTooLong),
            };
            self.heard();
            match step {
                Step::Continue => {}
                Step::Answer(text) => self.write(&text).await?,
                Step::Deliver(mail) => self.deliver(mail).await?,
                Step::Close(text) => return Err(End::Closed(text)),
            }
        }
    }

    /// A whole line has come in: the silence begins anew, and a mail gets its deadline once.
    fn heard(&mut self) {
        let now = Instant::now();
        self.silent_until = now + IDLE;
        self.mail_until = self.dialogue.in_mail().then(|| self.mail_until.unwrap_or(now + MAIL));
    }

    async fn read(&mut self) -> Result<(), End> {
        if !self.dialogue.in_text() && self.lines.has_bare_lf() {
            // A client that expects the LF to be understood would wait until the silence is too long.
            return Err(End::BareLf);
        }
        let until = self.mail_until.map_or(self.silent_until, |until| until.min(self.silent_until));
        let count = tokio::select! {
            // Bytes that are there already count before any reason to stop.
            biased;
            read = self.stream.read(self.lines.room()) => read.unwrap_or(0),
            _ = self.shut_down.wait_for(|down| *down), if !self.dialogue.in_mail() => return Err(End::ShutDown),
            () = tokio::time::sleep_until(until) => {
                return Err(if self.mail_until == Some(until) { End::MailTooSlow } else { End::Idle });
            }
        };
        if count == 0 {
            return Err(End::ClientGone);
        }
        self.lines.filled(count);
        Ok(())
    }

    /// The sink first, then the answer: what has been answered with 250 is stored.
    async fn deliver(&mut self, mail: ReceivedMail) -> Result<(), End> {
        let stored = timeout(DELIVERY, (self.sink)(mail)).await.unwrap_or_else(|_| Err("it took too long".to_owned()));
        let answer = match stored {
            Ok(()) => answer(250, "The mail is stored"),
            Err(reason) => {
                tracing::warn!(%reason, "a mail could not be stored; its client was told to send it again");
                answer(451, "The mail could not be stored; send it again later")
            }
        };
        self.heard();
        self.write(&answer).await
    }

    async fn write(&mut self, text: &str) -> Result<(), End> {
        match timeout(IDLE, self.stream.write_all(text.as_bytes())).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(End::ClientGone),
        }
    }
}

//! A connection that can be cut in the middle of an answer, or drip.
//!
//! It lies above TLS, so that its bytes are those of HTTP. While it is told nothing, a write costs one atomic load more.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// Bytes that come at once when a connection drips.
const PIECE: usize = 16;

/// What is done to the next answer on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Harm {
    /// The connection is closed after so many bytes.
    CutAfter(usize),
    /// The connection is closed after the headers and so many bytes of the body.
    CutAfterBody(usize),
    /// A piece goes out, then nothing for this time, and so on.
    Drip(Duration),
}

/// The handler's end of a connection: every request carries it.
#[derive(Debug, Clone, Default)]
pub(crate) struct WireControl {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    told: AtomicBool,
    harm: Mutex<Option<Harm>>,
}

impl WireControl {
    /// Does this to what is written from now on. A handler says so before it returns its answer.
    pub(crate) fn harm(&self, harm: Harm) {
        *self.inner.harm.lock().unwrap_or_else(PoisonError::into_inner) = Some(harm);
        self.inner.told.store(true, Ordering::Release);
    }

    fn take(&self) -> Option<Harm> {
        if !self.inner.told.load(Ordering::Acquire) {
            return None;
        }
        self.inner.told.store(false, Ordering::Release);
        self.inner.harm.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A connection that may be harmed.
pub(crate) struct Wire<S> {
    stream: S,
    control: WireControl,
    state: State,
}

enum State {
    Sound,
    /// So many bytes are left until the cut.
    Cutting(usize),
    /// The headers are being looked for: how much of the empty line behind them was seen, and what follows it.
    AwaitingBody {
        seen: usize,
        body: usize,
    },
    Dripping {
        pause: Duration,
        until: Option<Pin<Box<Sleep>>>,
    },
}

const END_OF_HEADERS: &[u8] = b"\r\n\r\n";

impl<S> Wire<S> {
    pub(crate) fn new(stream: S, control: WireControl) -> Self {
        Self { stream, control, state: State::Sound }
    }

    fn listen(&mut self) {
        match self.control.take() {
            Some(Harm::CutAfter(bytes)) => self.state = State::Cutting(bytes),
            Some(Harm::CutAfterBody(body)) => self.state = State::AwaitingBody { seen: 0, body },
            Some(Harm::Drip(pause)) => self.state = State::Dripping { pause, until: None },
            None => {}
        }
    }

    /// How many of these bytes may go out before the cut. It is told in advance of every write, and its answer taken.
    fn allowed(&self, bytes: &[u8]) -> usize {
        match self.state {
            State::Sound => bytes.len(),
            State::Cutting(left) => left.min(bytes.len()),
            State::Dripping { .. } => PIECE.min(bytes.len()),
            State::AwaitingBody { seen, body } => match end_of_headers(seen, bytes) {
                Ok(end) => (end + body).min(bytes.len()),
                Err(_) => bytes.len(),
            },
        }
    }

    /// These bytes have gone out.
    fn written(&mut self, bytes: &[u8]) {
        match &mut self.state {
            State::Sound => {}
            State::Cutting(left) => *left -= bytes.len(),
            State::AwaitingBody { seen, body } => match end_of_headers(*seen, bytes) {
                Ok(end) => self.state = State::Cutting(*body - (bytes.len() - end)),
                Err(now_seen) => *seen = now_seen,
            },
            State::Dripping { pause, until } => *until = Some(Box::pin(tokio::time::sleep(*pause))),
        }
    }
}

/// Where the headers end in these bytes, or how much of the empty line has been seen by their end.
fn end_of_headers(mut seen: usize, bytes: &[u8]) -> Result<usize, usize> {
    for (at, byte) in bytes.iter().enumerate() {
        seen = if END_OF_HEADERS[seen] == *byte { seen + 1 } else { usize::from(*byte == END_OF_HEADERS[0]) };
        if seen == END_OF_HEADERS.len() {
            return Ok(at + 1);
        }
    }
    Err(seen)
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.listen();
        if let State::Dripping { until: Some(until), .. } = &mut self.state {
            ready!(until.as_mut().poll(cx));
        }
        let allowed = self.allowed(bytes);
        if allowed == 0 && !bytes.is_empty() {
            // What may go out is on its way; then the connection ends as if somebody had pulled the cable.
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            return Poll::Ready(Err(io::Error::new(ErrorKind::ConnectionAborted, "a quirk has cut the connection")));
        }
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &bytes[..allowed]))?;
        self.written(&bytes[..written]);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.listen();
        if matches!(self.state, State::Sound) {
            return Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        }
        let first = slices.iter().find(|slice| !slice.is_empty()).map_or(&[][..], |slice| slice);
        self.poll_write(cx, first)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;
    use tokio::time::Instant;

    use super::*;

    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789";

    /// What arrives, however the answer is chopped into writes.
    async fn arrives(harm: Harm, chunk: usize) -> Vec<u8> {
        let control = WireControl::default();
        let mut wire = Wire::new(Vec::new(), control.clone());
        control.harm(harm);
        for part in ANSWER.chunks(chunk) {
            if wire.write_all(part).await.is_err() {
                break;
            }
        }
        wire.stream
    }

    #[tokio::test]
    async fn a_cut_is_where_it_was_told_to_be_however_the_answer_is_written() {
        let headers = ANSWER.len() - 10;
        for chunk in [1, 2, 3, 7, ANSWER.len()] {
            assert_eq!(arrives(Harm::CutAfter(0), chunk).await, b"");
            assert_eq!(arrives(Harm::CutAfter(5), chunk).await, ANSWER[..5]);
            assert_eq!(arrives(Harm::CutAfterBody(0), chunk).await, ANSWER[..headers]);
            assert_eq!(arrives(Harm::CutAfterBody(4), chunk).await, ANSWER[..headers + 4]);
            assert_eq!(arrives(Harm::CutAfterBody(99), chunk).await, ANSWER);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_drip_waits_between_pieces() {
        let start = Instant::now();
        assert_eq!(arrives(Harm::Drip(Duration::from_millis(10)), ANSWER.len()).await, ANSWER);
        let pauses = ANSWER.len().div_ceil(PIECE) - 1;
        assert_eq!(start.elapsed(), Duration::from_millis(10) * u32::try_from(pauses).unwrap());
    }

    #[tokio::test]
    async fn a_sound_wire_writes_vectors_as_a_whole() {
        let mut wire = Wire::new(Vec::new(), WireControl::default());
        let slices = [IoSlice::new(b"ab"), IoSlice::new(b"cd")];
        assert_eq!(wire.write_vectored(&slices).await.unwrap(), 4);
        wire.control.harm(Harm::CutAfter(1));
        assert_eq!(wire.write_vectored(&slices).await.unwrap(), 1);
        assert!(wire.write_vectored(&slices).await.is_err());
        assert_eq!(wire.stream, b"abcda");
    }
}

//! A connection that keeps to its limits.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use super::pool::Place;

/// A client may keep us waiting so long with what we send it,
const STALL: Duration = Duration::from_secs(10);
/// and a second more for each of these many bytes that it has taken.
const BYTES_A_SECOND: u64 = 16 << 10;

/// After our last byte, what a client still sends is read and thrown away until it falls silent for this long: a socket
/// that is closed with unread bytes is reset, and the reset takes the answer with it.
const QUIET: Duration = Duration::from_millis(500);
/// All of that together takes no longer than this,
const LINGER: Duration = Duration::from_secs(5);
/// and no more than these many bytes.
const DRAINED: usize = 64 << 20;

/// A connection with a place. Its descriptor is closed before the place is given back.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    place: Place,
    /// Something has come in since we last sent something.
    spoken: bool,
    taken: Taken,
    last: Option<Linger>,
}

/// How fast the client takes what we send.
#[derive(Debug, Default)]
struct Taken {
    bytes: u64,
    /// Time that we waited for it to take more.
    waited: Duration,
    /// Since when we wait now.
    since: Option<Instant>,
    alarm: Option<Pin<Box<Sleep>>>,
}

#[derive(Debug)]
struct Linger {
    quiet: Pin<Box<Sleep>>,
    end: Instant,
    left: usize,
}

impl Connection {
    pub(super) fn new(stream: TcpStream, place: Place) -> Self {
        Self { stream, place, spoken: false, taken: Taken::default(), last: None }
    }

    /// It ends with RST instead of FIN when it is dropped.
    pub(crate) fn set_zero_linger(&self) -> io::Result<()> {
        self.stream.set_zero_linger()
    }

    /// # Errors
    /// The place has gone to a newcomer.
    fn keep_place(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.place.poll_lost(cx).is_pending() {
            return Ok(());
        }
        // Whether the client reads it is its own affair.
        let _ = self.stream.try_write(self.place.farewell());
        Err(io::Error::new(ErrorKind::ConnectionAborted, "others were waiting for the place of this connection"))
    }

    fn write(
        &mut self,
        cx: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut TcpStream>, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        self.keep_place(cx)?;
        if std::mem::take(&mut self.spoken) {
            self.place.heard();
        }
        match write(Pin::new(&mut self.stream), cx) {
            Poll::Ready(written) => {
                self.taken.add(*written.as_ref().unwrap_or(&0));
                Poll::Ready(written)
            }
            Poll::Pending => {
                ready!(self.taken.poll_too_slow(cx));
                Poll::Ready(Err(io::Error::new(ErrorKind::TimedOut, "the client does not take what is sent to it")))
            }
        }
    }
}

impl Taken {
    fn add(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        if let Some(since) = self.since.take() {
            self.waited += since.elapsed();
        }
    }

    fn poll_too_slow(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.since.is_none() {
            let now = Instant::now();
            self.since = Some(now);
            let allowed = STALL + Duration::from_secs(self.bytes / BYTES_A_SECOND);
            let deadline = now + allowed.saturating_sub(self.waited);
            match &mut self.alarm {
                Some(alarm) => alarm.as_mut().reset(deadline),
                None => self.alarm = Some(Box::pin(sleep_until(deadline))),
            }
        }
        self.alarm.as_mut().map_or(Poll::Pending, |alarm| alarm.as_mut().poll(cx))
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.keep_place(cx)?;
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, buffer));
        self.spoken |= buffer.filled().len() > before;
        Poll::Ready(read)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.write(cx, |stream, cx| stream.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.write(cx, |stream, cx| stream.poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Ends our side, and lingers for the client's.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { stream, last, .. } = &mut *self;
        if last.is_none() {
            ready!(Pin::new(&mut *stream).poll_shutdown(cx))?;
            let now = Instant::now();
            *last = Some(Linger { quiet: Box::pin(sleep_until(now + QUIET)), end: now + LINGER, left: DRAINED });
        }
        self.keep_place(cx)?;
        let Self { stream, last: Some(linger), .. } = &mut *self else { return Poll::Ready(Ok(())) };
        let mut scrap = [0; 16 << 10];
        loop {
            let mut buffer = ReadBuf::new(&mut scrap);
            match Pin::new(&mut *stream).poll_read(cx, &mut buffer) {
                Poll::Ready(read) => {
                    let bytes = buffer.filled().len();
                    linger.left = linger.left.saturating_sub(bytes);
                    let now = Instant::now();
                    if read.is_err() || bytes == 0 || linger.left == 0 || now >= linger.end {
                        return Poll::Ready(Ok(()));
                    }
                    linger.quiet.as_mut().reset((now + QUIET).min(linger.end));
                }
                Poll::Pending => return linger.quiet.as_mut().poll(cx).map(Ok),
            }
        }
    }
}

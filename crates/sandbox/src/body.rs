//! The connection and the body as they leave the sandbox, whole or spoilt.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::Sleep;

/// The answer was meant to get lost; hyper then drops the connection.
#[derive(Debug, thiserror::Error)]
#[error("a fault cut the connection")]
pub(crate) struct Cut;

/// A connection that can be told to end with a reset instead of a clean close.
pub(crate) struct Wire {
    io: TokioIo<TcpStream>,
    reset: Arc<AtomicBool>,
}

impl Wire {
    /// Wraps a connection; setting the flag makes its end a reset.
    pub(crate) fn new(stream: TcpStream) -> (Self, Arc<AtomicBool>) {
        let reset = Arc::new(AtomicBool::new(false));
        let wire = Self {
            io: TokioIo::new(stream),
            reset: Arc::clone(&reset),
        };
        (wire, reset)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.reset.load(Ordering::Relaxed) {
            // A socket that cannot be told is closed cleanly: nothing better is left to do.
            drop(self.io.inner().set_zero_linger());
        }
    }
}

impl Read for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl Write for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }
}

/// The body of an answer.
pub(crate) enum OutBody {
    /// All of it at once.
    Whole(Bytes),
    /// Some of it, and then the connection breaks. `flushed` counts the turns since.
    Truncated { part: Bytes, flushed: bool },
    /// Byte by byte.
    Trickle {
        rest: Bytes,
        pace: Duration,
        pause: Pin<Box<Sleep>>,
    },
}

impl OutBody {
    pub(crate) fn truncated(part: Bytes) -> Self {
        Self::Truncated { part, flushed: false }
    }

    pub(crate) fn trickle(rest: Bytes, pace: Duration) -> Self {
        Self::Trickle {
            rest,
            pace,
            pause: Box::pin(tokio::time::sleep(pace)),
        }
    }
}

impl Body for OutBody {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match &mut *self {
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => {
                let all = std::mem::take(bytes);
                Poll::Ready(Some(Ok(Frame::data(all))))
            }
            Self::Truncated { part, .. } if !part.is_empty() => {
                let part = std::mem::take(part);
                Poll::Ready(Some(Ok(Frame::data(part))))
            }
            Self::Truncated { flushed: true, .. } => Poll::Ready(Some(Err(Cut))),
            Self::Truncated { flushed, .. } => {
                // hyper flushes while the body is not ready; an error at once would lose what was
                // written.
                *flushed = true;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Self::Trickle { rest, .. } if rest.is_empty() => Poll::Ready(None),
            Self::Trickle { rest, pace, pause } => {
                if pause.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                let next = tokio::time::Instant::now() + *pace;
                pause.as_mut().reset(next);
                Poll::Ready(Some(Ok(Frame::data(rest.split_to(1)))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(rest) | Self::Trickle { rest, .. } => rest.is_empty(),
            Self::Truncated { .. } => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(rest) | Self::Trickle { rest, .. } => SizeHint::with_exact(rest.len() as u64),
            Self::Truncated { .. } => SizeHint::default(),
        }
    }
}

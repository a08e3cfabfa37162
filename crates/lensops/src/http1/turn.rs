//! One turn on a connection: a request is written, and its answer read.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lensops_core::exchange::FailureClass;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::head::HeadCache;
use super::malformed::Malformed;
use super::reader::Reader;

/// Why a request got no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TurnError {
    /// The connection ended, and nothing of an answer had come.
    #[error("the connection was closed without an answer")]
    Closed,
    /// What the system said of the connection; nothing of an answer had come.
    #[error("{0}")]
    Broken(io::Error),
    /// The server wrote before it was asked.
    #[error("the server answered before it was asked")]
    Unasked,
    /// What came is not an answer, or not all of one.
    #[error("{0}")]
    Malformed(Malformed),
}

impl TurnError {
    /// The class of the failure.
    pub(crate) fn class(&self) -> FailureClass {
        match self {
            Self::Closed | Self::Broken(_) => FailureClass::Connectivity,
            Self::Unasked | Self::Malformed(_) => FailureClass::BadBody,
        }
    }

    /// Whether a kept connection fails so when its server had ended it: nothing of an answer has come.
    pub(crate) fn is_stale(&self) -> bool {
        matches!(self, Self::Closed | Self::Broken(_))
    }
}

/// How far the turn is.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    written: usize,
    /// Why no more can be written. The answer may be there all the same: a server may refuse a request
    /// before it has read all of it.
    unwritable: Option<io::Error>,
}

impl Turn {
    /// How many bytes of the request were written.
    pub(crate) fn written(&self) -> usize {
        self.written
    }

    /// Writes what is left of `request`, then reads with `reader`. Ready with whether the connection is as
    /// clean as before: all was written, and nothing came beyond the answer.
    ///
    /// # Errors
    /// When there is no whole answer. The connection is then of no more use.
    pub(crate) fn poll<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut S,
        request: &[u8],
        mut reading: Reading<'_>,
    ) -> Poll<Result<bool, TurnError>> {
        self.poll_write(cx, stream, request);
        loop {
            let mut buffer = ReadBuf::new(reading.scratch);
            match Pin::new(&mut *stream).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(reading.broken(error))),
                Poll::Pending => {
                    let unwritable = self.unwritable.take();
                    return unwritable.map_or(Poll::Pending, |error| Poll::Ready(Err(reading.broken(error))));
                }
            }
            let filled = buffer.filled().len();
            if filled == 0 {
                return Poll::Ready(reading.ended(self.unwritable.take()));
            }
            let used = match reading.feed(filled) {
                Ok(used) => used,
                Err(why) => return Poll::Ready(Err(TurnError::Malformed(why))),
            };
            if reading.reader.is_done() {
                // Bytes beyond the answer belong to nothing that was asked.
                return Poll::Ready(Ok(used == filled && self.written == request.len()));
            }
        }
    }

    fn poll_write<S: AsyncWrite + Unpin>(&mut self, cx: &mut Context<'_>, stream: &mut S, request: &[u8]) {
        while self.written < request.len() && self.unwritable.is_none() {
            match Pin::new(&mut *stream).poll_write(cx, &request[self.written..]) {
                Poll::Ready(Ok(0)) => self.unwritable = Some(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(size)) => self.written += size,
                Poll::Ready(Err(error)) => self.unwritable = Some(error),
                Poll::Pending => return,
            }
        }
    }
}

/// What an answer is read with.
pub(crate) struct Reading<'a> {
    /// Made ready for the answer.
    pub(crate) reader: &'a mut Reader,
    /// Heads that came before.
    pub(crate) cache: &'a mut HeadCache,
    /// Where bytes are put that come.
    pub(crate) scratch: &'a mut [u8],
    /// Says by status whether the whole answer is kept.
    pub(crate) keep: &'a dyn Fn(u16) -> bool,
}

impl Reading<'_> {
    fn feed(&mut self, size: usize) -> Result<usize, Malformed> {
        self.reader.feed(&self.scratch[..size], self.cache, self.keep)
    }

    /// The connection ended; `unwritable` where it had refused to take more before.
    fn ended(&mut self, unwritable: Option<io::Error>) -> Result<bool, TurnError> {
        if !self.reader.has_begun() {
            return Err(unwritable.map_or(TurnError::Closed, TurnError::Broken));
        }
        self.reader.end().map(|()| false).map_err(TurnError::Malformed)
    }

    fn broken(&self, error: io::Error) -> TurnError {
        match self.reader.place() {
            Some(place) => TurnError::Malformed(Malformed(format!("{place} breaks off: {error}"))),
            None => TurnError::Broken(error),
        }
    }
}

/// One turn, to its end; the caller sets a deadline.
///
/// # Errors
/// When there is no whole answer. The connection is then of no more use.
pub(crate) async fn turn<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    request: &[u8],
    reader: &mut Reader,
) -> Result<bool, TurnError> {
    let (mut turn, mut cache, mut scratch) = (Turn::default(), HeadCache::default(), [0; 1024]);
    std::future::poll_fn(|cx| {
        let reading = Reading {
            reader: &mut *reader,
            cache: &mut cache,
            scratch: &mut scratch,
            keep: &|_| false,
        };
        Poll::Ready(ready!(turn.poll(cx, stream, request, reading)))
    })
    .await
}

//! One connection: opened, written to and read from under one deadline.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use lensops_core::exchange::{FailureClass, Response};
use tokio::io::ReadBuf;
use tokio::time::Instant;

use super::broken::Broken;
use super::deadline::Watch;
use super::http1::{HeadCache, Reader};
use super::peer::Peer;
use super::stream::{Stream, connect};

/// How much is read at once; one buffer serves all connections of a worker.
const SCRATCH: usize = 64 * 1024;

/// What all connections of a worker share.
pub(super) struct Shared {
    scratch: RefCell<Box<[u8]>>,
    cache: RefCell<HeadCache>,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            scratch: RefCell::new(vec![0; SCRATCH].into_boxed_slice()),
            cache: RefCell::default(),
        }
    }
}

/// An answer.
pub(super) struct Answer {
    pub(super) status: u16,
    /// All of it, where it was to be kept.
    pub(super) whole: Option<Response>,
    /// When it was complete.
    pub(super) at: Instant,
}

/// A connection that may be open.
pub(super) struct Connection {
    stream: Option<Stream>,
    reader: Reader,
    shared: Rc<Shared>,
    watch: Rc<Watch>,
    timeout: Duration,
    /// When the last answer was complete.
    used: Instant,
}

/// A connection that rested this long is looked at before it is used: the server may have closed it.
const RESTED: Duration = Duration::from_millis(500);

impl Connection {
    pub(super) fn new(shared: Rc<Shared>, watch: Rc<Watch>, timeout: Duration) -> Self {
        Self {
            stream: None,
            reader: Reader::default(),
            shared,
            watch,
            timeout,
            used: Instant::now(),
        }
    }

    /// Opens it where it is not; says what that took.
    pub(super) async fn open(
        &mut self,
        peer: &Peer,
        now: Instant,
        deadline: Instant,
    ) -> Result<Option<Duration>, Broken> {
        self.forget_closed(now);
        if self.stream.is_some() {
            return Ok(None);
        }
        let opened = tokio::time::timeout_at(deadline, connect(peer)).await;
        let late = || {
            Broken::of(
                FailureClass::Timeout,
                format!("no connection within {:?}", self.timeout),
            )
        };
        self.stream = Some(opened.map_err(|_| late())??);
        self.used = Instant::now();
        Ok(Some(self.used.saturating_duration_since(now)))
    }

    /// Closes it; the next request opens it anew.
    pub(super) fn close(&mut self) {
        self.stream = None;
    }

    /// Drops a stream that the server closed while it rested.
    fn forget_closed(&mut self, now: Instant) {
        if now.saturating_duration_since(self.used) < RESTED {
            return;
        }
        let closed = match &self.stream {
            Some(Stream::Tcp(stream)) => {
                let mut byte = [0];
                !matches!(stream.try_read(&mut byte), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
            }
            // A look into a TLS stream would need a poll; one that rested is opened anew.
            Some(Stream::Tls(_)) => true,
            None => false,
        };
        if closed {
            self.stream = None;
        }
    }

    /// Sends `bytes` and reads the answer; `keep` says by status whether it is kept whole.
    pub(super) async fn ask(
        &mut self,
        bytes: &[u8],
        deadline: Instant,
        keep: &dyn Fn(u16) -> bool,
    ) -> Result<Answer, Broken> {
        self.reader.begin();
        self.watch.arm(deadline);
        let mut written = 0;
        let result = poll_fn(|cx| self.poll_ask(cx, bytes, &mut written, keep)).await;
        self.watch.disarm();
        match result {
            Ok(clean) => {
                let Some(head) = self.reader.head() else {
                    self.stream = None;
                    return Err(Broken::of(FailureClass::BadBody, "an answer without a head"));
                };
                if head.closes || !clean {
                    self.stream = None;
                }
                self.used = Instant::now();
                Ok(Answer {
                    status: head.status,
                    whole: self.reader.take_response(),
                    at: self.used,
                })
            }
            Err(why) => {
                self.stream = None;
                Err(why)
            }
        }
    }

    /// Writes what is left, then reads. Ready with whether the connection is as clean as before.
    fn poll_ask(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
        written: &mut usize,
        keep: &dyn Fn(u16) -> bool,
    ) -> Poll<Result<bool, Broken>> {
        if self.watch.is_over() {
            let detail = format!("no complete answer within {:?}", self.timeout);
            return Poll::Ready(Err(Broken::of(FailureClass::Timeout, detail)));
        }
        let Some(stream) = &mut self.stream else {
            return Poll::Ready(Err(Broken::of(FailureClass::Connectivity, "the connection is closed")));
        };
        while *written < bytes.len() {
            match stream.poll_write(cx, &bytes[*written..]) {
                Poll::Ready(Ok(size)) if size > 0 => *written += size,
                Poll::Ready(Ok(_)) => {
                    return Poll::Ready(Err(Broken::of(
                        FailureClass::Connectivity,
                        "nothing more can be written",
                    )));
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(Broken::connectivity(&error))),
                Poll::Pending => {
                    self.watch.register(cx);
                    return Poll::Pending;
                }
            }
        }
        let shared = &self.shared;
        let mut scratch = shared.scratch.borrow_mut();
        loop {
            let mut buffer = ReadBuf::new(&mut scratch);
            match stream.poll_read(cx, &mut buffer) {
                Poll::Pending => {
                    self.watch.register(cx);
                    return Poll::Pending;
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(broken_off(&error, &self.reader))),
                Poll::Ready(Ok(())) => {}
            }
            let data = buffer.filled();
            if data.is_empty() {
                return Poll::Ready(ended(&mut self.reader));
            }
            match self.reader.feed(data, &mut shared.cache.borrow_mut(), keep) {
                Err(why) => return Poll::Ready(Err(Broken::of(FailureClass::BadBody, why.to_string()))),
                // Bytes beyond the answer belong to nothing that was asked.
                Ok(used) if self.reader.is_done() => return Poll::Ready(Ok(used == data.len())),
                Ok(_) => {}
            }
        }
    }
}

/// The connection ended while an answer was read.
fn ended(reader: &mut Reader) -> Result<bool, Broken> {
    let class = if reader.has_begun() {
        FailureClass::BadBody
    } else {
        FailureClass::Connectivity
    };
    match reader.end() {
        Ok(()) => Ok(false),
        Err(why) => Err(Broken::of(class, why.to_string())),
    }
}

fn broken_off(error: &io::Error, reader: &Reader) -> Broken {
    match reader.head() {
        Some(head) => Broken::of(
            FailureClass::BadBody,
            format!("{} with a body that breaks off: {error}", head.status),
        ),
        None => Broken::connectivity(error),
    }
}

//! One connection: opened, written to and read from under one deadline.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use lensops_core::exchange::{FailureClass, Response};
use tokio::time::Instant;

use super::broken::Broken;
use super::deadline::Watch;
use crate::connect::{Look, Stream, Way};
use crate::http1::{HeadCache, Reader, Reading, Turn, TurnError};

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
    /// Whether an answer has come over it.
    reused: bool,
}

/// Why a request got no answer over a connection.
pub(super) struct Unanswered {
    pub(super) why: Broken,
    /// Whether the connection was a kept one that its server ended before the first byte of an answer.
    pub(super) stale: bool,
    /// Whether any of the request was sent.
    pub(super) sent: bool,
}

impl Connection {
    pub(super) fn new(shared: Rc<Shared>, watch: Rc<Watch>, timeout: Duration) -> Self {
        Self {
            stream: None,
            reader: Reader::default(),
            shared,
            watch,
            timeout,
            reused: false,
        }
    }

    /// Opens it where it is not; says what that took.
    pub(super) async fn open(
        &mut self,
        way: &Result<Way, Broken>,
        now: Instant,
        deadline: Instant,
    ) -> Result<Option<Duration>, Broken> {
        if self.stream.is_some() {
            return Ok(None);
        }
        let way = way.as_ref().map_err(Clone::clone)?;
        let opened = way.open(deadline).await;
        let opened = opened.map_err(|error| Broken::unconnected(&error, self.timeout))?;
        self.stream = Some(opened.stream);
        self.reused = false;
        Ok(Some(Instant::now().saturating_duration_since(now)))
    }

    /// Whether it is open, as far as is known.
    pub(super) fn is_open(&self) -> bool {
        self.stream.is_some()
    }

    /// Closes it; the next request opens it anew.
    pub(super) fn close(&mut self) {
        self.stream = None;
    }

    /// Sends `bytes` and reads the answer; `keep` says by status whether it is kept whole.
    pub(super) async fn ask(
        &mut self,
        bytes: &[u8],
        deadline: Instant,
        keep: &dyn Fn(u16) -> bool,
    ) -> Result<Answer, Unanswered> {
        let mut turn = Turn::default();
        let result = match self.look() {
            Some(error) => Err(Ended::Turn(error)),
            None => {
                if bytes.starts_with(b"HEAD ") {
                    self.reader.begin_head_only();
                } else {
                    self.reader.begin();
                }
                self.watch.arm(deadline);
                let result = poll_fn(|cx| self.poll_ask(cx, bytes, &mut turn, keep)).await;
                self.watch.disarm();
                result
            }
        };
        match result {
            Ok(clean) => {
                let head = self.reader.head();
                if !clean || head.is_none_or(|head| head.closes) {
                    self.stream = None;
                }
                self.reused = true;
                Ok(Answer {
                    status: head.map_or(0, |head| head.status),
                    whole: self.reader.take_response(),
                    at: Instant::now(),
                })
            }
            Err(ended) => {
                self.stream = None;
                let (why, stale) = match ended {
                    Ended::Late => {
                        let detail = format!("no complete answer within {:?}", self.timeout);
                        (Broken::of(FailureClass::Timeout, detail), false)
                    }
                    Ended::Turn(error) => (Broken::unanswered(&error), self.reused && error.is_stale()),
                };
                let sent = turn.written() > 0;
                Err(Unanswered { why, stale, sent })
            }
        }
    }

    /// What has come before anything was asked, if it has.
    fn look(&mut self) -> Option<TurnError> {
        match self.stream.as_mut().map_or(Look::Ended, Stream::look) {
            Look::Quiet => None,
            // A kept connection that spoke is dropped as one that ended: nothing was asked on it.
            Look::Spoke if !self.reused => Some(TurnError::Unasked),
            Look::Spoke | Look::Ended => Some(TurnError::Closed),
        }
    }

    fn poll_ask(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
        turn: &mut Turn,
        keep: &dyn Fn(u16) -> bool,
    ) -> Poll<Result<bool, Ended>> {
        if self.watch.is_over() {
            return Poll::Ready(Err(Ended::Late));
        }
        let Some(stream) = &mut self.stream else {
            return Poll::Ready(Err(Ended::Turn(TurnError::Closed)));
        };
        let reading = Reading {
            reader: &mut self.reader,
            cache: &mut self.shared.cache.borrow_mut(),
            scratch: &mut self.shared.scratch.borrow_mut(),
            keep,
        };
        let polled = turn.poll(cx, stream, bytes, reading);
        if polled.is_pending() {
            self.watch.register(cx);
        }
        polled.map_err(Ended::Turn)
    }
}

/// How a turn ended without an answer.
enum Ended {
    Late,
    Turn(TurnError),
}

//! An open connection to one API, and one request with its answer over it.

use std::future::poll_fn;
use std::task::{Poll, ready};

use lensops_core::exchange::{Failure, FailureClass, Proxied, Response, Route, Timings};
use tokio::time::{Instant, timeout_at};

use crate::connect::{ConnectError, Look, Opened, Stream, Way, micros};
use crate::http1::{HeadCache, Reader, Reading, Turn, TurnError, decode};

/// How much is read at once.
const SCRATCH: usize = 16 * 1024;

/// An open connection to one API.
pub(super) struct Connection {
    pub(super) stream: Stream,
    reader: Reader,
    cache: HeadCache,
    scratch: Box<[u8]>,
    /// Whether a request was sent over it.
    used: bool,
    /// How requests are written for it, where a proxy forwards them.
    pub(super) proxied: Option<Proxied>,
    /// That proxy, as errors name it.
    pub(super) forwarder: Option<String>,
    pub(super) route: Route,
}

/// Why a request got no answer over a connection.
pub(super) enum Unanswered {
    /// The time was up.
    Late,
    /// What came instead.
    Failed {
        error: TurnError,
        /// Whether any of the request was sent.
        sent: bool,
    },
}

impl Unanswered {
    /// Whether a kept connection fails so when its server ended it, and the request may go over another one:
    /// none of it was sent, or it `repeats` without harm.
    pub(super) fn is_replaceable(&self, repeats: bool) -> bool {
        matches!(self, Self::Failed { error, sent } if error.is_stale() && (!sent || repeats))
    }
}

impl Connection {
    /// Opens a connection along `way`; what that took goes into `timings`.
    pub(super) async fn open(way: &Way, deadline: Instant, timings: &mut Timings) -> Result<Self, ConnectError> {
        timings.dns_us = way.lookup().map(micros);
        let Opened {
            stream,
            address,
            connect,
            tls,
            certificate_expires,
        } = way.open(deadline).await?;
        timings.connect_us = Some(micros(connect + way.lookup().unwrap_or_default()));
        timings.tls_us = tls.map(micros);
        Ok(Self {
            stream,
            reader: Reader::default(),
            cache: HeadCache::default(),
            scratch: vec![0; SCRATCH].into_boxed_slice(),
            used: false,
            proxied: way.proxied(),
            forwarder: way.forwarder(),
            route: Route {
                address: Some(address),
                proxy: way.proxy(),
                certificate_expires,
                reconnected: false,
            },
        })
    }

    /// Sends `request` and reads the answer. `Ok` has whether the connection can be used again.
    pub(super) async fn ask(
        &mut self,
        request: &[u8],
        deadline: Instant,
        timings: &mut Timings,
    ) -> Result<(Response, bool), Unanswered> {
        if !self.used {
            // What came while the connection was made is known once the system was asked for news.
            tokio::task::yield_now().await;
        }
        self.used = true;
        match self.stream.look() {
            Look::Quiet => {}
            Look::Ended => return Err(self.unsent(TurnError::Closed)),
            Look::Spoke => return Err(self.unsent(TurnError::Unasked)),
        }
        if request.starts_with(b"HEAD ") {
            self.reader.begin_head_only();
        } else {
            self.reader.begin();
        }
        let started = Instant::now();
        let mut turn = Turn::default();
        let (mut first_at, mut sent_at) = (None, None);
        let asked = poll_fn(|cx| {
            let reading = Reading {
                reader: &mut self.reader,
                cache: &mut self.cache,
                scratch: &mut self.scratch,
                keep: &|_| true,
            };
            let polled = turn.poll(cx, &mut self.stream, request, reading);
            if turn.written() > 0 && (turn.written() == request.len() || polled.is_ready()) {
                sent_at.get_or_insert_with(Instant::now);
            }
            if self.reader.has_begun() {
                first_at.get_or_insert_with(Instant::now);
            }
            Poll::Ready(ready!(polled))
        });
        let asked = timeout_at(deadline, asked).await;
        let since = |at: Instant| micros(at.saturating_duration_since(started));
        // A part that was written when the time was up was sent.
        let sent = turn.written() > 0;
        timings.send_us = sent.then(|| sent_at.map_or_else(|| micros(started.elapsed()), since));
        timings.first_byte_us = first_at.map(since);
        let is_clean = match asked {
            Err(_) => return Err(Unanswered::Late),
            Ok(Err(error)) => return Err(Unanswered::Failed { error, sent }),
            Ok(Ok(is_clean)) => is_clean,
        };
        timings.receive_us = first_at.map(|at| micros(at.elapsed()));
        let closes = self.reader.head().is_none_or(|head| head.closes);
        match self.reader.take_response() {
            Some(response) => Ok((response, is_clean && !closes)),
            None => Err(Unanswered::Failed {
                error: TurnError::Closed,
                sent,
            }),
        }
    }

    fn unsent(&self, error: TurnError) -> Unanswered {
        Unanswered::Failed { error, sent: false }
    }
}

/// The body as it was before its encoding.
pub(super) fn decoded(response: Response) -> Result<Response, Failure> {
    decode(response).map_err(|error| Failure::new(FailureClass::BadBody, error.to_string()))
}

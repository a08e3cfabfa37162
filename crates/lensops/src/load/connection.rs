//! One connection: opened, written to and read from under one deadline.
//!
//! No timer is set per request. Each connection has a [`Watch`] with its deadline, and the worker
//! looks over all of them some hundred times a time-out: a timer a request would cost more than
//! the parsing of its answer.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use lensops_core::exchange::{Failure, FailureClass, Response};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;

use super::http1::{HeadCache, Reader};

/// How much is read at once; one buffer serves all connections of a worker.
const SCRATCH: usize = 64 * 1024;

/// Where connections go to.
#[derive(Clone)]
pub(super) struct Peer {
    /// The addresses of the host, or why there is none.
    pub(super) addresses: Result<Vec<SocketAddr>, String>,
    /// How TLS is spoken, where it is.
    pub(super) tls: Option<Result<(TlsConnector, ServerName<'static>), String>>,
}

/// The deadline of what a connection does, seen by the worker's watchman.
#[derive(Default)]
pub(super) struct Watch {
    deadline: Cell<Option<Instant>>,
    over: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Watch {
    fn arm(&self, deadline: Instant) {
        self.over.set(false);
        self.deadline.set(Some(deadline));
    }

    /// Wakes the connection where its time is up.
    pub(super) fn look(&self, now: Instant) {
        if self.deadline.get().is_some_and(|deadline| deadline <= now) {
            self.deadline.set(None);
            self.over.set(true);
            self.wake();
        }
    }

    /// Wakes whoever waits on this connection.
    pub(super) fn wake(&self) {
        let waker = self.waker.borrow().clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Remembers whom to wake.
    pub(super) fn register(&self, cx: &Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
    }
}

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

enum Stream {
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Why a request has no answer; `own` when this machine could not even try.
#[derive(Debug)]
pub(super) struct Broken {
    pub(super) failure: Failure,
    pub(super) own: bool,
}

fn broken(class: FailureClass, detail: impl Into<String>) -> Broken {
    let failure = Failure {
        class,
        detail: detail.into(),
    };
    Broken { failure, own: false }
}

fn connectivity(error: &io::Error) -> Broken {
    // Too many open files, in the process or the system; and no port left.
    let own = matches!(error.raw_os_error(), Some(23 | 24)) || error.kind() == io::ErrorKind::AddrNotAvailable;
    Broken {
        own,
        ..broken(FailureClass::Connectivity, error.to_string())
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
            broken(
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
        self.watch.deadline.set(None);
        match result {
            Ok(clean) => {
                let Some(head) = self.reader.head() else {
                    self.stream = None;
                    return Err(broken(FailureClass::BadBody, "an answer without a head"));
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
        if self.watch.over.get() {
            let detail = format!("no complete answer within {:?}", self.timeout);
            return Poll::Ready(Err(broken(FailureClass::Timeout, detail)));
        }
        let Some(stream) = &mut self.stream else {
            return Poll::Ready(Err(broken(FailureClass::Connectivity, "the connection is closed")));
        };
        while *written < bytes.len() {
            match stream.poll_write(cx, &bytes[*written..]) {
                Poll::Ready(Ok(size)) if size > 0 => *written += size,
                Poll::Ready(Ok(_)) => {
                    return Poll::Ready(Err(broken(FailureClass::Connectivity, "nothing more can be written")));
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(connectivity(&error))),
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
                Err(why) => return Poll::Ready(Err(broken(FailureClass::BadBody, why.to_string()))),
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
        Err(why) => Err(broken(class, why.to_string())),
    }
}

fn broken_off(error: &io::Error, reader: &Reader) -> Broken {
    match reader.head() {
        Some(head) => broken(
            FailureClass::BadBody,
            format!("{} with a body that breaks off: {error}", head.status),
        ),
        None => connectivity(error),
    }
}

impl Stream {
    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => {
                let size = std::task::ready!(Pin::new(&mut **stream).poll_write(cx, bytes))?;
                // What TLS still holds back goes out with the next poll at the latest.
                let _sent_later = Pin::new(&mut **stream).poll_flush(cx)?;
                Poll::Ready(Ok(size))
            }
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => {
                let _sent = Pin::new(&mut **stream).poll_flush(cx)?;
                match Pin::new(&mut **stream).poll_read(cx, buffer) {
                    // A server that closes without saying goodbye has closed all the same: whether
                    // the answer was complete is told by its length.
                    Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => Poll::Ready(Ok(())),
                    other => other,
                }
            }
        }
    }
}

async fn connect(peer: &Peer) -> Result<Stream, Broken> {
    let addresses = match &peer.addresses {
        Ok(addresses) => addresses,
        Err(why) => return Err(broken(FailureClass::Connectivity, why.clone())),
    };
    let mut last = broken(FailureClass::Connectivity, "the host has no address");
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                // Without it small requests wait for the peer's acknowledgement.
                stream.set_nodelay(true).map_err(|error| connectivity(&error))?;
                return encrypt(stream, peer).await;
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                last = broken(FailureClass::Connectivity, format!("connection refused by {address}"));
            }
            Err(error) => last = connectivity(&error),
        }
    }
    Err(last)
}

async fn encrypt(stream: TcpStream, peer: &Peer) -> Result<Stream, Broken> {
    match &peer.tls {
        None => Ok(Stream::Tcp(stream)),
        Some(Err(why)) => Err(broken(FailureClass::Tls, why.clone())),
        Some(Ok((connector, name))) => connector
            .connect(name.clone(), stream)
            .await
            .map(|stream| Stream::Tls(Box::new(stream)))
            .map_err(|error| broken(FailureClass::Tls, error.to_string())),
    }
}

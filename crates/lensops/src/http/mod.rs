//! Sends a prepared request and times its phases.
//!
//! One hyper connection a request stream, kept for the next request; no redirects are followed,
//! since an answer is evidence. Failures are classed here, once, for every command. A connection
//! pool library was not taken: it hides whether a connection was reused, which is part of a timing.

mod connect;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::SendRequest;
use jiff::Timestamp;
use lensops_core::exchange::{Base, Exchange, Failure, FailureClass, PreparedRequest, Response, Sender, Timings};

/// The time a request may take, connecting included.
pub const TIMEOUT: Duration = Duration::from_secs(15);

/// The largest body that is read; a larger one is a bad body.
const LARGEST_BODY: usize = 8 * 1024 * 1024;

/// An idle connection older than this is not used again: servers close idle ones at will, and a
/// request lost to that race would look like an outage.
const IDLE: Duration = Duration::from_secs(2);

/// Sends requests over kept connections.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    timeout: Duration,
    connector: connect::Connector,
    idle: Mutex<HashMap<String, Vec<(Connection, Instant)>>>,
}

/// An open connection to one API.
pub struct Connection {
    send: SendRequest<Full<Bytes>>,
    /// Spent on connecting, until the first request takes it over.
    connect_us: Option<u64>,
    tls_us: Option<u64>,
}

impl Client {
    /// A client whose requests take `timeout` at most.
    #[must_use]
    pub fn new(timeout: Duration) -> Self {
        let inner = Inner {
            timeout,
            connector: connect::Connector::default(),
            idle: Mutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Opens a connection to `base`, outside the kept ones.
    ///
    /// # Errors
    /// Why it could not be opened, with what it took.
    pub async fn connect(&self, base: &Base) -> Result<Connection, Failure> {
        let deadline = tokio::time::timeout(self.inner.timeout, self.inner.connector.open(base));
        deadline
            .await
            .unwrap_or_else(|_| Err(timed_out("connecting", self.inner.timeout)))
    }

    /// Sends `request` over `connection` and gives the connection back where it can be used again.
    pub async fn send_over(
        &self,
        mut connection: Connection,
        request: Arc<PreparedRequest>,
    ) -> (Exchange, Option<Connection>) {
        let sent_at = Timestamp::now();
        let started = Instant::now();
        let mut first_byte_us = None;
        let exchange = exchange(&mut connection.send, &request, started, &mut first_byte_us);
        let result = tokio::time::timeout(self.inner.timeout, exchange).await;
        let timings = Timings {
            connect_us: connection.connect_us.take(),
            tls_us: connection.tls_us.take(),
            first_byte_us,
            total_us: micros(started),
        };
        let result = result.unwrap_or_else(|_| Err(timed_out("waiting for the answer", self.inner.timeout)));
        let keep = matches!(&result, Ok(response) if !closes(response));
        (
            Exchange {
                request,
                sent_at,
                result,
                timings,
            },
            keep.then_some(connection),
        )
    }

    /// A kept connection that can be used again.
    async fn take_idle(&self, key: &str) -> Option<Connection> {
        loop {
            let (mut connection, since) = self.pop_idle(key)?;
            if since.elapsed() < IDLE && connection.send.ready().await.is_ok() {
                return Some(connection);
            }
        }
    }

    fn pop_idle(&self, key: &str) -> Option<(Connection, Instant)> {
        self.inner
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_mut(key)?
            .pop()
    }

    fn keep_idle(&self, key: String, connection: Connection) {
        let mut idle = self.inner.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = idle.entry(key).or_default();
        kept.retain(|(_, since)| since.elapsed() < IDLE);
        kept.push((connection, Instant::now()));
    }
}

impl Sender for Client {
    async fn send(&self, request: Arc<PreparedRequest>) -> Exchange {
        let key = request.base.to_string();
        let started = Instant::now();
        let connection = match self.take_idle(&key).await {
            Some(connection) => Ok(connection),
            None => self.connect(&request.base).await,
        };
        match connection {
            Ok(connection) => {
                let (exchange, kept) = self.send_over(connection, request).await;
                if let Some(connection) = kept {
                    self.keep_idle(key, connection);
                }
                exchange
            }
            Err(failure) => unsent(request, failure, started),
        }
    }
}

/// The exchange of a request that found no connection.
#[must_use]
pub fn unsent(request: Arc<PreparedRequest>, failure: Failure, started: Instant) -> Exchange {
    let timings = Timings {
        total_us: micros(started),
        ..Timings::default()
    };
    Exchange {
        request,
        sent_at: Timestamp::now(),
        result: Err(failure),
        timings,
    }
}

async fn exchange(
    send: &mut SendRequest<Full<Bytes>>,
    request: &PreparedRequest,
    started: Instant,
    first_byte_us: &mut Option<u64>,
) -> Result<Response, Failure> {
    let message = to_hyper(request)?;
    let response = send.send_request(message).await.map_err(|error| head_failure(&error))?;
    *first_byte_us = Some(micros(started));
    let (head, mut body) = response.into_parts();
    let headers = head.headers.iter().map(|(name, value)| {
        (
            name.as_str().to_owned(),
            String::from_utf8_lossy(value.as_bytes()).into_owned(),
        )
    });
    let headers = headers.collect();
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            bad_body(format!(
                "{} with a body that breaks off: {}",
                head.status.as_u16(),
                deepest(&error)
            ))
        })?;
        if let Some(data) = frame.data_ref() {
            if bytes.len() + data.len() > LARGEST_BODY {
                return Err(bad_body(format!(
                    "{} with a body of more than {LARGEST_BODY} bytes",
                    head.status.as_u16()
                )));
            }
            bytes.extend_from_slice(data);
        }
    }
    let version = match head.version {
        hyper::Version::HTTP_10 => "HTTP/1.0",
        _ => "HTTP/1.1",
    };
    Ok(Response {
        version,
        status: head.status.as_u16(),
        headers,
        body: bytes,
    })
}

fn to_hyper(request: &PreparedRequest) -> Result<hyper::Request<Full<Bytes>>, Failure> {
    let mut message = hyper::Request::builder()
        .method(request.method.as_str())
        .uri(&request.target)
        .header("Host", request.base.authority());
    for header in &request.headers {
        message = message.header(&header.name, header.value.expose());
    }
    let body = request.body.clone().map(Bytes::from).unwrap_or_default();
    message
        .body(Full::new(body))
        .map_err(|error| connectivity(format!("the request cannot be sent: {error}")))
}

fn head_failure(error: &hyper::Error) -> Failure {
    if error.is_parse() {
        return bad_body(format!("the answer is not HTTP: {}", deepest(error)));
    }
    connectivity(deepest(error))
}

/// The innermost cause of an error: what the system said.
fn deepest(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

fn connectivity(detail: String) -> Failure {
    Failure {
        class: FailureClass::Connectivity,
        detail,
    }
}

fn bad_body(detail: String) -> Failure {
    Failure {
        class: FailureClass::BadBody,
        detail,
    }
}

fn timed_out(doing: &str, after: Duration) -> Failure {
    Failure {
        class: FailureClass::Timeout,
        detail: format!("no answer within {}s, {doing}", after.as_secs_f64()),
    }
}

fn closes(response: &Response) -> bool {
    let asked = response
        .header("connection")
        .is_some_and(|value| value.eq_ignore_ascii_case("close"));
    let kept = response
        .header("connection")
        .is_some_and(|value| value.eq_ignore_ascii_case("keep-alive"));
    asked || (response.version == "HTTP/1.0" && !kept)
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

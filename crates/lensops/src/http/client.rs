//! Sends prepared requests over kept connections, and times their phases.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use lensops_core::exchange::{Base, Exchange, Failure, PreparedRequest, Sender, Timings};

use super::connection::{Connection, Connector};
use super::exchange::{closes, exchange};
use super::failure::timed_out;
use crate::connect::micros;

/// The time a request may take, connecting included.
pub const TIMEOUT: Duration = Duration::from_secs(15);

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
    connector: Connector,
    idle: Mutex<HashMap<String, Vec<(Connection, Instant)>>>,
}

impl Client {
    /// A client whose requests take `timeout` at most.
    #[must_use]
    pub fn new(timeout: Duration) -> Self {
        let inner = Inner {
            timeout,
            connector: Connector::default(),
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
            total_us: micros(started.elapsed()),
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
        total_us: micros(started.elapsed()),
        ..Timings::default()
    };
    Exchange {
        request,
        sent_at: Timestamp::now(),
        result: Err(failure),
        timings,
    }
}

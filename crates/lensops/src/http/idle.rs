//! Connections that rest until the next request to the same API.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::connection::Connection;
use crate::connect::Look;

/// An idle connection older than this is not used again: servers close idle ones at will.
const IDLE: Duration = Duration::from_secs(2);

/// Connections that rest, by the address of their API.
#[derive(Default)]
pub(super) struct Idle(Mutex<HashMap<String, Vec<(Connection, Instant)>>>);

impl Idle {
    /// A connection that can be used again. Those that their server ended, or spoke on unasked, are dropped.
    pub(super) fn take(&self, key: &str) -> Option<Connection> {
        loop {
            let (mut connection, since) = self.pop(key)?;
            if since.elapsed() < IDLE && connection.stream.look() == Look::Quiet {
                return Some(connection);
            }
        }
    }

    fn pop(&self, key: &str) -> Option<(Connection, Instant)> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get_mut(key)?.pop()
    }

    /// Keeps `connection` for the next request.
    pub(super) fn keep(&self, key: String, connection: Connection) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = kept.entry(key).or_default();
        kept.retain(|(_, since)| since.elapsed() < IDLE);
        kept.push((connection, Instant::now()));
    }
}

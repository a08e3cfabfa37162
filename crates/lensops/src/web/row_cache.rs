//! What was read last for each user, so that a page need not wait for the store, nor ask one that is down.
//!
//! It is kept for the claims it was read with, and shown to nobody else.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::row::Row;

/// How long a store that did not answer is not asked again: those who wait would each wait as long.
const SPARED: Duration = Duration::from_secs(2);

/// Users whose rows are remembered.
const REMEMBERED: usize = 1_000;

/// Rows as they were read for a user.
#[derive(Clone)]
pub(super) struct CachedRows {
    pub(super) read: Instant,
    /// How often the watcher had told of a change before they were read.
    pub(super) told: u64,
    pub(super) as_of: Timestamp,
    pub(super) rows: Arc<Vec<Row>>,
}

/// What was read last, by user.
#[derive(Default)]
pub(super) struct RowCache {
    /// Counts what the watcher has told: rows that were read before are not of now.
    told: AtomicU64,
    seen: Mutex<HashMap<String, CachedRows>>,
    /// When and why the rows of a user could not be read.
    failed: Mutex<HashMap<String, (Instant, String)>>,
    /// One reads at a time for a user; the others take what it read.
    turns: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

impl RowCache {
    /// From now on whatever was read before is read again.
    pub(super) fn outdate(&self) {
        self.told.fetch_add(1, Ordering::SeqCst);
    }

    /// How often the watcher has told of a change.
    pub(super) fn told(&self) -> u64 {
        self.told.load(Ordering::SeqCst)
    }

    /// What was read last for the user `key`.
    pub(super) fn of(&self, key: &str) -> Option<CachedRows> {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(key)
            .cloned()
    }

    pub(super) fn keep(&self, key: &str, seen: CachedRows) {
        let mut known = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED && !known.contains_key(key) {
            known.clear();
        }
        known.insert(key.to_owned(), seen);
    }

    /// Why the rows of the user `key` could not be read, where that was a moment ago.
    pub(super) fn failed(&self, key: &str) -> Option<String> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, why) = failed.get(key)?;
        (at.elapsed() < SPARED).then(|| why.clone())
    }

    pub(super) fn fail(&self, key: &str, why: &str) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.retain(|_, (at, _)| at.elapsed() < SPARED);
        failed.insert(key.to_owned(), (Instant::now(), why.to_owned()));
    }

    /// Whoever holds it reads for the user `key`.
    pub(super) fn turn(&self, key: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        if turns.len() >= REMEMBERED {
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        }
        turns.entry(key.to_owned()).or_default().clone()
    }
}

//! The state of the scheduler, readable while it runs: what is due, queued, running, recorded, missed.

use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use lensops_core::history::schedule::from_ms;
use lensops_core::stats::histogram::Latencies;

/// The worker's state. Written by the worker alone, read by anybody at any time.
#[derive(Debug)]
pub struct Pulse {
    next_due_ms: AtomicI64,
    last_recorded_ms: AtomicI64,
    pairs: AtomicUsize,
    queued: AtomicUsize,
    running: AtomicUsize,
    recorded: AtomicU64,
    missed: AtomicU64,
    latest_us: AtomicU64,
    lateness: Mutex<Latencies>,
}

impl Default for Pulse {
    fn default() -> Self {
        Self {
            next_due_ms: AtomicI64::new(i64::MIN),
            last_recorded_ms: AtomicI64::new(i64::MIN),
            pairs: AtomicUsize::new(0),
            queued: AtomicUsize::new(0),
            running: AtomicUsize::new(0),
            recorded: AtomicU64::new(0),
            missed: AtomicU64::new(0),
            latest_us: AtomicU64::new(0),
            lateness: Mutex::new(Latencies::new()),
        }
    }
}

fn time(ms: &AtomicI64) -> Option<Timestamp> {
    let ms = ms.load(Ordering::Relaxed);
    (ms != i64::MIN).then(|| from_ms(ms))
}

impl Pulse {
    /// When the next pair is due; one that is past is late. `None` while nothing waits.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        time(&self.next_due_ms)
    }

    /// When a check was last recorded; `None` before the first.
    #[must_use]
    pub fn last_recorded(&self) -> Option<Timestamp> {
        time(&self.last_recorded_ms)
    }

    /// Pairs of lens and tenant that are checked.
    #[must_use]
    pub fn pairs(&self) -> usize {
        self.pairs.load(Ordering::Relaxed)
    }

    /// Pairs that are due and wait for room at their host.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }

    /// Checks that run now.
    #[must_use]
    pub fn running(&self) -> usize {
        self.running.load(Ordering::SeqCst)
    }

    /// Checks recorded since the start.
    #[must_use]
    pub fn recorded(&self) -> u64 {
        self.recorded.load(Ordering::Relaxed)
    }

    /// Slots missed since the start.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }

    /// From due to started, of every check that was due while the worker ran, in microseconds.
    #[must_use]
    pub fn lateness(&self) -> Latencies {
        self.lateness.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn stands(&self, next_due: Option<Timestamp>, (pairs, queued): (usize, usize), running: usize) {
        let ms = next_due.map_or(i64::MIN, Timestamp::as_millisecond);
        self.next_due_ms.store(ms, Ordering::Relaxed);
        self.pairs.store(pairs, Ordering::Relaxed);
        self.queued.store(queued, Ordering::Relaxed);
        self.running.store(running, Ordering::SeqCst);
    }

    pub(crate) fn has_recorded(&self, at: Timestamp) {
        self.last_recorded_ms.store(at.as_millisecond(), Ordering::Relaxed);
        self.recorded.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn has_missed(&self) {
        self.missed.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn has_started(&self, late: SignedDuration) {
        let us = u64::try_from(late.as_micros()).unwrap_or(0);
        self.lateness.lock().unwrap_or_else(PoisonError::into_inner).record(us);
        self.latest_us.fetch_max(us, Ordering::Relaxed);
    }

    /// The latest start since this was asked last.
    pub(crate) fn take_latest(&self) -> SignedDuration {
        let us = self.latest_us.swap(0, Ordering::Relaxed);
        SignedDuration::from_micros(i64::try_from(us).unwrap_or(i64::MAX))
    }
}

//! What a worker is told to do, and what it hands in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lensops_core::plan::load_shape::Load;
use tokio::sync::{Barrier, mpsc};

use super::broken::Broken;
use super::job::LoadTarget;
use super::tally::Figures;
use crate::connect::Way;

/// What a worker has counted in one second.
pub(super) struct Snapshot {
    pub(super) second: u32,
    pub(super) figures: Vec<Figures>,
    /// Processor time in percent of the load's time; only in the last of a worker.
    pub(super) busy_percent: Option<u32>,
}

/// What a worker is told.
#[derive(Clone)]
pub(super) struct Task {
    pub(super) targets: Arc<Vec<LoadTarget>>,
    pub(super) load: Load,
    pub(super) worker: u32,
    pub(super) workers: u32,
    /// The way to the API, looked up once: a name server under load is not what is measured.
    pub(super) way: Result<Way, Broken>,
    pub(super) timeout: Duration,
    pub(super) reuse: bool,
    pub(super) warm_up: Duration,
    pub(super) seed: u64,
    pub(super) stop: Arc<AtomicBool>,
    pub(super) start: Arc<Barrier>,
    pub(super) out: mpsc::UnboundedSender<Snapshot>,
}

impl Task {
    /// This worker's part of `total`, so that all parts add up to it.
    pub(super) fn share(&self, total: u64) -> u64 {
        let (workers, worker) = (u64::from(self.workers), u64::from(self.worker));
        total / workers + u64::from(worker < total % workers)
    }

    pub(super) fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

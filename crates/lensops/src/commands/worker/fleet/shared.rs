//! What the jobs of a fleet's worker share.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use lensops_core::ident::LensId;
use lensops_core::redaction::Redactor;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::beginner::Beginner;
use super::clock::FleetClock;
use super::pairs::Pairs;
use super::recorder::{Recorder, Rules, States};
use crate::alert::Receiver;
use crate::commands::worker::health::Health;
use crate::commands::worker::scheduler_stats::Pulse;
use crate::http::Client;
use crate::store::fleet::Fleet;
use crate::store::{Journal, Store};

/// When a pair was checked here last, and how often it is.
#[derive(Debug, Clone, Copy)]
struct Ran {
    due: Timestamp,
    every: SignedDuration,
}

/// What the jobs share.
pub(super) struct Shared {
    pub(super) fleet: Fleet,
    /// This worker's id.
    pub(super) machine: String,
    pub(super) journal: Journal,
    pub(super) store: Store<Client>,
    /// Asks the API.
    pub(super) sender: Client,
    /// Asks receivers.
    pub(super) teller: Client,
    pub(super) receivers: Vec<Receiver>,
    pub(super) redactor: Redactor,
    pub(super) clock: FleetClock,
    pub(super) health: Arc<Health>,
    pub(super) pulse: Arc<Pulse>,
    pub(super) pairs: RwLock<Arc<Pairs>>,
    pub(super) beginner: Beginner,
    pub(super) recorder: Recorder,
    pub(super) rules: Rules,
    pub(super) states: States,
    pub(super) hosts: Hosts,
    pub(super) ran: RanPairs,
    /// Woken where a job met a database that does not answer.
    pub(super) suspect: Notify,
    /// Woken where a job names a pair that is not known here.
    pub(super) stale: Notify,
    /// Cancelled when the worker is told to stop.
    pub(super) stop: CancellationToken,
    /// When the database was last reached after it was away, in milliseconds.
    pub(super) joined_ms: AtomicI64,
}

impl Shared {
    pub(super) fn pairs(&self) -> Arc<Pairs> {
        self.pairs.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Slots before this went by without this machine.
    pub(super) fn joined(&self) -> Timestamp {
        lensops_core::history::schedule::from_ms(self.joined_ms.load(Ordering::Relaxed))
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

/// The pairs that were checked here last.
#[derive(Default)]
pub(super) struct RanPairs(Mutex<HashMap<(Uuid, LensId), Ran>>);

impl RanPairs {
    pub(super) fn add(&self, tenant: Uuid, lens: &LensId, due: Timestamp, every_ms: i64) {
        let every = SignedDuration::from_millis(every_ms);
        let mut ran = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ran.insert((tenant, lens.clone()), Ran { due, every });
    }

    /// The pairs whose latest slot at `now` was run here; others are forgotten.
    pub(super) fn latest(&self, now: Timestamp) -> Vec<(Uuid, LensId)> {
        let mut ran = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ran.retain(|_, ran| now.duration_since(ran.due) < ran.every * 2);
        let own = ran.iter().filter(|(_, ran)| now.duration_since(ran.due) < ran.every);
        own.map(|(pair, _)| pair.clone()).collect()
    }
}

/// How many checks run at once against one host.
pub(super) struct Hosts {
    per_host: usize,
    hosts: Mutex<HashMap<String, Arc<Semaphore>>>,
}

impl Hosts {
    pub(super) fn new(per_host: usize) -> Self {
        Self {
            per_host,
            hosts: Mutex::default(),
        }
    }

    /// The places of each host.
    pub(super) fn per_host(&self) -> usize {
        self.per_host
    }

    /// The places of the host called `name`.
    pub(super) fn of(&self, name: String) -> Arc<Semaphore> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts
            .entry(name)
            .or_insert_with(|| Arc::new(Semaphore::new(self.per_host)))
            .clone()
    }
}

/// How long one who cannot reach the database waits before he tries again.
pub(super) const RETRY: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_is_cut_off_goes_on_with_the_pairs_whose_last_slot_was_its_own() {
        let ran = RanPairs::default();
        let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).unwrap();
        let lens: LensId = "faults".parse().unwrap();
        for (tenant, due) in [(1, 0), (2, 30), (3, 59)] {
            ran.add(Uuid::from_u128(tenant), &lens, at(due), 60_000);
        }
        let mut own: Vec<u128> = ran
            .latest(at(75))
            .into_iter()
            .map(|(tenant, _)| tenant.as_u128())
            .collect();
        own.sort_unstable();
        assert_eq!(
            own,
            [2, 3],
            "the first was due again at 60, and another machine has run it"
        );
        assert_eq!(ran.latest(at(125)).len(), 0);
    }
}

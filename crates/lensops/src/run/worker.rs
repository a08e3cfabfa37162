//! The health worker: every lens for every tenant, at its slots, until it is told to stop.
//!
//! One task a pair. A pair's checks follow one another, so that one that outlives its interval is
//! never run twice at once; the slots it ran over are recorded as missed. The next slot is counted
//! from the epoch and not from the end of the last check, so that nothing drifts.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use lensops_core::exchange::Sender;
use lensops_core::record::Level;
use lensops_core::schedule::{Every, Schedule, slot_id};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::check::{Before, Monitor, overall};
use super::clock::Clock;
use super::vitals::Vitals;
use crate::store::{Journal, Store};

/// What running checks have left, in all, once the worker is told to stop.
pub const GRACE: Duration = Duration::from_secs(10);

/// Checks that run at once: more would contend for the same API.
const AT_ONCE: usize = 32;

/// How long a journal that refuses is tried again before the check is given up.
const RECORD_FOR: Duration = Duration::from_secs(60);

/// The world of a worker.
pub struct Worker<C, S> {
    /// The clock.
    pub clock: C,
    /// Sends requests.
    pub sender: S,
    /// Keeps checks.
    pub journal: Journal,
    /// Where they go on to: asked for the past when the journal has none.
    pub store: Store<S>,
    /// The plans.
    pub monitors: Vec<Arc<Monitor>>,
    /// What it knows of itself.
    pub vitals: Arc<Vitals>,
}

struct Pair {
    monitor: Arc<Monitor>,
    tenant: Uuid,
    schedule: Schedule,
    /// Stands before each line where there is more than one lens.
    prefix: String,
}

impl<C: Clock, S: Sender + 'static> Worker<C, S> {
    /// Runs until `stop` is cancelled, then gives running checks [`GRACE`]. Says when that ends.
    pub async fn run(self, stop: CancellationToken) -> tokio::time::Instant {
        let several = self.monitors.len() > 1;
        let several_tenants = self.monitors.iter().any(|monitor| monitor.plan.tenants.len() > 1);
        for monitor in &self.monitors {
            announce(monitor, several);
        }
        let cut = CancellationToken::new();
        let world = Arc::new(self);
        let slots = Arc::new(Semaphore::new(AT_ONCE));
        let mut pairs = JoinSet::new();
        for monitor in &world.monitors {
            for tenant in &monitor.plan.tenants {
                let prefix = match (several, several_tenants) {
                    (false, false) => String::new(),
                    (true, false) => format!("[{}] ", monitor.lens()),
                    _ => format!("[{} {tenant}] ", monitor.lens()),
                };
                let pair = Pair {
                    monitor: monitor.clone(),
                    tenant: *tenant,
                    schedule: monitor.schedule(*tenant),
                    prefix,
                };
                pairs.spawn(run_pair(world.clone(), pair, slots.clone(), stop.clone(), cut.clone()));
            }
        }
        stop.cancelled().await;
        tracing::info!("Stopping: running checks have {} s", GRACE.as_secs());
        let deadline = tokio::time::Instant::now() + GRACE;
        let drained = tokio::time::timeout_at(deadline, async { while pairs.join_next().await.is_some() {} }).await;
        if drained.is_err() {
            cut.cancel();
            while pairs.join_next().await.is_some() {}
        }
        tracing::info!("Stopped");
        deadline
    }
}

fn announce(monitor: &Monitor, several: bool) {
    let prefix = if several {
        format!("[{}] ", monitor.lens())
    } else {
        String::new()
    };
    if let (Err(reason), false) = (&monitor.provider, monitor.plan.flags().is_empty()) {
        tracing::warn!("{prefix}⚠️ Feature flags are not judged: {reason}");
    }
    if let Some(reason) = &monitor.plan.paused {
        tracing::warn!("{prefix}⏸ Paused: {reason}");
    }
}

async fn run_pair<C: Clock, S: Sender + 'static>(
    world: Arc<Worker<C, S>>,
    pair: Pair,
    slots: Arc<Semaphore>,
    stop: CancellationToken,
    cut: CancellationToken,
) {
    let _watched = world.vitals.watch(
        pair.tenant,
        pair.monitor.lens(),
        pair.monitor.plan.every,
        world.clock.now(),
    );
    let mut due = first_due(&world, &pair).await;
    loop {
        tokio::select! {
            // In this order, or a slot that is due would race the stop.
            biased;
            () = stop.cancelled() => return,
            () = world.clock.sleep_until(due) => {}
        }
        due = catch_up(&world, &pair, due).await;
        let Ok(_permit) = (tokio::select! {
            biased;
            () = stop.cancelled() => return,
            permit = slots.acquire() => permit,
        }) else {
            return;
        };
        tokio::select! {
            // Told to stop and out of time: the slot is missed, never unhealthy.
            () = cut.cancelled() => {
                miss(&world, &pair, due, "shutdown").await;
                return;
            }
            () = run_slot(&world, &pair, due) => {}
        }
        // Slots that were due while the check ran are not made up for.
        let now = world.clock.now();
        for skipped in pair.schedule.between(due, now) {
            miss(&world, &pair, skipped, "overrun").await;
        }
        due = pair.schedule.next(due.max(now));
        if !stop.is_cancelled() {
            tracing::info!("{}Sleeping for {}...", pair.prefix, span(due.duration_since(now)));
        }
    }
}

/// The first slot to run: the current one, unless it is recorded already.
async fn first_due<C: Clock, S>(world: &Worker<C, S>, pair: &Pair) -> Timestamp {
    let now = world.clock.now();
    let current = pair.schedule.latest(now);
    match world
        .journal
        .holds(slot_id(pair.tenant, pair.monitor.lens(), current))
        .await
    {
        Ok(false) => current,
        // A journal that cannot be read is told when it is written.
        Ok(true) | Err(_) => pair.schedule.next(now),
    }
}

/// After a sleep that lasted too long (a suspended machine, a stepped clock) the slots that went
/// by are missed; the latest one is run.
async fn catch_up<C: Clock, S>(world: &Worker<C, S>, pair: &Pair, due: Timestamp) -> Timestamp {
    let latest = pair.schedule.latest(world.clock.now());
    if latest <= due {
        return due;
    }
    miss(world, pair, due, "asleep").await;
    for skipped in pair.schedule.between(due, latest).filter(|slot| *slot < latest) {
        miss(world, pair, skipped, "asleep").await;
    }
    latest
}

async fn run_slot<C: Clock, S: Sender + 'static>(world: &Worker<C, S>, pair: &Pair, due: Timestamp) {
    let (monitor, prefix, lens) = (&pair.monitor, &pair.prefix, pair.monitor.lens());
    tracing::info!(lens = %lens, yacht = %pair.tenant, "{prefix}Starting health check for lens={lens} yacht={}", pair.tenant);
    let now = world.clock.now();
    let before = monitor
        .before(&world.journal, &world.store, pair.tenant, now)
        .await
        .unwrap_or_else(|error| {
            tracing::error!("{prefix}❌ History could not be read: {error}");
            Before::default()
        });
    let id = slot_id(pair.tenant, lens, due);
    let report = monitor
        .check(&world.sender, pair.tenant, id, now, Timestamp::now(), before)
        .await;
    for (level, line) in &report.lines {
        tell(*level, &format!("{prefix}{line}"));
    }
    record(world, pair, &report.record).await;
    world.vitals.checked(&report.record, due, world.clock.now());
    let (level, line) = overall(&report, monitor.plan.paused.as_deref());
    tell(level, &format!("{prefix}{line}"));
}

/// Records a check; a journal that refuses is tried again, for the check must not be lost.
async fn record<C: Clock, S: Sender>(world: &Worker<C, S>, pair: &Pair, check: &lensops_core::record::CheckRecord) {
    let prefix = &pair.prefix;
    tracing::debug!(id = %check.id, "{prefix}Recording health check: id={}", check.id);
    let deadline = tokio::time::Instant::now() + RECORD_FOR;
    let mut wait = Duration::from_millis(200);
    loop {
        match world.journal.record(check.clone()).await {
            // Where there is a store elsewhere, the delivery tells when it is there.
            Ok(()) if world.store.is_elsewhere() => return,
            Ok(()) => return tracing::info!(id = %check.id, "{prefix}✅ Wrote health check to DB: id={}", check.id),
            Err(error) if tokio::time::Instant::now() + wait < deadline => {
                tracing::error!("{prefix}❌ Failed to write health check to DB: {error}; trying again");
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(Duration::from_secs(15));
            }
            // The last resort of a full disk: the log has what the journal could not take.
            Err(error) => {
                tracing::error!(
                    "{prefix}❌ Failed to write health check to DB: {error}; lost: id={} status={}",
                    check.id,
                    check.status.as_str()
                );
                world.vitals.unrecorded();
                return;
            }
        }
    }
}

async fn miss<C, S>(world: &Worker<C, S>, pair: &Pair, due: Timestamp, reason: &str) {
    let lens = pair.monitor.lens();
    let id = slot_id(pair.tenant, lens, due);
    world.vitals.missed(lens, reason);
    tracing::warn!(
        "{}⚠️ Missed the slot of {}: {reason}",
        pair.prefix,
        due.strftime("%Y-%m-%dT%H:%M:%SZ")
    );
    if let Err(error) = world
        .journal
        .record_missed(id, pair.tenant, lens.clone(), due, reason)
        .await
    {
        tracing::error!("{}❌ The missed slot could not be recorded: {error}", pair.prefix);
    }
}

/// Logs a line at its level.
pub fn tell(level: Level, line: &str) {
    match level {
        Level::Info => tracing::info!("{line}"),
        Level::Warning => tracing::warn!("{line}"),
        Level::Error => tracing::error!("{line}"),
    }
}

/// A wait for people: whole minutes from one minute up, else seconds.
fn span(left: SignedDuration) -> String {
    let seconds = left.as_secs().max(0);
    let rounded = if seconds >= 60 {
        (seconds + 30) / 60 * 60
    } else {
        seconds
    };
    format!("{rounded}s")
        .parse::<Every>()
        .map_or_else(|_| format!("{seconds} seconds"), Every::tell)
}

//! One slot of a pair: the slots missed before it, its check, the record, and the slots it overran.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use lensops_core::exchange::Sender;
use lensops_core::history::schedule::Schedule;
use lensops_core::verdict::record::CheckRecord;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::before::Before;
use super::clock::Clock;
use super::health::Health;
use super::lines::{overall, span, tell};
use super::scheduler_stats::Pulse;
use super::timetable::Work;
use crate::store::{Journal, Store};

/// How long a journal that refuses is tried again before the check is given up.
const RECORD_FOR: Duration = Duration::from_secs(60);

/// Why slots are missed by a pair whose earlier slot a start makes up for.
const STARTING: &str = "starting";

/// What all checks of a worker share.
pub(super) struct Shared<C, S> {
    pub(super) clock: C,
    pub(super) sender: S,
    pub(super) journal: Journal,
    pub(super) store: Store<S>,
    pub(super) pulse: Arc<Pulse>,
    pub(super) health: Arc<Health>,
    /// Told which pair's check asks its host nothing more.
    pub(super) answered: mpsc::UnboundedSender<u32>,
}

/// Runs `work` and returns the newest slot that is settled by it.
pub(super) async fn run<C: Clock, S: Sender>(
    shared: Arc<Shared<C, S>>,
    work: Work,
    prefix: String,
    cut: CancellationToken,
) -> Timestamp {
    let slot = Slot {
        shared: &shared,
        work: &work,
        prefix: &prefix,
    };
    let schedule = work.monitor.schedule(work.tenant);
    let now = shared.clock.now();
    if !work.late && !work.again {
        shared.pulse.has_started(now.duration_since(work.due));
        shared.health.started(now.duration_since(work.due));
    }
    let due = schedule.latest(now).max(work.due);
    if !work.again {
        let before = work.first - jiff::SignedDuration::from_millis(1);
        for skipped in schedule.between(before, due).filter(|skipped| *skipped < due) {
            // Slept through by all, waited through while a start made up for what was undone, or for room at the host.
            let reason = match skipped < work.due {
                true => "asleep",
                false if work.late => STARTING,
                false => "busy",
            };
            slot.miss(skipped, reason).await;
        }
    }
    tokio::select! {
        // Told to stop and out of time: the slot is missed, never unhealthy.
        () = cut.cancelled() => {
            slot.miss(due, "shutdown").await;
            return due;
        }
        () = slot.check(due) => {}
    }
    // Slots that were due while the check ran are not made up for.
    let now = shared.clock.now();
    let mut settled = due;
    for skipped in schedule.between(due, now) {
        slot.miss(skipped, if work.late { STARTING } else { "overrun" }).await;
        settled = skipped;
    }
    let next = schedule.next(settled.max(now));
    tracing::info!("{prefix}Sleeping for {}...", span(next.duration_since(now)));
    settled
}

struct Slot<'a, C, S> {
    shared: &'a Shared<C, S>,
    work: &'a Work,
    prefix: &'a str,
}

impl<C: Clock, S: Sender> Slot<'_, C, S> {
    async fn check(&self, due: Timestamp) {
        let (shared, prefix, tenant) = (self.shared, self.prefix, self.work.tenant);
        let (monitor, lens) = (&self.work.monitor, self.work.monitor.lens());
        let name = monitor.plan.tenants.name(tenant);
        tracing::info!(lens = %lens, yacht = %name, "{prefix}Starting health check for lens={lens} yacht={name}");
        let now = shared.clock.now();
        shared.health.begun(tenant, lens, now);
        let before = monitor
            .before(&shared.journal, &shared.store, tenant, now)
            .await
            .unwrap_or_else(|error| {
                tracing::error!("{prefix}❌ History could not be read: {error}");
                Before::default()
            });
        let schedule = monitor.schedule(tenant);
        // A slot that was settled before the clock went back is not settled twice.
        let id = if self.work.again {
            schedule.ad_hoc_id(due, fastrand::u64(..))
        } else {
            schedule.slot_id(due)
        };
        let report = monitor
            .check(
                &shared.sender,
                tenant,
                id,
                now,
                Timestamp::now(),
                before,
                &|level, line| {
                    tell(level, &format!("{prefix}{line}"));
                },
            )
            .await;
        // The loop is gone only when the worker is: then nobody waits for the place.
        shared.answered.send(self.work.pair).ok();
        if self.record(&report.record).await {
            // A check has just been recorded: what follows from it starts here.
            shared.pulse.has_recorded(now);
            shared.health.checked(&report.record, shared.clock.now());
        } else {
            shared.health.ended(tenant, lens);
        }
        let (level, line) = overall(&report);
        tell(level, &format!("{prefix}{line}"));
    }

    /// Records a check; a journal that refuses is tried again, for the check must not be lost.
    async fn record(&self, check: &CheckRecord) -> bool {
        let (shared, prefix) = (self.shared, self.prefix);
        tracing::debug!(id = %check.id, "{prefix}Recording health check: id={}", check.id);
        let deadline = tokio::time::Instant::now() + RECORD_FOR;
        let mut wait = Duration::from_millis(200);
        loop {
            match shared.journal.record(check.clone()).await {
                Ok(()) => {
                    // Where there is a store elsewhere, the delivery tells when it is there.
                    if !shared.store.is_elsewhere() {
                        tracing::info!(id = %check.id, "{prefix}✅ Wrote health check to DB: id={}", check.id);
                    }
                    return true;
                }
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
                    shared.health.unrecorded();
                    return false;
                }
            }
        }
    }

    async fn miss(&self, due: Timestamp, reason: &str) {
        let schedule = self.work.monitor.schedule(self.work.tenant);
        miss(self.shared, &schedule, self.prefix, due, reason).await;
    }
}

/// Records that the slot at `due` has no check, and why.
pub(super) async fn miss<C, S>(
    shared: &Shared<C, S>,
    schedule: &Schedule<'_>,
    prefix: &str,
    due: Timestamp,
    reason: &str,
) {
    let line = format!(
        "{prefix}⚠️ Missed the slot of {}: {reason}",
        due.strftime("%Y-%m-%dT%H:%M:%SZ")
    );
    // What everybody slept through is told once for all.
    if reason == "asleep" {
        tracing::debug!("{line}");
    } else {
        tracing::warn!("{line}");
    }
    shared.pulse.has_missed();
    shared.health.missed(schedule.lens(), reason);
    let missed = shared.journal.record_missed(schedule, due, reason);
    if let Err(error) = missed.await {
        tracing::error!("{prefix}❌ The missed slot could not be recorded: {error}");
    }
}

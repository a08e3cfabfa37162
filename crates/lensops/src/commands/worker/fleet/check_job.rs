//! The job that checks a pair: what its payload names, the check, and its end.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use graphile_worker::{IntoTaskHandlerResult, Job, TaskHandler, WorkerContext};
use jiff::{SignedDuration, Timestamp};
use lensops_core::alert::{Finding, Rule, Seen, Subject};
use lensops_core::verdict::CheckReport;
use lensops_core::verdict::record::CheckRecord;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::pairs::Wanted;
use super::recorder::{Refused, log};
use super::shared::Shared;
use crate::commands::worker::Before;
use crate::commands::worker::check::Monitor;
use crate::commands::worker::clock::Clock as _;
use crate::commands::worker::lines::{overall, tell};
use crate::store::fleet::{Begun, CHECK, CheckJob, Ended, Started};
use crate::store::{Journal, Store, StoredCheck};

/// Beginnings without an end from which on a pair is parked.
const CRASHES: i32 = 3;

/// How soon a job is looked at again that another machine is to take.
const ELSEWHERE: SignedDuration = SignedDuration::from_secs(1);

/// How long a journal that refuses is tried again before the check is given up.
const RECORD_FOR: Duration = Duration::from_secs(60);

/// What the queue hands to every job.
#[derive(Clone, Debug)]
pub(super) struct Given(pub(super) Arc<Shared>);

/// The task: whatever its payload is, for nonsense must come to an end too.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Check(Value);

impl TaskHandler for Check {
    const IDENTIFIER: &'static str = CHECK;

    async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
        let Some(Given(shared)) = context.get_ext::<Given>().cloned() else {
            return Err("the worker is not set up".to_owned());
        };
        let turn = Turn {
            shared: &shared,
            job: context.job(),
            worker: context.worker_id(),
        };
        turn.run(self.0).await
    }
}

/// One run of a job.
struct Turn<'a> {
    shared: &'a Shared,
    job: &'a Job,
    worker: &'a str,
}

/// The slot that is run: of which pair, and which were missed before it.
struct Slot<'a> {
    monitor: &'a Arc<Monitor>,
    work: CheckJob,
    due: Timestamp,
    missed: Vec<(Timestamp, &'static str)>,
    prefix: String,
}

impl Turn<'_> {
    async fn run(&self, payload: Value) -> Result<(), String> {
        let shared = self.shared;
        let work: CheckJob = match serde_json::from_value(payload) {
            Ok(work) => work,
            Err(error) => {
                let why = format!("the job names no pair: {error}");
                tracing::error!("❌ Job {} is parked: {why} (lensops fleet status)", self.job.id());
                let parked = shared.fleet.park(self.job, self.worker, None, &why).await;
                return parked.map_err(|error| self.away(&error.to_string()));
            }
        };
        match shared.pairs().wanted(&work.lens, work.tenant) {
            Wanted::Here(monitor) => self.slot(&monitor, work).await,
            // Another machine may run it, and is asked sooner than this one again.
            Wanted::NotHere => {
                let later = shared.fleet.leave(&work, shared.clock.now() + ELSEWHERE).await;
                later.map_err(|error| self.away(&error.to_string()))
            }
            Wanted::No => self.stranger(&work).await,
        }
    }

    /// A pair that is not in force here: it left, or the plans are newer than what this machine knows.
    async fn stranger(&self, work: &CheckJob) -> Result<(), String> {
        let shared = self.shared;
        let newest = shared
            .fleet
            .revision()
            .await
            .map_err(|error| self.away(&error.to_string()))?;
        if newest == shared.pairs().revision {
            return self.end_without(work, None, false).await;
        }
        shared.stale.notify_one();
        let later = shared.fleet.leave(work, shared.clock.now() + ELSEWHERE).await;
        later.map_err(|error| self.away(&error.to_string()))
    }

    async fn slot(&self, monitor: &Arc<Monitor>, work: CheckJob) -> Result<(), String> {
        let shared = self.shared;
        let schedule = monitor.schedule(work.tenant);
        let now = shared.clock.now();
        let latest = schedule.latest(now);
        // A job of another interval names no slot of this one.
        let due = if schedule.latest(work.due()) == work.due() {
            latest.max(work.due())
        } else {
            latest
        };
        let before = work.due() - SignedDuration::from_millis(1);
        // A job that was given back says so: its machine died, or was cut off.
        let given_back = self.job.last_error().is_some();
        let reason = |skipped: &Timestamp| {
            if given_back || *skipped < shared.joined() {
                "unattended"
            } else {
                "busy"
            }
        };
        let missed = schedule.between(before, due).filter(|skipped| *skipped < due);
        let slot = Slot {
            monitor,
            missed: missed.map(|skipped| (skipped, reason(&skipped))).collect(),
            prefix: format!("[{} {}] ", work.lens, monitor.plan.tenants.name(work.tenant)),
            due,
            work,
        };
        for (_, reason) in &slot.missed {
            shared.pulse.has_missed();
            shared.health.missed(&slot.work.lens, reason);
        }
        let window = SignedDuration::from_millis(monitor.plan.slo.window.as_ms());
        let started = Started {
            tenant: slot.work.tenant,
            lens: slot.work.lens.clone(),
            slot: schedule.slot_id(due),
            from: now.checked_sub(window).unwrap_or(Timestamp::MIN),
        };
        let begun = match shared.beginner.begin(started).await {
            Ok(begun) => Some(begun),
            Err(why) => {
                self.away(&why);
                None
            }
        };
        match begun {
            Some(Begun { parked: true, .. }) => self.end_without(&slot.work, None, false).await,
            Some(Begun { held: true, .. }) => self.end_without(&slot.work, Some(&slot), true).await,
            Some(Begun { starts, .. }) if starts > CRASHES => self.park(&slot, starts - 1).await,
            begun => self.check(slot, begun.map(|begun| begun.before)).await,
        }
    }

    /// Parks a pair whose checks began and never ended: they end the process.
    async fn park(&self, slot: &Slot<'_>, starts: i32) -> Result<(), String> {
        let (shared, lens, tenant) = (self.shared, &slot.work.lens, slot.work.tenant);
        let why = format!("its check began {starts} times and never ended: it may end the worker that runs it");
        tracing::error!("{}❌ Parked: {why} (lensops fleet status)", slot.prefix);
        let parked = shared
            .fleet
            .park(self.job, self.worker, Some((lens, tenant)), &why)
            .await;
        parked.map_err(|error| self.away(&error.to_string()))?;
        let rules = shared.rules.read().unwrap_or_else(PoisonError::into_inner).clone();
        let reason = format!("parked: {why}");
        let found = Seen::Broken(Finding {
            reason,
            response: None,
            urgency: None,
        });
        let seen = vec![(Rule::NoCheck, Subject::Lens(tenant, lens.clone()), found)];
        match shared.fleet.seen(&rules, seen, shared.clock.now()).await {
            Ok(told) => told.into_iter().for_each(log),
            Err(error) => tracing::error!("❌ The parked pair could not be told: {error}"),
        }
        Ok(())
    }

    async fn check(&self, slot: Slot<'_>, before: Option<Vec<StoredCheck>>) -> Result<(), String> {
        let (shared, monitor, tenant) = (self.shared, slot.monitor, slot.work.tenant);
        let place = shared.hosts.of(monitor.base_of(tenant).authority());
        let Ok(place) = place.acquire_owned().await else {
            return Err("the worker is stopping".to_owned());
        };
        let now = shared.clock.now();
        shared.pulse.has_started(now.duration_since(slot.due));
        shared.health.add(monitor, tenant, now);
        shared.health.started(now.duration_since(slot.due));
        shared.health.begun(tenant, &slot.work.lens, now);
        tracing::info!(
            lens = %slot.work.lens,
            "{}Starting health check for lens={} yacht={}",
            slot.prefix,
            slot.work.lens,
            monitor.plan.tenants.name(tenant)
        );
        let before = self.before(monitor, &slot, before).await;
        let prefix = &slot.prefix;
        let each = |level, line: &str| tell(level, &format!("{prefix}{line}"));
        let id = monitor.schedule(tenant).slot_id(slot.due);
        let report = monitor
            .check(&shared.sender, tenant, id, now, Timestamp::now(), before, &each)
            .await;
        drop(place);
        shared
            .ran
            .add(tenant, &slot.work.lens, slot.due, monitor.plan.every.as_ms());
        self.record(&slot, report).await
    }

    /// What earlier checks say: from the database, else from the journal of this machine.
    async fn before(&self, monitor: &Monitor, slot: &Slot<'_>, before: Option<Vec<StoredCheck>>) -> Before {
        let (shared, tenant) = (self.shared, slot.work.tenant);
        let failed = |error| {
            tracing::error!("{}❌ History could not be read: {error}", slot.prefix);
            Before::default()
        };
        match before {
            Some(checks) => monitor
                .before_of(&shared.journal, &shared.store, tenant, &checks)
                .await
                .unwrap_or_else(failed),
            None => {
                let alone = Store::Sqlite(shared.journal.clone());
                let before = monitor
                    .before(&shared.journal, &alone as &Store<crate::http::Client>, tenant, slot.due)
                    .await;
                before.unwrap_or_else(failed)
            }
        }
    }

    async fn record(&self, slot: &Slot<'_>, report: CheckReport) -> Result<(), String> {
        let shared = self.shared;
        let ended = Ended {
            check: Some(report.record.clone()),
            ..self.ended(&slot.work, slot, true)
        };
        let recorded = shared.recorder.record(ended).await;
        if let Err(refused) = &recorded {
            let (Refused::Away(why) | Refused::Row(why)) = refused;
            let why = shared.redactor.text(why);
            tracing::error!(
                "{}❌ Failed to write health check to DB: {why}; it goes to this machine's journal",
                slot.prefix
            );
            keep(&shared.journal, &report.record, &slot.prefix).await;
        }
        shared.pulse.has_recorded(report.record.observed_at);
        shared.health.checked(&report.record, shared.clock.now());
        let (level, line) = overall(&report);
        tell(level, &format!("{}{line}", slot.prefix));
        match recorded {
            Ok(()) => Ok(()),
            // The journal parks what the database refuses for good; the pair goes on.
            Err(Refused::Row(_)) => self.end_without(&slot.work, Some(slot), true).await,
            Err(Refused::Away(why)) => Err(self.away(&why)),
        }
    }

    fn ended(&self, work: &CheckJob, slot: &Slot<'_>, goes_on: bool) -> Ended {
        Ended {
            job: self.job.clone(),
            worker: self.worker.to_owned(),
            lens: work.lens.clone(),
            tenant: work.tenant,
            every: slot.monitor.plan.every,
            due: slot.due,
            check: None,
            missed: slot.missed.clone(),
            goes_on,
        }
    }

    /// Ends the job without a check.
    async fn end_without(&self, work: &CheckJob, slot: Option<&Slot<'_>>, goes_on: bool) -> Result<(), String> {
        let ended = match slot {
            Some(slot) => self.ended(work, slot, goes_on),
            None => {
                let dropped = self.shared.fleet.drop_job(self.job, self.worker).await;
                return dropped.map_err(|error| self.away(&error.to_string()));
            }
        };
        match self.shared.recorder.record(ended).await {
            Ok(()) => Ok(()),
            Err(Refused::Away(why)) => Err(self.away(&why)),
            // Nothing of it but its missed slots can be refused: the pair's next job is made by whoever looks for it.
            Err(Refused::Row(why)) => {
                tracing::error!(
                    "❌ Slots of {} {} could not be told missed: {why}",
                    work.lens,
                    work.tenant
                );
                let dropped = self.shared.fleet.drop_job(self.job, self.worker).await;
                dropped.map_err(|error| self.away(&error.to_string()))
            }
        }
    }

    /// The database does not answer: whoever watches it is woken.
    fn away(&self, why: &str) -> String {
        self.shared.suspect.notify_one();
        self.shared.redactor.text(why).as_str().to_owned()
    }
}

/// Records a check in the journal; a journal that refuses is tried again, for the check must not be lost.
async fn keep(journal: &Journal, check: &CheckRecord, prefix: &str) {
    let deadline = tokio::time::Instant::now() + RECORD_FOR;
    let mut wait = Duration::from_millis(200);
    while let Err(error) = journal.record(check.clone()).await {
        if tokio::time::Instant::now() + wait >= deadline {
            tracing::error!(
                "{prefix}❌ Failed to write health check to the journal: {error}; lost: id={} status={}",
                check.id,
                check.status.as_str()
            );
            return;
        }
        tracing::error!("{prefix}❌ Failed to write health check to the journal: {error}; trying again");
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(Duration::from_secs(15));
    }
}

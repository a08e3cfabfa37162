//! The loop of the worker: it owns the timetable and starts one task per slot.
//!
//! The checks of a pair follow one another, so that a check that outlives its interval is never run
//! twice at once; the slots it overran are recorded as missed. The next slot is counted from the epoch
//! and not from the end of the last check, so that nothing drifts.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use lensops_core::exchange::Sender;
use tokio::sync::mpsc;
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::check::Monitor;
use super::clock::Clock;
use super::down;
use super::health::Health;
use super::left;
use super::lines::{announce, announce_rollback, span};
use super::scheduler_stats::Pulse;
use super::scope::{Change, PER_HOST, Scope, StandIn};
use super::slot::{self, Shared};
use super::timetable::Timetable;
use crate::store::{Journal, Store};

/// What running checks have left, in all, once the worker is told to stop.
pub const GRACE: Duration = Duration::from_secs(10);

/// A clock that is set back by less is not looked at: it is kept right in small steps.
const STEP: SignedDuration = SignedDuration::from_secs(2);

/// The longest the loop goes without looking at the clock.
const LOOK_EVERY: SignedDuration = SignedDuration::from_secs(30);

/// The worker.
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
    /// The tenants that a query gave; `None`: those of each plan.
    pub tenants: Option<Vec<Uuid>>,
    /// Whether these are all lenses there are: alerts of any other one are over.
    pub whole: bool,
    /// Checks that run at once against one host.
    pub per_host: usize,
    /// Changes while it runs; `None` where there can be none.
    pub changes: Option<mpsc::Receiver<Change>>,
    /// Set where it stands in for a fleet that it is cut off from.
    pub stand_in: Option<StandIn>,
    /// How it stands.
    pub pulse: Arc<Pulse>,
    /// Its pairs and counters, for alerts and metrics.
    pub health: Arc<Health>,
}

impl<C: Clock, S: Sender + 'static> Worker<C, S> {
    /// A worker of `monitors` for their own tenants.
    pub fn new(clock: C, sender: S, journal: Journal, store: Store<S>, monitors: Vec<Arc<Monitor>>) -> Self {
        Self {
            clock,
            sender,
            journal,
            store,
            monitors,
            tenants: None,
            whole: false,
            per_host: PER_HOST,
            changes: None,
            stand_in: None,
            pulse: Arc::default(),
            health: Health::new(false),
        }
    }

    /// Runs until `stop` is cancelled, then gives running checks [`GRACE`]. Says when that ends.
    pub async fn run(self, stop: CancellationToken) -> tokio::time::Instant {
        let mut running = Running::of(self);
        if let Some(stand_in) = running.scope.stand_in.clone() {
            let wanted = running.scope.pairs().into_iter();
            running.timetable.arrange(wanted, stand_in.since, None);
        } else {
            running.announce().await;
            running.arrange_first().await;
        }
        loop {
            running.start_due();
            let Some(event) = running.next_event(&stop).await else {
                break;
            };
            running.take(event).await;
        }
        running.wind_down().await
    }
}

/// What wakes the loop.
enum Event {
    Finished(Result<(Id, Timestamp), JoinError>),
    Change(Change),
    /// The check of this pair asks its host nothing more.
    Answered(u32),
    /// Nobody will send a change any more.
    NoMoreChanges,
    Time,
}

/// A worker that runs.
struct Running<C, S> {
    shared: Arc<Shared<C, S>>,
    scope: Scope,
    whole: bool,
    changes: Option<mpsc::Receiver<Change>>,
    answered: mpsc::UnboundedReceiver<u32>,
    timetable: Timetable,
    tasks: JoinSet<Timestamp>,
    /// The pair, lens, tenant and slot of each task.
    works: HashMap<Id, (u32, Arc<Monitor>, Uuid, Timestamp)>,
    /// The time when the loop last looked.
    seen: Timestamp,
    cut: CancellationToken,
}

impl<C: Clock, S: Sender + 'static> Running<C, S> {
    fn of(worker: Worker<C, S>) -> Self {
        let seen = worker.clock.now();
        let (tell_answered, answered) = mpsc::unbounded_channel();
        Self {
            answered,
            scope: Scope {
                monitors: worker.monitors,
                tenants: worker.tenants,
                per_host: worker.per_host,
                stand_in: worker.stand_in,
            },
            whole: worker.whole,
            changes: worker.changes,
            timetable: Timetable::default(),
            tasks: JoinSet::new(),
            works: HashMap::new(),
            seen,
            cut: CancellationToken::new(),
            shared: Arc::new(Shared {
                clock: worker.clock,
                sender: worker.sender,
                journal: worker.journal,
                store: worker.store,
                pulse: worker.pulse,
                health: worker.health,
                answered: tell_answered,
            }),
        }
    }

    async fn announce(&self) {
        let monitors = &self.scope.monitors;
        let several = monitors.len() > 1;
        for monitor in monitors {
            announce(monitor, several);
        }
        match self.shared.journal.rollbacks().await {
            Ok(entries) => entries.iter().for_each(announce_rollback),
            Err(error) => tracing::error!("❌ Rollbacks could not be read: {error}"),
        }
    }

    /// The first arrangement: current slots are run unless they are settled already.
    async fn arrange_first(&mut self) {
        let now = self.shared.clock.now();
        let from = now - SignedDuration::from_millis(self.scope.longest_interval_ms());
        // A journal that cannot be read is told when it is written.
        let settled = self.shared.journal.settled_since(from).await.unwrap_or_default();
        let wanted = self.scope.pairs();
        self.shared.health.watch(&wanted, now);
        self.end_alerts(&wanted, &self.scope.monitors).await;
        down::record(&self.shared.journal, &wanted, now).await;
        self.timetable.arrange(wanted.into_iter(), now, Some(&settled));
    }

    /// Ends the alerts of pairs other than `wanted`: those of lenses `of`, or all where this worker has all lenses.
    async fn end_alerts(&self, wanted: &[(Arc<Monitor>, Uuid)], of: &[Arc<Monitor>]) {
        let of = (!self.whole).then_some(of);
        left::end_alerts(&self.shared.journal, wanted, of, self.shared.clock.now()).await;
    }

    /// Starts what is due and has room.
    fn start_due(&mut self) {
        let now = self.shared.clock.now();
        if now < self.seen - STEP {
            tracing::warn!(
                "⚠️ The clock went back by {}: checks go on; slots that were settled before count once",
                span(self.seen.duration_since(now))
            );
            self.timetable.rewind(now);
        }
        self.seen = now;
        let slept = self.timetable.promote(now);
        if slept.slots > 0 {
            tracing::warn!(
                "⚠️ The machine slept or its clock was set forward: {} slots of {} pairs are missed",
                slept.slots,
                slept.pairs
            );
        }
        while let Some(work) = self.timetable.take(self.scope.per_host) {
            let prefix = self.scope.prefix(&work);
            let known = (work.pair, work.monitor.clone(), work.tenant, work.due);
            let task = slot::run(self.shared.clone(), work, prefix, self.cut.clone());
            self.works.insert(self.tasks.spawn(task).id(), known);
        }
        let next = self.timetable.next_due();
        self.shared
            .pulse
            .stands(next, self.timetable.counts(), self.tasks.len());
    }

    /// What happens next; `None` once the worker is told to stop.
    async fn next_event(&mut self, stop: &CancellationToken) -> Option<Event> {
        let look = self.seen + LOOK_EVERY;
        let until = self.timetable.next_due().map_or(look, |due| due.min(look));
        let change = async {
            match &mut self.changes {
                Some(changes) => changes.recv().await.map_or(Event::NoMoreChanges, Event::Change),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // In this order, or a slot that is due would race the stop.
            biased;
            () = stop.cancelled() => None,
            Some(finished) = self.tasks.join_next_with_id() => Some(Event::Finished(finished)),
            Some(pair) = self.answered.recv() => Some(Event::Answered(pair)),
            change = change => Some(change),
            () = self.shared.clock.sleep_until(until) => Some(Event::Time),
        }
    }

    async fn take(&mut self, event: Event) {
        match event {
            Event::Finished(finished) => {
                self.finish(finished).await;
                // Those that ended at the same time.
                while let Some(finished) = self.tasks.try_join_next_with_id() {
                    self.finish(finished).await;
                }
            }
            Event::Answered(pair) => {
                self.timetable.leave_host(pair);
                while let Ok(pair) = self.answered.try_recv() {
                    self.timetable.leave_host(pair);
                }
            }
            Event::Change(change) => self.change(change).await,
            Event::NoMoreChanges => self.changes = None,
            Event::Time => {}
        }
    }

    async fn finish(&mut self, finished: Result<(Id, Timestamp), JoinError>) {
        let id = finished.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        let Some((pair, monitor, tenant, due)) = self.works.remove(&id) else {
            return;
        };
        let settled = match finished {
            Ok((_, settled)) => settled,
            Err(error) => {
                // A defect of ours costs one slot and nothing else.
                tracing::error!(
                    "❌ A check of lens={} yacht={tenant} broke off: {error}",
                    monitor.lens()
                );
                self.shared.health.ended(tenant, monitor.lens());
                slot::miss(&self.shared, &monitor.schedule(tenant), "", due, "defect").await;
                due
            }
        };
        if self.timetable.finish(pair, settled, self.shared.clock.now()) {
            // It had left; its last check may have raised an alert.
            self.end_alerts(&self.scope.pairs(), &[monitor]).await;
        }
    }

    async fn change(&mut self, change: Change) {
        let before = self.scope.monitors.clone();
        self.scope.change(change);
        let (wanted, now) = (self.scope.pairs(), self.shared.clock.now());
        self.shared.health.watch(&wanted, now);
        self.end_alerts(&wanted, &before).await;
        self.timetable.arrange(wanted.into_iter(), now, None);
    }

    /// Lets running checks end, and cuts them off when the grace is over.
    async fn wind_down(mut self) -> tokio::time::Instant {
        // One that stands in stops when the fleet is back, and that is told elsewhere.
        let alone = self.scope.stand_in.is_none();
        if alone {
            tracing::info!("Stopping: running checks have {} s", GRACE.as_secs());
        }
        let deadline = tokio::time::Instant::now() + GRACE;
        let tasks = &mut self.tasks;
        let drained = tokio::time::timeout_at(deadline, async { while tasks.join_next().await.is_some() {} }).await;
        if drained.is_err() {
            self.cut.cancel();
            while self.tasks.join_next().await.is_some() {}
        }
        if alone {
            tracing::info!("Stopped");
        }
        deadline
    }
}

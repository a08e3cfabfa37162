//! Keeps the plans of this machine and the jobs of the fleet as they are published.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use jiff::SignedDuration;
use lensops_core::alert::{Finding, Rule, Seen, Subject};
use lensops_core::ident::LensId;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::link::{Link, until_up};
use super::pairs::{Own, Pairs, Wanted, own_plans, to_publish};
use super::recorder::log;
use super::shared::{RETRY, Shared};
use crate::commands::worker::Change;
use crate::commands::worker::clock::Clock as _;
use crate::commands::worker::health::FleetFigures;
use crate::config::Settings;
use crate::store::fleet::{Late, Published, PublishedPlan};
use crate::store::{Alerting, StoreError};

/// How often the revision is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Looks between two at the jobs.
const ARRANGE: u32 = 3;

/// How often what is old is forgotten.
const CLEAR_EVERY: Duration = Duration::from_secs(3600);

/// What was missed and told is kept this long.
const KEEP: SignedDuration = SignedDuration::from_hours(24 * 90);

/// Keeps plans and jobs.
pub(super) struct Keeper {
    pub(super) shared: Arc<Shared>,
    pub(super) settings: Settings,
    /// What this machine's own files say.
    pub(super) own: Vec<Own>,
    pub(super) changes: mpsc::Receiver<Change>,
    pub(super) link: watch::Receiver<Link>,
    /// Intervals without a check that were told, by pair.
    pub(super) told: HashMap<(Uuid, LensId), i64>,
    /// When what is old was forgotten last.
    pub(super) cleared: Option<Instant>,
}

impl Keeper {
    /// Takes up the plans in force; publishes this machine's where there are none. Makes the jobs.
    pub(super) async fn join(&mut self, tenants: Option<&[Uuid]>) -> Result<(), StoreError> {
        let plans = to_publish(&self.own, tenants);
        let published = self.shared.fleet.publish(&plans, &self.shared.machine, true).await?;
        let own = PublishedPlan::digest(&plans);
        if published.digest != own {
            tracing::warn!(
                "⚠️ The files of this machine differ from the published plans, revision {} of {}: those are run \
                 (`lensops fleet publish` replaces them for all machines)",
                published.revision,
                published.by
            );
        }
        self.take_up(&published).await
    }

    async fn take_up(&mut self, published: &Published) -> Result<(), StoreError> {
        let pairs = Arc::new(Pairs::of(published, &self.settings, &self.own));
        *self.shared.pairs.write().unwrap_or_else(PoisonError::into_inner) = pairs.clone();
        let (added, removed) = self.shared.fleet.arrange_anew(&pairs.schedules()).await?;
        let schedules = pairs.schedules();
        let stay = schedules
            .iter()
            .map(|schedule| (schedule.tenant(), schedule.lens().as_str()))
            .collect();
        let rules = self.rules();
        let told = self
            .shared
            .fleet
            .alerts_left(&rules, &stay, self.shared.clock.now())
            .await?;
        told.into_iter().for_each(log);
        let (lenses, count) = pairs.counts();
        tracing::info!(
            "Plans of revision {}: {lenses} lenses, {count} pairs; {added} jobs added, {removed} removed",
            published.revision
        );
        Ok(())
    }

    /// Keeps on until `stop` is cancelled.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut looks = 0_u32;
        let mut next = Instant::now() + LOOK_EVERY;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                change = self.changes.recv() => match change {
                    Some(change) => self.change(change, &stop).await,
                    None => return,
                },
                () = self.shared.stale.notified() => self.look(&mut looks).await,
                () = tokio::time::sleep_until(next) => {
                    next = Instant::now() + LOOK_EVERY;
                    self.look(&mut looks).await;
                }
            }
        }
    }

    async fn look(&mut self, looks: &mut u32) {
        if *self.link.borrow() != Link::Up {
            return;
        }
        *looks = looks.wrapping_add(1);
        if let Err(error) = self.try_look(looks.is_multiple_of(ARRANGE)).await {
            let why = self.shared.redactor.text(&error.to_string());
            tracing::warn!("⚠️ The jobs of the fleet could not be looked at: {why}");
            self.shared.suspect.notify_one();
        }
    }

    async fn try_look(&mut self, jobs: bool) -> Result<(), StoreError> {
        let known = self.shared.pairs().revision;
        if let Some(published) = self.shared.fleet.plans(known).await? {
            return self.take_up(&published).await;
        }
        if !jobs {
            return Ok(());
        }
        if self.cleared.is_none_or(|at| at.elapsed() >= CLEAR_EVERY) {
            self.cleared = Some(Instant::now());
            self.shared.fleet.forget(self.shared.clock.now() - KEEP).await?;
        }
        let standing = self.shared.fleet.standing().await?;
        self.shared.health.fleet_stands(FleetFigures {
            pairs: standing.pairs,
            late: standing.late,
            parked: standing.parked.len(),
            machines: standing.machines.iter().filter(|machine| machine.fleet).count(),
        });
        let pairs = self.shared.pairs();
        let schedules = pairs.schedules();
        let Some((added, removed)) = self.shared.fleet.arrange(&schedules).await? else {
            return Ok(());
        };
        if added > 0 || removed > 0 {
            tracing::warn!("⚠️ Jobs of the fleet were missing or not of its plans: {added} rebuilt, {removed} removed");
        }
        let late = self.shared.fleet.late().await?;
        self.tell_late(&pairs, late).await
    }

    /// Tells pairs without a check for two intervals, once for each further interval.
    async fn tell_late(&mut self, pairs: &Pairs, late: Vec<Late>) -> Result<(), StoreError> {
        let now = self.shared.clock.now();
        let rolled_back = self.shared.journal.rolled_back().await.unwrap_or_default();
        let mut told = HashMap::new();
        let mut seen = Vec::new();
        for Late {
            tenant,
            lens,
            since,
            intervals,
        } in late
        {
            let muted = match pairs.wanted(&lens, tenant) {
                Wanted::Here(monitor) => monitor.muted(now, rolled_back.get(&lens)).is_some(),
                Wanted::NotHere => false,
                Wanted::No => true,
            };
            let pair = (tenant, lens);
            let before = self.told.get(&pair).copied().unwrap_or(1);
            if !muted && intervals > before {
                let since = since.strftime("%Y-%m-%dT%H:%M:%SZ");
                let reason = format!("no machine checked the slot of {since} ({intervals} intervals)");
                let found = Seen::Broken(Finding {
                    reason,
                    response: None,
                    urgency: None,
                });
                seen.push((Rule::NoCheck, Subject::Lens(pair.0, pair.1.clone()), found));
            }
            told.insert(pair, intervals.max(before));
        }
        self.told = told;
        if seen.is_empty() {
            return Ok(());
        }
        let rules = self.rules();
        let told = self.shared.fleet.seen(&rules, seen, now).await?;
        told.into_iter().for_each(log);
        Ok(())
    }

    /// What changed on this machine is published for all.
    async fn change(&mut self, change: Change, stop: &CancellationToken) {
        let plans = match change {
            Change::Monitors { own_tenants, .. } => match own_plans(&self.settings) {
                Ok((settings, own)) => {
                    (self.settings, self.own) = (settings, own);
                    self.alert_by_rules();
                    let tenants = if own_tenants { None } else { self.queried().await };
                    to_publish(&self.own, tenants.as_deref())
                }
                Err(error) => {
                    let line = self.shared.redactor.text(&error.line());
                    tracing::error!("❌ Reload: the plans were not published: {line}");
                    return;
                }
            },
            // A query says who is a tenant; the plans stay those in force.
            Change::Tenants(tenants) => match self.shared.fleet.plans(None).await {
                Ok(Some(published)) => published
                    .plans
                    .into_iter()
                    .map(|plan| PublishedPlan {
                        tenants: tenants.clone(),
                        ..plan
                    })
                    .collect(),
                _ => return,
            },
        };
        loop {
            match self.shared.fleet.publish(&plans, &self.shared.machine, false).await {
                Ok(published) if self.shared.pairs().revision == Some(published.revision) => {
                    tracing::info!(
                        "The published plans are as this machine's: revision {}",
                        published.revision
                    );
                    return;
                }
                Ok(published) => {
                    tracing::info!("Published the plans for all machines: revision {}", published.revision);
                    if let Err(error) = self.take_up(&published).await {
                        tracing::warn!("⚠️ The new jobs could not be made, and are soon: {error}");
                    }
                    return;
                }
                Err(error) => {
                    tracing::error!("❌ The plans could not be published: {error}; trying again");
                    tokio::time::sleep(RETRY).await;
                    if !until_up(&mut self.link, stop).await {
                        return;
                    }
                }
            }
        }
    }

    fn rules(&self) -> Arc<Alerting> {
        self.shared.rules.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes up the rules of alerts. They were looked at when they were read.
    fn alert_by_rules(&self) {
        let rules = self
            .settings
            .receivers()
            .and_then(|receivers| self.settings.rule_book(&receivers));
        if let Ok(book) = rules {
            let redactor = self.settings.redactor();
            *self.shared.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Alerting { book, redactor });
        }
    }

    /// The tenants of the plans in force, where a query gave them.
    async fn queried(&self) -> Option<Vec<Uuid>> {
        let published = self.shared.fleet.plans(None).await.ok().flatten()?;
        published.plans.into_iter().next().map(|plan| plan.tenants)
    }
}

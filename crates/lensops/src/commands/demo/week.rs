//! The demo's week: every slot of the past seven days, run now.

use jiff::{SignedDuration, Timestamp};
use lensops_core::verdict::record::Status;
use lensops_sandbox::Sandbox;
use uuid::Uuid;

use super::api::Api;
use super::story::{OVER, STARTS, STEPS, Story};
use crate::commands::error::Result;
use crate::commands::worker::check::Monitor;
use crate::http::Client;
use crate::store::{Journal, Store};

/// A virtual week.
pub(crate) struct Week {
    starts: Timestamp,
}

/// What the week came to.
#[derive(Debug, Default)]
pub(crate) struct Weekly {
    pub(crate) checks: u64,
    pub(crate) healthy: u64,
    pub(crate) degraded: u64,
    pub(crate) unhealthy: u64,
}

impl Weekly {
    /// What the week should have shown and did not, one line each.
    pub(crate) fn absent(&self) -> impl Iterator<Item = String> + use<> {
        let counts = [
            ("healthy", self.healthy),
            ("degraded", self.degraded),
            ("unhealthy", self.unhealthy),
        ];
        let absent = counts.into_iter().filter(|(_, count)| *count == 0);
        absent.map(|(what, _)| format!("no {what} check in the week"))
    }
}

impl Week {
    pub(crate) fn ending(at: Timestamp) -> Self {
        Self {
            starts: at - SignedDuration::from_hours(7 * 24),
        }
    }

    pub(crate) fn steps(&self) -> u64 {
        STEPS.unsigned_abs()
    }

    fn step(&self, step: i64) -> Timestamp {
        self.starts + SignedDuration::from_mins(15 * step)
    }

    pub(crate) fn ends(&self) -> Timestamp {
        self.step(STEPS)
    }

    /// The last moment before the first incident.
    pub(crate) fn incident_starts(&self) -> Timestamp {
        self.step(STARTS)
    }

    /// The last moment of the first incident.
    pub(crate) fn incident_ends(&self) -> Timestamp {
        self.step(OVER)
    }

    /// Runs every slot, quarter hour by quarter hour, the lenses of each at once.
    pub(crate) async fn live(
        &self,
        api: Api,
        sandbox: &Sandbox,
        client: &Client,
        journal: &Journal,
        monitors: &[Monitor],
        progress: impl Fn(u64),
    ) -> Result<Weekly> {
        let mut weekly = Weekly::default();
        let tenants = monitors.iter().flat_map(|monitor| monitor.plan.tenants.iter());
        let story = Story {
            api,
            tenant: tenants.copied().next().unwrap_or_default(),
            sandbox,
            journal,
        };
        for step in 0..STEPS {
            let (from, until) = (self.step(step), self.step(step + 1));
            story.step(step, from).await?;
            let slots = monitors.iter().flat_map(|monitor| {
                let tenants = monitor.plan.tenants.iter();
                tenants.flat_map(move |tenant| {
                    monitor
                        .schedule(*tenant)
                        .between(from, until)
                        .map(move |due| (monitor, *tenant, due))
                })
            });
            let checks = slots.map(|(monitor, tenant, due)| run_slot(monitor, client, journal, tenant, due));
            for status in futures_util::future::try_join_all(checks).await? {
                weekly.checks += 1;
                match status {
                    Status::Healthy => weekly.healthy += 1,
                    Status::Degraded => weekly.degraded += 1,
                    Status::Unhealthy => weekly.unhealthy += 1,
                }
            }
            progress(step.unsigned_abs() + 1);
        }
        Ok(weekly)
    }
}

async fn run_slot(
    monitor: &Monitor,
    client: &Client,
    journal: &Journal,
    tenant: Uuid,
    due: Timestamp,
) -> Result<Status> {
    let store = Store::<Client>::Sqlite(journal.clone());
    let before = monitor.before(journal, &store, tenant, due).await?;
    let id = monitor.schedule(tenant).slot_id(due);
    let report = monitor
        .check(client, tenant, id, due, Timestamp::now(), before, &|_, _| {})
        .await;
    journal.record(report.record).await?;
    Ok(report.status)
}

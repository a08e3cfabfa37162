//! The demo's week: every slot of the past seven days, run now.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use lensops_core::verdict::record::Status;
use lensops_sandbox::{Act, Answer, Faults, Rule, Sandbox};
use uuid::Uuid;

use super::STRUCK;
use crate::commands::error::Result;
use crate::commands::worker::check::Monitor;
use crate::http::Client;
use crate::store::{Journal, Store};

/// Quarter hours in the week.
const STEPS: i64 = 7 * 96;

/// The step at which the incident starts: in the middle of the fourth day.
const INCIDENT: i64 = 3 * 96 + 48;

/// Steps with a handler missing, then steps with a 5xx.
const WARNING: i64 = 2;
const OUTAGE: i64 = 3;

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

    /// The last moment before the incident.
    pub(crate) fn incident_starts(&self) -> Timestamp {
        self.step(INCIDENT)
    }

    /// The last moment of the incident.
    pub(crate) fn incident_ends(&self) -> Timestamp {
        self.step(INCIDENT + WARNING + OUTAGE)
    }

    /// Runs every slot, quarter hour by quarter hour, the lenses of each at once.
    pub(crate) async fn live(
        &self,
        sandbox: &Sandbox,
        client: &Client,
        journal: &Journal,
        monitors: &[Monitor],
        progress: impl Fn(u64),
    ) -> Result<Weekly> {
        let mut weekly = Weekly::default();
        for step in 0..STEPS {
            inject(sandbox, step);
            let (from, until) = (self.step(step), self.step(step + 1));
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

/// Switches the incident on and off at its steps.
fn inject(sandbox: &Sandbox, step: i64) {
    match step - INCIDENT {
        0 => sandbox.set_faults(Faults {
            missing_handlers: vec!["suggestions".to_owned()],
            ..Faults::default()
        }),
        WARNING => {
            let mut rule = Rule::new(Act::Status(Answer {
                code: 500,
                body: None,
                headers: BTreeMap::new(),
            }))
            .on("/v1/actions/list");
            rule.domain = Some(STRUCK.to_owned());
            sandbox.set_faults(Faults {
                rules: vec![rule],
                ..Faults::default()
            });
        }
        n if n == WARNING + OUTAGE => sandbox.set_faults(Faults::default()),
        _ => {}
    }
}

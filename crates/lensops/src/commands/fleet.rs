//! `lensops fleet`: how the workers of a fleet stand, the plans that they run, and what they gave up.

use std::collections::BTreeSet;

use serde_json::json;

use super::error::{Error, Result};
use super::exit::Exit;
use super::worker::{own_plans, to_publish};
use crate::config::{ScheduleKind, Settings, StoreChoice};
use crate::store::fleet::{Fleet, Machine, PublishedPlan, Standing};

/// Connections of a command.
const CONNECTIONS: u32 = 1;

/// Milliseconds by which the clock of a machine may differ from the database's.
const CLOCK_MS: i64 = 5_000;

/// The fleet on the database of `settings`.
///
/// # Errors
/// When the store is not PostgreSQL.
pub(crate) fn open(settings: &Settings) -> Result<Fleet> {
    match settings.store()? {
        StoreChoice::Postgres(url) => Ok(Fleet::new(&url, CONNECTIONS)?),
        _ => Err(Error::usage("a fleet needs a PostgreSQL store: set DATABASE_URL")),
    }
}

/// The fleet that `settings` say is there; `None` where the timetable is a worker's own.
///
/// # Errors
/// When the store is not PostgreSQL.
pub(crate) fn shared_by(settings: &Settings) -> Result<Option<Fleet>> {
    match settings.project.schedule {
        Some(ScheduleKind::Fleet) => open(settings).map(Some),
        _ => Ok(None),
    }
}

/// Prints how the fleet stands. Exit: degraded where pairs are parked or late, no machine runs, or files, environments or
/// clocks differ.
///
/// # Errors
/// When the store is not PostgreSQL, or cannot be read.
pub async fn status(settings: &Settings, as_json: bool) -> Result<Exit> {
    let standing = open(settings)?.standing().await?;
    let found = findings(&standing);
    if as_json {
        say!("{:#}", json!({"fleet": standing, "findings": found}));
    } else {
        print(&standing);
        found.iter().for_each(|line| say!("⚠️ {line}"));
        if found.is_empty() {
            say!("✅ All pairs have a machine");
        }
    }
    Ok(if found.is_empty() { Exit::Good } else { Exit::Degraded })
}

fn print(standing: &Standing) {
    match &standing.plans {
        Some((revision, by, _)) => say!(
            "{} pairs of revision {revision}, published by {by}; {} due, the longest for {:.1} s",
            standing.pairs,
            standing.waiting,
            seconds(standing.longest_ms)
        ),
        None => say!("No plans are published: start a worker with --fleet"),
    }
    for machine in &standing.machines {
        let Machine {
            host,
            pid,
            version,
            pairs,
            ..
        } = machine;
        let how = if machine.fleet { "" } else { " without --fleet" };
        let revision = machine
            .revision
            .map_or_else(|| "none".to_owned(), |revision| revision.to_string());
        say!(
            "  {host} pid {pid}, version {version}{how}: {pairs} pairs, revision {revision}, latest start {:.1} s late, clock {:+.1} s",
            seconds(machine.late_ms),
            seconds(machine.clock_ms)
        );
    }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds, far below 2^52")]
fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

/// What is wrong with a fleet, a line each.
#[must_use]
pub(crate) fn findings(standing: &Standing) -> Vec<String> {
    let mut found = Vec::new();
    let of_fleet: Vec<&Machine> = standing.machines.iter().filter(|machine| machine.fleet).collect();
    if of_fleet.is_empty() {
        found.push("no machine of the fleet was heard of in the last minute".to_owned());
    }
    if standing.late > 0 {
        found.push(format!("{} pairs had no check for two intervals", standing.late));
    }
    for parked in &standing.parked {
        found.push(format!(
            "{} is parked since {}: {} (`lensops fleet unpark {}` takes it up again)",
            parked.key,
            parked.since.strftime("%Y-%m-%dT%H:%M:%SZ"),
            parked.reason,
            parked.key
        ));
    }
    for machine in standing.machines.iter().filter(|machine| !machine.fleet) {
        found.push(format!(
            "{} runs a worker without --fleet on this database: its pairs are checked twice",
            machine.host
        ));
    }
    let published = standing.plans.as_ref().map(|(_, _, digest)| digest.as_str());
    for machine in of_fleet
        .iter()
        .filter(|machine| published.is_some_and(|digest| digest != machine.digest))
    {
        found.push(format!(
            "the files of {} (pid {}) differ from the published plans, which it runs: `lensops fleet publish` replaces those",
            machine.host, machine.pid
        ));
    }
    let environments: BTreeSet<&str> = of_fleet.iter().map(|machine| machine.environment.as_str()).collect();
    if environments.len() > 1 {
        found.push(
            "the machines differ in API address, interval or alert receivers: set their environments alike".to_owned(),
        );
    }
    for machine in of_fleet.iter().filter(|machine| machine.clock_ms.abs() > CLOCK_MS) {
        found.push(format!(
            "the clock of {} differs from the database's by {:+.1} s: synchronise it",
            machine.host,
            seconds(machine.clock_ms)
        ));
    }
    found
}

/// Publishes the plans of this folder for all machines.
///
/// # Errors
/// A plan that is not valid, a store that is not PostgreSQL, or one that does not take them.
pub async fn publish(settings: &Settings, as_json: bool) -> Result<Exit> {
    let fleet = open(settings)?;
    let (settings, own) = own_plans(settings)?;
    let tenants = match super::context::tenant_source(&settings)? {
        Some(source) => Some(source.read().await?),
        None => None,
    };
    let plans = to_publish(&own, tenants.as_deref());
    let before = fleet.revision().await?;
    let published = fleet.publish(&plans, &by(), false).await?;
    let pairs: usize = plans.iter().map(|plan| plan.tenants.len()).sum();
    let same = before == Some(published.revision);
    if as_json {
        let digest = PublishedPlan::digest(&plans);
        say!(
            "{:#}",
            json!({"revision": published.revision, "changed": !same, "lenses": plans.len(), "pairs": pairs, "digest": digest})
        );
    } else if same {
        say!("✅ These plans are in force already: revision {}", published.revision);
    } else {
        say!(
            "✅ Published revision {}: {} lenses, {pairs} pairs; machines take it up within 5 s",
            published.revision,
            plans.len()
        );
    }
    Ok(Exit::Good)
}

/// Who publishes, for people.
fn by() -> String {
    let name = |variable| std::env::var(variable).ok();
    name("USER")
        .or_else(|| name("LOGNAME"))
        .unwrap_or_else(|| "lensops fleet publish".to_owned())
}

/// Takes up parked pairs again: the one of `key`, or all.
///
/// # Errors
/// When none is parked, or the store does not answer.
pub async fn unpark(settings: &Settings, key: Option<&str>, as_json: bool) -> Result<Exit> {
    let count = open(settings)?.unpark(key).await?;
    if let (0, Some(key)) = (count, key) {
        return Err(Error::usage(format!("{key} is not parked: see lensops fleet status")));
    }
    if as_json {
        say!("{:#}", json!({"unparked": count}));
    } else {
        say!("✅ {count} taken up again");
    }
    Ok(Exit::Good)
}

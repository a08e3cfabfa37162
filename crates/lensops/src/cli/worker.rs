//! `lensops check` and `lensops worker`: the monitors of lenses, the journal and the store around them.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use jiff::Timestamp;
use lensops_core::history::schedule::ad_hoc_id;
use lensops_core::verdict::CheckReport;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::args::PlanArgs;
use crate::commands::acceptance::flag_proof;
use crate::commands::context::{monitor, open_journal, open_store};
use crate::commands::exit::{Exit, exit_of_checks};
use crate::commands::plans::load;
use crate::commands::signal::stop_on_signal;
use crate::commands::worker::background::{Beside, open_listener};
use crate::commands::worker::check::overall;
use crate::commands::worker::clock::SystemClock;
use crate::commands::worker::delivery::Delivery;
use crate::commands::worker::health::Vitals;
use crate::commands::worker::reload::{Hangup, Keeper, Setup};
use crate::commands::worker::{Worker, tell};
use crate::config::Settings;
use crate::http::{Client, TIMEOUT};
use crate::store::{Journal, Store};

/// A flag that a proof left switched explains what a check sees.
fn tell_pending(settings: &Settings) {
    if let Some(warning) = flag_proof::warning(settings) {
        tracing::warn!("{warning}");
    }
}

pub(super) async fn check(settings: &Settings, args: &PlanArgs) -> Result<Exit> {
    tell_pending(settings);
    let monitor = monitor(settings, load(settings, &args.which()?)?)?;
    let journal = open_journal(settings).await?;
    let store = open_store(settings, &journal)?;
    let client = Client::new(TIMEOUT);
    let several = monitor.plan.tenants.len() > 1;
    let (mut results, mut rows) = (Vec::new(), Vec::new());
    for tenant in &monitor.plan.tenants {
        let now = Timestamp::now();
        let id = ad_hoc_id(*tenant, monitor.lens(), now, fastrand::u64(..));
        let before = monitor.before(&journal, &store, *tenant, now).await?;
        let prefix = if several { format!("[{tenant}] ") } else { String::new() };
        tracing::info!(
            "{prefix}Starting health check for lens={} yacht={tenant}",
            monitor.lens()
        );
        let report = monitor.check(&client, *tenant, id, now, now, before).await;
        for (level, line) in &report.lines {
            tell(*level, &format!("{prefix}{line}"));
        }
        journal.record(report.record.clone()).await?;
        if store.is_elsewhere() {
            // What does not arrive now stays in the journal, and is told; the check stands.
            Delivery::new(
                journal.clone(),
                store.clone(),
                settings.redactor(),
                settings.journal_limit()?,
            )
            .flush()
            .await?;
        } else {
            tracing::info!("{prefix}✅ Wrote health check to DB: id={id}");
        }
        let (level, line) = overall(&report);
        tell(level, &format!("{prefix}{line}"));
        let delivery = if store.is_elsewhere() {
            json!(journal.delivery_of(id).await?)
        } else {
            json!("journal")
        };
        rows.push(check_json(&report, &delivery));
        results.push((report.status, report.judged));
    }
    if args.json {
        say!("{:#}", Value::Array(rows));
    }
    Ok(exit_of_checks(&results))
}

fn check_json(report: &CheckReport, delivery: &Value) -> Value {
    let record = &report.record;
    json!({
        "id": record.id,
        "lens": record.lens_id,
        "yacht_id": record.yacht_id,
        "status": record.status,
        "judged": report.judged,
        "p95_latency_ms": record.p95_latency_ms,
        "error_rate_percent": record.error_rate_hundredths.map(|hundredths| f64::from(i32::try_from(hundredths).unwrap_or(i32::MAX)) / 100.0),
        "sample_size": record.sample_size,
        "observed_at": record.observed_at,
        "delivery": delivery,
        "notes": record.notes.to_value(),
        "events": record.events.iter().map(|event| json!({"level": event.level, "detail": event.detail.to_value()})).collect::<Vec<_>>(),
    })
}

pub(super) async fn worker(settings: &Settings, lenses: &[String], listen: Option<SocketAddr>) -> Result<Exit> {
    tell_pending(settings);
    // From here on SIGHUP ends nobody.
    let hangup = Hangup::catch();
    let setup = Setup::read(settings, lenses)?;
    let (monitors, per_host) = (setup.monitors.clone(), setup.per_host());
    let beside = Beside::of(settings, open_listener(listen).await?)?;
    let journal = open_journal(settings).await?;
    let store = open_store(settings, &journal)?;
    let delivery = Delivery::new(
        journal.clone(),
        store.clone(),
        settings.redactor(),
        settings.journal_limit()?,
    );
    let stop = stop_on_signal();
    let checked = CancellationToken::new();
    let vitals = Vitals::new(settings.project.metrics.unwrap_or_default().tenant_label);
    let trouble = store.is_elsewhere().then(|| delivery.trouble());
    let beside = beside.start(&journal, &vitals, trouble);
    let delivering = store
        .is_elsewhere()
        .then(|| tokio::spawn(delivery.run(checked.clone())));
    let (changes, changed) = mpsc::channel(8);
    let keeper = Keeper::new(setup, journal.clone(), store.clone(), changes).await?;
    let worker = Worker {
        tenants: keeper.tenants(),
        per_host,
        changes: Some(changed),
        vitals,
        ..Worker::new(SystemClock, Client::new(TIMEOUT), journal.clone(), store, monitors)
    };
    let keeping = tokio::spawn(keeper.run(hangup, stop.clone()));
    let deadline = worker.run(stop).await;
    keeping.abort();
    checked.cancel();
    if let Some(delivering) = delivering {
        last_flush(delivering.await?, &journal, deadline).await?;
    }
    beside.stop(deadline).await;
    journal.close().await;
    Ok(Exit::Good)
}

/// Delivers what the last checks left, in what is left of the grace.
async fn last_flush(mut delivery: Delivery<Store<Client>>, journal: &Journal, deadline: Instant) -> Result<()> {
    // A check that took the whole grace still gets a try.
    let deadline = deadline.max(Instant::now() + Duration::from_secs(1));
    let flushed = tokio::time::timeout_at(deadline, delivery.flush()).await;
    if !matches!(flushed, Ok(Ok(flushed)) if flushed.complete) {
        let waiting = journal.outbox().await?.waiting;
        tracing::warn!("⚠️ {waiting} checks wait in the journal; they are delivered after the next start");
    }
    Ok(())
}

//! `lensops worker`: puts scheduler, journal, store and background tasks together, and runs them.

use std::net::SocketAddr;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::background::{Background, open_listener};
use super::clock::SystemClock;
use super::configuration::Configuration;
use super::delivery::Delivery;
use super::fleet;
use super::flush::last_flush;
use super::hangup::Hangup;
use super::health::Health;
use super::reload::Reloader;
use super::scheduler::Worker;
use super::sole::{self, Sole};
use crate::commands::acceptance::flag_proof;
use crate::commands::context::{open_journal, open_store};
use crate::commands::error::{Error, Result};
use crate::commands::exit::Exit;
use crate::commands::signal::stop_on_signal;
use crate::config::{ScheduleKind, Settings};

/// Runs the monitors of `lenses`, of all where none is named, until it is told to stop.
///
/// # Errors
/// A plan or a setting that is not valid, an address that cannot be listened at, or a journal that
/// cannot be opened.
pub async fn run(settings: &Settings, lenses: &[String], listen: Option<SocketAddr>, fleet: bool) -> Result<Exit> {
    if fleet || settings.project.schedule == Some(ScheduleKind::Fleet) {
        if !lenses.is_empty() {
            return Err(Error::usage(
                "a worker of a fleet checks all lenses: name none with --fleet",
            ));
        }
        return fleet::run(settings, listen).await;
    }
    if let Some(warning) = flag_proof::warning(settings) {
        tracing::warn!("{warning}");
    }
    // From here on SIGHUP ends nobody.
    let hangup = Hangup::catch();
    let configuration = Configuration::read(settings, lenses)?;
    let (monitors, per_host) = (configuration.monitors.clone(), configuration.per_host());
    let background = Background::of(settings, open_listener(listen).await?)?;
    let journal = open_journal(settings).await?;
    let _sole = Sole::take(settings)?;
    let store = open_store(settings, &journal)?;
    let delivery = Delivery::new(
        journal.clone(),
        store.clone(),
        settings.redactor(),
        settings.journal_limit()?,
    );
    let stop = stop_on_signal();
    let watching = tokio::spawn(sole::watch(settings.clone(), stop.clone()));
    let checked = CancellationToken::new();
    let health = Health::new(settings.project.metrics.unwrap_or_default().tenant_label);
    let trouble = store.is_elsewhere().then(|| delivery.trouble());
    let background = background.start(&journal, &health, trouble);
    let delivering = store
        .is_elsewhere()
        .then(|| tokio::spawn(delivery.run(checked.clone())));
    let (changes, changed) = mpsc::channel(8);
    let reloader = Reloader::new(configuration, journal.clone(), store.clone(), changes).await?;
    let worker = Worker {
        tenants: reloader.tenants(),
        whole: lenses.is_empty(),
        per_host,
        changes: Some(changed),
        health,
        ..Worker::new(
            SystemClock,
            settings.client()?.for_probes(),
            journal.clone(),
            store,
            monitors,
        )
    };
    let reloading = tokio::spawn(reloader.run(hangup, stop.clone()));
    let deadline = worker.run(stop).await;
    reloading.abort();
    checked.cancel();
    if let Some(delivering) = delivering {
        last_flush(delivering.await.map_err(Error::system)?, &journal, deadline).await?;
    }
    background.stop(deadline).await;
    watching.await.ok();
    journal.close().await;
    Ok(Exit::Good)
}

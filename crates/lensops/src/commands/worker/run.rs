//! `lensops worker`: puts scheduler, journal, store and background tasks together, and runs them.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::background::{Background, open_listener};
use super::clock::SystemClock;
use super::configuration::Configuration;
use super::delivery::Delivery;
use super::hangup::Hangup;
use super::health::Health;
use super::reload::Reloader;
use super::scheduler::Worker;
use crate::commands::acceptance::flag_proof;
use crate::commands::context::{open_journal, open_store};
use crate::commands::error::{Error, Result};
use crate::commands::exit::Exit;
use crate::commands::signal::stop_on_signal;
use crate::config::Settings;
use crate::http::Client;
use crate::store::{Journal, Store};

/// Runs the monitors of `lenses`, of all where none is named, until it is told to stop.
///
/// # Errors
/// A plan or a setting that is not valid, an address that cannot be listened at, or a journal that
/// cannot be opened.
pub async fn run(settings: &Settings, lenses: &[String], listen: Option<SocketAddr>) -> Result<Exit> {
    if let Some(warning) = flag_proof::warning(settings) {
        tracing::warn!("{warning}");
    }
    // From here on SIGHUP ends nobody.
    let hangup = Hangup::catch();
    let configuration = Configuration::read(settings, lenses)?;
    let (monitors, per_host) = (configuration.monitors.clone(), configuration.per_host());
    let background = Background::of(settings, open_listener(listen).await?)?;
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

//! A machine that is cut off from the database: it goes on with the pairs it checked last, into its journal.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError};

use jiff::Timestamp;
use lensops_core::ident::LensId;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::link::{Link, until_up};
use super::recorder::states_of;
use super::shared::Shared;
use crate::commands::worker::clock::Clock as _;
use crate::commands::worker::{StandIn, Worker};
use crate::store::Store;

/// Checks the pairs that were last checked here, from `since` on, until the database answers or `stop` is cancelled.
pub(super) async fn go_on(
    shared: &Arc<Shared>,
    since: Timestamp,
    link: &mut watch::Receiver<Link>,
    stop: &CancellationToken,
) {
    let pairs: HashSet<(Uuid, LensId)> = shared.ran.latest(since).into_iter().collect();
    tracing::warn!(
        "⚠️ Cut off from the database: this machine goes on with the {} pairs it checked last; what it sees is delivered later",
        pairs.len()
    );
    let known = states_of(&shared.states, |tenant, lens| pairs.contains(&(tenant, lens.clone())));
    if let Err(error) = shared.journal.adopt_alerts(known, since).await {
        tracing::error!("❌ Alerts that fire could not be taken along: {error}");
    }
    let until = CancellationToken::new();
    let worker = Worker {
        stand_in: Some(StandIn {
            pairs: pairs.clone(),
            since,
        }),
        per_host: shared.hosts.per_host(),
        pulse: shared.pulse.clone(),
        health: shared.health.clone(),
        ..Worker::new(
            shared.clock.clone(),
            shared.sender.clone(),
            shared.journal.clone(),
            Store::Sqlite(shared.journal.clone()),
            shared.pairs().monitors(),
        )
    };
    let back = async {
        until_up(link, stop).await;
        until.cancel();
    };
    tokio::join!(worker.run(until.clone()), back);
    // Another outage may follow before anybody checked them again.
    let now = shared.clock.now();
    for monitor in shared.pairs().monitors() {
        for (tenant, _) in pairs.iter().filter(|(_, lens)| lens == monitor.lens()) {
            let schedule = monitor.schedule(*tenant);
            shared
                .ran
                .add(*tenant, monitor.lens(), schedule.latest(now), schedule.every_ms());
        }
    }
}

/// Hands over where the rules stand on this machine: an alert that fires here fires for the fleet.
pub(super) async fn hand_over(shared: &Shared) {
    let states = match shared.journal.alerts_of_pairs().await {
        Ok(states) => states,
        Err(error) => {
            tracing::error!("❌ The alerts of this machine could not be read: {error}");
            return;
        }
    };
    if states.is_empty() {
        return;
    }
    let rules = shared.rules.read().unwrap_or_else(PoisonError::into_inner).clone();
    match shared.fleet.adopt(&rules, &states, shared.clock.now()).await {
        Ok(()) => {
            if let Err(error) = shared.journal.forget_alerts_of_pairs().await {
                tracing::error!("❌ Alerts that were handed over stay in the journal: {error}");
            }
        }
        Err(error) => tracing::warn!("⚠️ The alerts of this machine could not be handed over: {error}"),
    }
}

//! The watchdog of a worker: alerts that no check can raise, because there is no check or because the
//! store fails. It also deletes old alert messages.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use lensops_core::alert::{Finding, Rule, Seen, Subject};
use lensops_core::redaction::Redactor;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::clock::Clock;
use super::health::Health;
use crate::store::{Journal, StoreError};

/// How often is looked.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// Messages that wait for nobody are kept this long.
const KEEP: SignedDuration = SignedDuration::from_hours(24 * 90);

/// Looks between two clearings of old messages: an hour.
const CLEAR_EVERY: u32 = 240;

/// Watches what no check sees, and serves the pages of `--listen`.
pub struct Watchdog<C> {
    /// The clock.
    pub clock: C,
    /// Keeps alerts, and is looked at itself.
    pub journal: Journal,
    /// The pairs and counters of the worker.
    pub health: Arc<Health>,
    /// Why the store elsewhere does not take checks, while it does not; `None` without one.
    pub trouble: Option<watch::Receiver<Option<String>>>,
    /// Knows the secrets.
    pub redactor: Redactor,
    /// Bytes that the journal should keep within.
    pub limit: u64,
}

impl<C: Clock> Watchdog<C> {
    /// Looks every 15 s until `stop` is cancelled.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut looks = 0_u32;
        if let Err(error) = self.journal.alert_new_receivers(self.clock.now()).await {
            let said = self.redactor.text(&error.to_string());
            tracing::error!("❌ New alert receivers could not be told what fires: {said}");
        }
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            if let Err(error) = self.look().await {
                let said = self.redactor.text(&error.to_string());
                tracing::error!("❌ Alerts could not be brought up to date: {said}");
            }
            looks = looks.wrapping_add(1);
            if looks.is_multiple_of(CLEAR_EVERY) {
                // What cannot be cleared now is cleared in an hour.
                self.journal.forget_alerts(self.clock.now() - KEEP).await.ok();
            }
        }
    }

    /// Looks once: at pairs without a check, and at the store.
    ///
    /// # Errors
    /// When the journal cannot be read or written.
    pub async fn look(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let rolled_back = self.journal.rolled_back().await?;
        let mut seen = self.health.late(now, &rolled_back);
        if let Some(trouble) = &self.trouble {
            let failing = trouble.borrow().clone();
            let parked = self.journal.parked(1).await?;
            let reason = match (failing, parked.first()) {
                (Some(why), _) => Some(why),
                (None, Some(parked)) => Some(format!(
                    "checks were refused for good, such as {}: {}",
                    parked.id, parked.reason
                )),
                (None, None) => None,
            };
            let found = reason.map_or(Seen::Clear, |reason| {
                Seen::Broken(Finding {
                    reason: self.redactor.text(&reason).as_str().to_owned(),
                    response: None,
                    urgency: None,
                })
            });
            seen.push((Rule::StoreFailing, Subject::Store, found));
        }
        if seen.is_empty() {
            return Ok(());
        }
        self.journal.alert_seen(seen, now).await
    }
}

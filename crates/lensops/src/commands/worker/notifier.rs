//! Gathers notices into messages, and delivers those to one receiver, in order, until it has them.
//!
//! Every receiver has a notifier of its own, so that a dead one does not delay the others. An attempt is
//! recorded before anything is sent: after a crash in between nobody knows whether the message arrived,
//! and it is sent again. PagerDuty drops the second one by its key, a webhook by its `Idempotency-Key`;
//! Slack cannot, and such a message says that it may have been sent before.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use lensops_core::exchange::Sender;
use lensops_core::redaction::Redactor;
use tokio_util::sync::CancellationToken;

use super::clock::Clock;
use crate::alert::{Receiver, Refusal};
use crate::store::{Due, Ended, Journal, Queued, StoreError};

/// What another process told is looked for this often.
const LOOK_EVERY: Duration = Duration::from_secs(15);

const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// The longest that a written time is trusted: the clock may have been stepped since.
const LONGEST_KEPT: SignedDuration = SignedDuration::from_hours(1);

/// The delivery to one receiver.
pub struct Notifier<C, S> {
    /// The clock.
    pub clock: C,
    /// Sends requests.
    pub sender: S,
    /// Holds what waits.
    pub journal: Journal,
    /// Who is told.
    pub receiver: Receiver,
    /// Knows the secrets.
    pub redactor: Redactor,
    /// Failures in a row; 0 at first.
    pub failures: u32,
    /// What waits is gathered into messages.
    pub gathering: Gathering,
}

/// When what waits is gathered: soon after the first notice, so that what fails together is one message, and not soon
/// again after that.
#[derive(Debug, Clone, Copy)]
pub struct Gathering {
    /// From the first notice to the message.
    pub wait: SignedDuration,
    /// The least from one message to the next.
    pub pause: SignedDuration,
}

impl Default for Gathering {
    fn default() -> Self {
        Self {
            wait: SignedDuration::from_secs(5),
            pause: SignedDuration::from_secs(30),
        }
    }
}

impl Gathering {
    /// When `queued` is gathered. A clock that was set back holds nothing up for longer than at first.
    fn due(self, queued: Queued, now: Timestamp) -> Timestamp {
        let soon = queued.since.min(now) + self.wait;
        let rested = queued.last_message.map(|last| last.min(now) + self.pause);
        rested.map_or(soon, |rested| rested.max(soon))
    }
}

/// What one step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing waits.
    Idle,
    /// A message is done with.
    Done,
    /// Nothing is to be sent before then.
    Until(Timestamp),
}

impl<C: Clock, S: Sender> Notifier<C, S> {
    /// Sends the next message, if one waits and may be sent; else gathers what waits, if it is time to.
    ///
    /// # Errors
    /// When the journal cannot be read or written; then nothing was sent, or it is sent again.
    pub async fn step(&mut self) -> Result<Step, StoreError> {
        match self.journal.alert_due(&self.receiver.name).await? {
            Some(due) => self.send(due).await,
            None => self.gather(false).await,
        }
    }

    /// Gathers what waits into messages, once it is time to or `at_once`.
    async fn gather(&mut self, at_once: bool) -> Result<Step, StoreError> {
        let (name, now) = (&self.receiver.name, self.clock.now());
        let Some(queued) = self.journal.alerts_queued(name).await? else {
            return Ok(Step::Idle);
        };
        let due = self.gathering.due(queued, now);
        if due > now && !at_once {
            return Ok(Step::Until(due));
        }
        self.journal.gather_alerts(name, &self.redactor, now).await?;
        Ok(Step::Done)
    }

    /// Sends what still waits, without waiting for more: the worker stops.
    async fn send_rest(&mut self) -> Result<(), StoreError> {
        while self.step().await? == Step::Done {}
        if self.journal.alert_due(&self.receiver.name).await?.is_none() && self.gather(true).await? == Step::Done {
            while self.step().await? == Step::Done {}
        }
        Ok(())
    }

    async fn send(&mut self, due: Due) -> Result<Step, StoreError> {
        let now = self.clock.now();
        let wait = due.not_before.map_or(SignedDuration::ZERO, |at| at.duration_since(now));
        if wait > SignedDuration::ZERO {
            return Ok(Step::Until(now + wait.min(LONGEST_KEPT)));
        }
        self.journal.alert_begun(due.seq, now).await?;
        let sent = self
            .receiver
            .send(&self.sender, &due.told, due.perhaps_again, now)
            .await;
        let (name, said) = (&self.receiver.name, sent.as_ref().err().map(ToString::to_string));
        let said = self.redactor.text(&said.unwrap_or_default());
        match sent {
            Ok(()) => {
                if self.failures > 0 {
                    tracing::info!("✅ Alert receiver {name} takes messages again");
                }
                self.failures = 0;
                tracing::debug!(id = %due.told.id, "Alert delivered to {name}: id={}", due.told.id);
                self.journal.alert_ended(due.seq, Ended::Delivered).await?;
                Ok(Step::Done)
            }
            Err(Refusal::Never(_)) => {
                tracing::error!("❌ Alert receiver {name} will never take {}: {said}", due.told.id);
                self.journal.alert_ended(due.seq, Ended::Refused(said)).await?;
                Ok(Step::Done)
            }
            Err(Refusal::Later { after, unsure, .. }) => {
                self.failures = self.failures.saturating_add(1);
                let wait = back_off(self.failures, fastrand::f64()).max(after.unwrap_or_default());
                let until = now + SignedDuration::try_from(wait).unwrap_or(LONGEST_KEPT);
                // Once for an outage; the trail has every attempt.
                if self.failures == 1 {
                    tracing::error!(
                        "❌ Alert receiver {name} did not take a message: {said}; it waits and is tried again"
                    );
                }
                self.journal
                    .alert_ended(
                        due.seq,
                        Ended::Later {
                            from: until,
                            said,
                            unsure,
                        },
                    )
                    .await?;
                Ok(Step::Until(until))
            }
        }
    }

    /// Delivers until `stop` is cancelled. What waits then waits for the next start.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut alerted = self.journal.alerted();
        loop {
            alerted.mark_unchanged();
            let until = match self.step().await {
                Ok(Step::Done) => continue,
                Ok(Step::Idle) => None,
                Ok(Step::Until(at)) => Some(at),
                Err(error) => {
                    let said = self.redactor.text(&error.to_string());
                    tracing::error!("❌ Alerts for {} cannot be read: {said}", self.receiver.name);
                    Some(self.clock.now() + SignedDuration::from_secs(15))
                }
            };
            let waiting = async {
                match until {
                    Some(at) => self.clock.sleep_until(at).await,
                    None => {
                        tokio::select! {
                            // A journal that is closed changes no more; the wait ends all the same.
                            Ok(()) = alerted.changed() => {}
                            () = tokio::time::sleep(LOOK_EVERY) => {}
                        }
                    }
                }
            };
            tokio::select! {
                // In this order: what the last checks told is still tried.
                biased;
                () = waiting => {}
                () = stop.cancelled() => {
                    if let Err(error) = self.send_rest().await {
                        let said = self.redactor.text(&error.to_string());
                        tracing::error!("❌ Alerts for {} cannot be read: {said}", self.receiver.name);
                    }
                    return;
                }
            }
        }
    }
}

/// The wait after the `failures`-th failure in a row: doubled each time up to five minutes, and
/// stretched by `jitter` (0.0..=1.0) from half to one and a half of it.
pub(super) fn back_off(failures: u32, jitter: f64) -> Duration {
    let doubled = FIRST_WAIT * 2_u32.saturating_pow(failures.saturating_sub(1).min(10));
    doubled.min(LONGEST_WAIT).mul_f64(0.5 + jitter.clamp(0.0, 1.0))
}

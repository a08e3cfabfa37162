//! Delivers checks from the journal to the chosen store, in order, until the store has them.
//!
//! A store that is down, slow or refuses is retried after a wait that doubles and is jittered, or after
//! the time it asked for. A batch that holds a row the store rejects for good is halved until that row
//! is alone; it is parked and the others go on.

use std::time::{Duration, Instant};

use lensops_core::redaction::Redactor;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::store::{Entry, Journal, Sink, SinkError, StoreError};

/// Checks that go into one batch.
const BATCH: u32 = 500;

/// Batches up to this size are told check by check.
const TOLD: usize = 20;

/// What another process recorded is looked for this often.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// How often the size of the journal is looked at.
const MEASURE_EVERY: Duration = Duration::from_secs(60);

const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Delivered checks that are dropped in one go.
const DROPPED: i64 = 1000;

/// A delivery.
pub struct Delivery<K> {
    journal: Journal,
    sink: K,
    redactor: Redactor,
    rng: fastrand::Rng,
    /// Bytes that the journal should keep within.
    limit: u64,
    failures: u32,
    measured: Option<Instant>,
    /// Why the store does not take checks, while it does not.
    trouble: watch::Sender<Option<String>>,
}

/// What one batch came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing waits.
    Idle,
    /// So many checks arrived, so many were parked.
    Delivered {
        /// Arrived.
        checks: usize,
        /// Refused for good.
        parked: usize,
    },
    /// The store did not take it; it is to be asked again after this time.
    Wait(Duration),
}

/// What a flush came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flushed {
    /// Checks that arrived.
    pub delivered: usize,
    /// Checks that were refused for good.
    pub parked: usize,
    /// Whether nothing waits any more.
    pub complete: bool,
}

/// The wait after the `failures`-th failure in a row: doubled each time up to a minute, and
/// stretched by `jitter` (0.0..=1.0) from half to one and a half of it, so that a store that comes
/// back is not met by everybody at once.
fn back_off(failures: u32, jitter: f64) -> Duration {
    let doubled = FIRST_WAIT * 2_u32.saturating_pow(failures.saturating_sub(1).min(10));
    doubled.min(LONGEST_WAIT).mul_f64(0.5 + jitter.clamp(0.0, 1.0))
}

impl<K: Sink> Delivery<K> {
    /// A delivery from `journal` to `sink`; the journal should keep within `limit` bytes.
    pub fn new(journal: Journal, sink: K, redactor: Redactor, limit: u64) -> Self {
        Self {
            journal,
            sink,
            redactor,
            rng: fastrand::Rng::new(),
            limit,
            failures: 0,
            measured: None,
            trouble: watch::Sender::new(None),
        }
    }

    /// Why the store does not take checks, redacted; `None` while it does, and before the first try.
    pub fn trouble(&self) -> watch::Receiver<Option<String>> {
        self.trouble.subscribe()
    }

    /// Delivers the next batch.
    ///
    /// # Errors
    /// When the journal cannot be read or written.
    pub async fn step(&mut self) -> Result<Step, StoreError> {
        let batch = self.journal.waiting(BATCH).await?;
        if batch.is_empty() {
            return Ok(Step::Idle);
        }
        let mut parked = 0;
        // Halves wait on a stack, the earlier one on top, so that the order is kept.
        let mut parts: Vec<&[Entry]> = vec![&batch];
        while let Some(part) = parts.pop() {
            match self.sink.deliver(part).await {
                Ok(()) => {
                    self.failures = 0;
                    self.trouble.send_replace(None);
                    tell_written(part);
                    self.journal.delivered(part.iter().map(Entry::seq).collect()).await?;
                }
                Err(SinkError::Row(_)) if part.len() > 1 => {
                    let (earlier, later) = part.split_at(part.len() / 2);
                    parts.extend([later, earlier]);
                }
                Err(SinkError::Row(why)) => {
                    parked += part.len();
                    self.park(part, &why).await?;
                }
                Err(error) => return Ok(Step::Wait(self.failed(&error, batch.len()))),
            }
        }
        Ok(Step::Delivered {
            checks: batch.len() - parked,
            parked,
        })
    }

    async fn park(&self, refused: &[Entry], why: &str) -> Result<(), StoreError> {
        for entry in refused {
            let reason = self.redactor.text(why);
            tracing::error!(
                id = %entry.id(),
                "❌ Failed to write health check to DB: {reason}; refused for good, kept in the outbox: id={} lens={}",
                entry.id(),
                entry.lens()
            );
            self.journal.park(entry.seq(), reason).await?;
        }
        Ok(())
    }

    fn failed(&mut self, error: &SinkError, waiting: usize) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let said = self.redactor.text(&error.to_string());
        self.trouble.send_replace(Some(said.as_str().to_owned()));
        let own = back_off(self.failures, self.rng.f64());
        let wait = match error {
            SinkError::Later { after: Some(after), .. } => own.max(*after),
            _ => own,
        };
        let more = if waiting >= BATCH as usize { " or more" } else { "" };
        tracing::error!(
            wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
            "❌ Failed to write health check to DB: {}; {waiting}{more} waiting in the journal, next try in {:.1} s",
            said,
            wait.as_secs_f64()
        );
        wait
    }

    /// Delivers until `stop` is cancelled, and gives itself back for a last flush.
    pub async fn run(mut self, stop: CancellationToken) -> Self {
        let mut recorded = self.journal.recorded();
        loop {
            recorded.mark_unchanged();
            let step = tokio::select! {
                () = stop.cancelled() => return self,
                step = self.round() => step,
            };
            let wait = match step {
                Ok(Step::Delivered { .. }) => continue,
                Ok(Step::Wait(wait)) => {
                    tokio::select! {
                        () = stop.cancelled() => return self,
                        () = tokio::time::sleep(wait) => continue,
                    }
                }
                Ok(Step::Idle) => LOOK_EVERY,
                Err(error) => {
                    self.failures = self.failures.saturating_add(1);
                    tracing::error!(
                        "❌ The outbox cannot be read: {}",
                        self.redactor.text(&error.to_string())
                    );
                    back_off(self.failures, self.rng.f64())
                }
            };
            tokio::select! {
                () = stop.cancelled() => return self,
                // A journal that is closed changes no more; the wait ends all the same.
                Ok(()) = recorded.changed() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    async fn round(&mut self) -> Result<Step, StoreError> {
        if self.measured.is_none_or(|at| at.elapsed() >= MEASURE_EVERY) {
            self.measured = Some(Instant::now());
            self.keep_within_limit().await?;
        }
        self.step().await
    }

    /// Delivers all that waits, once; stops at the first refusal of the store.
    ///
    /// # Errors
    /// When the journal cannot be read or written.
    pub async fn flush(&mut self) -> Result<Flushed, StoreError> {
        let mut flushed = Flushed::default();
        loop {
            match self.step().await? {
                Step::Idle => {
                    flushed.complete = true;
                    return Ok(flushed);
                }
                Step::Delivered { checks, parked } => {
                    flushed.delivered += checks;
                    flushed.parked += parked;
                }
                Step::Wait(_) => return Ok(flushed),
            }
        }
    }

    /// Drops delivered checks, oldest first, while the journal is larger than its limit, and warns
    /// from four fifths of it on when what is left was not delivered: that is never dropped.
    ///
    /// # Errors
    /// When the journal cannot be read or written.
    pub async fn keep_within_limit(&self) -> Result<(), StoreError> {
        let mut state = self.journal.outbox().await?;
        while state.bytes > self.limit && state.checks > state.waiting + state.parked {
            self.journal.drop_delivered(DROPPED).await?;
            state = self.journal.outbox().await?;
        }
        if state.bytes > self.limit / 5 * 4 && state.checks == state.waiting + state.parked {
            tracing::error!(
                "❌ The journal holds {} checks that no store has taken, {} of {} bytes. Nothing of it is dropped, \
                 and it grows until the disk is full: see lensops outbox status",
                state.checks,
                state.bytes,
                self.limit
            );
        }
        Ok(())
    }
}

fn tell_written(part: &[Entry]) {
    if part.len() > TOLD {
        return tracing::info!("✅ Wrote {} health checks to DB", part.len());
    }
    for entry in part {
        tracing::info!(id = %entry.id(), lens = entry.lens(), "✅ Wrote health check to DB: id={}", entry.id());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_minute_and_are_jittered_around_it() {
        for (failures, jitter, ms) in [
            (1, 0.5, 1_000),
            (2, 0.5, 2_000),
            (5, 0.5, 16_000),
            (7, 0.5, 60_000),
            (u32::MAX, 0.5, 60_000),
            (1, 0.0, 500),
            (1, 1.0, 1_500),
            (9, 1.0, 90_000),
        ] {
            assert_eq!(back_off(failures, jitter).as_millis(), ms, "{failures} {jitter}");
        }
    }
}

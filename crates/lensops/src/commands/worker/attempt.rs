//! Sends a request, and retries it where that may help, within the time that a check has.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use lensops_core::duration::Every;
use lensops_core::exchange::{Exchange, Failure, FailureClass, PreparedRequest, Route, Sender, Timings};
use lensops_core::verdict::probe::retry_after;
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// The most that a check may take.
const LONGEST: Duration = Duration::from_secs(60);

/// Why a probe or a sample was cut off.
pub(super) const OUT_OF_TIME: &str = "the check's time was up";

/// Retries that one probe may spend over all its samples.
pub(crate) const RETRIES: u32 = 2;

/// How often one probe waits as long as the API asks it to, over all its samples.
const WAITS: u32 = 30;

/// The wait before the first retry; doubled for the next, jittered by half.
pub(crate) const RETRY_WAIT_MS: u64 = 100;

/// The time that a check every `every` may take: nine tenths of its interval, so that the next one is on
/// time, and a minute at most.
pub(super) fn budget(every: Every) -> Duration {
    LONGEST.min(Duration::from_millis(every.as_ms().unsigned_abs() * 9 / 10))
}

/// What a probe may still spend on its samples.
pub(crate) struct Allowance {
    retries: u32,
    waits: u32,
    /// When the check's time is up.
    deadline: Instant,
    /// The longest that one answer is waited for.
    patience: Duration,
}

impl Allowance {
    /// What a probe may spend until `deadline`, of a check that may take `time` in all and whose answers may be as
    /// slow as `slowest`. A third of the time at most goes into one answer, so that an API that hangs is found out by
    /// checks of short intervals too; what the plan allows is waited for longer, and cut off before the check is.
    pub(crate) fn until(deadline: Instant, time: Duration, slowest: Duration) -> Self {
        Self {
            patience: (time / 3).max(slowest.min(time - time / 10)),
            retries: RETRIES,
            waits: WAITS,
            deadline,
        }
    }

    /// How long to wait before `exchange` is tried again; `None` where it is not.
    fn wait(&mut self, exchange: &Exchange, tries: usize, rng: &mut fastrand::Rng) -> Option<Duration> {
        if !may_pass(exchange) {
            return None;
        }
        let asked = retry_after(exchange)
            .map(Duration::from_secs)
            .filter(|_| exchange.status() == Some(429));
        let left = self.deadline.saturating_duration_since(Instant::now());
        let wait = match asked {
            Some(asked) if self.waits > 0 && asked < left => {
                self.waits -= 1;
                return Some(asked);
            }
            Some(_) => return None,
            None if self.retries > 0 => RETRY_WAIT_MS << (tries - 1).min(6),
            None => return None,
        };
        self.retries -= 1;
        Some(Duration::from_millis(rng.u64(wait / 2..=wait * 3 / 2)))
    }
}

/// Sends a request and, while it fails in a way that may pass and something is left, sends it again.
/// Every attempt that ended is returned: a retry hides nothing, and what the deadline cuts off is no
/// attempt. A time-out is not tried again, it has waited long enough. `Retry-After` is obeyed.
pub(crate) async fn attempt<S: Sender>(
    sender: &S,
    request: &Arc<PreparedRequest>,
    allowance: &mut Allowance,
    rng: &mut fastrand::Rng,
) -> Vec<Exchange> {
    let mut attempts: Vec<Exchange> = Vec::with_capacity(1);
    while let Ok(exchange) = timeout_at(allowance.deadline, send(sender, request, allowance.patience)).await {
        let wait = allowance.wait(&exchange, attempts.len() + 1, rng);
        attempts.push(exchange);
        match wait {
            Some(wait) => sleep(wait).await,
            None => break,
        }
    }
    attempts
}

/// Sends `request`; no answer within `patience` is a time-out.
async fn send<S: Sender>(sender: &S, request: &Arc<PreparedRequest>, patience: Duration) -> Exchange {
    let (sent_at, began) = (Timestamp::now(), Instant::now());
    let late = |_| Exchange {
        request: request.clone(),
        sent_at,
        result: Err(Failure::new(
            FailureClass::Timeout,
            format!(
                "no answer within {:.1}s, the longest that a check of this interval can wait",
                patience.as_secs_f64()
            ),
        )),
        timings: Timings {
            total_us: u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX),
            ..Timings::default()
        },
        route: Route::default(),
    };
    timeout(patience, sender.send(request.clone()))
        .await
        .unwrap_or_else(late)
}

pub(crate) fn may_pass(exchange: &Exchange) -> bool {
    match &exchange.result {
        Ok(response) => response.status >= 500 || response.status == 429,
        Err(failure) => matches!(failure.class, FailureClass::Connectivity | FailureClass::BadBody),
    }
}

//! The clock, passed in: what time it is, and waiting for a time.

use std::future::Future;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// A clock.
pub trait Clock: Send + Sync + 'static {
    /// The time.
    fn now(&self) -> Timestamp;

    /// Waits until `at`.
    fn sleep_until(&self, at: Timestamp) -> impl Future<Output = ()> + Send;
}

/// The longest sleep in one go: after it the time is looked at anew, so that a clock that was
/// stepped, or a machine that was suspended, is noticed.
const LONGEST_NAP: Duration = Duration::from_secs(30);

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    async fn sleep_until(&self, at: Timestamp) {
        loop {
            let left = at.duration_since(self.now());
            if left <= SignedDuration::ZERO {
                return;
            }
            tokio::time::sleep(Duration::try_from(left).unwrap_or(LONGEST_NAP).min(LONGEST_NAP)).await;
        }
    }
}

//! The clock, passed in: what time it is, and waiting for a time.

use std::future::Future;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// A clock.
pub trait Clock: Send + Sync + 'static {
    /// The time.
    fn now(&self) -> Timestamp;

    /// Waits until `at`, or for some shorter while: who waits looks at the clock again. A clock may
    /// be stepped, and a machine suspended.
    fn sleep_until(&self, at: Timestamp) -> impl Future<Output = ()> + Send;
}

/// The longest wait in one go.
const LONGEST_NAP: Duration = Duration::from_secs(30);

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    async fn sleep_until(&self, at: Timestamp) {
        let left = at.duration_since(self.now());
        if left > SignedDuration::ZERO {
            tokio::time::sleep(Duration::try_from(left).unwrap_or(LONGEST_NAP).min(LONGEST_NAP)).await;
        }
    }
}

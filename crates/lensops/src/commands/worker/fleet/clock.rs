//! The database's clock, as near as this machine knows it: all machines of a fleet count slots by it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::commands::worker::clock::Clock;

/// A difference up to this is noise of the network, and nothing is corrected.
const NOISE_MS: i64 = 50;

/// The machine's clock, corrected by its difference to the database's.
#[derive(Debug, Clone, Default)]
pub(in crate::commands::worker) struct FleetClock {
    /// Milliseconds that this machine's clock is ahead.
    ahead_ms: Arc<AtomicI64>,
}

impl FleetClock {
    /// The database said `there` between the moments `before` and `after` of this machine.
    pub(super) fn compare(&self, before: Timestamp, there: Timestamp, after: Timestamp) {
        let middle = before.as_millisecond().midpoint(after.as_millisecond());
        let ahead = middle - there.as_millisecond();
        let ahead = if ahead.abs() <= NOISE_MS { 0 } else { ahead };
        self.ahead_ms.store(ahead, Ordering::Relaxed);
    }

    /// Milliseconds that this machine's clock is ahead of the database's.
    pub(super) fn ahead_ms(&self) -> i64 {
        self.ahead_ms.load(Ordering::Relaxed)
    }
}

impl Clock for FleetClock {
    fn now(&self) -> Timestamp {
        let ahead = SignedDuration::from_millis(self.ahead_ms());
        Timestamp::now().checked_sub(ahead).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    async fn sleep_until(&self, at: Timestamp) {
        let left = Duration::try_from(at.duration_since(self.now())).unwrap_or_default();
        tokio::time::sleep(left.min(Duration::from_secs(30))).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_ahead_is_taken_back_and_noise_is_left() {
        let at = |ms| Timestamp::from_millisecond(ms).unwrap();
        let clock = FleetClock::default();
        for (before, there, after, ahead) in [
            (10_000, 5_000, 10_020, 5_010),
            (10_000, 15_000, 10_000, -5_000),
            (10_000, 10_030, 10_080, 0),
        ] {
            clock.compare(at(before), at(there), at(after));
            assert_eq!(clock.ahead_ms(), ahead, "{before} {there} {after}");
        }
    }
}

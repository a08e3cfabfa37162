//! Lengths of time as exchanges and histograms count them.

use std::time::Duration;

/// Whole microseconds of `time`; `u64::MAX` where it is longer than they can count.
pub(crate) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

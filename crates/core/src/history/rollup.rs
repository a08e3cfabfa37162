//! Hours and days of checks in one row: counts by status, samples, and a histogram that merges.
//!
//! A window's percentile is that of the union of its samples. A percentile of percentiles, which
//! would need no histogram, is not one.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::ident::LensId;
use crate::stats::histogram::Latencies;
use crate::verdict::record::Status;

/// How much time a roll-up covers; in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Span {
    /// An hour.
    Hour,
    /// A day.
    Day,
}

impl Span {
    /// As stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    /// Its length.
    #[must_use]
    pub fn length(self) -> SignedDuration {
        SignedDuration::from_hours(match self {
            Self::Hour => 1,
            Self::Day => 24,
        })
    }

    /// The start of the span that `at` lies in.
    #[must_use]
    pub fn start_of(self, at: Timestamp) -> Timestamp {
        let seconds = self.length().as_secs();
        crate::history::schedule::from_ms(at.as_second().div_euclid(seconds) * seconds * 1000)
    }
}

/// A roll-up of one lens of one tenant.
#[derive(Debug, Clone)]
pub struct Rollup {
    /// The tenant.
    pub yacht_id: Uuid,
    /// The lens.
    pub lens_id: LensId,
    /// What it covers.
    pub span: Span,
    /// When that starts.
    pub starts_at: Timestamp,
    /// Checks by status.
    pub healthy: i64,
    /// Checks by status.
    pub degraded: i64,
    /// Checks by status.
    pub unhealthy: i64,
    /// Checks that counted for nothing, made while the lens was paused or in a maintenance window:
    /// neither their status nor their samples are in here.
    pub muted: i64,
    /// Samples of all checks.
    pub samples: i64,
    /// Those that failed.
    pub failed_samples: i64,
    /// Latencies of all samples that were answered.
    pub latencies: Latencies,
}

impl Rollup {
    /// One without checks.
    #[must_use]
    pub fn empty(yacht_id: Uuid, lens_id: LensId, span: Span, starts_at: Timestamp) -> Self {
        Self {
            yacht_id,
            lens_id,
            span,
            starts_at,
            healthy: 0,
            degraded: 0,
            unhealthy: 0,
            muted: 0,
            samples: 0,
            failed_samples: 0,
            latencies: Latencies::new(),
        }
    }

    /// Adds a check of `samples` samples, `error_rate_percent` of which failed, with the latencies
    /// of those that were answered.
    pub fn add(
        &mut self,
        status: Status,
        samples: i64,
        error_rate_percent: Option<f64>,
        us: impl IntoIterator<Item = u64>,
    ) {
        match status {
            Status::Healthy => self.healthy += 1,
            Status::Degraded => self.degraded += 1,
            Status::Unhealthy => self.unhealthy += 1,
        }
        self.samples += samples;
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            reason = "a check has some dozens of samples"
        )]
        let failed = (samples as f64 * error_rate_percent.unwrap_or(0.0) / 100.0).round() as i64;
        self.failed_samples += failed;
        for latency_us in us {
            self.latencies.record(latency_us);
        }
    }

    /// Adds a check that counts for nothing.
    pub fn add_muted(&mut self) {
        self.muted += 1;
    }

    /// Adds all that `other` counts.
    pub fn merge(&mut self, other: &Self) {
        self.healthy += other.healthy;
        self.degraded += other.degraded;
        self.unhealthy += other.unhealthy;
        self.muted += other.muted;
        self.samples += other.samples;
        self.failed_samples += other.failed_samples;
        self.latencies.merge(&other.latencies);
    }

    /// Checks of any status that counted.
    #[must_use]
    pub fn checks(&self) -> i64 {
        self.healthy + self.degraded + self.unhealthy
    }

    /// Failed samples in percent; `None` without samples.
    #[must_use]
    pub fn error_rate_percent(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "shown to two decimals")]
        let rate = || self.failed_samples as f64 * 100.0 / self.samples as f64;
        (self.samples > 0).then(rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::histogram::Quantile;

    fn of(values: impl IntoIterator<Item = u64>) -> Rollup {
        let mut rollup = Rollup::empty(
            Uuid::nil(),
            "faults".parse().unwrap(),
            Span::Hour,
            Timestamp::UNIX_EPOCH,
        );
        rollup.add(Status::Healthy, 21, Some(4.76), values);
        rollup
    }

    #[test]
    fn the_percentile_of_a_window_is_that_of_the_union_and_not_of_percentiles() {
        let (mut quick, slow) = (of(1..=100), of(10_000..10_005));
        quick.merge(&slow);
        let union: Latencies = (1..=100).chain(10_000..10_005).collect();
        assert_eq!(quick.latencies.at(Quantile::P95), union.at(Quantile::P95));
        assert_eq!(quick.latencies.at(Quantile::P95), Some(100));
    }

    #[test]
    fn counts_add_up() {
        let mut both = of([1]);
        both.merge(&of([2]));
        assert_eq!((both.checks(), both.samples, both.failed_samples), (2, 42, 2));
        assert_eq!(both.error_rate_percent(), Some(200.0 / 42.0));
        both.add_muted();
        assert_eq!(
            (both.checks(), both.muted, both.samples),
            (2, 1, 42),
            "a muted check is counted apart"
        );
        let empty = Rollup::empty(Uuid::nil(), "faults".parse().unwrap(), Span::Day, Timestamp::UNIX_EPOCH);
        assert_eq!(empty.error_rate_percent(), None);
    }

    #[test]
    fn a_span_starts_at_its_hour_or_day_in_utc() {
        let at: Timestamp = "2026-01-28T15:59:59.999Z".parse().unwrap();
        assert_eq!(Span::Hour.start_of(at), "2026-01-28T15:00:00Z".parse().unwrap());
        assert_eq!(Span::Day.start_of(at), "2026-01-28T00:00:00Z".parse().unwrap());
        assert_eq!(
            Span::Hour.start_of("1969-12-31T23:30:00Z".parse().unwrap()).as_second(),
            -3600
        );
    }
}

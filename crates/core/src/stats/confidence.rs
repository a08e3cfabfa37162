//! How sure a percentile is: 95 % confidence intervals from order statistics.
//!
//! The number of samples below the true quantile is binomial whatever the distribution, so the
//! ranks that hold it with 95 % are known, and the samples at those ranks are the interval. Nothing
//! is assumed about latencies, which are never normal. A sample too small for a bound has none.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::stats::histogram::{Latencies, Quantile};

/// What each tail may hold.
const TAIL: f64 = 0.025;

/// The normal quantile of both tails, for samples beyond counting.
const Z: f64 = 1.959_963_985;

/// Beyond this many samples on each side of the quantile the binomial is as good as normal.
const NORMAL_FROM: f64 = 1_000.0;

/// A 95 % confidence interval of a percentile, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Interval {
    /// Its lower end; `None` where the sample is too small for one.
    pub low: Option<u64>,
    /// Its upper end; `None` where the sample is too small for one.
    pub high: Option<u64>,
}

impl Latencies {
    /// The 95 % confidence interval of `quantile`; both ends are absent for an empty window.
    #[must_use]
    pub fn interval(&self, quantile: Quantile) -> Interval {
        let (low, high) = ranks(quantile, self.len());
        Interval {
            low: low.and_then(|rank| self.at_rank(rank)),
            high: high.and_then(|rank| self.at_rank(rank)),
        }
    }
}

/// The 1-based ranks among `n` samples that hold `quantile` with 95 %: at most 2.5 % lies beyond
/// each. `None` where even the outermost sample leaves more.
#[must_use]
pub fn ranks(quantile: Quantile, n: u64) -> (Option<u64>, Option<u64>) {
    let q = quantile.share();
    if n == 0 || q <= 0.0 || q >= 1.0 {
        return (None, None);
    }
    #[expect(clippy::cast_precision_loss, reason = "ranks beyond 2^52 do not matter")]
    let size = n as f64;
    if size * q.min(1.0 - q) >= NORMAL_FROM {
        let (middle, spread) = (size * q, Z * (size * q * (1.0 - q)).sqrt());
        let (low, high) = ((middle - spread).floor(), (middle + spread).ceil() + 1.0);
        return (rank_of(low, n), rank_of(high, n));
    }
    binomial(q, n)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be in 1..=n"
)]
fn rank_of(rank: f64, n: u64) -> Option<u64> {
    (rank >= 1.0).then_some(rank as u64).filter(|rank| *rank <= n)
}

/// Walks the binomial distribution from its thin end: the low rank `l` is the largest with
/// P(B < l) ≤ 2.5 %, the high rank `u` the smallest with P(B ≥ u) ≤ 2.5 %.
fn binomial(q: f64, n: u64) -> (Option<u64>, Option<u64>) {
    // The sum runs over the rarer side, where it stays short for quantiles near 1.
    let mirrored = q > 0.5;
    let p = if mirrored { 1.0 - q } else { q };
    #[expect(clippy::cast_precision_loss, reason = "small by the caller's choice of method")]
    let size = n as f64;
    let mut log_mass = size * (1.0 - p).ln();
    let (mut below, mut lower, mut upper) = (0.0, None, None);
    for k in 0..=n {
        // `below` is P(X < k) for the number X of samples on the rare side.
        if below <= TAIL {
            lower = Some(k);
        }
        if below >= 1.0 - TAIL {
            upper = Some(k);
            break;
        }
        below += log_mass.exp();
        #[expect(clippy::cast_precision_loss, reason = "small by the caller's choice of method")]
        let k = k as f64;
        log_mass += ((size - k) / (k + 1.0)).ln() + (p / (1.0 - p)).ln();
    }
    if mirrored {
        // X samples above the quantile: counted from the top.
        let from_top = |k: Option<u64>| k.filter(|k| (1..=n).contains(k)).map(|k| n + 1 - k);
        (from_top(upper), from_top(lower))
    } else {
        (lower.filter(|k| *k >= 1), upper.filter(|k| *k <= n))
    }
}

/// The difference of two percentiles with its 95 % interval, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Difference {
    /// Now minus before.
    pub change_us: i64,
    /// The lower end of its interval; `None` where a sample is too small.
    pub low_us: Option<i64>,
    /// The upper end of its interval; `None` where a sample is too small.
    pub high_us: Option<i64>,
}

impl Difference {
    /// Whether the interval leaves zero out: `Some(true)` slower, `Some(false)` faster, `None` not told apart.
    #[must_use]
    pub fn slower(&self) -> Option<bool> {
        match (self.low_us, self.high_us) {
            (Some(low), _) if low > 0 => Some(true),
            (_, Some(high)) if high < 0 => Some(false),
            _ => None,
        }
    }
}

/// `now − before` for two independent percentiles. The interval is put together from those of the
/// two sides by the square-and-add rule (MOVER), which keeps their skew.
#[must_use]
pub fn difference(now: (u64, Interval), before: (u64, Interval)) -> Difference {
    let signed = |us: u64| i64::try_from(us).unwrap_or(i64::MAX);
    let change_us = signed(now.0) - signed(before.0);
    let bound = |near: Option<u64>, far: Option<u64>, sign: i64| {
        #[expect(clippy::cast_precision_loss, reason = "microseconds of a latency")]
        let reach = |from: u64, to: u64| from.abs_diff(to) as f64;
        #[expect(clippy::cast_possible_truncation, reason = "microseconds of a latency")]
        let reach = reach(now.0, near?).hypot(reach(before.0, far?)).round() as i64;
        Some(change_us + sign * reach)
    };
    Difference {
        change_us,
        low_us: bound(now.1.low, before.1.high, -1),
        high_us: bound(now.1.high, before.1.low, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ranks_are_those_of_the_tables() {
        // Medians: n = 10 → 2 and 9; n = 100 → 40 and 61 (Conover, Practical Nonparametric Statistics).
        let table = [
            (Quantile::P50, 5, (None, None)),
            (Quantile::P50, 6, (Some(1), Some(6))),
            (Quantile::P50, 10, (Some(2), Some(9))),
            (Quantile::P50, 100, (Some(40), Some(61))),
            (Quantile::P95, 20, (Some(17), None)),
            (Quantile::P99, 100, (Some(97), None)),
            (Quantile::MAX, 100, (None, None)),
            (Quantile::P50, 0, (None, None)),
        ];
        for (quantile, n, expected) in table {
            assert_eq!(ranks(quantile, n), expected, "{quantile:?} of {n}");
        }
    }

    #[test]
    fn both_methods_agree_where_they_meet() {
        let n = 20_000;
        let (low, high) = ranks(Quantile::P95, n);
        let (exact_low, exact_high) = binomial(0.95, n);
        assert!(low.unwrap().abs_diff(exact_low.unwrap()) <= 2, "{low:?} {exact_low:?}");
        assert!(
            high.unwrap().abs_diff(exact_high.unwrap()) <= 2,
            "{high:?} {exact_high:?}"
        );
    }

    #[test]
    fn the_interval_holds_the_true_quantile_about_95_times_in_100() {
        let mut random = 1_u64;
        let mut draw = || {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % 1_000_000
        };
        let held = (0..1_000)
            .filter(|_| {
                let window: Latencies = (0..200).map(|_| draw()).collect();
                let Interval { low, high } = window.interval(Quantile::P90);
                low.unwrap() <= 900_000 && 900_000 <= high.unwrap()
            })
            .count();
        assert!((935..=985).contains(&held), "{held} of 1000");
    }

    #[test]
    fn a_difference_is_a_finding_only_where_its_interval_leaves_zero_out() {
        let side = |us: u64, low: u64, high: u64| {
            (
                us,
                Interval {
                    low: Some(low),
                    high: Some(high),
                },
            )
        };
        let slower = difference(side(200, 190, 210), side(100, 90, 115));
        assert_eq!(
            (slower.change_us, slower.low_us, slower.high_us),
            (100, Some(82), Some(114))
        );
        assert_eq!(slower.slower(), Some(true));
        assert_eq!(
            difference(side(100, 90, 115), side(200, 190, 210)).slower(),
            Some(false)
        );
        assert_eq!(difference(side(105, 90, 120), side(100, 90, 110)).slower(), None);
        let small = difference(
            (
                200,
                Interval {
                    low: Some(1),
                    high: None,
                },
            ),
            side(100, 90, 110),
        );
        assert_eq!((small.high_us, small.slower()), (None, None));
    }
}

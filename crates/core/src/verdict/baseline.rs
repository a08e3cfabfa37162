//! What changed since an earlier run: each percentile's difference with its confidence.
//!
//! The earlier run is its JSON result. A figure that it does not hold is told as not comparable; it
//! is never taken as zero.

use serde_json::Value;

use super::tally::{FIGURES, Tally};
use crate::stats::confidence::{Difference, Interval, difference};
use crate::stats::histogram::ms;

/// One percentile of one target, then and now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The target.
    pub target: String,
    /// `P95`.
    pub figure: String,
    /// Then and now in microseconds.
    pub from_to: (u64, u64),
    /// The difference.
    pub difference: Difference,
}

impl Change {
    /// `P95 12ms → 19ms (+6.8ms, 95 % between +5.1ms and +8.0ms): slower`.
    #[must_use]
    pub fn tell(&self) -> String {
        let Difference {
            change_us,
            low_us,
            high_us,
        } = self.difference;
        let interval = match (low_us, high_us) {
            (Some(low), Some(high)) => format!("95 % between {} and {}", signed(low), signed(high)),
            (Some(low), None) => format!("95 % above {}", signed(low)),
            (None, Some(high)) => format!("95 % below {}", signed(high)),
            (None, None) => "too few requests for an interval".to_owned(),
        };
        let found = match self.difference.slower() {
            Some(true) => "slower",
            Some(false) => "faster",
            None => "not told apart",
        };
        format!(
            "{}: {} {} → {} ({}, {interval}): {found}",
            self.target,
            self.figure,
            ms(self.from_to.0),
            ms(self.from_to.1),
            signed(change_us),
        )
    }
}

fn signed(us: i64) -> String {
    format!("{}{}", if us < 0 { '-' } else { '+' }, ms(us.unsigned_abs()))
}

/// Every figure of `tallies` beside that of the earlier run, and the targets that it does not hold.
#[must_use]
pub fn compare(earlier: &Value, tallies: &[Tally]) -> (Vec<Change>, Vec<String>) {
    let (mut changes, mut missing) = (Vec::new(), Vec::new());
    let empty = Vec::new();
    let targets = earlier["targets"].as_array().unwrap_or(&empty);
    for tally in tallies {
        let before = targets.iter().find(|target| target["name"] == tally.name.as_str());
        let found: Vec<Change> = before.map(|before| figures(before, tally)).unwrap_or_default();
        if found.is_empty() {
            missing.push(tally.name.clone());
        }
        changes.extend(found);
    }
    (changes, missing)
}

fn figures(before: &Value, tally: &Tally) -> Vec<Change> {
    let one = |(name, quantile): &(&str, crate::stats::histogram::Quantile)| {
        let then = before.get("latency_us")?.get(*name)?.as_u64()?;
        let now = tally.latencies.at(*quantile)?;
        let interval: Interval = serde_json::from_value(before.get("interval_us")?.get(*name)?.clone()).ok()?;
        Some(Change {
            target: tally.name.clone(),
            figure: quantile.label(),
            from_to: (then, now),
            difference: difference((now, tally.latencies.interval(*quantile)), (then, interval)),
        })
    };
    FIGURES.iter().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::results::TargetResult;
    use serde_json::json;

    fn tally(ms: impl Iterator<Item = u64>) -> Tally {
        Tally {
            name: "/list".to_owned(),
            latencies: ms.map(|ms| ms * 1_000).collect(),
            ..Tally::default()
        }
    }

    #[test]
    fn slower_than_last_night_is_a_finding_and_noise_is_none() {
        let before = json!({"targets": [TargetResult::of(&tally(1..=200))]});
        let told = |now: Tally| {
            let (changes, missing) = compare(&before, &[now]);
            assert!(missing.is_empty());
            changes.iter().map(Change::tell).collect::<Vec<_>>()
        };
        let slower = told(tally(101..=300));
        assert_eq!(
            slower[0],
            "/list: P50 100ms → 200ms (+100ms, 95 % between +80ms and +121ms): slower"
        );
        assert!(told(tally(2..=201)).iter().all(|line| line.ends_with("not told apart")));
    }

    #[test]
    fn a_target_that_the_earlier_run_does_not_hold_is_named() {
        let nothing = Tally::default();
        let empty = TargetResult::of(&nothing);
        for before in [json!({}), json!({"targets": []}), json!({"targets": [empty]}), json!(7)] {
            let (changes, missing) = compare(&before, &[tally(1..=9)]);
            assert_eq!((changes, missing), (vec![], vec!["/list".to_owned()]), "{before}");
        }
    }
}

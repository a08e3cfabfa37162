//! What a lens's charts are drawn from: checks where a window is short, hourly roll-ups where it is
//! long, and checks again for hours of which no roll-up counts all. Pure.
//!
//! A point of a line is the union of the samples of its stretch; a percentile of percentiles would
//! be none.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use jiff::{SignedDuration, Timestamp};
use lensops_core::history::rollup::{Rollup, Span};
use lensops_core::lens::mute::MutedWhy;
use lensops_core::stats::histogram::Latencies;
use lensops_core::verdict::record::Status;

use crate::store::{Brief, Point, Stretch};

/// A window of a lens's charts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    /// Its name: `24h`.
    pub(super) name: &'static str,
    /// Its length.
    pub(super) length: SignedDuration,
    /// Checks that are drawn as one point are from one stretch of this length.
    pub(super) bucket: SignedDuration,
}

/// The windows there are.
pub(super) const WINDOWS: [Window; 4] = [
    Window {
        name: "1h",
        length: SignedDuration::from_hours(1),
        bucket: SignedDuration::from_secs(1),
    },
    Window {
        name: "24h",
        length: SignedDuration::from_hours(24),
        bucket: SignedDuration::from_hours(1),
    },
    Window {
        name: "7d",
        length: SignedDuration::from_hours(168),
        bucket: SignedDuration::from_hours(4),
    },
    Window {
        name: "30d",
        length: SignedDuration::from_hours(720),
        bucket: SignedDuration::from_hours(12),
    },
];

impl Window {
    /// The stretch between two times that somebody picked: at most 30 days, at least a minute.
    pub(super) fn picked(from: Timestamp, until: Timestamp) -> Self {
        let length = until.duration_since(from);
        let length = length.clamp(SignedDuration::from_mins(1), SignedDuration::from_hours(720));
        let hours = length.as_secs() / 3600;
        Self {
            name: "picked",
            length,
            bucket: match hours {
                0..=6 => SignedDuration::from_secs(1),
                7..=48 => SignedDuration::from_hours(1),
                49..=240 => SignedDuration::from_hours(4),
                _ => SignedDuration::from_hours(12),
            },
        }
    }

    /// Whether it is drawn from roll-ups.
    pub(super) fn is_rolled_up(self) -> bool {
        self.length > SignedDuration::from_hours(24)
    }

    /// Its start when it ends at `now`: a full hour where it is drawn from roll-ups, which are of full ones.
    pub(super) fn from(self, now: Timestamp) -> Timestamp {
        let from = now.checked_sub(self.length).unwrap_or(Timestamp::MIN);
        if self.is_rolled_up() {
            Span::Hour.start_of(from)
        } else {
            from
        }
    }

    pub(super) fn bucket_ms(self) -> i64 {
        self.bucket.as_millis().try_into().unwrap_or(i64::MAX)
    }
}

/// The hours within `window` whose checks must be read themselves: more are stored than `hours` count.
/// Hours that touch are one stretch.
pub(super) fn not_rolled_up(points: &[Point], hours: &[Rollup]) -> Vec<Stretch> {
    let mut stored: BTreeMap<Timestamp, i64> = BTreeMap::new();
    for point in points {
        *stored.entry(Span::Hour.start_of(point.observed_at)).or_default() += 1;
    }
    for hour in hours {
        if stored
            .get(&hour.starts_at)
            .is_some_and(|stored| *stored <= hour.checks())
        {
            stored.remove(&hour.starts_at);
        }
    }
    // A stretch is without its start, which belongs to its hour.
    let just_before = |at: Timestamp| at.checked_sub(SignedDuration::from_micros(1)).unwrap_or(at);
    let mut stretches: Vec<Stretch> = Vec::new();
    for hour in stored.into_keys() {
        let end = hour.checked_add(Span::Hour.length()).unwrap_or(Timestamp::MAX);
        let (from, until) = (just_before(hour), just_before(end));
        match stretches.last_mut().filter(|(_, last)| *last == from) {
            Some((_, last)) => *last = until,
            None => stretches.push((from, until)),
        }
    }
    stretches
}

/// A whole number as a value of a chart.
pub(super) fn whole(ms: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of a latency are far below 2^52")]
    let value = ms as f64;
    value
}

/// A stretch of checks as a chart draws it: where it lies, and the union of its samples.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    /// In milliseconds since the epoch.
    pub(super) at: i64,
    pub(super) latencies: Latencies,
    failed: f64,
    samples: i64,
}

impl Bucket {
    /// Failed samples in percent; `None` without samples.
    pub(super) fn error_rate(&self) -> Option<f64> {
        (self.samples > 0).then(|| self.failed / whole(self.samples) * 100.0)
    }
}

/// The buckets of `window`, oldest first; none where there was nothing. `hours` are left out where
/// `briefs` hold their checks themselves.
pub(super) fn buckets(briefs: &[Brief], hours: &[Rollup], window: Window) -> Vec<Bucket> {
    let length = window.bucket_ms();
    // A point stands in the middle of its stretch, where that is longer than a check is apart.
    let half = if length > 60_000 { length / 2 } else { 0 };
    let mut buckets: BTreeMap<i64, Bucket> = BTreeMap::new();
    let mut add = |at: i64, latencies: &mut dyn FnMut(&mut Latencies), failed: f64, samples: i64| {
        let number = at.div_euclid(length);
        let bucket = match buckets.entry(number) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(Bucket {
                at: if half > 0 { number * length + half } else { at },
                latencies: Latencies::new(),
                failed: 0.0,
                samples: 0,
            }),
        };
        latencies(&mut bucket.latencies);
        bucket.failed += failed;
        bucket.samples += samples;
    };
    let read_themselves: std::collections::BTreeSet<Timestamp> = briefs
        .iter()
        .map(|brief| Span::Hour.start_of(brief.observed_at))
        .collect();
    for hour in hours.iter().filter(|hour| !read_themselves.contains(&hour.starts_at)) {
        let mut merge = |window: &mut Latencies| window.merge(&hour.latencies);
        add(
            hour.starts_at.as_millisecond(),
            &mut merge,
            whole(hour.failed_samples),
            hour.samples,
        );
    }
    for brief in briefs {
        // Where nobody says how many failed, there is no rate.
        let samples = brief.error_rate_percent.map_or(0, |_| brief.sample_size);
        let failed = brief.error_rate_percent.unwrap_or(0.0) / 100.0 * whole(samples);
        let mut record = |window: &mut Latencies| brief.samples_us.iter().for_each(|us| window.record(*us));
        add(brief.observed_at.as_millisecond(), &mut record, failed, samples);
    }
    buckets.into_values().collect()
}

/// Each check's class at its time: its status, or why it counts for nothing. Of hours whose checks are
/// gone the worst is known.
pub(super) fn statuses(points: &[Point], hours: &[Rollup], every_ms: i64) -> Vec<(i64, &'static str)> {
    let class = |point: &Point| point.muted.map_or(point.status.as_str(), MutedWhy::as_str);
    let mut statuses: Vec<_> = points
        .iter()
        .map(|point| (point.observed_at.as_millisecond(), class(point)))
        .collect();
    let stored: std::collections::BTreeSet<Timestamp> = points
        .iter()
        .map(|point| Span::Hour.start_of(point.observed_at))
        .collect();
    for hour in hours.iter().filter(|hour| !stored.contains(&hour.starts_at)) {
        let worst = match hour {
            Rollup { unhealthy: 1.., .. } => Status::Unhealthy.as_str(),
            Rollup { degraded: 1.., .. } => Status::Degraded.as_str(),
            Rollup { healthy: 1.., .. } => Status::Healthy.as_str(),
            _ => MutedWhy::Paused.as_str(),
        };
        let starts = hour.starts_at.as_millisecond();
        let length: i64 = Span::Hour.length().as_millis().try_into().unwrap_or(i64::MAX);
        let steps = (0..length).step_by(usize::try_from(every_ms.max(1000)).unwrap_or(usize::MAX));
        statuses.extend(steps.map(|step| (starts + step, worst)));
    }
    statuses.sort_by_key(|(at, _)| *at);
    statuses
}

#[cfg(test)]
mod tests {
    use lensops_core::stats::histogram::Quantile;
    use uuid::Uuid;

    use super::*;

    fn at(hour: i64, minute: i64) -> Timestamp {
        lensops_core::history::schedule::from_ms((hour * 60 + minute) * 60_000)
    }

    fn brief(at: Timestamp, us: u64) -> Brief {
        Brief {
            id: Uuid::nil(),
            status: Status::Healthy,
            p95_latency_ms: None,
            error_rate_percent: Some(50.0),
            sample_size: 2,
            observed_at: at,
            muted: None,
            samples_us: vec![us, us],
        }
    }

    fn point(at: Timestamp) -> Point {
        Point {
            id: Uuid::nil(),
            status: Status::Degraded,
            p95_latency_ms: None,
            observed_at: at,
            muted: None,
        }
    }

    fn hour(starts_at: Timestamp, us: &[u64]) -> Rollup {
        let lens = "faults".parse().unwrap_or_else(|error| panic!("{error}"));
        let mut rollup = Rollup::empty(Uuid::nil(), lens, Span::Hour, starts_at);
        for us in us {
            rollup.add(Status::Unhealthy, 2, Some(0.0), [*us, *us]);
        }
        rollup
    }

    #[test]
    fn only_hours_that_no_roll_up_counts_whole_are_read_again() {
        let points: Vec<Point> = [(1, 0), (1, 15), (2, 0), (3, 0), (4, 59), (6, 30)]
            .map(|(hour, minute)| point(at(hour, minute)))
            .into();
        let hours = [hour(at(1, 0), &[1, 1]), hour(at(2, 0), &[]), hour(at(5, 0), &[1])];
        let told: Vec<(String, String)> = not_rolled_up(&points, &hours)
            .into_iter()
            .map(|(from, until)| (from.to_string(), until.to_string()))
            .collect();
        let text = |from: &str, until: &str| (from.to_owned(), until.to_owned());
        assert_eq!(
            told,
            [
                text("1970-01-01T01:59:59.999999Z", "1970-01-01T04:59:59.999999Z"),
                text("1970-01-01T05:59:59.999999Z", "1970-01-01T06:59:59.999999Z"),
            ]
        );
        assert!(not_rolled_up(&[], &hours).is_empty());
    }

    #[test]
    fn a_point_is_the_union_of_roll_ups_and_of_checks_that_none_counts() {
        let week = WINDOWS[2];
        // One roll-up is out of date: its hour's checks are read themselves, and count once.
        let hours = [hour(at(4, 0), &[100; 20]), hour(at(5, 0), &[7])];
        let briefs = [brief(at(5, 10), 900), brief(at(9, 0), 50)];
        let buckets = buckets(&briefs, &hours, week);
        let told: Vec<_> = buckets
            .iter()
            .map(|bucket| {
                let at = |quantile| bucket.latencies.at(quantile);
                (bucket.at, bucket.latencies.len(), at(Quantile::P50), at(Quantile::MAX))
            })
            .collect();
        let middle = |hour: i64| hour * 3_600_000;
        assert_eq!(
            told,
            [
                (middle(6), 42, Some(100), Some(900)),
                (middle(10), 2, Some(50), Some(50)),
            ]
        );
        // One of 42 samples failed.
        assert!((buckets[0].error_rate().unwrap_or(0.0) - 100.0 / 42.0).abs() < 1e-9);
        assert!(super::buckets(&[], &[], week).is_empty());
    }

    #[test]
    fn an_hour_whose_checks_are_gone_is_as_bad_as_its_worst() {
        let quarter = 15 * 60_000;
        let statuses = statuses(
            &[point(at(2, 0))],
            &[hour(at(1, 0), &[1]), hour(at(2, 0), &[1])],
            quarter,
        );
        let told: Vec<_> = statuses.iter().map(|(at, what)| (at / quarter, *what)).collect();
        assert_eq!(
            told,
            [
                (4, "unhealthy"),
                (5, "unhealthy"),
                (6, "unhealthy"),
                (7, "unhealthy"),
                (8, "degraded")
            ]
        );
    }
}

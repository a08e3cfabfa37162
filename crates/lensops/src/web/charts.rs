//! The charts of a lens: percentiles and the error rate of stretches of checks, ready to be drawn. Pure.
//!
//! A point is the union of the samples of its stretch; a percentile of percentiles would be none.

use jiff::{SignedDuration, Timestamp};
use lensops_core::chart::{Band, Frame, round_top};
use lensops_core::percentile::{Latencies, Quantile};

use super::view::{statuses, told_rate, told_time, whole};
use crate::store::{Brief, Mark};

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

/// A line of a chart.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) name: &'static str,
    pub(super) class: &'static str,
    pub(super) path: String,
    /// Its latest value.
    pub(super) last: String,
}

/// A chart, ready to be drawn in 720 × 160.
#[derive(Debug, Clone)]
pub(super) struct Chart {
    pub(super) title: &'static str,
    pub(super) lines: Vec<Line>,
    pub(super) bands: Vec<Band<&'static str>>,
    pub(super) marks: Vec<Place>,
    /// Values at the upper edge, the middle and zero.
    pub(super) scale: [String; 3],
    /// What it shows, in words.
    pub(super) told: String,
}

/// Something at a place of the time axis.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) x: f64,
    pub(super) what: String,
}

/// The size of a chart.
pub(super) const CHART: (f64, f64) = (720.0, 160.0);

/// The middle of a bucket and the union of its samples.
struct Bucket {
    at: i64,
    latencies: Latencies,
    failed: f64,
    samples: i64,
}

fn buckets(checks: &[Brief], length_ms: i64) -> Vec<Bucket> {
    let mut buckets: Vec<Bucket> = Vec::new();
    let mut current = None;
    for check in checks {
        let at = check.observed_at.as_millisecond();
        let number = at.div_euclid(length_ms);
        if current != Some(number) {
            current = Some(number);
            buckets.push(Bucket {
                at,
                latencies: Latencies::new(),
                failed: 0.0,
                samples: 0,
            });
        }
        if let Some(bucket) = buckets.last_mut() {
            check.samples_us.iter().for_each(|us| bucket.latencies.record(*us));
            bucket.failed += check.error_rate_percent.unwrap_or(0.0) / 100.0 * whole(check.sample_size);
            bucket.samples += check.sample_size;
            bucket.at = at;
        }
    }
    buckets
}

/// The charts of latency and of the error rate over `window`, ending at `now`.
pub(super) fn charts(checks: &[Brief], marks: &[Mark], window: Window, every_ms: i64, now: Timestamp) -> [Chart; 2] {
    let buckets = buckets(checks, window.bucket.as_millis().try_into().unwrap_or(i64::MAX));
    let ms = |bucket: &Bucket, quantile| {
        bucket
            .latencies
            .at(quantile)
            .map(|us| whole(i64::try_from(us).unwrap_or(i64::MAX)) / 1000.0)
    };
    let rate = |bucket: &Bucket| (bucket.samples > 0).then(|| bucket.failed / whole(bucket.samples) * 100.0);
    let latency = [
        ("P50", "p50", Quantile::P50),
        ("P95", "p95", Quantile::P95),
        ("P99", "p99", Quantile::P99),
    ];
    let latency = latency.map(|(name, class, quantile)| {
        let series = buckets
            .iter()
            .map(|bucket| (bucket.at, ms(bucket, quantile)))
            .collect::<Vec<_>>();
        let last = buckets
            .last()
            .map_or_else(|| "none".to_owned(), |bucket| bucket.latencies.tell(quantile));
        let last = last.trim_start_matches(name).trim().to_owned();
        (name, class, series, last)
    });
    let errors = buckets
        .iter()
        .map(|bucket| (bucket.at, rate(bucket)))
        .collect::<Vec<_>>();
    let last = told_rate(buckets.last().and_then(rate));
    let span = Span {
        from_ms: (now - window.length).as_millisecond(),
        until_ms: now.as_millisecond(),
        gap_ms: i64::try_from(window.bucket.as_millis()).unwrap_or(0).max(every_ms) * 2,
        every_ms,
    };
    let states = statuses(checks);
    [
        chart("Latency", "ms", latency.into(), &states, marks, span),
        chart(
            "Error rate",
            "%",
            vec![("Error rate", "p95", errors, last)],
            &states,
            marks,
            span,
        ),
    ]
}

#[derive(Clone, Copy)]
struct Span {
    from_ms: i64,
    until_ms: i64,
    gap_ms: i64,
    every_ms: i64,
}

type Series = (&'static str, &'static str, Vec<(i64, Option<f64>)>, String);

fn chart(
    title: &'static str,
    unit: &str,
    series: Vec<Series>,
    states: &[(i64, &'static str)],
    marks: &[Mark],
    span: Span,
) -> Chart {
    let values = series
        .iter()
        .flat_map(|(_, _, points, _)| points)
        .filter_map(|(_, value)| *value);
    let top = round_top(values.fold(0.0, f64::max));
    let frame = Frame {
        from_ms: span.from_ms,
        until_ms: span.until_ms,
        width: CHART.0,
        height: CHART.1,
        top,
    };
    let told: Vec<String> = series
        .iter()
        .map(|(name, _, _, last)| format!("{name} last {last}"))
        .collect();
    let told = match states.len() {
        0 => "no check in this window".to_owned(),
        count => format!("{count} checks; {}", told.join(", ")),
    };
    let mut bands = frame.bands(states, span.every_ms);
    bands.retain(|band| band.what != "healthy");
    Chart {
        title,
        told,
        bands,
        marks: marks
            .iter()
            .map(|mark| Place {
                x: frame.x(mark.at.as_millisecond()),
                what: format!("{} {}", told_time(mark.at), mark.what),
            })
            .collect(),
        scale: [top, top / 2.0, 0.0].map(|value| format!("{value} {unit}")),
        lines: series
            .into_iter()
            .map(|(name, class, points, last)| Line {
                name,
                class,
                path: frame.line(&points, span.gap_ms),
                last,
            })
            .collect(),
    }
}

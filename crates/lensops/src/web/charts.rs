//! The charts of a lens: percentiles and the error rate, ready to be drawn. Pure.

use jiff::Timestamp;
use lensops_core::stats::chart::{Frame, round_top};
use lensops_core::stats::histogram::Quantile;

use super::format;
use super::series::{Bucket, Window, whole};
use super::stripes::{Stripe, stands_ms, stripes};
use crate::store::Mark;

/// A line of a chart.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) name: &'static str,
    pub(super) class: &'static str,
    pub(super) path: String,
    /// Its latest value.
    pub(super) last: String,
}

/// A chart, ready to be drawn.
#[derive(Debug, Clone)]
pub(super) struct Chart {
    pub(super) title: &'static str,
    pub(super) lines: Vec<Line>,
    pub(super) stripes: Vec<Stripe>,
    pub(super) marks: Vec<Place>,
    /// The limit, in words, and where it lies; `None` where that is above the chart.
    pub(super) limit: String,
    pub(super) limit_y: Option<f64>,
    /// What the read-out reads: a time and the value of each line, a JSON array.
    pub(super) values: String,
    pub(super) unit: &'static str,
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

/// The time axis of both charts, and what is the same along it.
pub(super) struct Axis<'a> {
    pub(super) window: Window,
    pub(super) from: Timestamp,
    pub(super) now: Timestamp,
    pub(super) every_ms: i64,
    /// The class of each check at its time.
    pub(super) states: &'a [(i64, &'static str)],
    pub(super) marks: &'a [Mark],
    /// P95 in milliseconds and failed samples in percent above which the lens is degraded.
    pub(super) limits: (f64, f64),
}

/// The times at which the axis has ticks, at even distances.
pub(super) fn ticks(from: Timestamp, until: Timestamp) -> Vec<Timestamp> {
    let (from, until) = (from.as_millisecond(), until.as_millisecond());
    let step = (until - from) / TICKS;
    (0..=TICKS)
        .map(|tick| lensops_core::history::schedule::from_ms(from + tick * step))
        .collect()
}

/// Stretches between the ticks of an axis.
const TICKS: i64 = 6;

type Series = (&'static str, &'static str, Vec<(i64, Option<f64>)>, String);

/// The charts of latency and of the error rate of `buckets`.
pub(super) fn charts(buckets: &[Bucket], axis: &Axis<'_>) -> [Chart; 2] {
    let ms = |bucket: &Bucket, quantile| {
        let us = bucket.latencies.at(quantile)?;
        Some(whole(i64::try_from(us).unwrap_or(i64::MAX)) / 1000.0)
    };
    let latency = [
        ("P50", "p50", Quantile::P50),
        ("P95", "p95", Quantile::P95),
        ("P99", "p99", Quantile::P99),
    ];
    let latency = latency.map(|(name, class, quantile)| {
        let series = buckets.iter().map(|bucket| (bucket.at, ms(bucket, quantile)));
        let last = buckets
            .last()
            .map_or_else(|| "none".to_owned(), |bucket| bucket.latencies.tell(quantile));
        let last = last.trim_start_matches(name).trim().to_owned();
        (name, class, series.collect::<Vec<_>>(), last)
    });
    let errors = buckets.iter().map(|bucket| (bucket.at, bucket.error_rate()));
    let last = format::error_rate(buckets.last().and_then(Bucket::error_rate));
    [
        chart(("Latency", "ms", axis.limits.0), latency.into(), axis),
        chart(
            ("Error rate", "%", axis.limits.1),
            vec![("Errors", "p95", errors.collect(), last)],
            axis,
        ),
    ]
}

/// The values of `series` by time, as JSON: `[[ms, p50, p95, p99], …]`.
fn values(series: &[Series]) -> String {
    let Some((_, _, first, _)) = series.first() else {
        return "[]".to_owned();
    };
    let rows = first.iter().enumerate().map(|(index, (at, _))| {
        let of_line = |(_, _, points, _): &Series| {
            let value = points.get(index).and_then(|(_, value)| *value);
            value.map_or_else(|| "null".to_owned(), |value| format!("{value:.2}"))
        };
        let of_lines: Vec<String> = series.iter().map(of_line).collect();
        format!("[{at},{}]", of_lines.join(","))
    });
    format!("[{}]", rows.collect::<Vec<_>>().join(","))
}

fn chart((title, unit, limit): (&'static str, &'static str, f64), series: Vec<Series>, axis: &Axis<'_>) -> Chart {
    let values = series
        .iter()
        .flat_map(|(_, _, points, _)| points)
        .filter_map(|(_, value)| *value);
    let highest = values.fold(0.0, f64::max);
    // A limit that is far above all values would press them to the ground: it is told and not drawn.
    let is_near = highest * 2.0 >= limit;
    let top = round_top(if is_near { highest.max(limit) } else { highest });
    let frame = Frame {
        from_ms: axis.from.as_millisecond(),
        until_ms: axis.now.as_millisecond(),
        width: CHART.0,
        height: CHART.1,
        top,
    };
    // A stretch without a sample, or a slot without a check, breaks the line.
    let gap_ms = stands_ms(axis.window.bucket_ms().max(axis.every_ms));
    let told: Vec<String> = series
        .iter()
        .map(|(name, _, _, last)| format!("{name} last {last}"))
        .collect();
    let told = match axis.states.len() {
        0 => "no check in this window".to_owned(),
        count => format!("{count} checks; {}", told.join(", ")),
    };
    let place = |mark: &Mark| Place {
        x: frame.x(mark.at.as_millisecond()),
        what: format!("{} {}", format::time(mark.at), mark.what),
    };
    Chart {
        title,
        told,
        limit: if unit == "ms" {
            format::limit(limit)
        } else {
            format!("{limit} {unit}")
        },
        limit_y: is_near.then(|| frame.y(limit)),
        values: self::values(&series),
        unit,
        stripes: stripes(&frame, axis.states, axis.every_ms),
        marks: axis.marks.iter().map(place).collect(),
        scale: [top, top / 2.0, 0.0].map(|value| format!("{value} {unit}")),
        lines: series
            .into_iter()
            .map(|(name, class, mut points, last)| {
                // The middle of the newest stretch may lie ahead.
                points.iter_mut().for_each(|(at, _)| *at = (*at).min(frame.until_ms));
                Line {
                    name,
                    class,
                    path: frame.line(&points, gap_ms),
                    last,
                }
            })
            .collect(),
    }
}

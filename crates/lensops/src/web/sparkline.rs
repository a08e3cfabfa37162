//! A day of checks in one line of the overview. Pure.

use jiff::Timestamp;
use lensops_core::plan::monitor::MonitorPlan;
use lensops_core::stats::chart::{Frame, round_top};
use lensops_core::verdict::record::Status;

use super::series::{statuses, whole};
use super::stripes::{Stripe, stands_ms, stripes};
use crate::store::Point;

/// The size of a sparkline.
pub(super) const SPARK: (f64, f64) = (120.0, 24.0);

/// A day of checks in a line.
#[derive(Debug, Clone, Default)]
pub(super) struct Spark {
    /// The path of P95.
    pub(super) path: String,
    /// Stretches that were not healthy, or not looked at.
    pub(super) stripes: Vec<Stripe>,
    /// The same in words.
    pub(super) told: String,
}

/// The line of `points`, which are the checks of the last 24 h, oldest first.
pub(super) fn spark(plan: &MonitorPlan, points: &[Point], now: Timestamp) -> Spark {
    let highest = points
        .iter()
        .filter_map(|check| check.p95_latency_ms)
        .max()
        .unwrap_or(0);
    let frame = Frame {
        from_ms: now.as_millisecond() - 86_400_000,
        until_ms: now.as_millisecond(),
        width: SPARK.0,
        height: SPARK.1,
        top: round_top(whole(highest)),
    };
    let every_ms = plan.every.as_ms();
    let line: Vec<_> = points
        .iter()
        .map(|check| (check.observed_at.as_millisecond(), check.p95_latency_ms.map(whole)))
        .collect();
    let count = |status: Status| points.iter().filter(|check| check.status == status).count();
    let told = match points.len() {
        0 => "24 h: no check".to_owned(),
        checks => format!(
            "24 h: {checks} checks, {} degraded, {} unhealthy, highest P95 {highest} ms",
            count(Status::Degraded),
            count(Status::Unhealthy)
        ),
    };
    Spark {
        path: frame.line(&line, stands_ms(every_ms)),
        stripes: stripes(&frame, &statuses(points, &[], every_ms), every_ms),
        told,
    }
}

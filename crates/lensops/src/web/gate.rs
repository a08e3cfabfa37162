//! The gate over one lens of one tenant: its report over a week, its criteria, its decision in words. Pure.

use jiff::{SignedDuration, Timestamp};
use lensops_core::history::gate::{CheckPoint, Decision, GateReport, decide};
use lensops_core::history::schedule::Schedule;
use lensops_core::plan::monitor::MonitorPlan;
use uuid::Uuid;

use crate::store::Point;

/// The gate's window on the pages.
pub(super) const WINDOW: SignedDuration = SignedDuration::from_hours(168);

/// The gate's report on one lens of one tenant over a week, of which `points` are the checks.
pub(super) fn report(plan: &MonitorPlan, tenant: Uuid, points: &[Point], now: Timestamp) -> GateReport {
    let points: Vec<CheckPoint> = points.iter().map(point).collect();
    let schedule = Schedule::new(plan.every, &plan.monitor, tenant);
    decide(&schedule, WINDOW, now, now, &points)
}

/// A check as the gate looks at it.
fn point(check: &Point) -> CheckPoint {
    CheckPoint {
        id: check.id,
        status: check.status,
        observed_at: check.observed_at,
        muted: check.muted,
        // Points are read from an index, without notes.
        every: None,
    }
}

/// A criterion of the gate.
#[derive(Debug, Clone)]
pub(super) struct Criterion {
    pub(super) what: &'static str,
    pub(super) met: bool,
    pub(super) found: String,
}

/// The gate's criteria in the order in which it looks at them.
pub(super) fn criteria(report: &GateReport) -> Vec<Criterion> {
    let left_out = report.paused + report.maintenance + report.annulled;
    vec![
        Criterion {
            what: "No check is unhealthy (else roll back)",
            met: report.unhealthy == 0,
            found: format!("{} unhealthy", report.unhealthy),
        },
        Criterion {
            what: "99 % of the slots were checked (else not enough data)",
            met: report.slots > 0 && report.covered * 100 >= report.slots * 99,
            found: format!(
                "{} of {} slots; {left_out} left out as muted",
                report.covered, report.slots
            ),
        },
        Criterion {
            what: "No gap is longer than two intervals (else not enough data)",
            met: report.longest_gap <= 2,
            found: format!("longest gap: {} slots", report.longest_gap),
        },
        Criterion {
            what: "No check is degraded (else investigate)",
            met: report.degraded == 0,
            found: format!("{} degraded", report.degraded),
        },
    ]
}

/// The gate's decision as a class of the style sheet.
pub(super) fn decision_class(decision: Decision) -> &'static str {
    match decision {
        Decision::Proceed => "healthy",
        Decision::Investigate => "degraded",
        Decision::RollBack => "unhealthy",
        Decision::NotEnoughData => "unknown",
    }
}

/// The gate's decision in words, without a mark.
pub(super) fn decision_word(decision: Decision) -> &'static str {
    match decision {
        Decision::Proceed => "proceed",
        Decision::Investigate => "investigate",
        Decision::RollBack => "roll back",
        Decision::NotEnoughData => "not enough data",
    }
}

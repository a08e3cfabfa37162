//! The gate over a store: both policies, the one that the lens has decides.

use jiff::{SignedDuration, Timestamp};
use lensops_core::history::gate::{
    Answer, CheckPoint, Decision, GateReport, History as Slots, Question, RowFigures, Slot, State, decide, fill, judge,
    worst,
};
use lensops_core::history::schedule::Schedule;
use lensops_core::lens::{GateFile, Policy};
use lensops_core::plan::monitor::MonitorPlan;

use crate::commands::error::Result;
use crate::store::{History, StoredCheck};

/// How far before the window the statistical policy looks, to know what is usual.
pub(super) const LEAD: SignedDuration = SignedDuration::from_hours(168);

/// What the gate says of a lens.
#[derive(Debug)]
pub struct Gated {
    /// The policy that decides.
    pub policy: Policy,
    /// Each tenant, with the decision and the reason of that policy.
    pub reports: Vec<GateReport>,
    /// What the strict policy says of each.
    pub strict: Vec<Decision>,
    /// What the statistical policy says of each.
    pub statistical: Vec<Answer>,
    /// The decision that stands for all.
    pub decision: Decision,
    /// Whether any check was made under a virtual clock.
    pub virtual_clock: bool,
}

/// The policy of a plan.
#[must_use]
pub(super) fn policy(plan: &MonitorPlan) -> Policy {
    plan.gate.map_or(Policy::Strict, |GateFile { policy }| policy)
}

/// Decides over the window that ends at `at`, as it looks at `now`.
///
/// # Errors
/// When history cannot be read.
pub async fn gate<H: History>(
    history: &H,
    plan: &MonitorPlan,
    window: SignedDuration,
    at: Timestamp,
    now: Timestamp,
) -> Result<Gated> {
    let policy = policy(plan);
    let mut gated = Gated {
        policy,
        reports: Vec::new(),
        strict: Vec::new(),
        statistical: Vec::new(),
        decision: Decision::NotEnoughData,
        virtual_clock: false,
    };
    let from = at.checked_sub(window).unwrap_or(Timestamp::MIN);
    let lead = from.checked_sub(LEAD).unwrap_or(Timestamp::MIN);
    for tenant in plan.tenants.iter() {
        let checks = history.between(*tenant, &plan.monitor, lead, at).await?;
        let of_window = checks.iter().filter(|check| check.observed_at > from);
        gated.virtual_clock |= of_window.clone().any(is_virtual);
        let points: Vec<CheckPoint> = of_window.filter_map(point).collect();
        let schedule = Schedule::new(plan.every, &plan.monitor, *tenant);
        let mut report = decide(&schedule, window, at, now, &points);
        let answer = judge(
            &Slots::new(slots(&schedule, plan, &checks, (lead, at))),
            &Question {
                slo: &plan.slo,
                window_ms: millis(window),
                at_ms: at.as_millisecond(),
            },
        );
        gated.strict.push(report.decision);
        if policy == Policy::Statistical {
            report.decision = answer.decision;
            report.reason.clone_from(&answer.reason);
        }
        gated.statistical.push(answer);
        gated.reports.push(report);
    }
    gated.decision = worst(&gated.reports);
    Ok(gated)
}

pub(super) fn millis(span: SignedDuration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX / 4)
}

/// Whether a check was made under a virtual clock.
#[must_use]
pub fn is_virtual(check: &StoredCheck) -> bool {
    check.notes.read().is_virtual()
}

/// A check as the strict policy looks at it; `None` for a row that only takes another back.
fn point(check: &StoredCheck) -> Option<CheckPoint> {
    check.notes.read().annuls().is_none().then(|| CheckPoint {
        id: check.id,
        status: check.status,
        observed_at: check.observed_at,
        muted: check.notes.read().muted_why(),
        every: check.notes.read().every,
    })
}

/// The slots of `(from, until]` as the statistical policy looks at them. A check that has the id of a slot fills it,
/// whatever the interval was then; others are samples that fill none.
pub(super) fn slots(
    schedule: &Schedule<'_>,
    plan: &MonitorPlan,
    checks: &[StoredCheck],
    (from, until): (Timestamp, Timestamp),
) -> Vec<Slot> {
    let slot = |check: &StoredCheck| {
        let notes = check.notes.read();
        let fills = schedule.made(check.id);
        // A slot's id begins with its due time.
        let due_ms = i64::try_from(check.id.as_u128() >> 80).unwrap_or(0);
        let row = RowFigures {
            status: check.status,
            sample_size: check.sample_size,
            error_rate_percent: check.error_rate_percent,
            p95_latency_ms: check.p95_latency_ms,
        };
        Slot {
            due_ms: if fills {
                due_ms
            } else {
                check.observed_at.as_millisecond()
            },
            every_ms: notes.every.unwrap_or(plan.every).as_ms(),
            fills,
            state: State::of(&row, notes, notes.slo.as_ref().unwrap_or(&plan.slo)),
        }
    };
    let slots = checks
        .iter()
        .filter(|check| check.notes.read().annuls().is_none())
        .map(slot);
    fill(slots.collect(), from.as_millisecond(), until.as_millisecond())
}

//! `lensops gate`: the decision over a window of checks, tenant by tenant.

use jiff::{SignedDuration, Timestamp};
use lensops_core::duration::parse_span;
use lensops_core::history::gate::{CheckPoint, Decision, GateReport, decide, worst};
use lensops_core::history::schedule::Schedule;
use lensops_core::plan::monitor::MonitorPlan;
use serde_json::{Value, json};

use crate::commands::context::{known_tenants, monitor_plan, open_history};
use crate::commands::error::{Error, Result};
use crate::commands::exit::Exit;
use crate::commands::plans::{Which, load};
use crate::config::Settings;
use crate::store::{History, StoredCheck};

/// What the gate says of a lens.
#[derive(Debug)]
pub struct Gated {
    /// Each tenant.
    pub reports: Vec<GateReport>,
    /// The decision that stands for all.
    pub decision: Decision,
    /// Whether any check was made under a virtual clock.
    pub virtual_clock: bool,
}

/// Decides over the `window` of a lens that ends at `at`, or `now` where no end is given, and prints it.
///
/// # Errors
/// A window that makes no sense or is not over, a plan that is not valid, or history that cannot be read.
pub async fn run(
    settings: &Settings,
    lens: &str,
    window: &str,
    at: Option<Timestamp>,
    now: Timestamp,
    as_json: bool,
) -> Result<Exit> {
    let plan = monitor_plan(settings, load(settings, &Which::Lens(lens))?)?.plan;
    let span = parse_span(window)?;
    let plan = known_tenants(settings, vec![plan]).await?.swap_remove(0);
    let history = open_history(settings).await?;
    let at = at.unwrap_or(now);
    if at > now {
        return Err(Error::usage(format!("--at {at} is not there yet: the gate looks back")));
    }
    let gated = gate(&history, &plan, span, at, now).await?;
    Ok(print(&plan, &gated, window, as_json))
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
    let (mut reports, mut virtual_clock) = (Vec::new(), false);
    for tenant in &plan.tenants {
        let from = at.checked_sub(window).unwrap_or(Timestamp::MIN);
        let checks = history.between(*tenant, &plan.monitor, from, at).await?;
        virtual_clock |= checks.iter().any(is_virtual);
        let points: Vec<CheckPoint> = checks.iter().filter_map(point).collect();
        let schedule = Schedule::new(plan.every, &plan.monitor, *tenant);
        reports.push(decide(&schedule, window, at, now, &points));
    }
    Ok(Gated {
        decision: worst(&reports),
        reports,
        virtual_clock,
    })
}

/// Whether a check was made under a virtual clock.
#[must_use]
pub fn is_virtual(check: &StoredCheck) -> bool {
    check.notes.read().is_virtual()
}

/// A check as the gate looks at it; `None` for a row that only takes another back.
fn point(check: &StoredCheck) -> Option<CheckPoint> {
    check.notes.read().annuls().is_none().then(|| CheckPoint {
        id: check.id,
        status: check.status,
        observed_at: check.observed_at,
        muted: check.notes.read().muted_why(),
    })
}

/// Checks that count neither way, and those that fill no slot; nothing is said where there are none.
fn left_out(report: &GateReport) -> String {
    let mut told = match (report.paused, report.maintenance) {
        (0, 0) => String::new(),
        (paused, maintenance) => format!(" · left out: paused {paused}, maintenance {maintenance}"),
    };
    if report.annulled > 0 {
        told.push_str(&format!(" · annulled: {}", report.annulled));
    }
    if report.could_not_judge > 0 {
        told.push_str(&format!(
            " · could not judge, so covering none: {}",
            report.could_not_judge
        ));
    }
    if report.without_slot > 0 {
        told.push_str(&format!(
            " · without a slot's id, so filling none: {}",
            report.without_slot
        ));
    }
    told
}

/// Prints the gate's answer.
pub fn print(plan: &MonitorPlan, gated: &Gated, window: &str, as_json: bool) -> Exit {
    if as_json {
        let json = json!({
            "lens": plan.monitor,
            "window": window,
            "policy": "strict",
            "decision": gated.decision,
            "virtual_clock": gated.virtual_clock,
            "tenants": gated.reports.iter().map(|report| serde_json::to_value(report).unwrap_or(Value::Null)).collect::<Vec<_>>(),
        });
        say!("{json:#}");
        return gated.decision.into();
    }
    for report in &gated.reports {
        say!(
            "{} · tenant {} · {window} until {}",
            plan.monitor.title(),
            report.tenant,
            report.until.strftime("%Y-%m-%dT%H:%M:%SZ")
        );
        say!("{}: {}", report.decision.tell(), report.reason);
        say!(
            "  slots {} · covered {} · longest gap {} · healthy {} · degraded {} · unhealthy {}{}",
            report.slots,
            report.covered,
            report.longest_gap,
            report.healthy,
            report.degraded,
            report.unhealthy,
            left_out(report)
        );
    }
    if gated.reports.len() > 1 {
        say!("Over {} tenants: {}", gated.reports.len(), gated.decision.tell());
    }
    if gated.virtual_clock {
        say!("  (checks of this window were made under a virtual clock)");
    }
    gated.decision.into()
}

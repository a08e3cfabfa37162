//! One lens of one tenant: charts, gate, checks, evidence.
//!
//! A page is what could be read within the time that a store has: a part that was not read says so,
//! and is never shown as empty.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;
use lensops_core::history::gate::GateReport;
use lensops_core::ident::LensId;
use serde::Deserialize;
use uuid::Uuid;

use super::advice::{self, Budget, Change, Command, Failing};
use super::app::App;
use super::charts::{Axis, CHART, Chart, charts, ticks};
use super::evidence::{self, Shown};
use super::format::Moment;
use super::gate::Criterion;
use super::lens_data::{LISTED, LensData, LensQuery, load};
use super::page::{Frame, not_found, refused, show};
use super::row::Row;
use super::series::{self, WINDOWS, Window};
use super::session::Who;
use super::status_icon::shape_of;
use super::stretch::until_and_since;
use super::strip::STRIP;
use super::{format, gate};
use crate::store::Brief;

/// What of a lens is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    tenant: Option<Uuid>,
    window: String,
    /// Two times of one's own instead of a window, in milliseconds since the epoch.
    from: Option<i64>,
    until: Option<i64>,
}

impl Asked {
    /// The window that is asked for, and where it ends.
    fn window(&self, now: Timestamp) -> (Window, Timestamp) {
        let at = |ms: Option<i64>| ms.and_then(|ms| Timestamp::from_millisecond(ms).ok());
        match (at(self.from), at(self.until)) {
            (Some(from), Some(until)) if from < until && until <= now => (Window::picked(from, until), until),
            _ => {
                let named = WINDOWS.into_iter().find(|window| window.name == self.window);
                (named.unwrap_or(WINDOWS[1]), now)
            }
        }
    }
}

/// A check as the page lists it.
struct Listed {
    id: Uuid,
    class: &'static str,
    shape: &'static str,
    at: Moment,
    p95: String,
    errors: String,
    muted: &'static str,
}

/// What the gate says, and why.
struct Gate {
    /// Its reason, without the checks that stand in a list of their own.
    reason: String,
    /// The checks that it names, to be looked at.
    named: Vec<(Uuid, String)>,
    report: GateReport,
    decision: &'static str,
    criteria: Vec<Criterion>,
}

#[derive(Template)]
#[template(path = "lens.html")]
struct Lens {
    frame: Frame,
    row: Row,
    failing: Option<Failing>,
    /// Ids and names.
    tenants: Vec<(Uuid, String)>,
    window: &'static str,
    windows: [&'static str; 4],
    charts: Option<[Chart; 2]>,
    from: Moment,
    until: Moment,
    /// The same in milliseconds, for script.
    span_ms: (i64, i64),
    ticks: Vec<Moment>,
    gate: Option<Gate>,
    checks: Option<Vec<Listed>>,
    /// Those that are folded.
    older: Vec<Listed>,
    in_window: usize,
    changes: Vec<Change>,
    more_changes: usize,
    commands: Vec<Command>,
    runbook: Option<String>,
    budget: Option<Budget>,
    operator: bool,
    evidence: Option<Shown>,
}

/// Checks that are listed open; the others are folded.
const OPEN: usize = 6;

fn listed(briefs: &[Brief], now: Timestamp) -> Vec<Listed> {
    let newest = briefs.iter().rev().take(LISTED);
    newest
        .map(|check| Listed {
            id: check.id,
            class: check.status.as_str(),
            shape: shape_of(check.status),
            at: Moment::of(check.observed_at, now),
            p95: format::p95(check.p95_latency_ms, check.sample_size),
            errors: format::error_rate(check.error_rate_percent),
            muted: check.muted.as_ref().map_or("", |muted| muted.why.as_str()),
        })
        .collect()
}

fn drawn(found: &LensData, asked: &LensQuery<'_>, every_ms: i64) -> Option<[Chart; 2]> {
    let (hours, briefs) = found.drawn.as_ref()?;
    let (from, until) = (asked.window.from(asked.until), asked.until);
    let points = until_and_since(found.points.as_deref()?, from, until);
    let (plan, _) = found.chosen.as_ref()?;
    let states = series::statuses(points, hours, every_ms);
    let axis = Axis {
        window: asked.window,
        from,
        now: until,
        every_ms,
        states: &states,
        limits: (plan.slo.p95_ms.warn, plan.slo.error_rate_percent.warn),
        marks: found.marks.as_deref().unwrap_or_default(),
    };
    Some(charts(&series::buckets(briefs, hours, asked.window), &axis))
}

fn gate_shown(found: &LensData, now: Timestamp) -> Option<Gate> {
    let ((plan, tenant), points) = (found.chosen.as_ref()?, found.points.as_deref()?);
    let report = gate::report(plan, *tenant, points, now);
    let reason = match report.reason.split_once(": ") {
        Some((short, _)) if !report.named.is_empty() => format!("{short} checks"),
        _ => report.reason.clone(),
    };
    Some(Gate {
        reason,
        decision: gate::decision_word(report.decision),
        criteria: gate::criteria(&report),
        named: report
            .named
            .iter()
            .take(LISTED)
            .map(|check| (check.id, check.to_string()))
            .collect(),
        report,
    })
}

/// The page of a lens.
pub(super) async fn lens(
    State(app): State<Arc<App>>,
    who: Who,
    Path(lens): Path<String>,
    Query(asked): Query<Asked>,
) -> Response {
    let Ok(lens) = lens.parse::<LensId>() else {
        return not_found();
    };
    let now = app.now();
    let (window, until) = asked.window(now);
    let asked = LensQuery {
        lens: &lens,
        tenant: asked.tenant,
        window,
        until,
        now,
    };
    let (mut row, found, trouble) = match load(&app, &who, &asked).await {
        Ok(Some(loaded)) => loaded,
        Ok(None) => return not_found(),
        Err(why) => {
            let told = format!("{why}. Load it again in a while.");
            return refused(StatusCode::SERVICE_UNAVAILABLE, &told);
        }
    };
    let every_ms = found.chosen.as_ref().map_or(0, |(plan, _)| plan.every.as_ms());
    let gate = gate_shown(&found, asked.now);
    row.gate = gate.as_ref().map(|gate| gate.report.decision).or(row.gate);
    row.shown.longer = found.uptimes.or(row.shown.longer);
    // Only where the store has just said whose tenant this is.
    let evidence = match found.chosen {
        Some((_, tenant)) => evidence::of(&app, &lens, tenant).await,
        None => None,
    };
    let mut frame = Frame::new(row.title.clone(), "", &who);
    frame.stands(std::iter::once(row.standing));
    frame.trouble = trouble;
    let from = asked.window.from(until);
    let moment = |at: Timestamp| Moment::of(at, now);
    let (changes, more_changes) = advice::changes(found.marks.as_deref().unwrap_or_default(), now);
    let mut checks = found.listed.as_deref().map(|briefs| listed(briefs, now));
    let older = checks.as_mut().map(|checks| checks.split_off(OPEN.min(checks.len())));
    let limit = found.chosen.as_ref().map(|(plan, _)| plan.slo.error_rate_percent.warn);
    show(&Lens {
        charts: drawn(&found, &asked, every_ms),
        failing: found
            .latest
            .as_ref()
            .zip(found.chosen.as_ref())
            .and_then(|(latest, (plan, _))| advice::failing(latest, plan)),
        from: moment(from),
        until: moment(until),
        span_ms: (from.as_millisecond(), until.as_millisecond()),
        ticks: ticks(from, until).into_iter().map(moment).collect(),
        checks,
        older: older.unwrap_or_default(),
        in_window: until_and_since(found.points.as_deref().unwrap_or_default(), from, until).len(),
        window: asked.window.name,
        windows: WINDOWS.map(|window| window.name),
        tenants: found.tenants.iter().map(|id| (*id, app.names.of(id))).collect(),
        changes,
        more_changes,
        commands: advice::commands(&row),
        runbook: advice::runbook(app.setup.runbook.as_deref(), lens.as_str()),
        budget: found
            .samples
            .zip(limit)
            .map(|((samples, failed), limit)| Budget::new(samples, failed, limit)),
        operator: who.operator,
        frame,
        row,
        gate,
        evidence,
    })
}

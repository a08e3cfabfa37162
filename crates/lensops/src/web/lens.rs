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

use super::app::App;
use super::charts::{Axis, CHART, Chart, charts};
use super::evidence::{self, Shown};
use super::gate::Criterion;
use super::lens_data::{LISTED, LensData, LensQuery, load};
use super::names::Names;
use super::page::{Frame, not_found, refused, show};
use super::row::Row;
use super::scope::since;
use super::series::{self, WINDOWS};
use super::session::Who;
use super::status_icon::shape_of;
use super::{format, gate};
use crate::store::{Brief, Mark};

/// What of a lens is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    tenant: Option<Uuid>,
    window: String,
}

/// A check as the page lists it.
struct Listed {
    id: Uuid,
    class: &'static str,
    shape: &'static str,
    at: String,
    p95: String,
    errors: String,
    muted: &'static str,
}

/// What the gate says, and why.
struct Gate {
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
    tenants: Vec<Uuid>,
    names: Names,
    window: &'static str,
    windows: [&'static str; 4],
    charts: Option<[Chart; 2]>,
    from: String,
    until: String,
    gate: Option<Gate>,
    checks: Option<Vec<Listed>>,
    in_window: usize,
    marks: Vec<Mark>,
    evidence: Option<Shown>,
}

fn listed(briefs: &[Brief]) -> Vec<Listed> {
    let newest = briefs.iter().rev().take(LISTED);
    newest
        .map(|check| Listed {
            id: check.id,
            class: check.status.as_str(),
            shape: shape_of(check.status),
            at: format::time(check.observed_at),
            p95: format::p95(check.p95_latency_ms, check.sample_size),
            errors: format::error_rate(check.error_rate_percent),
            muted: check.muted.as_ref().map_or("", |muted| muted.why.as_str()),
        })
        .collect()
}

fn drawn(found: &LensData, asked: &LensQuery<'_>, every_ms: i64) -> Option<[Chart; 2]> {
    let (hours, briefs) = found.drawn.as_ref()?;
    let from = asked.window.from(asked.now);
    let points = since(found.points.as_deref()?, from);
    let states = series::statuses(points, hours, every_ms);
    let axis = Axis {
        window: asked.window,
        from,
        now: asked.now,
        every_ms,
        states: &states,
        marks: found.marks.as_deref().unwrap_or_default(),
    };
    Some(charts(&series::buckets(briefs, hours, asked.window), &axis))
}

fn gate_shown(found: &LensData, now: Timestamp) -> Option<Gate> {
    let ((plan, tenant), points) = (found.chosen.as_ref()?, found.points.as_deref()?);
    let report = gate::report(plan, *tenant, points, now);
    Some(Gate {
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
    let asked = LensQuery {
        lens: &lens,
        tenant: asked.tenant,
        window: WINDOWS
            .into_iter()
            .find(|window| window.name == asked.window)
            .unwrap_or(WINDOWS[1]),
        now: app.now(),
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
    // Only where the store has just said whose tenant this is.
    let evidence = match found.chosen {
        Some((_, tenant)) => evidence::of(&app, &lens, tenant).await,
        None => None,
    };
    let mut frame = Frame::new(row.title.clone(), "", &who);
    frame.trouble = trouble;
    let from = asked.window.from(asked.now);
    show(&Lens {
        charts: drawn(&found, &asked, every_ms),
        from: format::time(from),
        until: format::time(asked.now),
        checks: found.listed.as_deref().map(listed),
        in_window: since(found.points.as_deref().unwrap_or_default(), from).len(),
        window: asked.window.name,
        windows: WINDOWS.map(|window| window.name),
        tenants: found.tenants,
        names: app.names.clone(),
        marks: found.marks.unwrap_or_default(),
        frame,
        row,
        gate,
        evidence,
    })
}

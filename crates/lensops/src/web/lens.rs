//! One lens of one tenant: charts, gate, checks, evidence.
//!
//! A page is what could be read within the time that a store has: a part that was not read says so,
//! and is never shown as empty.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use jiff::{SignedDuration, Timestamp};
use lensops_core::history::gate::GateReport;
use lensops_core::history::rollup::Rollup;
use lensops_core::ident::LensId;
use serde::Deserialize;
use uuid::Uuid;

use super::App;
use super::charts::{Axis, CHART, Chart, charts};
use super::evidence::{self, Shown};
use super::gates;
use super::page::{Frame, not_found, refused, show};
use super::scope::{self, Watched, within};
use super::series::{self, WINDOWS, Window};
use super::session::Who;
use super::view::{self, Criterion, Row};
use crate::store::{Brief, Mark, Point, StoreError};

/// Checks that a page lists.
const LISTED: usize = 50;

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

/// What was read, part by part.
#[derive(Default)]
struct Found {
    /// The plan and the tenant, of which all else is.
    chosen: Option<Watched>,
    tenants: Vec<Uuid>,
    row: Option<Row>,
    points: Option<Vec<Point>>,
    listed: Option<Vec<Brief>>,
    marks: Option<Vec<Mark>>,
    drawn: Option<(Vec<Rollup>, Vec<Brief>)>,
}

/// What of what is asked for.
struct Question<'a> {
    lens: &'a LensId,
    tenant: Option<Uuid>,
    window: Window,
    now: Timestamp,
}

/// Reads into `found`, what matters most first, so that what was read stays where the time is over.
async fn read(app: &App, who: &Who, asked: &Question<'_>, found: &mut Found) -> Result<(), StoreError> {
    let (now, window, from) = (asked.now, asked.window, asked.window.from(asked.now));
    let alerts = app.setup.journal.alerts().await?;
    let switches = app.setup.journal.rollbacks_of(asked.lens, from).await?;
    let mut reading = app.setup.board.read(&who.claims).await?;
    let mut pairs = scope::visible(app, &mut reading).await?;
    pairs.retain(|(plan, _)| plan.monitor == *asked.lens);
    found.tenants = pairs.iter().map(|(_, tenant)| *tenant).collect();
    let chosen = pairs
        .iter()
        .find(|(_, tenant)| asked.tenant.is_none_or(|asked| asked == *tenant));
    let Some((plan, tenant)) = chosen.cloned() else {
        return Ok(());
    };
    found.chosen = Some((plan.clone(), tenant));
    let (pair, wanted) = ((tenant, &plan.monitor), [(tenant, plan.monitor.clone())]);
    let mut latest = reading.latest(&wanted).await?;
    let alerts = scope::concerning(alerts, &pairs, false);
    let of_row = view::Found {
        latest: latest.pop(),
        ..view::Found::default()
    };
    found.row = Some(view::row(&plan, tenant, &of_row, &alerts, now));

    let since = from.min(scope::before(now, gates::WINDOW));
    let mut points = reading.points(&wanted, (since, now)).await?;
    let points = points.remove(&wanted[0]).unwrap_or_default();
    let of_window = scope::since(&points, from);
    let newest = of_window.len().saturating_sub(LISTED);
    let listed = of_window
        .get(newest)
        .map(|oldest| (just_before(oldest.observed_at), now));
    let raw = if window.is_rolled_up() {
        Vec::new()
    } else {
        vec![(from, now)]
    };
    let of_window = of_window.to_vec();
    found.points = Some(points);
    found.listed = Some(reading.briefs(pair, listed.as_slice()).await?);

    let (hours, raw) = if window.is_rolled_up() {
        let hours = reading.hours(pair, (from, now)).await?;
        let raw = series::not_rolled_up(&of_window, &hours);
        (hours, raw)
    } else {
        (Vec::new(), raw)
    };
    found.drawn = Some((hours, reading.briefs(pair, &raw).await?));
    let mut marks = reading.marks(pair, (from, now)).await?;
    let is_open = app.setup.board.is_open();
    marks.extend(switches.into_iter().map(|entry| Mark {
        at: entry.begun_at,
        what: match entry.kind.as_str() {
            // Who and why is for those who see everything here.
            kind if is_open => format!("{kind} by {}: {}", entry.who, entry.reason),
            kind => kind.to_owned(),
        },
    }));
    marks.sort_by_key(|mark| mark.at);
    found.marks = Some(marks);
    reading.done().await
}

fn just_before(at: Timestamp) -> Timestamp {
    at.checked_sub(SignedDuration::from_millis(1)).unwrap_or(at)
}

fn listed(briefs: &[Brief]) -> Vec<Listed> {
    let newest = briefs.iter().rev().take(LISTED);
    newest
        .map(|check| Listed {
            id: check.id,
            class: check.status.as_str(),
            shape: view::shape_of(check.status),
            at: view::told_time(check.observed_at),
            p95: view::told_p95(check.p95_latency_ms, check.sample_size),
            errors: view::told_rate(check.error_rate_percent),
            muted: check.muted.map_or("", lensops_core::lens::mute::MutedWhy::as_str),
        })
        .collect()
}

/// The row of a lens, as it was known last; with why that is all.
async fn remembered(app: &Arc<App>, who: &Who, asked: &Question<'_>) -> Option<(Row, String)> {
    let known = scope::rows(app, who).await;
    let is_asked_for =
        |row: &Row| row.lens == asked.lens.as_str() && asked.tenant.is_none_or(|tenant| tenant == row.tenant);
    let row = known.rows.into_iter().find(is_asked_for)?;
    Some((row, known.trouble?))
}

fn drawn(found: &Found, asked: &Question<'_>, every_ms: i64) -> Option<[Chart; 2]> {
    let (hours, briefs) = found.drawn.as_ref()?;
    let from = asked.window.from(asked.now);
    let points = scope::since(found.points.as_deref()?, from);
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

fn gate(found: &Found, now: Timestamp) -> Option<Gate> {
    let ((plan, tenant), points) = (found.chosen.as_ref()?, found.points.as_deref()?);
    let report = gates::report(plan, *tenant, points, now);
    Some(Gate {
        decision: view::decision_word(report.decision),
        criteria: view::criteria(&report),
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
    let asked = Question {
        lens: &lens,
        tenant: asked.tenant,
        window: WINDOWS
            .into_iter()
            .find(|window| window.name == asked.window)
            .unwrap_or(WINDOWS[1]),
        now: app.now(),
    };
    let mut found = Found::default();
    let mut trouble = within(read(&app, &who, &asked, &mut found)).await.err();
    if found.row.is_none() {
        let Some(why) = &trouble else { return not_found() };
        match remembered(&app, &who, &asked).await {
            Some((row, told)) => {
                found.tenants = vec![row.tenant];
                found.row = Some(row);
                trouble = Some(told);
            }
            None => {
                let told = format!("{why}. Load it again in a while.");
                return refused(StatusCode::SERVICE_UNAVAILABLE, &told);
            }
        }
    }
    let Some(mut row) = found.row.take() else {
        return not_found();
    };
    let every_ms = found.chosen.as_ref().map_or(0, |(plan, _)| plan.every.as_ms());
    let gate = gate(&found, asked.now);
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
        from: view::told_time(from),
        until: view::told_time(asked.now),
        checks: found.listed.as_deref().map(listed),
        in_window: scope::since(found.points.as_deref().unwrap_or_default(), from).len(),
        window: asked.window.name,
        windows: WINDOWS.map(|window| window.name),
        tenants: found.tenants,
        marks: found.marks.unwrap_or_default(),
        frame,
        row,
        gate,
        evidence,
    })
}

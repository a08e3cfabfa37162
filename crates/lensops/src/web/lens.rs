//! One lens of one tenant: charts, gate, checks, evidence.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use lensops_core::gate::GateReport;
use lensops_core::ident::LensId;
use lensops_core::plan::monitor::MonitorPlan;
use serde::Deserialize;
use uuid::Uuid;

use super::charts::{CHART, Chart, WINDOWS, Window, charts};
use super::page::{Frame, not_found, refused, show};
use super::scope::{self, within};
use super::session::Who;
use super::view::{self, Criterion, Row};
use super::{App, Run};
use crate::store::{Board, Brief, Mark, StoreError};

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
    at: String,
    p95: String,
    errors: String,
    muted: &'static str,
}

#[derive(Template)]
#[template(path = "lens.html")]
struct Lens {
    frame: Frame,
    row: Row,
    tenants: Vec<Uuid>,
    window: &'static str,
    windows: [&'static str; 4],
    charts: [Chart; 2],
    from: String,
    until: String,
    gate: GateReport,
    decision: &'static str,
    criteria: Vec<Criterion>,
    checks: Vec<Listed>,
    in_window: usize,
    marks: Vec<Mark>,
    runs: Option<Vec<Run>>,
}

struct Found {
    row: Row,
    tenants: Vec<Uuid>,
    plan: MonitorPlan,
    gate: GateReport,
    briefs: Vec<Brief>,
    marks: Vec<Mark>,
}

async fn read(app: &App, who: &Who, lens: &LensId, asked: &Asked, window: Window) -> Result<Option<Found>, StoreError> {
    let (board, now) = (&app.setup.board, app.now());
    let mut pairs = scope::visible(app, who).await?;
    pairs.retain(|(plan, _)| plan.monitor == *lens);
    let tenants: Vec<Uuid> = pairs.iter().map(|(_, tenant)| *tenant).collect();
    let chosen = pairs
        .iter()
        .find(|(_, tenant)| asked.tenant.is_none_or(|asked| asked == *tenant));
    let Some((plan, tenant)) = chosen.cloned() else {
        return Ok(None);
    };
    let from = now - window.length;
    let pair = (tenant, &plan.monitor);
    let latest = board.latest(&who.claims, &[(tenant, plan.monitor.clone())]).await?;
    let briefs = board.briefs(&who.claims, pair, (from, now), true).await?;
    let mut marks = board.marks(&who.claims, pair, (from, now)).await?;
    let switches = app.setup.journal.rollbacks().await?.into_iter();
    marks.extend(
        switches
            .filter(|entry| entry.lens == *lens && entry.begun_at > from)
            .map(|entry| Mark {
                at: entry.begun_at,
                what: entry.kind.as_str().to_owned(),
            }),
    );
    marks.sort_by_key(|mark| mark.at);
    let alerts = scope::concerning(app.setup.journal.alerts().await?, &pairs, false);
    let gate = scope::gate(app, who, &plan, tenant).await?;
    let row = view::row(&plan, tenant, latest.first(), &[], &alerts, Some(gate.decision), now);
    Ok(Some(Found {
        row,
        tenants,
        plan,
        gate,
        briefs,
        marks,
    }))
}

fn listed(briefs: &[Brief]) -> Vec<Listed> {
    let newest = briefs.iter().rev().take(LISTED);
    newest
        .map(|check| Listed {
            id: check.id,
            class: check.status.as_str(),
            at: view::told_time(check.observed_at),
            p95: view::told_p95(check.p95_latency_ms, check.sample_size),
            errors: view::told_rate(check.error_rate_percent),
            muted: check.muted.map_or("", lensops_core::mute::MutedWhy::as_str),
        })
        .collect()
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
    let window = WINDOWS
        .into_iter()
        .find(|window| window.name == asked.window)
        .unwrap_or(WINDOWS[1]);
    let found = match within(read(&app, &who, &lens, &asked, window)).await {
        Ok(Some(found)) => found,
        Ok(None) => return not_found(),
        Err(why) => {
            return refused(
                axum::http::StatusCode::SERVICE_UNAVAILABLE,
                &format!("{why}. Load it again in a while."),
            );
        }
    };
    // Evidence of a run speaks of whichever tenants its plan names: it is shown where nobody is kept out.
    let runs = match &app.setup.board {
        Board::Embedded(_) => {
            let (runs, lens) = (app.setup.runs.clone(), lens.clone());
            tokio::task::spawn_blocking(move || runs.of(&lens)).await.ok()
        }
        Board::Database(..) => None,
    };
    let now = app.now();
    show(&Lens {
        frame: Frame::new(found.row.title.clone(), "", &who),
        charts: charts(&found.briefs, &found.marks, window, found.plan.every.as_ms(), now),
        from: view::told_time(now - window.length),
        until: view::told_time(now),
        decision: view::decision_word(found.gate.decision),
        criteria: view::criteria(&found.gate),
        checks: listed(&found.briefs),
        in_window: found.briefs.len(),
        window: window.name,
        windows: WINDOWS.map(|window| window.name),
        row: found.row,
        tenants: found.tenants,
        gate: found.gate,
        marks: found.marks,
        runs,
    })
}

/// A file of a run's evidence, to be kept and not to be shown.
pub(super) async fn evidence(
    State(app): State<Arc<App>>,
    _who: Who,
    Path((run, file)): Path<(String, String)>,
) -> Response {
    if !matches!(app.setup.board, Board::Embedded(_)) {
        return not_found();
    }
    let runs = app.setup.runs.clone();
    let name = format!(
        "attachment; filename=\"{}\"",
        file.replace(['"', '\\', '\r', '\n'], "_")
    );
    let bytes = tokio::task::spawn_blocking(move || runs.file(&run, &file)).await;
    let (Ok(Some(bytes)), Ok(name)) = (bytes, HeaderValue::from_str(&name)) else {
        return not_found();
    };
    let mut response = bytes.into_response();
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    response.headers_mut().insert(CONTENT_DISPOSITION, name);
    response
}

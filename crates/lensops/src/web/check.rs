//! One check: what it came to, its probes, what was asked and answered, and the checks before and after it.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use jiff::SignedDuration;
use lensops_core::history::status::Standing;
use serde_json::Value;
use uuid::Uuid;

use super::app::App;
use super::format::{self, Moment};
use super::noted;
use super::page::{Frame, not_found, refused, show};
use super::probes::{Probe, probes};
use super::scope::within;
use super::session::Who;
use super::status_icon::shape_of;
use super::stretch::before;
use crate::store::{Exported, Point, StoreError};

/// How far the checks before and after are looked for.
const NEAR: SignedDuration = SignedDuration::from_hours(48);

struct Event {
    level: String,
    reason: String,
    expected: Option<String>,
    seen: Option<String>,
    request: Option<String>,
    response: Option<String>,
}

#[derive(Template)]
#[template(path = "check.html")]
struct Check {
    frame: Frame,
    id: Uuid,
    lens: String,
    title: String,
    tenant: Uuid,
    tenant_name: String,
    status: &'static str,
    shape: &'static str,
    /// The gravest reason; empty where it is healthy.
    why: String,
    at: Moment,
    p95: String,
    errors: String,
    probes: Vec<Probe>,
    events: Vec<Event>,
    told: Vec<noted::Told>,
    others: Vec<(String, String)>,
    /// The checks before and after it.
    previous: Option<(Uuid, Moment)>,
    next: Option<(Uuid, Moment)>,
    /// Why it counts for nothing, where it does by a row of its own.
    is_annulled: bool,
    /// The check that this one takes back.
    annuls: Option<Uuid>,
    operator: bool,
}

fn event((level, detail): &(String, Value)) -> Event {
    let part = |name: &str| detail[name].as_str().map(ToOwned::to_owned);
    Event {
        level: level.clone(),
        reason: part("reason").unwrap_or_else(|| detail.to_string()),
        expected: part("expected"),
        seen: part("seen"),
        request: part("request"),
        response: part("response"),
    }
}

/// The check `id` with the points around it.
async fn read(app: &App, who: &Who, id: Uuid) -> Result<Option<(Exported, Vec<Point>)>, StoreError> {
    let mut reading = app.setup.board.read(&who.claims).await?;
    let Some(found) = reading.check(id).await? else {
        return Ok(None);
    };
    let check = &found.0;
    let pair = (check.yacht_id, check.lens_id.clone());
    let until = check.observed_at.checked_add(NEAR).unwrap_or(check.observed_at);
    let around = (before(check.observed_at, NEAR), until);
    let mut points = reading.points(std::slice::from_ref(&pair), around).await?;
    reading.done().await?;
    Ok(Some((found, points.remove(&pair).unwrap_or_default())))
}

/// The page of a check.
pub(super) async fn check(State(app): State<Arc<App>>, who: Who, Path(id): Path<String>) -> Response {
    let Ok(id) = id.parse::<Uuid>() else {
        return not_found();
    };
    let ((check, mut events), points) = match within(read(&app, &who, id)).await {
        Ok(Some(found)) => found,
        Ok(None) => return not_found(),
        Err(why) => {
            return refused(
                StatusCode::SERVICE_UNAVAILABLE,
                &format!("{why}. Load it again in a while."),
            );
        }
    };
    let now = app.now();
    let place = points.iter().position(|point| point.id == id);
    let near = |place: Option<usize>| {
        let point = points.get(place?)?;
        Some((point.id, Moment::of(point.observed_at, now)))
    };
    let plan = app.plans.iter().find(|plan| plan.monitor == check.lens_id);
    let notes = check.notes.read();
    // The gravest first, and what a probe saw before what follows from it.
    let gravity = |level: &str| ["error", "warning"].iter().position(|own| *own == level).unwrap_or(2);
    events.sort_by_key(|(level, detail)| (gravity(level), detail["probe"].is_null()));
    let is_bad = check.status.as_str() != "healthy";
    let mut frame = Frame::new(format!("Check of {}", check.lens_id.title()), "", &who);
    frame.stands(std::iter::once(match check.status.as_str() {
        "unhealthy" => Standing::Unhealthy,
        "degraded" => Standing::Degraded,
        _ => Standing::Healthy,
    }));
    frame.alarm = String::new();
    show(&Check {
        frame,
        id,
        lens: check.lens_id.to_string(),
        title: check.lens_id.title(),
        tenant: check.yacht_id,
        tenant_name: app.names.of(&check.yacht_id),
        status: check.status.as_str(),
        shape: shape_of(check.status),
        why: events
            .first()
            .filter(|_| is_bad)
            .map_or_else(String::new, |first| event(first).reason),
        at: Moment::of(check.observed_at, now),
        p95: format::p95(check.p95_latency_ms, check.sample_size),
        errors: format::error_rate(check.error_rate_percent),
        probes: probes(plan.map(AsRef::as_ref), notes, &events),
        events: events.iter().map(event).collect(),
        told: noted::sentences(&check, now),
        others: noted::others(&check),
        previous: near(place.and_then(|place| place.checked_sub(1))),
        next: near(place.map(|place| place + 1)),
        is_annulled: place
            .and_then(|place| points.get(place))
            .is_some_and(|point| point.muted.is_some_and(|why| why.as_str() == "annulled")),
        annuls: notes.annuls(),
        operator: who.operator,
    })
}

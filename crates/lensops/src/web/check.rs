//! One check: its probes, its events, and what was asked and answered.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use lensops_core::stats::histogram::ms;
use lensops_core::verdict::notes::EndpointNotes;
use serde_json::Value;
use uuid::Uuid;

use super::app::App;
use super::format;
use super::page::{Frame, not_found, refused, show};
use super::scope::within;
use super::session::Who;
use super::status_icon::shape_of;
use crate::store::{Exported, StoreError};

struct Probe {
    name: String,
    p50: String,
    p95: String,
    n: String,
}

struct Event {
    level: String,
    kind: String,
    reason: String,
    request: Option<String>,
    response: Option<String>,
}

#[derive(Template)]
#[template(path = "check.html")]
struct Check {
    frame: Frame,
    id: Uuid,
    lens: String,
    tenant: Uuid,
    tenant_name: String,
    status: &'static str,
    shape: &'static str,
    at: String,
    p95: String,
    errors: String,
    probes: Vec<Probe>,
    events: Vec<Event>,
    notes: Vec<(String, String)>,
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

fn probe((name, measured): (&String, &EndpointNotes)) -> Probe {
    let or_none = |figure: Option<String>| figure.unwrap_or_else(|| "none".to_owned());
    Probe {
        name: name.clone(),
        p50: or_none(measured.p50_us.map(ms)),
        p95: or_none(measured.p95_us.map(ms)),
        n: or_none(measured.n.map(|n| n.to_string())),
    }
}

fn event((level, detail): &(String, Value)) -> Event {
    let part = |name: &str| detail.get(name).map(text);
    Event {
        level: level.clone(),
        kind: part("kind").unwrap_or_default(),
        reason: part("reason").unwrap_or_else(|| detail.to_string()),
        request: part("request"),
        response: part("response"),
    }
}

async fn read(app: &App, who: &Who, id: Uuid) -> Result<Option<Exported>, StoreError> {
    let mut reading = app.setup.board.read(&who.claims).await?;
    let found = reading.check(id).await?;
    reading.done().await?;
    Ok(found)
}

/// The page of a check.
pub(super) async fn check(State(app): State<Arc<App>>, who: Who, Path(id): Path<String>) -> Response {
    let Ok(id) = id.parse::<Uuid>() else {
        return not_found();
    };
    let (check, events) = match within(read(&app, &who, id)).await {
        Ok(Some(found)) => found,
        Ok(None) => return not_found(),
        Err(why) => {
            return refused(
                StatusCode::SERVICE_UNAVAILABLE,
                &format!("{why}. Load it again in a while."),
            );
        }
    };
    let others = check.notes.others();
    show(&Check {
        frame: Frame::new(format!("Check of {}", check.lens_id.title()), "", &who),
        id,
        lens: check.lens_id.to_string(),
        tenant: check.yacht_id,
        tenant_name: app.names.of(&check.yacht_id),
        status: check.status.as_str(),
        shape: shape_of(check.status),
        at: format::time(check.observed_at),
        p95: format::p95(check.p95_latency_ms, check.sample_size),
        errors: format::error_rate(check.error_rate_percent),
        probes: check.notes.read().endpoints.iter().map(probe).collect(),
        events: events.iter().map(event).collect(),
        notes: others.map(|(name, value)| (name.clone(), text(value))).collect(),
    })
}

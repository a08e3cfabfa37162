//! The checks of a strip, one by one, for script that reads them out: asked for when somebody looks closer.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use jiff::SignedDuration;
use lensops_core::ident::LensId;
use lensops_core::verdict::record::Status;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::app::App;
use super::format;
use super::page::{not_found, refused};
use super::scope::{visible, within};
use super::session::Who;
use super::stretch::before;
use super::strip::{CHECKS, Cell, cells};
use crate::store::{Reasons, StoreError};

/// Whose strip.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    tenant: Option<Uuid>,
}

/// `None` where there is no such lens to be seen.
async fn read(app: &App, who: &Who, lens: &LensId, asked: &Asked) -> Result<Option<(Vec<Cell>, Reasons)>, StoreError> {
    let now = app.now();
    let mut reading = app.setup.board.read(&who.claims).await?;
    let pairs = visible(app, &mut reading).await?;
    let is_asked = |tenant: Uuid| asked.tenant.is_none_or(|asked| asked == tenant);
    let mut own = pairs.iter().filter(|(plan, _)| plan.monitor == *lens);
    let Some((plan, tenant)) = own.find(|(_, tenant)| is_asked(*tenant)) else {
        return Ok(None);
    };
    let checks = i64::try_from(CHECKS + 2).unwrap_or(0);
    let back = SignedDuration::from_millis(plan.every.as_ms().saturating_mul(checks));
    let pair = (*tenant, lens.clone());
    let points = reading
        .points(std::slice::from_ref(&pair), (before(now, back), now))
        .await?;
    let cells = cells(
        points.get(&pair).map_or(&[][..], Vec::as_slice),
        plan.every.as_ms(),
        now,
    );
    let is_bad = |cell: &&Cell| cell.class != Status::Healthy.as_str();
    let bad: Vec<Uuid> = cells.iter().filter(is_bad).filter_map(|cell| cell.check).collect();
    let reasons = reading.reasons(&bad).await?;
    reading.done().await?;
    Ok(Some((cells, reasons)))
}

fn told(cell: &Cell, reasons: &Reasons) -> Value {
    let own = cell.check.and_then(|check| reasons.get(&check)?.first());
    json!({
        "check": cell.check,
        "at": cell.at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "status": cell.class.replace('_', " "),
        "p95": cell.p95_ms.map(|ms| format!("P95 {}", format::limit(super::series::whole(ms)))),
        "why": own.map(|reason| &reason.told),
    })
}

/// `GET /lens/{lens}/strip`
pub(super) async fn strip(
    State(app): State<Arc<App>>,
    who: Who,
    Path(lens): Path<String>,
    Query(asked): Query<Asked>,
) -> Response {
    let Ok(lens) = lens.parse::<LensId>() else {
        return not_found();
    };
    match within(read(&app, &who, &lens, &asked)).await {
        Ok(Some((cells, reasons))) => {
            let cells: Vec<Value> = cells.iter().map(|cell| told(cell, &reasons)).collect();
            Json(json!({ "cells": cells })).into_response()
        }
        Ok(None) => not_found(),
        Err(why) => refused(StatusCode::SERVICE_UNAVAILABLE, &why),
    }
}

//! The read API, `/api/v1`: what the pages show, as JSON, and the document that describes it, made
//! from the types that are sent.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;
use lensops_core::alert::{Rule, Urgency};
use lensops_core::ident::LensId;
use lensops_core::named::Named;
use lensops_core::verdict::record::Status;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::app::App;
use super::row::Row;
use super::rows::whole_rows;
use super::scope::within;
use super::session::Who;
use crate::store::{CheckQuery, StoredCheck};

/// The most checks a page.
const MOST: u32 = 200;

/// How every lens stands.
#[derive(Serialize, JsonSchema)]
struct Lenses {
    /// When this was true.
    #[schemars(with = "String")]
    as_of: Timestamp,
    /// Why it is not of now; absent when it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<String>,
    /// A lens and a tenant each, worst first.
    lenses: Vec<Row>,
}

/// A check.
#[derive(Serialize, JsonSchema)]
struct Check {
    id: Uuid,
    lens: String,
    tenant: Uuid,
    status: Status,
    p95_latency_ms: Option<i64>,
    error_rate_percent: Option<f64>,
    sample_size: i64,
    #[schemars(with = "String")]
    observed_at: Timestamp,
    notes: Value,
}

/// A page of checks.
#[derive(Serialize, JsonSchema)]
struct Checks {
    /// By id, the newest slot first.
    checks: Vec<Check>,
    /// What to give as `cursor` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<Uuid>,
}

/// What fires.
#[derive(Serialize, JsonSchema)]
struct Firing {
    rule: Named<Rule>,
    severity: Named<Urgency>,
    lens: Option<String>,
    tenant: Option<Uuid>,
    #[schemars(with = "Option<String>")]
    since: Option<Timestamp>,
    times: u32,
    reason: Option<String>,
}

/// Alerts.
#[derive(Serialize, JsonSchema)]
struct Alerts {
    firing: Vec<Firing>,
}

/// Why a question has no answer.
#[derive(Serialize, JsonSchema)]
struct Problem {
    error: String,
}

fn problem(status: StatusCode, error: impl Into<String>) -> Response {
    (status, Json(Problem { error: error.into() })).into_response()
}

/// `GET /api/v1/lenses`
pub(super) async fn lenses(State(app): State<Arc<App>>, who: Who) -> Response {
    let found = whole_rows(&app, &who).await;
    Json(Lenses {
        as_of: found.as_of,
        trouble: found.trouble,
        lenses: found.rows,
    })
    .into_response()
}

/// `GET /api/v1/lenses/{lens}`
pub(super) async fn lens(State(app): State<Arc<App>>, who: Who, Path(lens): Path<String>) -> Response {
    let found = whole_rows(&app, &who).await;
    let lenses: Vec<Row> = found.rows.into_iter().filter(|row| row.lens == lens).collect();
    if lenses.is_empty() && found.trouble.is_none() {
        return problem(StatusCode::NOT_FOUND, "there is no such lens");
    }
    Json(Lenses {
        as_of: found.as_of,
        trouble: found.trouble,
        lenses,
    })
    .into_response()
}

/// Which checks.
#[derive(Deserialize)]
pub(super) struct Asked {
    lens: Option<LensId>,
    tenant: Option<Uuid>,
    cursor: Option<Uuid>,
    limit: Option<u32>,
}

fn check(check: StoredCheck) -> Check {
    Check {
        id: check.id,
        lens: check.lens_id.to_string(),
        tenant: check.yacht_id,
        status: check.status,
        p95_latency_ms: check.p95_latency_ms,
        error_rate_percent: check.error_rate_percent,
        sample_size: check.sample_size,
        observed_at: check.observed_at,
        notes: check.notes.into_stored(),
    }
}

/// `GET /api/v1/checks`
pub(super) async fn checks(
    State(app): State<Arc<App>>,
    who: Who,
    asked: Result<Query<Asked>, axum::extract::rejection::QueryRejection>,
) -> Response {
    let Ok(Query(asked)) = asked else {
        return problem(
            StatusCode::BAD_REQUEST,
            "lens is a lens id, tenant and cursor are UUIDs, limit is a number",
        );
    };
    let limit = asked.limit.unwrap_or(50).clamp(1, MOST);
    let query = CheckQuery {
        lens: asked.lens,
        tenant: asked.tenant,
        before: asked.cursor,
        // One more tells whether there is another page.
        limit: limit + 1,
    };
    let page = async {
        let mut reading = app.setup.board.read(&who.claims).await?;
        let found = reading.page(&query).await?;
        reading.done().await?;
        Ok(found)
    };
    match within(page).await {
        Ok(mut found) => {
            let more = found.len() > limit as usize;
            found.truncate(limit as usize);
            let next = found.last().filter(|_| more).map(|check| check.id);
            Json(Checks {
                checks: found.into_iter().map(check).collect(),
                next,
            })
            .into_response()
        }
        Err(why) => problem(StatusCode::SERVICE_UNAVAILABLE, why),
    }
}

/// `GET /api/v1/alerts`
pub(super) async fn alerts(State(app): State<Arc<App>>, who: Who) -> Response {
    match within(super::alerts::read(&app, &who, app.now())).await {
        Ok(seen) => {
            let firing = seen
                .alerts
                .into_iter()
                .filter(|alert| alert.firing)
                .map(|alert| Firing {
                    rule: alert.rule,
                    severity: alert.severity,
                    lens: alert.lens.map(|lens| lens.to_string()),
                    tenant: alert.tenant,
                    since: alert.state.since,
                    times: alert.state.times,
                    reason: alert.state.finding.map(|finding| finding.reason),
                });
            Json(Alerts {
                firing: firing.collect(),
            })
            .into_response()
        }
        Err(why) => problem(StatusCode::SERVICE_UNAVAILABLE, why),
    }
}

/// `GET /api/v1/openapi.json`
pub(super) async fn document(_who: Who) -> Response {
    Json(openapi()).into_response()
}

fn answer<T: JsonSchema>(schemas: &mut SchemaGenerator, told: &str) -> Value {
    json!({"description": told, "content": {"application/json": {"schema": schemas.subschema_for::<T>()}}})
}

fn operation<T: JsonSchema>(schemas: &mut SchemaGenerator, summary: &str, parameters: &Value) -> Value {
    json!({"get": {
        "summary": summary,
        "parameters": parameters,
        "security": [{"user": []}, {}],
        "responses": {
            "200": answer::<T>(schemas, "Found"),
            "304": {"description": "The same as If-None-Match names"},
            "401": answer::<Problem>(schemas, "No user's token"),
            "default": answer::<Problem>(schemas, "No answer"),
        },
    }})
}

/// The document that describes the read API: OpenAPI 3.1, its schemas made from what is sent.
#[must_use]
pub fn openapi() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.contract = schemars::generate::Contract::Serialize;
    });
    let mut schemas = SchemaGenerator::new(settings);
    let of = |name: &str, kind: &str| json!({"name": name, "in": "query", "schema": {"type": kind}});
    let in_path = json!([{"name": "lens", "in": "path", "required": true, "schema": {"type": "string"}}]);
    let paging = json!([
        of("lens", "string"),
        of("tenant", "string"),
        of("cursor", "string"),
        {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": MOST, "default": 50}}
    ]);
    let paths = json!({
        "/api/v1/lenses": operation::<Lenses>(&mut schemas, "How every lens stands, worst first", &json!([])),
        "/api/v1/lenses/{lens}": operation::<Lenses>(&mut schemas, "How one lens stands", &in_path),
        "/api/v1/checks": operation::<Checks>(&mut schemas, "Checks, the newest slot first", &paging),
        "/api/v1/alerts": operation::<Alerts>(&mut schemas, "What fires", &json!([])),
    });
    json!({
        "openapi": "3.1.0",
        "info": {"title": "lensops", "version": env!("CARGO_PKG_VERSION")},
        "paths": paths,
        "components": {
            "schemas": schemas.take_definitions(true),
            "securitySchemes": {"user": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    })
}

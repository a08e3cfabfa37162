//! Checks and events as rows of the REST interface: JSON, written and read.

use lensops_core::verdict::record::Status;
use serde_json::Value;

use crate::store::postgres::jsonb::storable;
use crate::store::{Entry, StoredCheck};

fn quoted(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}

fn number(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "null".to_owned(), |value| value.to_string())
}

/// The row of a check, as JSON.
pub(super) fn check_row(entry: &Entry) -> String {
    format!(
        r#"{{"id":"{}","yacht_id":"{}","lens_id":{},"status":{},"p95_latency_ms":{},"error_rate_percent":{},"sample_size":{},"observed_at":{},"notes":{}}}"#,
        entry.id,
        entry.yacht_id,
        quoted(&entry.lens_id),
        quoted(&entry.status),
        number(entry.p95_latency_ms),
        number(entry.error_rate_percent),
        number(entry.sample_size),
        quoted(&entry.observed_at),
        storable(&entry.notes),
    )
}

/// The rows of its events, as JSON.
pub(super) fn event_rows(entry: &Entry) -> impl Iterator<Item = String> + '_ {
    entry.events.iter().map(|event| {
        format!(
            r#"{{"id":"{}","check_id":"{}","level":{},"detail_json":{},"created_at":{}}}"#,
            event.id,
            entry.id,
            quoted(&event.level),
            storable(&event.detail),
            quoted(&event.created_at),
        )
    })
}

/// The check that a row holds; `None` where it is not one.
pub(super) fn stored(row: &Value) -> Option<StoredCheck> {
    let text = |name: &str| row[name].as_str();
    Some(StoredCheck {
        id: text("id")?.parse().ok()?,
        yacht_id: text("yacht_id")?.parse().ok()?,
        lens_id: text("lens_id")?.parse().ok()?,
        status: Status::parse(text("status")?)?,
        p95_latency_ms: row["p95_latency_ms"].as_i64(),
        error_rate_percent: row["error_rate_percent"].as_f64(),
        sample_size: row["sample_size"].as_i64().unwrap_or(0),
        observed_at: text("observed_at")?.parse().ok()?,
        notes: row["notes"].clone().into(),
    })
}

//! How the journal writes times and JSON as text, and reads them back.

use std::str::FromStr;

use jiff::Timestamp;
use lensops_core::verdict::note_rows::StoredNotes;
use lensops_core::verdict::record::Status;
use serde_json::Value;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::store::{StoreError, StoredCheck};

/// RFC 3339 in UTC with milliseconds: sorts as text.
pub(in crate::store) fn time_text(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

pub(in crate::store) fn decode_error(column: &str, what: impl std::fmt::Display) -> sqlx::Error {
    sqlx::Error::ColumnDecode {
        index: column.to_owned(),
        source: what.to_string().into(),
    }
}

pub(in crate::store) fn parsed<T: FromStr>(row: &SqliteRow, column: &str) -> Result<T, sqlx::Error>
where
    T::Err: std::fmt::Display,
{
    row.try_get::<&str, _>(column)?
        .parse()
        .map_err(|error| decode_error(column, error))
}

pub(super) fn json(row: &SqliteRow, column: &str) -> Result<Value, sqlx::Error> {
    serde_json::from_str(row.try_get(column)?).map_err(|error| decode_error(column, error))
}

pub(in crate::store) fn stored(row: &SqliteRow) -> Result<StoredCheck, StoreError> {
    let status: &str = row.try_get("status")?;
    Ok(StoredCheck {
        id: parsed(row, "id")?,
        yacht_id: parsed(row, "yacht_id")?,
        lens_id: parsed(row, "lens_id")?,
        status: Status::parse(status).ok_or_else(|| decode_error("status", status))?,
        p95_latency_ms: row.try_get("p95_latency_ms")?,
        error_rate_percent: row.try_get("error_rate_percent")?,
        sample_size: row.try_get::<Option<i64>, _>("sample_size")?.unwrap_or(0),
        observed_at: parsed(row, "observed_at")?,
        notes: StoredNotes::of_text(row.try_get("notes")?),
    })
}

//! What recorded checks show to have worked.

use lensops_core::ident::LensId;
use lensops_core::verdict::record::Status;
use sqlx::SqlitePool;
use uuid::Uuid;

use crate::store::{StoreError, Trace};

/// Whether any check of the pair shows `trace`.
pub(super) async fn shows(
    reader: &SqlitePool,
    tenant: Uuid,
    lens: &LensId,
    trace: Trace<'_>,
) -> Result<bool, StoreError> {
    let (condition, value) = match trace {
        Trace::Found(host) => ("json_extract(notes, '$.reached.host') = $3", host),
        Trace::Answered(host) => (
            "json_extract(notes, '$.reached.host') = $3 AND json_extract(notes, '$.reached.answered')",
            host,
        ),
        Trace::LetIn(digest) => ("json_extract(notes, '$.reached.credential') = $3", digest),
        Trace::Unsaid => (
            "json_extract(notes, '$.reached') IS NULL AND p95_latency_ms IS NOT NULL AND status <> $3",
            Status::Unhealthy.as_str(),
        ),
    };
    let query =
        format!("SELECT EXISTS (SELECT 1 FROM pms_health_checks WHERE yacht_id = $1 AND lens_id = $2 AND {condition})");
    let shown: bool = sqlx::query_scalar(sqlx::AssertSqlSafe(query))
        .bind(tenant.to_string())
        .bind(lens.as_str())
        .bind(value)
        .fetch_one(reader)
        .await?;
    Ok(shown)
}

//! The queries of the dashboard to the journal for what checks come to: uptime, errors, and why they are not healthy.

use lensops_core::ident::LensId;
use lensops_core::verdict::record::Status;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::rows::{Pair, Reason, Reasons, Stretch, Uptimes, uptime};
use crate::store::StoreError;
use crate::store::journal::{Journal, decode_error, parsed, time_text};

/// All checks, less those that count for nothing and those that were taken back; and roll-ups of the hours
/// before the first check that is still there.
pub(super) async fn uptimes(
    journal: &Journal,
    pairs: &[(Uuid, LensId)],
    (from, until): Stretch,
) -> Result<Uptimes, StoreError> {
    let mut uptimes = Uptimes::new();
    for (tenant, lens) in pairs {
        let rows = sqlx::query(
            "WITH own AS (SELECT id, status, observed_at FROM pms_health_checks \
               WHERE yacht_id = $1 AND lens_id = $2 AND observed_at > $3 AND observed_at <= $4), \
             uncounted AS (SELECT id, status, json_extract(notes, '$.muted.annuls') AS annuls FROM pms_health_checks \
               WHERE yacht_id = $1 AND lens_id = $2 AND observed_at > $3 AND observed_at <= $4 \
               AND (json_extract(notes, '$.paused') IS NOT NULL OR json_extract(notes, '$.muted') IS NOT NULL)), \
             gone AS (SELECT healthy, degraded, unhealthy FROM lensops_rollups WHERE yacht_id = $1 AND lens_id = $2 \
               AND span = 'hour' AND starts_at > $3 AND starts_at <= $4 \
               AND starts_at < strftime('%Y-%m-%dT%H:00:00', coalesce((SELECT min(observed_at) FROM own), $4))) \
             SELECT status, count(*) AS n FROM own GROUP BY status \
             UNION ALL SELECT status, -count(*) FROM uncounted GROUP BY status \
             UNION ALL SELECT status, -count(*) FROM own WHERE id IN (SELECT annuls FROM uncounted) \
               AND id NOT IN (SELECT id FROM uncounted) GROUP BY status \
             UNION ALL SELECT 'healthy', coalesce(sum(healthy), 0) FROM gone \
             UNION ALL SELECT 'degraded', coalesce(sum(degraded), 0) FROM gone \
             UNION ALL SELECT 'unhealthy', coalesce(sum(unhealthy), 0) FROM gone",
        )
        .bind(tenant.to_string())
        .bind(lens.as_str())
        .bind(time_text(from))
        .bind(time_text(until))
        .fetch_all(&journal.reader)
        .await?;
        let count = |row: &SqliteRow| -> Result<(Status, i64), sqlx::Error> {
            let status: &str = row.try_get("status")?;
            let status = Status::parse(status).ok_or_else(|| decode_error("status", status))?;
            Ok((status, row.try_get("n")?))
        };
        let counts = rows.iter().map(count).collect::<Result<Vec<_>, _>>()?;
        uptimes.insert((*tenant, lens.clone()), uptime(counts.into_iter()));
    }
    Ok(uptimes)
}

pub(super) async fn spent(
    journal: &Journal,
    (tenant, lens): Pair<'_>,
    (from, until): Stretch,
) -> Result<(i64, i64), StoreError> {
    let row = sqlx::query(
        "WITH uncounted AS (SELECT id, json_extract(notes, '$.muted.annuls') AS annuls FROM pms_health_checks \
           WHERE yacht_id = $1 AND lens_id = $2 AND observed_at > $3 AND observed_at <= $4 \
           AND (json_extract(notes, '$.paused') IS NOT NULL OR json_extract(notes, '$.muted') IS NOT NULL)) \
         SELECT coalesce(sum(sample_size), 0) AS n, \
           CAST(round(coalesce(sum(sample_size * error_rate_percent / 100.0), 0.0)) AS INTEGER) AS failed \
         FROM pms_health_checks WHERE yacht_id = $1 AND lens_id = $2 AND observed_at > $3 AND observed_at <= $4 \
         AND error_rate_percent IS NOT NULL AND id NOT IN (SELECT id FROM uncounted) \
         AND id NOT IN (SELECT annuls FROM uncounted WHERE annuls IS NOT NULL)",
    )
    .bind(tenant.to_string())
    .bind(lens.as_str())
    .bind(time_text(from))
    .bind(time_text(until))
    .fetch_one(&journal.reader)
    .await?;
    Ok((row.try_get("n")?, row.try_get("failed")?))
}

pub(super) async fn reasons(journal: &Journal, checks: &[Uuid]) -> Result<Reasons, StoreError> {
    let ids: Vec<String> = checks.iter().map(Uuid::to_string).collect();
    let rows = sqlx::query(
        "SELECT check_id, level, json_extract(detail_json, '$.kind') AS kind, json_extract(detail_json, '$.probe') AS probe, \
         json_extract(detail_json, '$.reason') AS reason FROM pms_health_events \
         WHERE check_id IN (SELECT value FROM json_each($1)) AND level <> 'info' ORDER BY check_id, created_at, id",
    )
    .bind(serde_json::json!(ids).to_string())
    .fetch_all(&journal.reader)
    .await?;
    let mut reasons = Reasons::new();
    for row in &rows {
        let text = |column| -> Result<String, sqlx::Error> {
            Ok(row.try_get::<Option<String>, _>(column)?.unwrap_or_default())
        };
        reasons.entry(parsed(row, "check_id")?).or_default().push(Reason {
            level: row.try_get("level")?,
            kind: text("kind")?,
            probe: row.try_get("probe")?,
            told: text("reason")?,
        });
    }
    Ok(reasons)
}

//! The queries of the dashboard to the journal.

use std::collections::HashMap;

use jiff::Timestamp;
use lensops_core::history::rollup::{Rollup, Span};
use lensops_core::ident::LensId;
use lensops_core::lens::mute::Muted;
use lensops_core::verdict::record::Status;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::rows::{Brief, CheckQuery, MARKED, Mark, Pair, Point, Points, Stretch, initial, muted, samples};
use crate::store::journal::{self, Journal, decode_error, parsed, time_text};
use crate::store::{Archive as _, Exported, StoreError, StoredCheck};

pub(super) async fn newest(
    journal: &Journal,
    pairs: &[(Uuid, LensId)],
) -> Result<Vec<(Uuid, String, Uuid)>, StoreError> {
    let mut newest = Vec::with_capacity(pairs.len());
    for (tenant, lens) in pairs {
        let row = sqlx::query(
            "SELECT id FROM pms_health_checks WHERE yacht_id = $1 AND lens_id = $2 \
             ORDER BY observed_at DESC, id DESC LIMIT 1",
        )
        .bind(tenant.to_string())
        .bind(lens.as_str())
        .fetch_optional(&journal.reader)
        .await?;
        if let Some(row) = row {
            newest.push((*tenant, lens.to_string(), parsed(&row, "id")?));
        }
    }
    Ok(newest)
}

/// A line is a point: id, time, the first letter of the status, P95 where there is one.
fn point(line: &str) -> Option<Point> {
    let mut parts = line.split(' ');
    Some(Point {
        id: parts.next()?.parse().ok()?,
        observed_at: parts.next()?.parse().ok()?,
        status: initial(parts.next()?)?,
        p95_latency_ms: parts.next()?.parse().ok(),
        muted: None,
    })
}

/// A row a lens and not one a check: a week of twenty lenses is 13,440 checks.
pub(super) async fn points(
    journal: &Journal,
    pairs: &[(Uuid, LensId)],
    (from, until): Stretch,
) -> Result<(Points, HashMap<Uuid, Muted>), StoreError> {
    let (mut points, mut mutes) = (Points::new(), HashMap::new());
    for (tenant, lens) in pairs {
        let lines: Option<String> = sqlx::query_scalar(
            "SELECT group_concat(id || ' ' || observed_at || ' ' || substr(status, 1, 1) || ' ' || \
                                 coalesce(p95_latency_ms, ''), char(10)) \
             FROM (SELECT id, observed_at, status, p95_latency_ms FROM pms_health_checks \
                   WHERE yacht_id = $1 AND lens_id = $2 AND observed_at > $3 AND observed_at <= $4 \
                   ORDER BY observed_at, id)",
        )
        .bind(tenant.to_string())
        .bind(lens.as_str())
        .bind(time_text(from))
        .bind(time_text(until))
        .fetch_one(&journal.reader)
        .await?;
        let lines = lines.unwrap_or_default();
        let read = lines
            .lines()
            .map(|line| point(line).ok_or_else(|| decode_error("a check", line)));
        points.insert((*tenant, lens.clone()), read.collect::<Result<_, _>>()?);
        let rows = sqlx::query(
            "SELECT id, CASE WHEN json_extract(notes, '$.paused') IS NOT NULL THEN '{\"why\":\"paused\",\"reason\":\"\"}' \
             ELSE json_extract(notes, '$.muted') END AS muted FROM pms_health_checks \
             WHERE yacht_id = $1 AND lens_id = $2 AND observed_at > $3 AND observed_at <= $4 \
             AND (json_extract(notes, '$.paused') IS NOT NULL OR json_extract(notes, '$.muted') IS NOT NULL)",
        )
        .bind(tenant.to_string())
        .bind(lens.as_str())
        .bind(time_text(from))
        .bind(time_text(until))
        .fetch_all(&journal.reader)
        .await?;
        for row in &rows {
            if let Some(why) = muted(row.try_get("muted")?) {
                mutes.insert(parsed(row, "id")?, why);
            }
        }
    }
    Ok((points, mutes))
}

fn brief(row: &SqliteRow) -> Result<Brief, sqlx::Error> {
    let status: &str = row.try_get("status")?;
    Ok(Brief {
        id: parsed(row, "id")?,
        status: Status::parse(status).ok_or_else(|| decode_error("status", status))?,
        p95_latency_ms: row.try_get("p95_latency_ms")?,
        error_rate_percent: row.try_get("error_rate_percent")?,
        sample_size: row.try_get::<Option<i64>, _>("sample_size")?.unwrap_or(0),
        observed_at: parsed(row, "observed_at")?,
        muted: muted(row.try_get("muted")?),
        samples_us: samples(row.try_get("samples")?),
    })
}

pub(super) async fn briefs(
    journal: &Journal,
    (tenant, lens): Pair<'_>,
    stretches: &[Stretch],
) -> Result<Vec<Brief>, StoreError> {
    let mut briefs = Vec::new();
    for (from, until) in stretches {
        let rows = sqlx::query(
            "SELECT id, status, p95_latency_ms, error_rate_percent, sample_size, observed_at, \
             CASE WHEN json_extract(notes, '$.paused') IS NOT NULL THEN '{\"why\":\"paused\",\"reason\":\"\"}' \
             ELSE json_extract(notes, '$.muted') END AS muted, json_extract(notes, '$.samples_us') AS samples \
             FROM pms_health_checks WHERE yacht_id = $1 AND lens_id = $2 \
             AND observed_at > $3 AND observed_at <= $4 ORDER BY observed_at, id",
        )
        .bind(tenant.to_string())
        .bind(lens.as_str())
        .bind(time_text(*from))
        .bind(time_text(*until))
        .fetch_all(&journal.reader)
        .await?;
        for row in &rows {
            briefs.push(brief(row)?);
        }
    }
    Ok(briefs)
}

pub(super) async fn hours(
    journal: &Journal,
    (tenant, lens): Pair<'_>,
    (from, until): Stretch,
) -> Result<Vec<Rollup>, StoreError> {
    journal.rollups(tenant, lens, Span::Hour, from, until).await
}

pub(super) async fn marks(
    journal: &Journal,
    (tenant, lens): Pair<'_>,
    (from, until): Stretch,
) -> Result<Vec<Mark>, StoreError> {
    let rows = sqlx::query(
        "SELECT c.observed_at, json_extract(e.detail_json, '$.reason') AS reason FROM pms_health_checks c \
         JOIN pms_health_events e ON e.check_id = c.id WHERE c.yacht_id = $1 AND c.lens_id = $2 \
         AND c.observed_at > $3 AND c.observed_at <= $4 AND e.level = 'warning' \
         AND json_extract(e.detail_json, '$.kind') IN ($5, $6) ORDER BY c.observed_at, e.id",
    )
    .bind(tenant.to_string())
    .bind(lens.as_str())
    .bind(time_text(from))
    .bind(time_text(until))
    .bind(MARKED[0])
    .bind(MARKED[1])
    .fetch_all(&journal.reader)
    .await?;
    let mark = |row: &SqliteRow| -> Result<Mark, sqlx::Error> {
        let (at, what): (Timestamp, Option<String>) = (parsed(row, "observed_at")?, row.try_get("reason")?);
        Ok(Mark {
            at,
            what: what.unwrap_or_default(),
        })
    };
    Ok(rows.iter().map(mark).collect::<Result<_, _>>()?)
}

pub(super) async fn page(journal: &Journal, query: &CheckQuery) -> Result<Vec<StoredCheck>, StoreError> {
    let rows = sqlx::query(
        "SELECT * FROM pms_health_checks WHERE ($1 IS NULL OR lens_id = $1) \
         AND ($2 IS NULL OR yacht_id = $2) AND ($3 IS NULL OR id < $3) ORDER BY id DESC LIMIT $4",
    )
    .bind(query.lens.as_ref().map(LensId::as_str))
    .bind(query.tenant.map(|tenant| tenant.to_string()))
    .bind(query.before.map(|before| before.to_string()))
    .bind(query.limit)
    .fetch_all(&journal.reader)
    .await?;
    rows.iter().map(journal::stored).collect()
}

pub(super) async fn check(journal: &Journal, id: Uuid) -> Result<Option<Exported>, StoreError> {
    let row = sqlx::query("SELECT * FROM pms_health_checks WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(&journal.reader)
        .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some((journal::stored(&row)?, journal.events(id).await?)))
}

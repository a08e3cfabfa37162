//! The queries of the dashboard to PostgreSQL for what checks come to: uptime, errors, and why they are not healthy.

use std::collections::HashMap;

use lensops_core::ident::LensId;
use lensops_core::verdict::record::Status;
use sqlx::Row;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use super::postgres::{Found, columns};
use super::rows::{Pair, Reason, Reasons, Stretch, Uptimes, uptime};
use crate::store::journal::decode_error;
use crate::store::postgres;
use crate::store::postgres::statement;

/// All checks, less those that count for nothing and those that were taken back; and roll-ups of the hours
/// before the first check that is still there.
pub(super) async fn uptimes(
    as_user: &mut PgConnection,
    pairs: &[(Uuid, LensId)],
    (from, until): Stretch,
) -> Found<Uptimes> {
    let (tenants, lenses) = columns(pairs);
    let rows = statement::query(
        "WITH pairs AS (SELECT * FROM unnest($1::uuid[], $2::text[]) AS p (yacht_id, lens_id)), \
         own AS (SELECT p.yacht_id, p.lens_id, x.status, count(*) AS n, min(x.observed_at) AS first FROM pairs p \
           JOIN public.pms_health_checks x ON x.yacht_id = p.yacht_id AND x.lens_id = p.lens_id \
             AND x.observed_at > $3::timestamptz AND x.observed_at <= $4::timestamptz GROUP BY 1, 2, 3), \
         uncounted AS (SELECT x.yacht_id, x.lens_id, x.id, x.status, x.notes -> 'muted' ->> 'annuls' AS annuls FROM pairs p \
           JOIN public.pms_health_checks x ON x.yacht_id = p.yacht_id AND x.lens_id = p.lens_id \
             AND x.observed_at > $3::timestamptz AND x.observed_at <= $4::timestamptz \
             AND (x.notes ? 'paused' OR x.notes ? 'muted')), \
         gone AS (SELECT r.* FROM pairs p JOIN public.lensops_rollups r ON r.yacht_id = p.yacht_id AND r.lens_id = p.lens_id \
           AND r.span = 'hour' AND r.starts_at > $3::timestamptz AND r.starts_at <= $4::timestamptz \
           AND r.starts_at < date_trunc('hour', coalesce((SELECT min(o.first) FROM own o \
             WHERE o.yacht_id = p.yacht_id AND o.lens_id = p.lens_id), $4::timestamptz))) \
         SELECT yacht_id, lens_id, status, n::bigint AS n FROM own \
         UNION ALL SELECT yacht_id, lens_id, status, -1 FROM uncounted \
         UNION ALL SELECT a.yacht_id, a.lens_id, o.status, -1 FROM uncounted a JOIN public.pms_health_checks o \
           ON o.id::text = a.annuls AND o.observed_at > $3::timestamptz \
           WHERE NOT (o.notes ? 'paused' OR o.notes ? 'muted') \
         UNION ALL SELECT yacht_id, lens_id, 'healthy', healthy FROM gone \
         UNION ALL SELECT yacht_id, lens_id, 'degraded', degraded FROM gone \
         UNION ALL SELECT yacht_id, lens_id, 'unhealthy', unhealthy FROM gone",
    )
    .bind(&tenants)
    .bind(&lenses)
    .bind(postgres::bound(from))
    .bind(postgres::bound(until))
    .fetch_all(as_user)
    .await?;
    let mut counts: HashMap<(Uuid, LensId), Vec<(Status, i64)>> = HashMap::new();
    for row in &rows {
        let (lens, status): (&str, &str) = (row.try_get("lens_id")?, row.try_get("status")?);
        let lens = lens.parse().map_err(|error| decode_error("lens_id", error))?;
        let status = Status::parse(status).ok_or_else(|| decode_error("status", status))?;
        let own = counts.entry((row.try_get("yacht_id")?, lens)).or_default();
        own.push((status, row.try_get("n")?));
    }
    Ok(counts
        .into_iter()
        .map(|(pair, counts)| (pair, uptime(counts.into_iter())))
        .collect())
}

pub(super) async fn spent(
    as_user: &mut PgConnection,
    (tenant, lens): Pair<'_>,
    (from, until): Stretch,
) -> Found<(i64, i64)> {
    let row = statement::query(
        "WITH own AS (SELECT id, sample_size, error_rate_percent, notes FROM public.pms_health_checks \
           WHERE yacht_id = $1 AND lens_id = $2 AND observed_at > $3::timestamptz AND observed_at <= $4::timestamptz), \
         uncounted AS (SELECT id, notes -> 'muted' ->> 'annuls' AS annuls FROM own WHERE notes ? 'paused' OR notes ? 'muted') \
         SELECT coalesce(sum(sample_size), 0)::bigint AS n, \
           round(coalesce(sum(sample_size * error_rate_percent / 100), 0))::bigint AS failed \
         FROM own WHERE error_rate_percent IS NOT NULL AND id NOT IN (SELECT id FROM uncounted) \
         AND id::text NOT IN (SELECT annuls FROM uncounted WHERE annuls IS NOT NULL)",
    )
    .bind(tenant)
    .bind(lens.as_str())
    .bind(postgres::bound(from))
    .bind(postgres::bound(until))
    .fetch_one(as_user)
    .await?;
    Ok((row.try_get("n")?, row.try_get("failed")?))
}

pub(super) async fn reasons(as_user: &mut PgConnection, checks: &[Uuid]) -> Found<Reasons> {
    let rows = statement::query(
        "SELECT check_id, level, detail_json ->> 'kind' AS kind, detail_json ->> 'probe' AS probe, \
         detail_json ->> 'reason' AS reason FROM public.pms_health_events \
         WHERE check_id = ANY($1) AND level <> 'info' ORDER BY check_id, created_at, id",
    )
    .bind(checks)
    .fetch_all(as_user)
    .await?;
    let mut reasons = Reasons::new();
    for row in &rows {
        let text = |column| -> Found<String> { Ok(row.try_get::<Option<String>, _>(column)?.unwrap_or_default()) };
        reasons.entry(row.try_get("check_id")?).or_default().push(Reason {
            level: row.try_get("level")?,
            kind: text("kind")?,
            probe: row.try_get("probe")?,
            told: text("reason")?,
        });
    }
    Ok(reasons)
}

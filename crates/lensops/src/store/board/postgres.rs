//! The queries of the dashboard to PostgreSQL, within a transaction of the user who asks.

use std::collections::HashMap;

use lensops_core::history::rollup::{Rollup, Span};
use lensops_core::history::schedule::from_ms;
use lensops_core::ident::LensId;
use lensops_core::lens::mute::Muted;
use lensops_core::verdict::record::Status;
use serde_json::Value;
use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};
use uuid::Uuid;

use super::rows::{Brief, CheckQuery, MARKED, Mark, Pair, Point, Points, Stretch, initial, muted, samples};
use crate::store::journal::decode_error;
use crate::store::postgres::statement;
use crate::store::{Exported, StoreError, StoredCheck, postgres};

pub(super) type Found<T> = Result<T, sqlx::Error>;

/// What a user is told. What a server says may quote a row; the code is enough for who may not see it.
pub(super) fn elsewhere(error: sqlx::Error) -> StoreError {
    StoreError::Elsewhere(match error {
        sqlx::Error::Database(said) => format!("code {}", said.code().unwrap_or_default()),
        sqlx::Error::PoolTimedOut => "no connection within 2 s".to_owned(),
        sqlx::Error::ColumnDecode { index, .. } => format!("a row's {index} is none that lensops writes"),
        _ => "the connection failed".to_owned(),
    })
}

pub(super) async fn tenant(as_user: &mut PgConnection) -> Found<Option<Uuid>> {
    statement::query_scalar("SELECT public.get_user_yacht_id()")
        .fetch_one(as_user)
        .await
}

pub(super) async fn latest(as_user: &mut PgConnection, pairs: &[(Uuid, LensId)]) -> Found<Vec<StoredCheck>> {
    let rows = postgres::latest(as_user, pairs).await?;
    rows.iter().map(postgres::stored).collect()
}

pub(super) fn columns(pairs: &[(Uuid, LensId)]) -> (Vec<Uuid>, Vec<&str>) {
    pairs.iter().map(|(tenant, lens)| (*tenant, lens.as_str())).unzip()
}

/// A row a lens and not one a check: a week of twenty lenses is 13,440 checks. They come from the
/// index `lensops_checks_by_lens` alone; those that count for nothing from the small one of them.
pub(super) async fn points(
    as_user: &mut PgConnection,
    pairs: &[(Uuid, LensId)],
    (from, until): Stretch,
) -> Found<(Points, HashMap<Uuid, Muted>)> {
    let (tenants, lenses) = columns(pairs);
    let rows = statement::query(
        "SELECT p.yacht_id, p.lens_id, c.* FROM unnest($1::uuid[], $2::text[]) AS p (yacht_id, lens_id) \
         CROSS JOIN LATERAL (\
           SELECT array_agg(x.id) AS ids, array_agg((date_part('epoch', x.observed_at) * 1000)::bigint) AS observed_ms, \
                  string_agg(left(x.status, 1), '') AS statuses, array_agg(x.p95_latency_ms) AS p95_ms \
           FROM (SELECT id, observed_at, status, p95_latency_ms FROM public.pms_health_checks \
                 WHERE yacht_id = p.yacht_id AND lens_id = p.lens_id \
                 AND observed_at > $3::timestamptz AND observed_at <= $4::timestamptz ORDER BY observed_at, id) AS x) AS c",
    )
    .bind(&tenants)
    .bind(&lenses)
    .bind(postgres::bound(from))
    .bind(postgres::bound(until))
    .fetch_all(&mut *as_user)
    .await?;
    let points = rows.iter().map(series).collect::<Found<Points>>()?;
    let rows = statement::query(
        "SELECT c.* FROM unnest($1::uuid[], $2::text[]) AS p (yacht_id, lens_id) CROSS JOIN LATERAL (\
           SELECT id, CASE WHEN notes ? 'paused' THEN '{\"why\":\"paused\",\"reason\":\"\"}' \
                      ELSE (notes -> 'muted')::text END AS muted \
           FROM public.pms_health_checks WHERE yacht_id = p.yacht_id AND lens_id = p.lens_id \
           AND observed_at > $3::timestamptz AND observed_at <= $4::timestamptz \
           AND (notes ? 'paused' OR notes ? 'muted')) AS c",
    )
    .bind(&tenants)
    .bind(&lenses)
    .bind(postgres::bound(from))
    .bind(postgres::bound(until))
    .fetch_all(as_user)
    .await?;
    let mut mutes = HashMap::new();
    for row in &rows {
        if let Some(why) = muted(row.try_get("muted")?) {
            mutes.insert(row.try_get("id")?, why);
        }
    }
    Ok((points, mutes))
}

/// The points of one lens, from columns that were gathered into arrays; all NULL where there is none.
fn series(row: &PgRow) -> Found<((Uuid, LensId), Vec<Point>)> {
    let lens: &str = row.try_get("lens_id")?;
    let lens = lens.parse().map_err(|error| decode_error("lens_id", error))?;
    let ids: Option<Vec<Uuid>> = row.try_get("ids")?;
    let observed: Option<Vec<i64>> = row.try_get("observed_ms")?;
    let statuses: Option<&str> = row.try_get("statuses")?;
    let p95s: Option<Vec<Option<i32>>> = row.try_get("p95_ms")?;
    let letters = statuses
        .unwrap_or_default()
        .split("")
        .filter(|letter| !letter.is_empty());
    let points = ids
        .into_iter()
        .flatten()
        .zip(observed.into_iter().flatten())
        .zip(letters.zip(p95s.into_iter().flatten()))
        .map(|((id, ms), (letter, p95))| {
            Ok(Point {
                id,
                status: initial(letter).ok_or_else(|| decode_error("status", letter))?,
                p95_latency_ms: p95.map(i64::from),
                observed_at: from_ms(ms),
                muted: None,
            })
        });
    Ok(((row.try_get("yacht_id")?, lens), points.collect::<Found<_>>()?))
}

fn brief(row: &PgRow) -> Found<Brief> {
    let status: &str = row.try_get("status")?;
    Ok(Brief {
        id: row.try_get("id")?,
        status: Status::parse(status).ok_or_else(|| decode_error("status", status))?,
        p95_latency_ms: row.try_get::<Option<i32>, _>("p95_latency_ms")?.map(i64::from),
        error_rate_percent: row.try_get("error_rate_percent")?,
        sample_size: row.try_get::<Option<i32>, _>("sample_size")?.map_or(0, i64::from),
        observed_at: from_ms(row.try_get("observed_ms")?),
        muted: muted(row.try_get("muted")?),
        samples_us: samples(row.try_get("samples")?),
    })
}

pub(super) async fn briefs(
    as_user: &mut PgConnection,
    (tenant, lens): Pair<'_>,
    stretches: &[Stretch],
) -> Found<Vec<Brief>> {
    let (from, until): (Vec<String>, Vec<String>) = stretches
        .iter()
        .map(|(from, until)| (postgres::bound(*from), postgres::bound(*until)))
        .unzip();
    let rows = statement::query(
        "SELECT c.* FROM unnest($3::text[], $4::text[]) AS s (since, until) CROSS JOIN LATERAL (\
           SELECT id, status, p95_latency_ms, error_rate_percent::float8 AS error_rate_percent, sample_size, \
             (extract(epoch FROM observed_at) * 1000)::bigint AS observed_ms, \
             CASE WHEN notes ? 'paused' THEN '{\"why\":\"paused\",\"reason\":\"\"}' ELSE (notes -> 'muted')::text END AS muted, \
             (notes -> 'samples_us')::text AS samples \
           FROM public.pms_health_checks WHERE yacht_id = $1 AND lens_id = $2 \
           AND observed_at > s.since::timestamptz AND observed_at <= s.until::timestamptz) AS c \
         ORDER BY c.observed_ms, c.id",
    )
    .bind(tenant)
    .bind(lens.as_str())
    .bind(from)
    .bind(until)
    .fetch_all(as_user)
    .await?;
    rows.iter().map(brief).collect()
}

pub(super) async fn hours(
    as_user: &mut PgConnection,
    (tenant, lens): Pair<'_>,
    (from, until): Stretch,
) -> Found<Vec<Rollup>> {
    postgres::there(as_user, (tenant, lens, Span::Hour), from, until).await
}

pub(super) async fn marks(
    as_user: &mut PgConnection,
    (tenant, lens): Pair<'_>,
    (from, until): Stretch,
) -> Found<Vec<Mark>> {
    let rows = statement::query(
        "SELECT (extract(epoch FROM c.observed_at) * 1000)::bigint AS observed_ms, \
         e.detail_json ->> 'reason' AS reason FROM public.pms_health_checks c \
         JOIN public.pms_health_events e ON e.check_id = c.id WHERE c.yacht_id = $1 AND c.lens_id = $2 \
         AND c.observed_at > $3::timestamptz AND c.observed_at <= $4::timestamptz AND e.level = 'warning' \
         AND e.detail_json ->> 'kind' = ANY($5) ORDER BY c.observed_at, e.id",
    )
    .bind(tenant)
    .bind(lens.as_str())
    .bind(postgres::bound(from))
    .bind(postgres::bound(until))
    .bind(MARKED.map(ToOwned::to_owned).to_vec())
    .fetch_all(as_user)
    .await?;
    let mark = |row: &PgRow| -> Found<Mark> {
        let what: Option<String> = row.try_get("reason")?;
        Ok(Mark {
            at: from_ms(row.try_get("observed_ms")?),
            what: what.unwrap_or_default(),
        })
    };
    rows.iter().map(mark).collect()
}

/// A page of checks. Rows of a name that is no lens id are not lensops' own, and are left out.
pub(super) async fn page(as_user: &mut PgConnection, query: &CheckQuery) -> Found<Vec<StoredCheck>> {
    let rows = statement::query(
        "SELECT id, yacht_id, lens_id, status, p95_latency_ms, \
         error_rate_percent::float8 AS error_rate_percent, sample_size, \
         (extract(epoch FROM observed_at) * 1000)::bigint AS observed_ms, notes::text AS notes \
         FROM public.pms_health_checks WHERE lens_id ~ '^[a-z][a-z0-9_]{0,39}$' AND ($1::text IS NULL OR lens_id = $1) \
         AND ($2::uuid IS NULL OR yacht_id = $2) AND ($3::uuid IS NULL OR id < $3) \
         ORDER BY id DESC LIMIT $4",
    )
    .bind(query.lens.as_ref().map(LensId::as_str))
    .bind(query.tenant)
    .bind(query.before)
    .bind(i64::from(query.limit))
    .fetch_all(as_user)
    .await?;
    rows.iter().map(postgres::stored).collect()
}

pub(super) async fn check(as_user: &mut PgConnection, id: Uuid) -> Found<Option<Exported>> {
    let row = statement::query(
        "SELECT id, yacht_id, lens_id, status, p95_latency_ms, \
         error_rate_percent::float8 AS error_rate_percent, sample_size, \
         (extract(epoch FROM observed_at) * 1000)::bigint AS observed_ms, notes::text AS notes \
         FROM public.pms_health_checks WHERE id = $1",
    )
    .bind(id)
    .fetch_optional(&mut *as_user)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let check = postgres::stored(&row)?;
    let rows = statement::query(
        "SELECT level, detail_json::text AS detail FROM public.pms_health_events \
         WHERE check_id = $1 ORDER BY created_at, id",
    )
    .bind(id)
    .fetch_all(as_user)
    .await?;
    let event = |row: &PgRow| -> Found<(String, Value)> {
        let detail: &str = row.try_get("detail")?;
        Ok((
            row.try_get("level")?,
            serde_json::from_str(detail).unwrap_or(Value::Null),
        ))
    };
    Ok(Some((check, rows.iter().map(event).collect::<Found<_>>()?)))
}

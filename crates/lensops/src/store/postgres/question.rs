//! The history queries to PostgreSQL, and the rows that answer them.

use jiff::Timestamp;
use lensops_core::history::schedule::from_ms;
use lensops_core::ident::LensId;
use lensops_core::verdict::note_rows::StoredNotes;
use lensops_core::verdict::record::Status;
use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};
use uuid::Uuid;

use super::connection::Held;
use super::statement;
use crate::store::{StoredCheck, Trace};

pub(crate) enum Question<'a> {
    Latest(&'a [(Uuid, LensId)]),
    Newest(&'a [(Uuid, LensId)]),
    Between(Uuid, &'a LensId, Timestamp, Timestamp),
    Shows(Uuid, &'a LensId, Trace<'a>),
    Page(Uuid, u32),
    Events(&'a [Uuid]),
}

/// The newest check of each of `pairs`, as rows that [`stored`] reads.
pub(crate) async fn latest(connection: &mut PgConnection, pairs: &[(Uuid, LensId)]) -> Result<Vec<PgRow>, sqlx::Error> {
    statement::query(
        "SELECT c.id, c.yacht_id, c.lens_id, c.status, c.p95_latency_ms, \
         c.error_rate_percent::float8 AS error_rate_percent, c.sample_size, \
         (extract(epoch FROM c.observed_at) * 1000)::bigint AS observed_ms, c.notes::text AS notes \
         FROM unnest($1::uuid[], $2::text[]) AS p (yacht_id, lens_id) CROSS JOIN LATERAL (\
           SELECT * FROM public.pms_health_checks x \
           WHERE x.yacht_id = p.yacht_id AND x.lens_id = p.lens_id \
           ORDER BY x.observed_at DESC, x.id DESC LIMIT 1) AS c",
    )
    .bind(pairs.iter().map(|(tenant, _)| *tenant).collect::<Vec<Uuid>>())
    .bind(pairs.iter().map(|(_, lens)| lens.as_str()).collect::<Vec<_>>())
    .fetch_all(connection)
    .await
}

/// A row where a check of the pair shows `trace`, else none.
async fn shows(
    connection: &mut PgConnection,
    tenant: Uuid,
    lens: &LensId,
    trace: Trace<'_>,
) -> Result<Vec<PgRow>, sqlx::Error> {
    let (condition, value) = match trace {
        Trace::Found(host) => ("notes -> 'reached' ->> 'host' = $3", host),
        Trace::Answered(host) => (
            "notes -> 'reached' ->> 'host' = $3 AND notes -> 'reached' ->> 'answered' = 'true'",
            host,
        ),
        Trace::LetIn(digest) => ("notes -> 'reached' ->> 'credential' = $3", digest),
        Trace::Unsaid => (
            "notes -> 'reached' IS NULL AND p95_latency_ms IS NOT NULL AND status <> $3",
            Status::Unhealthy.as_str(),
        ),
    };
    let query =
        format!("SELECT 1 FROM public.pms_health_checks WHERE yacht_id = $1 AND lens_id = $2 AND {condition} LIMIT 1");
    statement::query(sqlx::AssertSqlSafe(query))
        .bind(tenant)
        .bind(lens.as_str())
        .bind(value)
        .fetch_all(connection)
        .await
}

impl Question<'_> {
    pub(super) async fn ask(&self, connection: &mut Held) -> Result<Vec<PgRow>, sqlx::Error> {
        let mut transaction = connection.begin().await?;
        let rows = self.rows(&mut transaction).await?;
        transaction.commit().await?;
        Ok(rows)
    }

    async fn rows(&self, connection: &mut PgConnection) -> Result<Vec<PgRow>, sqlx::Error> {
        match self {
            Self::Latest(pairs) => latest(connection, pairs).await,
            Self::Newest(pairs) => {
                let (tenants, lenses): (Vec<Uuid>, Vec<&str>) =
                    pairs.iter().map(|(tenant, lens)| (*tenant, lens.as_str())).unzip();
                statement::query(
                    "SELECT p.yacht_id, p.lens_id, c.id FROM unnest($1::uuid[], $2::text[]) AS p (yacht_id, lens_id) \
                     CROSS JOIN LATERAL (SELECT x.id FROM public.pms_health_checks x \
                       WHERE x.yacht_id = p.yacht_id AND x.lens_id = p.lens_id \
                       ORDER BY x.observed_at DESC, x.id DESC LIMIT 1) AS c",
                )
                .bind(tenants)
                .bind(lenses)
                .fetch_all(connection)
                .await
            }
            Self::Between(tenant, lens, from, until) => {
                statement::query(
                    "SELECT id, yacht_id, lens_id, status, p95_latency_ms, \
                     error_rate_percent::float8 AS error_rate_percent, sample_size, \
                     (extract(epoch FROM observed_at) * 1000)::bigint AS observed_ms, notes::text AS notes \
                     FROM public.pms_health_checks WHERE yacht_id = $1 AND lens_id = $2 \
                     AND observed_at > $3::timestamptz AND observed_at <= $4::timestamptz ORDER BY observed_at, id",
                )
                .bind(tenant)
                .bind(lens.as_str())
                .bind(bound(*from))
                .bind(bound(*until))
                .fetch_all(connection)
                .await
            }
            Self::Shows(tenant, lens, trace) => shows(connection, *tenant, lens, *trace).await,
            Self::Page(after, limit) => {
                statement::query(
                    "SELECT id, yacht_id, lens_id, status, p95_latency_ms, \
                     error_rate_percent::float8 AS error_rate_percent, sample_size, \
                     (extract(epoch FROM observed_at) * 1000)::bigint AS observed_ms, notes::text AS notes \
                     FROM public.pms_health_checks WHERE id > $1 AND lens_id ~ '^[a-z][a-z0-9_]{0,39}$' \
                     ORDER BY id LIMIT $2",
                )
                .bind(after)
                .bind(i64::from(*limit))
                .fetch_all(connection)
                .await
            }
            Self::Events(checks) => {
                statement::query(
                    "SELECT check_id, level, detail_json::text AS detail FROM public.pms_health_events \
                     WHERE check_id = ANY($1) ORDER BY created_at, id",
                )
                .bind(*checks)
                .fetch_all(connection)
                .await
            }
        }
    }
}

/// A time as text for PostgreSQL, which knows no year before 4713 BC and writes negative years
/// otherwise.
pub(crate) fn bound(at: Timestamp) -> String {
    at.max(Timestamp::UNIX_EPOCH).to_string()
}

pub(crate) fn stored(row: &PgRow) -> Result<StoredCheck, sqlx::Error> {
    let wrong = |column: &str, what: String| sqlx::Error::ColumnDecode {
        index: column.to_owned(),
        source: what.into(),
    };
    let (status, lens, notes): (&str, &str, Option<&str>) =
        (row.try_get("status")?, row.try_get("lens_id")?, row.try_get("notes")?);
    Ok(StoredCheck {
        id: row.try_get("id")?,
        yacht_id: row.try_get("yacht_id")?,
        lens_id: lens.parse().map_err(|error| wrong("lens_id", format!("{error}")))?,
        status: Status::parse(status).ok_or_else(|| wrong("status", status.to_owned()))?,
        p95_latency_ms: row.try_get::<Option<i32>, _>("p95_latency_ms")?.map(i64::from),
        error_rate_percent: row.try_get("error_rate_percent")?,
        sample_size: row.try_get::<Option<i32>, _>("sample_size")?.map_or(0, i64::from),
        observed_at: from_ms(row.try_get("observed_ms")?),
        notes: notes.map(StoredNotes::of_text).unwrap_or_default(),
    })
}

//! Roll-ups and retention, on the journal and on PostgreSQL alike.
//!
//! An hour is stale while more checks are stored of it than its roll-up counts, so that a check
//! that arrives late is counted too. Checks are dropped only where a roll-up of their hour stands.
//! PostgreSQL is asked as the owner: no other role may write roll-ups or delete.

use std::future::Future;

use jiff::{SignedDuration, Timestamp};
use lensops_core::history::rollup::{Rollup, Span};
use lensops_core::ident::LensId;
use lensops_core::secret::Secret;
use lensops_core::stats::histogram::Latencies;
use sqlx::postgres::PgConnection;
use sqlx::{ColumnIndex, Decode, Row, SqliteConnection, Type};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::journal::outbox::OutboxWrite;
use super::journal::{Journal, time_text};
use super::postgres::Postgres;
use super::postgres::migrate::{connect, refused};
use super::{History, StoreError, StoredCheck};

/// An hour of a lens of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hour {
    /// The tenant.
    pub tenant: Uuid,
    /// The lens.
    pub lens: LensId,
    /// When it starts.
    pub starts_at: Timestamp,
}

/// A store whose checks can be rolled up and dropped.
pub trait Archive: Send + Sync {
    /// Up to `limit` stale hours that ended by `until`, in order.
    fn stale(&self, until: Timestamp, limit: i64) -> impl Future<Output = Result<Vec<Hour>, StoreError>> + Send;

    /// The checks of an hour.
    fn checks(&self, hour: &Hour) -> impl Future<Output = Result<Vec<StoredCheck>, StoreError>> + Send;

    /// Stores `rollups` in place of those that are there.
    fn put(&self, rollups: Vec<Rollup>) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The roll-ups of one lens of one tenant that start in `[from, until)`, oldest first.
    fn rollups(
        &self,
        tenant: Uuid,
        lens: &LensId,
        span: Span,
        from: Timestamp,
        until: Timestamp,
    ) -> impl Future<Output = Result<Vec<Rollup>, StoreError>> + Send;

    /// How many checks were observed before `before`.
    fn count_before(&self, before: Timestamp) -> impl Future<Output = Result<i64, StoreError>> + Send;

    /// Drops checks observed before `before`, with their events, whose hour is rolled up.
    fn drop_before(&self, before: Timestamp) -> impl Future<Output = Result<(), StoreError>> + Send;
}

const ROLLUPS: &str = "SELECT healthy, degraded, unhealthy, muted, samples, failed_samples, latencies, starts_at FROM lensops_rollups \
     WHERE yacht_id = $1 AND lens_id = $2 AND span = $3 AND starts_at >= $4 AND starts_at < $5 ORDER BY starts_at";

/// The bounds of an hour for [`History::between`], which leaves out the start and has the end.
fn bounds(hour: &Hour) -> (Timestamp, Timestamp) {
    let before = |at: Timestamp| at.checked_sub(SignedDuration::from_micros(1)).unwrap_or(at);
    let end = hour
        .starts_at
        .checked_add(Span::Hour.length())
        .unwrap_or(Timestamp::MAX);
    (before(hour.starts_at), before(end))
}

/// Reads what both databases store alike.
fn read<'r, R: Row>(
    row: &'r R,
    rollup: Rollup,
    number: impl Fn(&'r R, &'static str) -> Result<i64, sqlx::Error>,
) -> Result<Rollup, sqlx::Error>
where
    &'static str: ColumnIndex<R>,
    Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
{
    let bytes: Vec<u8> = row.try_get("latencies")?;
    let latencies = Latencies::from_bytes(&bytes).ok_or_else(|| sqlx::Error::ColumnDecode {
        index: "latencies".to_owned(),
        source: "no histogram".into(),
    })?;
    Ok(Rollup {
        healthy: number(row, "healthy")?,
        degraded: number(row, "degraded")?,
        unhealthy: number(row, "unhealthy")?,
        muted: number(row, "muted")?,
        samples: number(row, "samples")?,
        failed_samples: number(row, "failed_samples")?,
        latencies,
        ..rollup
    })
}

impl Archive for Journal {
    async fn stale(&self, until: Timestamp, limit: i64) -> Result<Vec<Hour>, StoreError> {
        let rows = sqlx::query(
            "SELECT c.yacht_id, c.lens_id, c.hour FROM (\
               SELECT yacht_id, lens_id, substr(observed_at, 1, 13) || ':00:00.000Z' AS hour, count(*) AS checks \
               FROM pms_health_checks WHERE observed_at < $1 GROUP BY 1, 2, 3) c \
             LEFT JOIN lensops_rollups r ON r.yacht_id = c.yacht_id AND r.lens_id = c.lens_id AND r.span = 'hour' \
               AND r.starts_at = c.hour \
             WHERE c.checks > coalesce(r.healthy + r.degraded + r.unhealthy + r.muted, 0) ORDER BY 1, 2, 3 LIMIT $2",
        )
        .bind(time_text(Span::Hour.start_of(until)))
        .bind(limit)
        .fetch_all(&self.reader)
        .await?;
        let hour = |row| {
            Ok(Hour {
                tenant: super::journal::parsed(row, "yacht_id")?,
                lens: super::journal::parsed(row, "lens_id")?,
                starts_at: super::journal::parsed(row, "hour")?,
            })
        };
        rows.iter().map(hour).collect()
    }

    async fn checks(&self, hour: &Hour) -> Result<Vec<StoredCheck>, StoreError> {
        let (from, until) = bounds(hour);
        self.between(hour.tenant, &hour.lens, from, until).await
    }

    async fn put(&self, rollups: Vec<Rollup>) -> Result<(), StoreError> {
        self.write_outbox(OutboxWrite::Rollups(rollups)).await
    }

    async fn rollups(
        &self,
        tenant: Uuid,
        lens: &LensId,
        span: Span,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Rollup>, StoreError> {
        let rows = sqlx::query(ROLLUPS)
            .bind(tenant.to_string())
            .bind(lens.as_str())
            .bind(span.as_str())
            .bind(time_text(from))
            .bind(time_text(until))
            .fetch_all(&self.reader)
            .await?;
        let rollup = |row| {
            let starts_at = super::journal::parsed(row, "starts_at")?;
            let empty = Rollup::empty(tenant, lens.clone(), span, starts_at);
            Ok(read(row, empty, |row, column| row.try_get(column))?)
        };
        rows.iter().map(rollup).collect()
    }

    async fn count_before(&self, before: Timestamp) -> Result<i64, StoreError> {
        let count = sqlx::query_scalar("SELECT count(*) FROM pms_health_checks WHERE observed_at < $1")
            .bind(time_text(before))
            .fetch_one(&self.reader)
            .await?;
        Ok(count)
    }

    async fn drop_before(&self, before: Timestamp) -> Result<(), StoreError> {
        // A journal that is asked for roll-ups is the store itself: nothing waits for another one.
        self.write_outbox(OutboxWrite::DropBefore(before)).await
    }
}

pub(super) async fn put_sqlite(writer: &mut SqliteConnection, rollups: &[Rollup]) -> Result<(), sqlx::Error> {
    for rollup in rollups {
        sqlx::query("INSERT OR REPLACE INTO lensops_rollups VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)")
            .bind(rollup.yacht_id.to_string())
            .bind(rollup.lens_id.as_str())
            .bind(rollup.span.as_str())
            .bind(time_text(rollup.starts_at))
            .bind(rollup.healthy)
            .bind(rollup.degraded)
            .bind(rollup.unhealthy)
            .bind(rollup.samples)
            .bind(rollup.failed_samples)
            .bind(rollup.latencies.to_bytes())
            .bind(rollup.muted)
            .execute(&mut *writer)
            .await?;
    }
    Ok(())
}

/// The roll-ups that whoever `connection` is may see, of one lens of one tenant, that start in `[from, until)`.
pub(super) async fn there(
    connection: &mut PgConnection,
    (tenant, lens, span): (Uuid, &LensId, Span),
    from: Timestamp,
    until: Timestamp,
) -> Result<Vec<Rollup>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT healthy, degraded, unhealthy, muted, samples, failed_samples, latencies, \
         (extract(epoch FROM starts_at) * 1000)::bigint AS starts_ms FROM public.lensops_rollups \
         WHERE yacht_id = $1 AND lens_id = $2 AND span = $3 \
         AND starts_at >= $4::timestamptz AND starts_at < $5::timestamptz ORDER BY starts_at",
    )
    .bind(tenant)
    .bind(lens.as_str())
    .bind(span.as_str())
    .bind(from.to_string())
    .bind(until.to_string())
    .fetch_all(connection)
    .await?;
    let rollup = |row: &sqlx::postgres::PgRow| {
        let starts_at = lensops_core::history::schedule::from_ms(row.try_get("starts_ms")?);
        let empty = Rollup::empty(tenant, lens.clone(), span, starts_at);
        read(row, empty, |row, column| {
            let narrow = row.try_get::<i32, _>(column).map(i64::from);
            narrow.or_else(|_| row.try_get(column))
        })
    };
    rows.iter().map(rollup).collect()
}

/// A PostgreSQL store as its owner sees it.
pub struct Owner {
    connection: Mutex<PgConnection>,
    history: Postgres,
}

impl Owner {
    /// Connects to the database at `url`, whose user owns the tables.
    ///
    /// # Errors
    /// When `url` is no address or the database cannot be reached.
    pub async fn connect(url: &Secret) -> Result<Self, StoreError> {
        Ok(Self {
            connection: Mutex::new(connect(url).await?),
            history: Postgres::new(url)?,
        })
    }
}

impl Archive for Owner {
    async fn stale(&self, until: Timestamp, limit: i64) -> Result<Vec<Hour>, StoreError> {
        let rows = sqlx::query(
            "SELECT c.yacht_id, c.lens_id, (extract(epoch FROM c.hour) * 1000)::bigint AS hour_ms FROM (\
               SELECT yacht_id, lens_id, date_trunc('hour', observed_at, 'UTC') AS hour, count(*) AS checks \
               FROM public.pms_health_checks WHERE observed_at < $1::timestamptz GROUP BY 1, 2, 3) c \
             LEFT JOIN public.lensops_rollups r ON r.yacht_id = c.yacht_id AND r.lens_id = c.lens_id \
               AND r.span = 'hour' AND r.starts_at = c.hour \
             WHERE c.checks > coalesce(r.healthy + r.degraded + r.unhealthy + r.muted, 0) ORDER BY 1, 2, 3 LIMIT $2",
        )
        .bind(Span::Hour.start_of(until).to_string())
        .bind(limit)
        .fetch_all(&mut *self.connection.lock().await)
        .await
        .map_err(|error| refused(&error))?;
        let hour = |row: &sqlx::postgres::PgRow| {
            let lens: &str = row.try_get("lens_id")?;
            Ok(Hour {
                tenant: row.try_get("yacht_id")?,
                lens: lens
                    .parse()
                    .map_err(|error: lensops_core::ident::NameError| sqlx::Error::ColumnDecode {
                        index: "lens_id".to_owned(),
                        source: error.to_string().into(),
                    })?,
                starts_at: lensops_core::history::schedule::from_ms(row.try_get("hour_ms")?),
            })
        };
        rows.iter()
            .map(hour)
            .collect::<Result<_, _>>()
            .map_err(|error| refused(&error))
    }

    async fn checks(&self, hour: &Hour) -> Result<Vec<StoredCheck>, StoreError> {
        let (from, until) = bounds(hour);
        self.history.between(hour.tenant, &hour.lens, from, until).await
    }

    async fn put(&self, rollups: Vec<Rollup>) -> Result<(), StoreError> {
        let of = |number: fn(&Rollup) -> i64| rollups.iter().map(number).collect::<Vec<i64>>();
        sqlx::query(
            "INSERT INTO public.lensops_rollups \
             SELECT y, l, s, at::timestamptz, h, d, u, n, f, b, m \
             FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[], \
                         $8::bigint[], $9::bigint[], $10::bytea[], $11::bigint[]) AS t (y, l, s, at, h, d, u, n, f, b, m) \
             ON CONFLICT (yacht_id, lens_id, span, starts_at) DO UPDATE SET healthy = excluded.healthy, \
             degraded = excluded.degraded, unhealthy = excluded.unhealthy, samples = excluded.samples, \
             failed_samples = excluded.failed_samples, latencies = excluded.latencies, muted = excluded.muted",
        )
        .bind(rollups.iter().map(|rollup| rollup.yacht_id).collect::<Vec<_>>())
        .bind(rollups.iter().map(|rollup| rollup.lens_id.as_str()).collect::<Vec<_>>())
        .bind(rollups.iter().map(|rollup| rollup.span.as_str()).collect::<Vec<_>>())
        .bind(
            rollups
                .iter()
                .map(|rollup| rollup.starts_at.to_string())
                .collect::<Vec<_>>(),
        )
        .bind(of(|rollup| rollup.healthy))
        .bind(of(|rollup| rollup.degraded))
        .bind(of(|rollup| rollup.unhealthy))
        .bind(of(|rollup| rollup.samples))
        .bind(of(|rollup| rollup.failed_samples))
        .bind(
            rollups
                .iter()
                .map(|rollup| rollup.latencies.to_bytes())
                .collect::<Vec<_>>(),
        )
        .bind(of(|rollup| rollup.muted))
        .execute(&mut *self.connection.lock().await)
        .await
        .map_err(|error| refused(&error))?;
        Ok(())
    }

    async fn rollups(
        &self,
        tenant: Uuid,
        lens: &LensId,
        span: Span,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Rollup>, StoreError> {
        let mut connection = self.connection.lock().await;
        there(&mut connection, (tenant, lens, span), from, until)
            .await
            .map_err(|error| refused(&error))
    }

    async fn count_before(&self, before: Timestamp) -> Result<i64, StoreError> {
        sqlx::query_scalar("SELECT count(*) FROM public.pms_health_checks WHERE observed_at < $1::timestamptz")
            .bind(before.to_string())
            .fetch_one(&mut *self.connection.lock().await)
            .await
            .map_err(|error| refused(&error))
    }

    async fn drop_before(&self, before: Timestamp) -> Result<(), StoreError> {
        sqlx::query(
            "DELETE FROM public.pms_health_checks c WHERE c.observed_at < $1::timestamptz AND EXISTS (\
               SELECT 1 FROM public.lensops_rollups r WHERE r.yacht_id = c.yacht_id AND r.lens_id = c.lens_id \
               AND r.span = 'hour' AND r.starts_at = date_trunc('hour', c.observed_at, 'UTC'))",
        )
        .bind(before.to_string())
        .execute(&mut *self.connection.lock().await)
        .await
        .map_err(|error| refused(&error))?;
        Ok(())
    }
}

//! Roll-ups on PostgreSQL, as its owner.

use jiff::Timestamp;
use lensops_core::history::rollup::{Rollup, Span};
use lensops_core::ident::LensId;
use lensops_core::secret::Secret;
use sqlx::postgres::{PgConnection, Postgres as Database};
use sqlx::{Connection as _, Row, Transaction};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::client::Postgres;
use super::connection::{connect, refused};
use super::statement;
use crate::store::rollups::{Archive, Hour, bounds, read};
use crate::store::{History as _, StoreError, StoredCheck};

/// The roll-ups that whoever `connection` is may see, of one lens of one tenant, that start in `[from, until)`.
pub(crate) async fn there(
    connection: &mut PgConnection,
    (tenant, lens, span): (Uuid, &LensId, Span),
    from: Timestamp,
    until: Timestamp,
) -> Result<Vec<Rollup>, sqlx::Error> {
    let rows = statement::query(
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

async fn begin(connection: &mut PgConnection) -> Result<Transaction<'_, Database>, StoreError> {
    connection.begin().await.map_err(|error| refused(&error))
}

async fn commit(transaction: Transaction<'_, Database>) -> Result<(), StoreError> {
    transaction.commit().await.map_err(|error| refused(&error))
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
        let mut connection = self.connection.lock().await;
        let mut transaction = begin(&mut connection).await?;
        let rows = statement::query(
            "SELECT c.yacht_id, c.lens_id, (extract(epoch FROM c.hour) * 1000)::bigint AS hour_ms FROM (\
               SELECT yacht_id, lens_id, date_trunc('hour', observed_at, 'UTC') AS hour, count(*) AS checks \
               FROM public.pms_health_checks WHERE observed_at < $1::timestamptz GROUP BY 1, 2, 3) c \
             LEFT JOIN public.lensops_rollups r ON r.yacht_id = c.yacht_id AND r.lens_id = c.lens_id \
               AND r.span = 'hour' AND r.starts_at = c.hour \
             WHERE c.checks > coalesce(r.healthy + r.degraded + r.unhealthy + r.muted, 0) ORDER BY 1, 2, 3 LIMIT $2",
        )
        .bind(Span::Hour.start_of(until).to_string())
        .bind(limit)
        .fetch_all(&mut *transaction)
        .await
        .map_err(|error| refused(&error))?;
        commit(transaction).await?;
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
        let mut connection = self.connection.lock().await;
        let mut transaction = begin(&mut connection).await?;
        statement::query(
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
        .execute(&mut *transaction)
        .await
        .map_err(|error| refused(&error))?;
        commit(transaction).await
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
        let mut transaction = begin(&mut connection).await?;
        let found = there(&mut transaction, (tenant, lens, span), from, until)
            .await
            .map_err(|error| refused(&error))?;
        commit(transaction).await?;
        Ok(found)
    }

    async fn count_before(&self, before: Timestamp) -> Result<i64, StoreError> {
        let mut connection = self.connection.lock().await;
        let mut transaction = begin(&mut connection).await?;
        let counted = "SELECT count(*) FROM public.pms_health_checks WHERE observed_at < $1::timestamptz";
        let count = statement::query_scalar(counted)
            .bind(before.to_string())
            .fetch_one(&mut *transaction)
            .await
            .map_err(|error| refused(&error))?;
        commit(transaction).await?;
        Ok(count)
    }

    async fn drop_before(&self, before: Timestamp) -> Result<(), StoreError> {
        let mut connection = self.connection.lock().await;
        let mut transaction = begin(&mut connection).await?;
        statement::query(
            "DELETE FROM public.pms_health_checks c WHERE c.observed_at < $1::timestamptz AND EXISTS (\
               SELECT 1 FROM public.lensops_rollups r WHERE r.yacht_id = c.yacht_id AND r.lens_id = c.lens_id \
               AND r.span = 'hour' AND r.starts_at = date_trunc('hour', c.observed_at, 'UTC'))",
        )
        .bind(before.to_string())
        .execute(&mut *transaction)
        .await
        .map_err(|error| refused(&error))?;
        commit(transaction).await
    }
}

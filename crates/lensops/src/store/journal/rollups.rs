//! Roll-ups in the journal.

use jiff::Timestamp;
use lensops_core::history::rollup::{Rollup, Span};
use lensops_core::ident::LensId;
use sqlx::{Row as _, SqliteConnection};
use uuid::Uuid;

use super::handle::Journal;
use super::job::{AfterCommit, WriteJob, Written};
use super::row::{parsed, time_text};
use crate::store::rollups::{Archive, Hour, bounds, read};
use crate::store::{History as _, StoreError, StoredCheck};

const ROLLUPS: &str = "SELECT healthy, degraded, unhealthy, muted, samples, failed_samples, latencies, starts_at FROM lensops_rollups \
     WHERE yacht_id = $1 AND lens_id = $2 AND span = $3 AND starts_at >= $4 AND starts_at < $5 ORDER BY starts_at";

/// A change of the roll-ups, and of the checks that they stand for.
enum RollupWrite {
    Put(Vec<Rollup>),
    /// Drops checks observed before a time whose hour is rolled up, delivered or not.
    DropBefore(Timestamp),
}

impl WriteJob for RollupWrite {
    fn write<'a>(&'a self, writer: &'a mut SqliteConnection) -> Written<'a> {
        Box::pin(async move {
            match self {
                Self::Put(rollups) => put(writer, rollups).await?,
                Self::DropBefore(before) => drop_before(writer, *before).await?,
            }
            Ok(AfterCommit::default())
        })
    }
}

async fn drop_before(writer: &mut SqliteConnection, before: Timestamp) -> Result<(), sqlx::Error> {
    sqlx::query(
        "DELETE FROM pms_health_checks WHERE observed_at < $1 AND EXISTS (\
         SELECT 1 FROM lensops_rollups r WHERE r.yacht_id = pms_health_checks.yacht_id \
         AND r.lens_id = pms_health_checks.lens_id AND r.span = 'hour' \
         AND r.starts_at = substr(pms_health_checks.observed_at, 1, 13) || ':00:00.000Z')",
    )
    .bind(time_text(before))
    .execute(writer)
    .await?;
    Ok(())
}

async fn put(writer: &mut SqliteConnection, rollups: &[Rollup]) -> Result<(), sqlx::Error> {
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
                tenant: parsed(row, "yacht_id")?,
                lens: parsed(row, "lens_id")?,
                starts_at: parsed(row, "hour")?,
            })
        };
        rows.iter().map(hour).collect()
    }

    async fn checks(&self, hour: &Hour) -> Result<Vec<StoredCheck>, StoreError> {
        let (from, until) = bounds(hour);
        self.between(hour.tenant, &hour.lens, from, until).await
    }

    async fn put(&self, rollups: Vec<Rollup>) -> Result<(), StoreError> {
        self.write(RollupWrite::Put(rollups)).await
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
            let starts_at = parsed(row, "starts_at")?;
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
        self.write(RollupWrite::DropBefore(before)).await
    }
}

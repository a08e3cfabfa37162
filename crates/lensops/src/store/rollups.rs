//! Roll-ups and retention, on the journal and on PostgreSQL alike.
//!
//! An hour is stale while more checks of it are stored than its roll-up counts, so that a late check is
//! counted too. Checks are deleted only where a roll-up of their hour exists. PostgreSQL is asked as the
//! owner: no other role may write roll-ups or delete.

use std::future::Future;

use jiff::{SignedDuration, Timestamp};
use lensops_core::history::rollup::{Rollup, Span};
use lensops_core::ident::LensId;
use lensops_core::stats::histogram::Latencies;
use sqlx::{ColumnIndex, Decode, Row, Type};
use uuid::Uuid;

use super::error::StoreError;
use super::history::StoredCheck;

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

/// The bounds of an hour for [`History::between`], which leaves out the start and has the end.
pub(super) fn bounds(hour: &Hour) -> (Timestamp, Timestamp) {
    let before = |at: Timestamp| at.checked_sub(SignedDuration::from_micros(1)).unwrap_or(at);
    let end = hour
        .starts_at
        .checked_add(Span::Hour.length())
        .unwrap_or(Timestamp::MAX);
    (before(hour.starts_at), before(end))
}

/// Reads what both databases store alike.
pub(super) fn read<'r, R: Row>(
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

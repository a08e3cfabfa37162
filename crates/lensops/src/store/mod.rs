//! Where checks are kept.
//!
//! The journal is always there: SQLite, durable before anything else happens. History is what
//! gate, status and the P95 window read. Stores elsewhere take batches from the journal; the
//! "SQLite store" is the journal alone, without a special case.

mod journal;

use std::future::Future;

use jiff::Timestamp;
use lensops_core::ident::LensId;
use lensops_core::record::{CheckRecord, Status};
use serde_json::Value;
use uuid::Uuid;

pub use journal::Journal;

/// Why the store could not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The journal could not be opened.
    #[error("the journal {path} cannot be opened: {source}")]
    Open {
        /// Its path.
        path: String,
        /// Why.
        source: sqlx::Error,
    },
    /// The journal is open elsewhere, by a newer version.
    #[error("the journal {path} was written by a newer lensops (schema {found}, this one knows {known})")]
    Newer {
        /// Its path.
        path: String,
        /// Its schema.
        found: i64,
        /// The newest schema this version knows.
        known: i64,
    },
    /// A statement failed.
    #[error("the journal refused: {0}")]
    Sql(#[from] sqlx::Error),
    /// A group of writes was refused: none of it is recorded.
    #[error("the journal refused: {0}")]
    Refused(String),
    /// The writer is gone: the process is stopping.
    #[error("the journal is closed")]
    Closed,
}

/// A check as history gives it back.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredCheck {
    /// Its id.
    pub id: Uuid,
    /// The tenant.
    pub yacht_id: Uuid,
    /// The lens.
    pub lens_id: LensId,
    /// The status.
    pub status: Status,
    /// Pooled P95 in milliseconds.
    pub p95_latency_ms: Option<i64>,
    /// Failed samples in percent.
    pub error_rate_percent: Option<f64>,
    /// Samples taken.
    pub sample_size: i64,
    /// When it was observed.
    pub observed_at: Timestamp,
    /// Its notes.
    pub notes: Value,
}

/// What was checked. Implemented by every store that can be read.
pub trait History: Send + Sync {
    /// The latest check of each lens of each tenant, in no order.
    fn latest(&self) -> impl Future<Output = Result<Vec<StoredCheck>, StoreError>> + Send;

    /// The checks of one lens of one tenant observed in `(from, until]`, oldest first.
    fn between(
        &self,
        tenant: Uuid,
        lens: &LensId,
        from: Timestamp,
        until: Timestamp,
    ) -> impl Future<Output = Result<Vec<StoredCheck>, StoreError>> + Send;
}

/// Why a sink did not take a batch.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// It may take it later: down, slow, refusing for now.
    #[error("the store did not take the batch: {0}")]
    Later(String),
}

/// A store that takes what the journal holds. Delivering a batch twice must be harmless: ids are
/// slots, and a sink ignores an id it has.
pub trait Sink: Send + Sync {
    /// Delivers `batch`, checks with their events, oldest first.
    fn deliver(&self, batch: &[CheckRecord]) -> impl Future<Output = Result<(), SinkError>> + Send;
}

//! Where checks are kept.
//!
//! The journal is always there: SQLite, durable before anything else happens. History is what
//! gate, status and the P95 window read. Stores elsewhere take batches from the journal; the
//! "SQLite store" is the journal alone, without a special case.

mod board;
mod journal;
pub mod postgres;
pub mod probe;
mod rest;
mod rollups;
mod tenants;

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use jiff::Timestamp;
use lensops_core::exchange::Sender;
use lensops_core::ident::LensId;
use lensops_core::verdict::record::Status;
use serde_json::Value;
use uuid::Uuid;

pub use board::{Board, Brief, CheckQuery, Mark, Pair, Point, Points, Reading, Stretch};
pub use journal::Journal;
pub use journal::alert_log::{Alert, Due, Trail};
pub use journal::alerts::{Alerting, Ended};
pub use journal::outbox::{DeliveryState, Entry, OutboxState, Parked};
pub use journal::rollbacks::{Progress, Rollback, Switch};
pub use journal::silences::Silence;
pub use postgres::staging::Staging;
pub use postgres::{Postgres, begin_as};
pub use rest::{Rest, Returned};
pub use rollups::{Archive, Hour, Owner};
pub use tenants::{REGISTRY, TenantSource};

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
    /// An address of a store that is none. Its text is not shown: it may carry a password.
    #[error("{0}")]
    Address(&'static str),
    /// A store elsewhere did not answer a question.
    #[error("the store cannot be read: {0}")]
    Elsewhere(String),
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

/// A check with the level and detail of each of its events.
pub type Exported = (StoredCheck, Vec<(String, Value)>);

/// What was checked. Implemented by every store that can be read.
pub trait History: Send + Sync {
    /// The latest check of each of `pairs` of tenant and lens, in no order; none where there is none.
    fn latest(&self, pairs: &[(Uuid, LensId)]) -> impl Future<Output = Result<Vec<StoredCheck>, StoreError>> + Send;

    /// The checks of one lens of one tenant observed in `(from, until]`, oldest first.
    fn between(
        &self,
        tenant: Uuid,
        lens: &LensId,
        from: Timestamp,
        until: Timestamp,
    ) -> impl Future<Output = Result<Vec<StoredCheck>, StoreError>> + Send;
}

/// Why a sink did not take a batch. The text is what the store said, for the log line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SinkError {
    /// It may take it later by itself: down, slow, busy.
    #[error("{what}")]
    Later {
        /// What it said.
        what: String,
        /// How long it asked to be left alone, where it did.
        after: Option<Duration>,
    },
    /// It will take it once a person has set something right: key, grant, table, address.
    #[error("{0}")]
    Denied(String),
    /// It will never take at least one row of the batch.
    #[error("{0}")]
    Row(String),
}

impl SinkError {
    /// A row that is refused for good, with what mends it where that is known: a check's only
    /// reference is its tenant.
    fn row(code: &str, told: String) -> Self {
        if code == "23503" && told.contains("pms_health_checks\"") && !told.contains("pms_health_events\"") {
            return Self::Row(format!(
                "{told}; its tenant is not in yacht_registry: enter it (lensops migrate does where the registry is \
                 its own), then lensops outbox flush --parked"
            ));
        }
        Self::Row(told)
    }

    fn later(what: impl Into<String>) -> Self {
        Self::Later {
            what: what.into(),
            after: None,
        }
    }
}

/// A store that takes what the journal holds. Delivering a batch twice must be harmless: ids are
/// slots, and a sink ignores an id it has.
pub trait Sink: Send + Sync {
    /// Delivers `batch`, checks with their events, oldest first. `Ok` means that all of it is there.
    fn deliver(&self, batch: &[Entry]) -> impl Future<Output = Result<(), SinkError>> + Send;
}

/// How long a store elsewhere may take over one batch or one question.
pub(crate) const STORE_TIMEOUT: Duration = Duration::from_secs(15);

/// The chosen store.
#[derive(Clone)]
pub enum Store<S> {
    /// The journal alone.
    Sqlite(Journal),
    /// A PostgreSQL server.
    Postgres(Postgres),
    /// Supabase's REST interface.
    Rest(Rest<S>),
}

impl<S: Sender> History for Store<S> {
    async fn latest(&self, pairs: &[(Uuid, LensId)]) -> Result<Vec<StoredCheck>, StoreError> {
        match self {
            Self::Sqlite(journal) => journal.latest(pairs).await,
            Self::Postgres(postgres) => postgres.latest(pairs).await,
            Self::Rest(rest) => rest.latest(pairs).await,
        }
    }

    async fn between(
        &self,
        tenant: Uuid,
        lens: &LensId,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<StoredCheck>, StoreError> {
        match self {
            Self::Sqlite(journal) => journal.between(tenant, lens, from, until).await,
            Self::Postgres(postgres) => postgres.between(tenant, lens, from, until).await,
            Self::Rest(rest) => rest.between(tenant, lens, from, until).await,
        }
    }
}

impl<S: Sender> Store<S> {
    /// `SQLite`, `PostgreSQL` or `Supabase REST`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "SQLite",
            Self::Postgres(_) => "PostgreSQL",
            Self::Rest(_) => "Supabase REST",
        }
    }

    /// Up to `limit` checks with ids after `after`, by id. Exports go through all of them so.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn page(&self, after: Option<Uuid>, limit: u32) -> Result<Vec<Exported>, StoreError> {
        match self {
            Self::Sqlite(journal) => journal.page(after, limit, false).await,
            Self::Postgres(postgres) => postgres.page(after, limit).await,
            Self::Rest(rest) => rest.page(after, limit).await,
        }
    }

    /// Whether checks go on from the journal to somewhere else.
    #[must_use]
    pub fn is_elsewhere(&self) -> bool {
        !matches!(self, Self::Sqlite(_))
    }
}

impl<S: Sender> Sink for Store<S> {
    async fn deliver(&self, batch: &[Entry]) -> Result<(), SinkError> {
        match self {
            // What is in the journal is where it belongs.
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(postgres) => postgres.deliver(batch).await,
            Self::Rest(rest) => rest.deliver(batch).await,
        }
    }
}

/// Puts events beside the checks that they are of.
fn beside(checks: Vec<StoredCheck>, events: Vec<(Uuid, String, Value)>) -> Vec<Exported> {
    let mut of: HashMap<Uuid, Vec<(String, Value)>> = HashMap::new();
    for (check, level, detail) in events {
        of.entry(check).or_default().push((level, detail));
    }
    let take = |check: StoredCheck| {
        let events = of.remove(&check.id).unwrap_or_default();
        (check, events)
    };
    checks.into_iter().map(take).collect()
}

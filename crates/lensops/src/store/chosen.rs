//! The store that the settings chose, behind one type.

use jiff::Timestamp;
use lensops_core::exchange::Sender;
use lensops_core::ident::LensId;
use uuid::Uuid;

use super::error::{SinkError, StoreError};
use super::history::{Exported, History, StoredCheck, Trace};
use super::journal::Journal;
use super::postgres::Postgres;
use super::rest::Rest;
use super::sink::{Entry, Sink};

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

    async fn shows(&self, tenant: Uuid, lens: &LensId, trace: Trace<'_>) -> Result<bool, StoreError> {
        match self {
            Self::Sqlite(journal) => journal.shows(tenant, lens, trace).await,
            Self::Postgres(postgres) => postgres.shows(tenant, lens, trace).await,
            Self::Rest(rest) => rest.shows(tenant, lens, trace).await,
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

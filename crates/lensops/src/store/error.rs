//! Why a store could not do what was asked of it.

use std::time::Duration;

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
        found: usize,
        /// The newest schema this version knows.
        known: usize,
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
    /// The database refused the migration: nothing of it was changed.
    #[error("the database refuses the migration, and nothing was changed: {0}")]
    NotMigrated(String),
    /// A store elsewhere did not answer a question.
    #[error("the store cannot be read: {0}")]
    Elsewhere(String),
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
    pub(super) fn row(code: &str, told: String) -> Self {
        if code == "23503" && told.contains("pms_health_checks\"") && !told.contains("pms_health_events\"") {
            return Self::Row(format!(
                "{told}; its tenant is not in yacht_registry: enter it (lensops migrate does where the registry is \
                 its own), then lensops outbox flush --parked"
            ));
        }
        Self::Row(told)
    }

    pub(super) fn later(what: impl Into<String>) -> Self {
        Self::Later {
            what: what.into(),
            after: None,
        }
    }
}

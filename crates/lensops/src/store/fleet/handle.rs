//! The fleet's database as an open handle: its connections, its clock, and what its errors mean.

use graphile_worker::{Database, WorkerUtils};
use jiff::Timestamp;
use lensops_core::history::schedule::from_ms;
use lensops_core::secret::Secret;
use sqlx::PgConnection;
use sqlx::postgres::PgDatabaseError;

use super::gate::Gate;
use crate::store::StoreError;
use crate::store::postgres::{JOBS, statement};

/// The schema that holds the jobs.
pub const SCHEMA: &str = JOBS;

/// What the fleet shares. Clones share one pool.
#[derive(Clone)]
pub struct Fleet {
    pub(super) gate: Gate,
    pub(super) utils: WorkerUtils,
}

impl Fleet {
    /// The fleet on the database at `url`, over at most `connections`. Nothing is connected to yet.
    ///
    /// # Errors
    /// When `url` is not an address of a PostgreSQL database.
    pub fn new(url: &Secret, connections: u32) -> Result<Self, StoreError> {
        let gate = Gate::new(url, connections)?;
        let utils = WorkerUtils::new(Database::new(gate.clone()), SCHEMA);
        Ok(Self { gate, utils })
    }

    /// The database, as the queue asks it.
    #[must_use]
    pub fn database(&self) -> Database {
        Database::new(self.gate.clone())
    }

    /// Closes its connections.
    pub async fn close(&self) {
        self.gate.close().await;
    }

    /// The database's time.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn now(&self) -> Result<Timestamp, StoreError> {
        let asked = async {
            let mut transaction = self.gate.begin().await?;
            let now = now(&mut transaction).await?;
            transaction.commit().await?;
            Ok(now)
        };
        asked.await.map_err(|error: sqlx::Error| failed(&error))
    }
}

/// The database's clock.
pub(super) async fn now(connection: &mut PgConnection) -> Result<Timestamp, sqlx::Error> {
    let ms: i64 = statement::query_scalar("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint")
        .fetch_one(connection)
        .await?;
    Ok(from_ms(ms))
}

/// Why the database did not do it.
pub(super) fn failed(error: &sqlx::Error) -> StoreError {
    StoreError::Elsewhere(match error {
        sqlx::Error::Database(said) => {
            let code = said.code().unwrap_or_default();
            let detail = said
                .try_downcast_ref::<PgDatabaseError>()
                .and_then(PgDatabaseError::detail);
            let way_out = match &*code {
                "3F000" | "42P01" => "; run lensops migrate",
                "42501" => "; run lensops migrate as the owner, and see that this login is a member of service_role",
                _ => "",
            };
            format!(
                "{code} - {}{}{way_out}",
                said.message(),
                detail.map_or_else(String::new, |detail| format!(" ({detail})"))
            )
        }
        other => other.to_string(),
    })
}

/// What the queue said, as an error of the database.
pub(super) fn queue(error: graphile_worker::errors::GraphileWorkerError) -> sqlx::Error {
    sqlx::Error::Protocol(error.to_string())
}

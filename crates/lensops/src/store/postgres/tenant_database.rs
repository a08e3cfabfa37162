//! The tenant database as acceptance reads it: counts, in a transaction that cannot write.

use std::time::Duration;

use lensops_core::secret::Secret;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

use super::{options, statement};
use crate::store::StoreError;

/// The longest a set of statements may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// A database that is only read.
#[derive(Clone)]
pub struct Staging {
    options: PgConnectOptions,
}

impl std::fmt::Debug for Staging {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Staging(…)")
    }
}

impl Staging {
    /// The database at `url`. It is connected to when it is asked.
    ///
    /// # Errors
    /// When `url` is no address of a PostgreSQL database.
    pub fn new(url: &Secret) -> Result<Self, StoreError> {
        Ok(Self { options: options(url)? })
    }

    /// How many rows each statement returns, all in one read-only transaction: one moment, and
    /// nothing can be changed by them.
    ///
    /// # Errors
    /// Why it could not be told, one line.
    pub async fn count(&self, statements: &[String]) -> Result<Vec<u64>, String> {
        let all = tokio::time::timeout(PATIENCE, self.ask(statements)).await;
        match all {
            Ok(counts) => counts.map_err(|error| told(&error)),
            Err(_) => Err(format!("the database did not answer within {} s", PATIENCE.as_secs())),
        }
    }

    async fn ask(&self, statements: &[String]) -> Result<Vec<u64>, sqlx::Error> {
        let mut connection = self.options.connect().await?;
        let mut transaction = connection.begin_with("BEGIN READ ONLY").await?;
        let mut counts = Vec::with_capacity(statements.len());
        for counted in statements {
            // The plan is reviewed, its variables are quoted by the core, and the transaction reads.
            let counted = format!(
                "SELECT count(*) FROM ({}) AS counted",
                counted.trim().trim_end_matches(';')
            );
            let rows: i64 = statement::query_scalar(AssertSqlSafe(counted))
                .fetch_one(&mut *transaction)
                .await?;
            counts.push(u64::try_from(rows).unwrap_or(0));
        }
        transaction.rollback().await?;
        connection.close().await?;
        Ok(counts)
    }
}

/// The server's message without its statement, which may carry values.
fn told(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => format!("the database refused: {}", error.message()),
        other => format!("the database could not be read: {other}"),
    }
}

//! The schema of the journal: its migrations, and running them.

use sqlx::{Connection, SqliteConnection};

use crate::store::StoreError;

/// The schema that this version writes.
const SCHEMA: i64 = 7;

/// The steps to it, the first one from an empty file.
const STEPS: [&str; 8] = [
    include_str!("../../../../../migrations/sqlite/0001_journal.sql"),
    include_str!("../../../../../migrations/sqlite/0002_outbox.sql"),
    include_str!("../../../../../migrations/sqlite/0003_rollups.sql"),
    include_str!("../../../../../migrations/sqlite/0004_worker.sql"),
    include_str!("../../../../../migrations/sqlite/0005_alerts.sql"),
    include_str!("../../../../../migrations/sqlite/0006_outbox_trigger.sql"),
    include_str!("../../../../../migrations/sqlite/0007_points.sql"),
    include_str!("../../../../../migrations/sqlite/0008_muted.sql"),
];

/// Brings the journal at `path` to the schema that this version writes.
///
/// # Errors
/// When it is no journal, or was written by a newer version.
pub(super) async fn prepare(writer: &mut SqliteConnection, path: &str) -> Result<(), StoreError> {
    let failed = |source| StoreError::Open {
        path: path.to_owned(),
        source,
    };
    let found: i64 = sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(&mut *writer)
        .await
        .map_err(failed)?;
    if found > SCHEMA {
        return Err(StoreError::Newer {
            path: path.to_owned(),
            found,
            known: SCHEMA,
        });
    }
    if found < SCHEMA {
        migrate(writer).await.map_err(failed)?;
    }
    Ok(())
}

/// Brings the schema up to date, in one transaction: two processes may open the journal at once.
async fn migrate(writer: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
    // Read anew: another process may have been faster.
    let found: i64 = sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(&mut *transaction)
        .await?;
    for step in STEPS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        sqlx::raw_sql(*step).execute(&mut *transaction).await?;
    }
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("PRAGMA user_version = {SCHEMA}")))
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}

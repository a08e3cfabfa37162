//! The schema of the journal: its migrations, and running them.

use sqlx::{Connection, SqliteConnection};

use crate::store::StoreError;

/// The steps to the schema that this version writes, the first one from an empty file. Their number is the
/// number of the schema: kept by hand beside the list, it was wrong once.
const STEPS: &[&str] = &[
    include_str!("../../../migrations/sqlite/0001_journal.sql"),
    include_str!("../../../migrations/sqlite/0002_outbox.sql"),
    include_str!("../../../migrations/sqlite/0003_rollups.sql"),
    include_str!("../../../migrations/sqlite/0004_worker.sql"),
    include_str!("../../../migrations/sqlite/0005_alerts.sql"),
    include_str!("../../../migrations/sqlite/0006_outbox_trigger.sql"),
    include_str!("../../../migrations/sqlite/0007_points.sql"),
    include_str!("../../../migrations/sqlite/0008_muted.sql"),
    include_str!("../../../migrations/sqlite/0009_incidents.sql"),
    include_str!("../../../migrations/sqlite/0010_notes.sql"),
    include_str!("../../../migrations/sqlite/0011_phases.sql"),
];

/// The step that adds `lensops_rollups.muted`. Builds that had it wrote down the number before it.
const MUTED: usize = 7;

/// Brings the journal at `path` to the schema that this version writes.
///
/// # Errors
/// When it is no journal, or was written by a newer version.
pub(super) async fn prepare(writer: &mut SqliteConnection, path: &str) -> Result<(), StoreError> {
    let failed = |source| StoreError::Open {
        path: path.to_owned(),
        source,
    };
    let mut found = version(writer).await.map_err(failed)?;
    if found < STEPS.len() {
        found = migrate(writer).await.map_err(failed)?;
    }
    if found > STEPS.len() {
        return Err(StoreError::Newer {
            path: path.to_owned(),
            found,
            known: STEPS.len(),
        });
    }
    Ok(())
}

/// The number of steps that the journal says it has taken; a number that is none is that of a newer version.
async fn version(writer: &mut SqliteConnection) -> Result<usize, sqlx::Error> {
    let number: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(writer).await?;
    Ok(usize::try_from(number).unwrap_or(usize::MAX))
}

/// Brings the schema up to date, in one transaction: two processes may open the journal at once. The number
/// of steps taken then; that of a newer version is left as it is.
async fn migrate(writer: &mut SqliteConnection) -> Result<usize, sqlx::Error> {
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
    // Read anew: another process may have been faster.
    let found = version(&mut transaction).await?;
    if found >= STEPS.len() {
        return Ok(found);
    }
    for (number, step) in STEPS.iter().enumerate().skip(found) {
        if number == MUTED && rollups_count_muted(&mut transaction).await? {
            continue;
        }
        sqlx::raw_sql(*step).execute(&mut *transaction).await?;
    }
    let number = format!("PRAGMA user_version = {}", STEPS.len());
    sqlx::raw_sql(sqlx::AssertSqlSafe(number))
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(STEPS.len())
}

async fn rollups_count_muted(writer: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    let columns: i64 =
        sqlx::query_scalar("SELECT count(*) FROM pragma_table_info('lensops_rollups') WHERE name = 'muted'")
            .fetch_one(writer)
            .await?;
    Ok(columns > 0)
}

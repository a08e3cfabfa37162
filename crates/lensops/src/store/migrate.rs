//! The schema of PostgreSQL stores: brought up to date, printed, or compared.
//!
//! One script that may be run again and over an older schema was chosen over numbered steps with a
//! table of what has run: databases exist that were set up by hand, and no table would say so.

use lensops_core::exchange::Secret;
use sqlx::postgres::PgConnection;
use sqlx::{ConnectOptions, Connection};
use uuid::Uuid;

use super::StoreError;
use super::postgres::options;

const STEPS: [&str; 4] = [
    include_str!("../../../../migrations/postgres/0001_ground.sql"),
    include_str!("../../../../migrations/postgres/0002_health.sql"),
    include_str!("../../../../migrations/postgres/0003_functions.sql"),
    include_str!("../../../../migrations/postgres/0004_rollups.sql"),
];

/// The whole migration as one transaction, for `psql`.
#[must_use]
pub fn script() -> String {
    format!(
        "BEGIN;\nSET LOCAL client_min_messages = warning;\n\n{}\nCOMMIT;\n",
        STEPS.join("\n")
    )
}

pub(super) async fn connect(url: &Secret) -> Result<PgConnection, StoreError> {
    options(url)?.connect().await.map_err(|error| refused(&error))
}

pub(super) fn refused(error: &sqlx::Error) -> StoreError {
    StoreError::Elsewhere(match error {
        sqlx::Error::Database(said) => format!("{} - {}", said.code().unwrap_or_default(), said.message()),
        other => other.to_string(),
    })
}

/// Brings the database at `url` up to date in one transaction, and enters `tenants` where the
/// registry of tenants is lensops' own. Says how many tenants were new.
///
/// # Errors
/// When it cannot be reached or refuses; then nothing is changed.
pub async fn migrate(url: &Secret, tenants: &[Uuid]) -> Result<u64, StoreError> {
    let mut connection = connect(url).await?;
    let done = apply(&mut connection, tenants).await.map_err(|error| refused(&error));
    // The work is committed or not; how the connection ends changes nothing.
    connection.close().await.ok();
    done
}

async fn apply(connection: &mut PgConnection, tenants: &[Uuid]) -> Result<u64, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    // Two at once would trip over one another's CREATE.
    sqlx::raw_sql("SET LOCAL client_min_messages = warning; SELECT pg_advisory_xact_lock(hashtext('lensops migrate'))")
        .execute(&mut *transaction)
        .await?;
    for step in STEPS {
        sqlx::raw_sql(step).execute(&mut *transaction).await?;
    }
    let own: bool = sqlx::query_scalar(
        "SELECT coalesce(obj_description('public.yacht_registry'::regclass) = 'Tenants; made by lensops', false)",
    )
    .fetch_one(&mut *transaction)
    .await?;
    let mut entered = 0;
    if own {
        let new =
            sqlx::query("INSERT INTO public.yacht_registry (id) SELECT unnest($1::uuid[]) ON CONFLICT DO NOTHING")
                .bind(tenants)
                .execute(&mut *transaction)
                .await?;
        entered = new.rows_affected();
    }
    transaction.commit().await?;
    Ok(entered)
}

/// What the migration would add or change in the database at `url`; empty when it is up to date.
///
/// # Errors
/// When it cannot be reached or refuses.
pub async fn check(url: &Secret) -> Result<Vec<String>, StoreError> {
    let mut connection = connect(url).await?;
    let found = sqlx::query_scalar(include_str!("../../../../migrations/postgres/check.sql"))
        .fetch_all(&mut connection)
        .await
        .map_err(|error| refused(&error));
    connection.close().await.ok();
    found
}

//! The schema of PostgreSQL stores: brought up to date, printed, or compared.
//!
//! One script that may be run again and over an older schema was chosen over numbered steps with a table
//! of those that ran: databases exist that were set up by hand, and no table would say so. The expected
//! schema is not a list kept by hand either: the same script creates its objects in a schema of their
//! own, in a transaction that is rolled back, and the catalogues of both are compared.

use std::collections::BTreeMap;

use lensops_core::lens::Tenants;
use lensops_core::secret::Secret;
use sqlx::postgres::{PgConnection, PgDatabaseError};
use sqlx::{AssertSqlSafe, Connection};
use uuid::Uuid;

use super::connection::{connect, refused};
use super::job_schema;
use super::statement;
use crate::store::StoreError;

const STEPS: [&str; 7] = [
    include_str!("../../../migrations/postgres/0001_ground.sql"),
    include_str!("../../../migrations/postgres/0002_health.sql"),
    include_str!("../../../migrations/postgres/0003_functions.sql"),
    include_str!("../../../migrations/postgres/0004_rollups.sql"),
    include_str!("../../../migrations/postgres/0005_restored.sql"),
    include_str!("../../../migrations/postgres/0006_tenants.sql"),
    include_str!("../../../migrations/postgres/0007_fleet.sql"),
];

const BESIDE: &str = include_str!("../../../migrations/postgres/check.sql");
const SHAPE: &str = include_str!("../../../migrations/postgres/shape.sql");

/// The schema in which the script's own result is looked at. It is never committed.
const REFERENCE: &str = "lensops_reference";

/// Whether `yacht_registry` is lensops' own: then tenants may be entered.
const OWN_REGISTRY: &str =
    "SELECT coalesce(obj_description(to_regclass('public.yacht_registry')) = 'Tenants; made by lensops', false)";

/// Names the tenants that the registry has; one that it lacks has no rows to name.
const NAME_TENANTS: &str = "INSERT INTO public.lensops_tenants (id, name)
    SELECT given.id, given.name FROM unnest($1::uuid[], $2::text[]) AS given (id, name)
    JOIN public.yacht_registry AS registry ON registry.id = given.id
    ON CONFLICT (id) DO UPDATE SET name = excluded.name";

/// The whole migration as one transaction, for `psql`.
#[must_use]
pub fn script() -> String {
    format!(
        "BEGIN;\nSET LOCAL client_min_messages = warning;\n\n{}\n{}\nCOMMIT;\n",
        STEPS.join("\n"),
        job_schema::script()
    )
}

/// Brings the database at `url` up to date in one transaction, and enters `tenants` where the
/// registry of tenants is lensops' own, with those of rows that are there. Says how many tenants were new.
///
/// # Errors
/// When it cannot be reached or refuses; then nothing is changed.
pub async fn migrate(url: &Secret, tenants: &[Uuid]) -> Result<u64, StoreError> {
    let mut connection = connect(url).await?;
    let done = apply(&mut connection, tenants)
        .await
        .map_err(|error| not_migrated(&error));
    // The work is committed or not; how the connection ends changes nothing.
    connection.close().await.ok();
    done
}

/// Writes what `tenants` are called, where that is another text than their id and the registry has them.
///
/// # Errors
/// When the database cannot be reached or refuses.
pub async fn name_tenants(url: &Secret, tenants: &Tenants) -> Result<(), StoreError> {
    let named = tenants.names().filter(|(_, name)| name.uuid().is_none());
    let (ids, names): (Vec<Uuid>, Vec<String>) = named.map(|(id, name)| (id, name.to_string())).unzip();
    if ids.is_empty() {
        return Ok(());
    }
    let mut connection = connect(url).await?;
    let query = statement::query(NAME_TENANTS).bind(ids).bind(names);
    let done = query.execute(&mut connection).await.map_err(|error| refused(&error));
    connection.close().await.ok();
    done.map(drop)
}

async fn apply(connection: &mut PgConnection, tenants: &[Uuid]) -> Result<u64, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    // Two at once would trip over one another's CREATE.
    sqlx::raw_sql("SET LOCAL client_min_messages = warning; SELECT pg_advisory_xact_lock(hashtext('lensops migrate'))")
        .execute(&mut *transaction)
        .await?;
    let before = entered(&mut transaction).await?;
    for step in STEPS {
        sqlx::raw_sql(step).execute(&mut *transaction).await?;
    }
    sqlx::raw_sql(AssertSqlSafe(job_schema::script()))
        .execute(&mut *transaction)
        .await?;
    let own: bool = statement::query_scalar(OWN_REGISTRY)
        .fetch_one(&mut *transaction)
        .await?;
    if own {
        statement::query("INSERT INTO public.yacht_registry (id) SELECT unnest($1::uuid[]) ON CONFLICT DO NOTHING")
            .bind(tenants)
            .execute(&mut *transaction)
            .await?;
    }
    let after = entered(&mut transaction).await?;
    transaction.commit().await?;
    Ok(after.saturating_sub(before))
}

/// How many tenants the registry has; none where there is no registry.
async fn entered(connection: &mut PgConnection) -> Result<u64, sqlx::Error> {
    let there: bool = statement::query_scalar("SELECT to_regclass('public.yacht_registry') IS NOT NULL")
        .fetch_one(&mut *connection)
        .await?;
    if !there {
        return Ok(0);
    }
    let count: i64 = statement::query_scalar("SELECT count(*) FROM public.yacht_registry")
        .fetch_one(connection)
        .await?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Why the migration came to nothing: what the database refused, with the detail that names the row; or that it
/// could not be reached.
fn not_migrated(error: &sqlx::Error) -> StoreError {
    let sqlx::Error::Database(said) = error else {
        return refused(error);
    };
    let StoreError::Elsewhere(told) = refused(error) else {
        return refused(error);
    };
    let detail = said
        .try_downcast_ref::<PgDatabaseError>()
        .and_then(PgDatabaseError::detail);
    StoreError::NotMigrated(match detail {
        Some(detail) => format!("{told} ({detail})"),
        None => told,
    })
}

/// What the migration would add or change in the database at `url`, which of `tenants` its registry
/// lacks, and what leads to the rows past row-level security; empty when all is as it should be.
/// Nothing is changed, and no table of the database is locked.
///
/// # Errors
/// When it cannot be reached or refuses.
pub async fn check(url: &Secret, tenants: &[Uuid]) -> Result<Vec<String>, StoreError> {
    let mut connection = connect(url).await?;
    let found = compare(&mut connection, tenants).await.map_err(|error| refused(&error));
    connection.close().await.ok();
    found
}

async fn compare(connection: &mut PgConnection, tenants: &[Uuid]) -> Result<Vec<String>, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    let mut findings: Vec<String> = statement::query_scalar(BESIDE).fetch_all(&mut *transaction).await?;
    // A role that is missing is made by the script below, for the length of this transaction.
    sqlx::raw_sql(AssertSqlSafe(format!(
        "SET LOCAL client_min_messages = warning; CREATE SCHEMA {REFERENCE}; {}",
        STEPS
            .join("\n")
            .replace("public.", &format!("{REFERENCE}."))
            .replace("SCHEMA public", &format!("SCHEMA {REFERENCE}"))
    )))
    .execute(&mut *transaction)
    .await?;
    // With an empty path every name is written out with its schema.
    sqlx::raw_sql("SET LOCAL search_path = ''")
        .execute(&mut *transaction)
        .await?;
    let meant = shape(&mut transaction, REFERENCE).await?;
    let stands = shape(&mut transaction, "public").await?;
    findings.extend(differences(&meant, &stands));
    findings.extend(changed_claim(&mut transaction).await?);
    findings.extend(missing_tenants(&mut transaction, tenants).await?);
    transaction.rollback().await?;
    Ok(findings)
}

async fn shape(connection: &mut PgConnection, schema: &str) -> Result<BTreeMap<String, String>, sqlx::Error> {
    let rows: Vec<(String, String)> = statement::query_as(SHAPE).bind(schema).fetch_all(connection).await?;
    Ok(rows.into_iter().collect())
}

/// What is missing, what stands otherwise, and which policies nobody meant. Constraints, columns
/// and indexes beyond the meant ones are the database's own affair.
fn differences(meant: &BTreeMap<String, String>, stands: &BTreeMap<String, String>) -> Vec<String> {
    let missing_table = |thing: &str| {
        meant
            .keys()
            .filter_map(|name| name.strip_prefix("table "))
            .any(|table| {
                !stands.contains_key(&format!("table {table}")) && !thing.starts_with("table ") && thing.contains(table)
            })
    };
    let mut findings = Vec::new();
    for (thing, wanted) in meant {
        match stands.get(thing) {
            Some(found) if found == wanted => {}
            Some(_) if thing.starts_with("function ") => {
                findings.push(format!("{thing} is not the migration's"));
            }
            Some(found) => findings.push(format!("{thing}: {found}, not {wanted}")),
            // One line says that a table is missing.
            None if missing_table(thing) || thing.starts_with("privilege of ") => {}
            None => findings.push(format!("{thing} is missing")),
        }
    }
    let unmeant = stands
        .keys()
        .filter(|thing| thing.starts_with("policy ") && !meant.contains_key(*thing));
    findings.extend(unmeant.map(|thing| format!("{thing} is not of this migration: DROP POLICY, if nobody needs it")));
    findings
}

/// Whether the function that says whose data a request may see is what the migration made, where it
/// made it. One that was there before is used as it is.
async fn changed_claim(connection: &mut PgConnection) -> Result<Option<String>, sqlx::Error> {
    let own: bool = statement::query_scalar(OWN_REGISTRY)
        .fetch_one(&mut *connection)
        .await?;
    let bodies: i64 = statement::query_scalar(
        "SELECT count(DISTINCT (p.prosrc, p.prosecdef)) FROM pg_catalog.pg_proc p \
         WHERE p.proname = 'get_user_yacht_id' AND p.pronargs = 0 \
         AND p.pronamespace IN (to_regnamespace('public'), to_regnamespace($1))",
    )
    .bind(REFERENCE)
    .fetch_one(connection)
    .await?;
    Ok((own && bodies > 1).then(|| {
        "function get_user_yacht_id() is not the migration's, and it decides whose rows a request sees: \
         lensops migrate --print shows what it was"
            .to_owned()
    }))
}

async fn missing_tenants(connection: &mut PgConnection, tenants: &[Uuid]) -> Result<Vec<String>, sqlx::Error> {
    let there: bool = statement::query_scalar("SELECT to_regclass('public.yacht_registry') IS NOT NULL")
        .fetch_one(&mut *connection)
        .await?;
    if !there || tenants.is_empty() {
        return Ok(Vec::new());
    }
    let own: bool = statement::query_scalar(OWN_REGISTRY)
        .fetch_one(&mut *connection)
        .await?;
    let missing: Vec<Uuid> = statement::query_scalar(
        "SELECT DISTINCT t.id FROM unnest($1::uuid[]) AS t (id) \
         WHERE NOT EXISTS (SELECT 1 FROM public.yacht_registry r WHERE r.id = t.id) ORDER BY 1",
    )
    .bind(tenants)
    .fetch_all(connection)
    .await?;
    let mend = if own { "lensops migrate enters it" } else { "enter it" };
    let finding = |id: &Uuid| format!("tenant {id} is not in yacht_registry, so its checks are refused: {mend}");
    Ok(missing.iter().map(finding).collect())
}

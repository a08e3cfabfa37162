//! `lensops migrate`: the schema of a PostgreSQL store.

use anyhow::Result;
use lensops_core::exchange::Secret;
use uuid::Uuid;

use super::Exit;
use crate::store::migrate;

/// Prints the migration, for `psql`.
pub fn print() -> Exit {
    say!("{}", (migrate::script()).to_string().trim_end());
    Exit::Good
}

/// Says what the migration would change; [`Exit::Bad`] on anything.
///
/// # Errors
/// When the database cannot be reached.
pub async fn check(url: &Secret) -> Result<Exit> {
    let findings = migrate::check(url).await?;
    for finding in &findings {
        say!("{finding}");
    }
    if findings.is_empty() {
        say!("✅ The schema is up to date");
        return Ok(Exit::Good);
    }
    Ok(Exit::Bad)
}

/// Brings the database up to date and enters `tenants` where the registry is lensops' own.
///
/// # Errors
/// When the database cannot be reached or refuses; then nothing is changed.
pub async fn migrate(url: &Secret, tenants: &[Uuid]) -> Result<Exit> {
    let entered = migrate::migrate(url, tenants).await?;
    say!("✅ The schema is up to date");
    if entered > 0 {
        say!("✅ Entered {entered} tenants into yacht_registry");
    }
    for finding in migrate::check(url).await? {
        say!("⚠️ {finding}");
    }
    Ok(Exit::Good)
}

//! `lensops migrate`: the schema of a PostgreSQL store.

use lensops_core::plan::monitor::MonitorPlan;
use lensops_core::secret::Secret;
use serde_json::json;
use uuid::Uuid;

use crate::commands::error::{Error, Result};
use crate::commands::exit::Exit;
use crate::commands::plans::load_all;
use crate::config::{Settings, StoreKind};
use crate::store::StoreError;
use crate::store::postgres::migrate;

/// Brings the schema of the database at `url`, else of the settings', up to date; with `only_check` it
/// says what that would change.
///
/// # Errors
/// No address, or a store that is no PostgreSQL.
pub async fn run(settings: &Settings, url: Option<String>, only_check: bool, as_json: bool) -> Result<Exit> {
    if let Some(StoreKind::Sqlite | StoreKind::Rest) = settings.store {
        return Err(Error::usage(
            "migrate is for PostgreSQL; a Supabase project has one: give its DATABASE_URL",
        ));
    }
    let Some(url) = url.map(Secret::new).or_else(|| settings.database_url()) else {
        return Err(Error::usage("DATABASE_URL is not set: give it, or --database-url URL"));
    };
    // The schema does not depend on plans; what is not entered because of them is said.
    let plans = load_all::<MonitorPlan>(settings).unwrap_or_else(|error| {
        eprintln!(
            "⚠️ no tenant of a plan is looked for in yacht_registry: {}",
            error.line()
        );
        Vec::new()
    });
    let mut tenants = settings.defaults().tenants;
    tenants.extend(plans.into_iter().flat_map(|loaded| loaded.plan.tenants));
    if only_check {
        check(&url, &tenants, as_json).await
    } else {
        migrate(&url, &tenants, as_json).await
    }
}

/// Prints the migration, for `psql`.
pub fn print() -> Exit {
    say!("{}", (migrate::script()).to_string().trim_end());
    Exit::Good
}

/// Says what the migration would change and which of `tenants` the registry lacks; [`Exit::Bad`] on
/// anything, [`Exit::CouldNotJudge`] where the database cannot be compared.
///
/// # Errors
/// When `url` is no address.
pub async fn check(url: &Secret, tenants: &[Uuid], as_json: bool) -> Result<Exit> {
    let (findings, unjudged) = match migrate::check(url, tenants).await {
        Ok(findings) => (findings, None),
        Err(StoreError::Elsewhere(why)) => (Vec::new(), Some(why)),
        Err(error) => return Err(error.into()),
    };
    let exit = match (&unjudged, findings.is_empty()) {
        (Some(_), _) => Exit::CouldNotJudge,
        (None, true) => Exit::Good,
        (None, false) => Exit::Bad,
    };
    if as_json {
        say!(
            "{:#}",
            json!({"up_to_date": exit == Exit::Good, "findings": findings, "unjudged": unjudged})
        );
        return Ok(exit);
    }
    for finding in &findings {
        say!("❌ {finding}");
    }
    match unjudged {
        Some(why) => say!("❔ The schema could not be compared: {why}"),
        None if findings.is_empty() => say!("✅ The schema is up to date"),
        None => {}
    }
    Ok(exit)
}

/// Brings the database up to date, enters `tenants` where the registry is lensops' own, and says
/// what it may not mend: [`Exit::Degraded`] then.
///
/// # Errors
/// When the database cannot be reached or refuses; then nothing is changed.
pub async fn migrate(url: &Secret, tenants: &[Uuid], as_json: bool) -> Result<Exit> {
    let entered = migrate::migrate(url, tenants).await?;
    let left = migrate::check(url, tenants).await?;
    let exit = if left.is_empty() { Exit::Good } else { Exit::Degraded };
    if as_json {
        say!("{:#}", json!({"entered_tenants": entered, "left": left}));
        return Ok(exit);
    }
    if left.is_empty() {
        say!("✅ The schema is up to date");
    } else {
        say!("⚠️ The migration ran; what it does not change stays:");
    }
    if entered > 0 {
        let noun = if entered == 1 { "tenant" } else { "tenants" };
        say!("✅ Entered {entered} {noun} into yacht_registry");
    }
    for finding in left {
        say!("⚠️ {finding}");
    }
    Ok(exit)
}

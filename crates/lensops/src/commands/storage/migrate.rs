//! `lensops migrate`: the schema of a PostgreSQL store.

use lensops_core::lens::Tenants;
use lensops_core::plan::monitor::MonitorPlan;
use lensops_core::secret::Secret;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::commands::error::{Error, Result};
use crate::commands::exit::Exit;
use crate::commands::plans::load_all;
use crate::config::{Acknowledged, MigrateFile, Settings, StoreKind};
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
        complain!(
            "⚠️ no tenant of a plan is looked for in yacht_registry: {}",
            error.line()
        );
        Vec::new()
    });
    let tenants = plans.into_iter().fold(settings.defaults().tenants, |tenants, loaded| {
        tenants.and(loaded.plan.tenants)
    });
    if only_check {
        check(&url, &tenants, &settings.project.migrate, as_json).await
    } else {
        migrate(&url, &tenants, &settings.project.migrate, as_json).await
    }
}

/// Prints the migration, for `psql`.
pub fn print() -> Exit {
    say!("{}", (migrate::script()).to_string().trim_end());
    Exit::Good
}

/// Says what the migration would change, which of `tenants` the registry lacks, and what `accepted` acknowledges;
/// [`Exit::Bad`] on anything else, [`Exit::CouldNotJudge`] where the database cannot be compared.
///
/// # Errors
/// When `url` is no address.
pub async fn check(url: &Secret, tenants: &[Uuid], accepted: &MigrateFile, as_json: bool) -> Result<Exit> {
    let (findings, unjudged) = match migrate::check(url, tenants).await {
        Ok(findings) => (findings, None),
        Err(StoreError::Elsewhere(why)) => (Vec::new(), Some(why)),
        Err(error) => return Err(error.into()),
    };
    let stale = stale(accepted, &findings);
    let (findings, acknowledged) = accepted.split(findings);
    let exit = match (&unjudged, findings.is_empty()) {
        (Some(_), _) => Exit::CouldNotJudge,
        (None, true) => Exit::Good,
        (None, false) => Exit::Bad,
    };
    if as_json {
        say!(
            "{:#}",
            json!({"up_to_date": exit == Exit::Good, "findings": findings, "acknowledged": listed(&acknowledged),
                "unjudged": unjudged})
        );
        return Ok(exit);
    }
    for finding in &findings {
        say!("❌ {finding}");
    }
    tell_acknowledged(&acknowledged);
    match unjudged {
        Some(why) => say!("❔ The schema could not be compared: {why}"),
        None => {
            for object in stale {
                say!("⚠️ lensops.yml acknowledges {object}, and there is no such finding");
            }
            if findings.is_empty() {
                say!("✅ The schema is up to date");
            }
        }
    }
    Ok(exit)
}

/// What `accepted` names and `findings` do not.
fn stale(accepted: &MigrateFile, findings: &[String]) -> Vec<String> {
    let is_stale = |entry: &&Acknowledged| !findings.iter().any(|finding| entry.accepts(finding));
    let stale = accepted.acknowledged.iter().filter(is_stale);
    stale.map(|entry| entry.object.clone()).collect()
}

fn listed(acknowledged: &[(String, String)]) -> Vec<Value> {
    let entry = |(finding, reason): &(String, String)| json!({"finding": finding, "reason": reason});
    acknowledged.iter().map(entry).collect()
}

fn tell_acknowledged(acknowledged: &[(String, String)]) {
    for (finding, reason) in acknowledged {
        say!("☑️ acknowledged ({reason}): {finding}");
    }
}

/// Brings the database up to date, enters `tenants` where the registry is lensops' own, and says
/// what it may not mend: [`Exit::Degraded`] then, unless `accepted` acknowledges all of it.
///
/// # Errors
/// When the database cannot be reached or refuses; then nothing is changed.
pub async fn migrate(url: &Secret, tenants: &Tenants, accepted: &MigrateFile, as_json: bool) -> Result<Exit> {
    let entered = migrate::migrate(url, tenants).await?;
    migrate::name_tenants(url, tenants).await?;
    let (left, acknowledged) = accepted.split(migrate::check(url, tenants).await?);
    let exit = if left.is_empty() { Exit::Good } else { Exit::Degraded };
    if as_json {
        say!(
            "{:#}",
            json!({"entered_tenants": entered, "left": left, "acknowledged": listed(&acknowledged)})
        );
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
    tell_acknowledged(&acknowledged);
    Ok(exit)
}

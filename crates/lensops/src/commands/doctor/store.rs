//! The store: reachable, complete, writable with the key there is, and knowing the tenants.

use std::collections::BTreeSet;

use lensops_core::secret::Secret;
use uuid::Uuid;

use super::finding::Findings;
use super::subject::Subject;
use crate::config::{MigrateFile, StoreChoice};
use crate::http::{Client, TIMEOUT};
use crate::store::dry_run::{self, Refusal};
use crate::store::postgres::migrate;
use crate::store::{Journal, REGISTRY, Rest, TenantSource};

pub(super) async fn look(subject: &Subject<'_>, findings: &mut Findings) {
    let path = subject.settings.journal_path();
    match Journal::open(&path).await {
        Ok(journal) => {
            findings.good("the journal can be written");
            journal.close().await;
        }
        Err(error) => findings.error(
            error.to_string(),
            path.display().to_string(),
            "set LENSOPS_STATE_DIR to a folder on a lasting disk that this user may write",
        ),
    }
    let tenants: BTreeSet<Uuid> = subject
        .plans
        .iter()
        .flatten()
        .flat_map(|loaded| loaded.plan.tenants.to_vec())
        .collect();
    match subject.settings.store() {
        Ok(StoreChoice::Postgres(url)) => postgres(&url, &tenants, &subject.settings.project.migrate, findings).await,
        Ok(StoreChoice::Rest(base, key)) => {
            let place = format!("{base}/rest/v1");
            let rest = Rest::new(Client::new(TIMEOUT), base, key);
            told(
                dry_run::insert_rest(&rest).await,
                &place,
                "inserting over REST works, and leaves nothing",
                findings,
            );
            known(&TenantSource::Rest(rest), &tenants, &place, findings).await;
        }
        // The settings are told elsewhere; the journal is its own store.
        _ => {}
    }
}

async fn postgres(url: &Secret, tenants: &BTreeSet<Uuid>, accepted: &MigrateFile, findings: &mut Findings) {
    const PLACE: &str = "DATABASE_URL";
    match migrate::check(url, &[]).await.map(|found| accepted.split(found).0) {
        Ok(missing) if missing.is_empty() => {
            findings.good("tables, policies, grants and functions are as they should be")
        }
        Ok(missing) => {
            for what in missing {
                findings.error(what, PLACE, "run `lensops migrate`");
            }
        }
        Err(error) => {
            return findings.error(
                format!("the database cannot be asked: {error}"),
                PLACE,
                "check the address, and that the database runs",
            );
        }
    }
    known(
        &TenantSource::Postgres(url.clone(), REGISTRY.to_owned()),
        tenants,
        PLACE,
        findings,
    )
    .await;
    let Some(tenant) = tenants.first() else { return };
    told(
        dry_run::insert_sql(url, *tenant).await,
        PLACE,
        "inserting works (rolled back)",
        findings,
    );
}

/// Whether the registry has the tenants of the plans.
async fn known(source: &TenantSource<Client>, tenants: &BTreeSet<Uuid>, place: &str, findings: &mut Findings) {
    match source.read().await {
        Ok(registry) => {
            let strangers: Vec<_> = tenants.iter().filter(|tenant| !registry.contains(tenant)).collect();
            for tenant in &strangers {
                findings.error(
                    format!("tenant {tenant} is not in yacht_registry: its checks are refused"),
                    place,
                    "name a tenant that exists in the lens file or lensops.yml, or enter it with `lensops migrate`",
                );
            }
            if strangers.is_empty() {
                findings.good("the tenants of the plans are in yacht_registry");
            }
        }
        Err(error) => findings.unjudged(
            format!("whether the tenants exist could not be told: {error}"),
            place,
            "let the key read yacht_registry, and enter the tenants there",
        ),
    }
}

fn told(result: Result<(), Refusal>, place: &str, good: &str, findings: &mut Findings) {
    match result {
        Ok(()) => findings.good(good),
        Err(Refusal::Key(why)) => findings.error(
            format!("the store refuses the key: {why}"),
            place,
            "take TENANT_SUPABASE_URL and SUPABASE_SERVICE_KEY from the same project",
        ),
        Err(Refusal::Grant(why)) => findings.error(
            format!("the key may not insert: {why}"),
            place,
            "run `lensops migrate`, and use the service_role key",
        ),
        Err(Refusal::Missing(why)) => findings.error(why, place, "run `lensops migrate`"),
        Err(Refusal::Row(why)) => findings.error(
            format!("a check of this tenant would be refused: {why}"),
            place,
            "enter the tenant into yacht_registry",
        ),
        Err(Refusal::Unjudged(why)) => findings.unjudged(
            format!("whether the store takes checks could not be told: {why}"),
            place,
            "check the address, and that the store runs",
        ),
    }
}

//! What commands are put together from: settings, plans, the journal and the chosen store.

use std::sync::Arc;

use lensops_core::lens::Tenants;
use lensops_core::plan::Vars;
use lensops_core::plan::monitor::{MonitorPlan, Probe};
use lensops_core::request::Address;
use lensops_core::secret::Secret;

use crate::commands::error::{Error, Result};
use crate::commands::plans::{Loaded, load_all};
use crate::commands::worker::check::Monitor;
use crate::config::{Settings, StoreChoice, Target};
use crate::flags::SharedFlags;
use crate::http::{Client, TIMEOUT};
use crate::store::{Journal, Postgres, REGISTRY, Rest, Store, TenantSource};

/// The plan with the interval that the environment may give, and the policy of the gate that `lensops.yml` may give.
pub(crate) fn monitor_plan(settings: &Settings, mut loaded: Loaded<MonitorPlan>) -> Result<Loaded<MonitorPlan>> {
    if let Some(every) = settings.interval()? {
        loaded.plan.every = every;
    }
    loaded.plan.gate = loaded.plan.gate.or(settings.project.gate);
    Ok(loaded)
}

/// The monitor plans of every lens, each with the interval that the environment may give.
pub(crate) fn monitor_plans(settings: &Settings) -> Result<Vec<MonitorPlan>> {
    let plans = load_all(settings)?.into_iter();
    plans.map(|loaded| Ok(monitor_plan(settings, loaded)?.plan)).collect()
}

/// Puts a monitor together from the settings.
///
/// # Errors
/// A missing address or secret.
pub(crate) fn monitor(settings: &Settings, loaded: Loaded<MonitorPlan>) -> Result<Monitor> {
    let loaded = monitor_plan(settings, loaded)?;
    if let Some(warning) = loaded.warning() {
        tracing::warn!("⚠️ {warning}");
    }
    let plan = &loaded.plan;
    let first = first_vars(settings, &plan.tenants);
    let base = settings.api_for(Target::Production, &first)?;
    let (_, address) = settings.api_address(Target::Production)?;
    let signing = settings.signing(Target::Production, &base, &plan.tenants, &plan.users, &plan.auth);
    let mints = |probe: &&Probe| {
        let user = probe.user.as_ref().and_then(|name| plan.users.get(name));
        user.is_some_and(|user| user.auth.is_none())
    };
    if let (None, Some(probe)) = (&signing.jwt_secret, plan.probes.iter().find(mints)) {
        let name = Settings::jwt_secret_names(Target::Production);
        return Err(Error::usage(format!(
            "{name} is not set: probe {:?} of lens {} runs as a user, whose tokens it signs",
            probe.name, plan.monitor
        )));
    }
    let (environment, secrets) = settings.plan_environment(&plan.env);
    let secrets: Vec<Secret> = signing.environment.secrets().cloned().chain(secrets).collect();
    Ok(Monitor {
        base,
        address: Some(address).filter(Address::varies),
        environment,
        provider: settings
            .provider()?
            .map(|provider| Arc::new(SharedFlags::new(provider))),
        maintenance: settings.project.maintenance.clone(),
        redactor: settings.redactor().with(secrets.iter()),
        signing,
        virtual_clock: false,
        plan_origin: loaded.origin,
        plan: loaded.plan,
    })
}

/// The variables of the first of `tenants`: what the API's address may name.
pub(crate) fn first_vars(settings: &Settings, tenants: &Tenants) -> Vars {
    let vars = tenants
        .first()
        .map(|id| tenants.vars(*id, &settings.tenant_environment(tenants)));
    vars.unwrap_or_default()
}

/// The plans with the tenants that `worker.tenants` gives them, and as paused where a rollback is in
/// force. A store that cannot tell the tenants now leaves them as last known here.
///
/// # Errors
/// When the journal cannot be read, or nobody knows the tenants.
pub(crate) async fn known_tenants(settings: &Settings, mut plans: Vec<MonitorPlan>) -> Result<Vec<MonitorPlan>> {
    let journal = open_journal(settings).await?;
    let rolled_back = journal.rolled_back().await?;
    for plan in &mut plans {
        if let (None, Some(paused)) = (&plan.paused, rolled_back.get(&plan.monitor)) {
            plan.paused = Some(paused.clone());
        }
    }
    if let Some(source) = tenant_source(settings)? {
        let tenants = match source.read().await {
            Ok(tenants) => tenants,
            Err(error) => {
                let known = journal.tenants().await?;
                if known.is_empty() {
                    return Err(Error::Unanswered(format!("the tenants cannot be read: {error}")));
                }
                complain!(
                    "⚠️ the tenants cannot be read ({error}): these are the {} last known",
                    known.len()
                );
                known
            }
        };
        for plan in &mut plans {
            plan.tenants = Tenants::from(tenants.clone()).knowing(&plan.tenants);
        }
    }
    Ok(plans)
}

/// Opens the journal. One that is not there yet is empty.
pub(crate) async fn open_journal(settings: &Settings) -> Result<Journal> {
    Ok(Journal::open(&settings.journal_path()).await?)
}

/// The chosen store; nothing is connected to yet.
pub(crate) fn open_store(settings: &Settings, journal: &Journal) -> Result<Store<Client>> {
    Ok(match settings.store()? {
        StoreChoice::Sqlite => Store::Sqlite(journal.clone()),
        StoreChoice::Postgres(url) => Store::Postgres(Postgres::new(&url)?),
        StoreChoice::Rest(base, key) => Store::Rest(Rest::new(Client::new(TIMEOUT), base, key)),
    })
}

/// The chosen store, to be read. Checks that have not arrived there are said: nobody should decide
/// without knowing that they are missing.
pub(crate) async fn open_history(settings: &Settings) -> Result<Store<Client>> {
    let journal = open_journal(settings).await?;
    let store = open_store(settings, &journal)?;
    if store.is_elsewhere() {
        let state = journal.outbox().await?;
        if state.waiting + state.parked > 0 {
            let (waiting, parked) = (state.waiting, state.parked);
            complain!(
                "⚠️ {waiting} checks wait for the store and {parked} are parked: what follows is without them (`lensops outbox status`)"
            );
        }
    }
    Ok(store)
}

/// Where `worker.tenants` reads tenants; `None`: each plan has its own.
///
/// # Errors
/// When the chosen store cannot tell.
pub(crate) fn tenant_source(settings: &Settings) -> Result<Option<TenantSource<Client>>> {
    let Some(asked) = settings.project.worker.tenants.as_deref().map(str::trim) else {
        return Ok(None);
    };
    match (settings.store()?, asked) {
        (StoreChoice::Postgres(url), "registry") => Ok(Some(TenantSource::Postgres(url, REGISTRY.to_owned()))),
        (StoreChoice::Postgres(url), statement) => Ok(Some(TenantSource::Postgres(url, statement.to_owned()))),
        (StoreChoice::Rest(base, key), "registry") => {
            Ok(Some(TenantSource::Rest(Rest::new(Client::new(TIMEOUT), base, key))))
        }
        (StoreChoice::Rest(..), _) => Err(Error::usage(
            "worker.tenants of lensops.yml: a SELECT needs a PostgreSQL store; over REST it is `registry`",
        )),
        (StoreChoice::Sqlite, _) => Err(Error::usage(
            "worker.tenants of lensops.yml needs a store that knows tenants: set DATABASE_URL, or TENANT_SUPABASE_URL and SUPABASE_SERVICE_KEY",
        )),
    }
}

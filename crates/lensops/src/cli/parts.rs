//! What commands are put together from: settings, plans, the journal and the chosen store.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, bail};
use lensops_core::plan::monitor::MonitorPlan;

use super::args::PlanArgs;
use super::keeper::tenant_source;
use crate::config::{Env, Settings, StoreChoice, StoreKind, Target};
use crate::flags::SharedFlags;
use crate::http::{Client, TIMEOUT};
use crate::run::check::Monitor;
use crate::run::plans::{Loaded, Plan, Which, load};
use crate::store::{Journal, Postgres, Rest, Store};

pub(super) fn settings(root: &Path, env: Env, api_url: Option<String>, store: Option<StoreKind>) -> Result<Settings> {
    let mut settings = Settings::load(root, env)?;
    settings.api_url = api_url;
    settings.store = store;
    Ok(settings)
}

pub(super) fn loaded<P: Plan>(settings: &Settings, args: &PlanArgs) -> Result<Loaded<P>> {
    match (&args.plan, &args.lens) {
        (Some(path), _) => load(settings, &Which::File(path)),
        (None, Some(lens)) => load(settings, &Which::Lens(lens)),
        (None, None) => bail!("name a lens, or give --plan FILE"),
    }
}

/// The plan with the interval that the environment may give.
pub(super) fn monitor_plan(settings: &Settings, mut loaded: Loaded<MonitorPlan>) -> Result<Loaded<MonitorPlan>> {
    if let Some(every) = settings.interval()? {
        loaded.plan.every = every;
    }
    Ok(loaded)
}

/// Puts a monitor together from the settings.
///
/// # Errors
/// A missing address or secret.
pub fn monitor(settings: &Settings, loaded: Loaded<MonitorPlan>) -> Result<Monitor> {
    let loaded = monitor_plan(settings, loaded)?;
    if let Some(warning) = loaded.warning() {
        tracing::warn!("⚠️ {warning}");
    }
    let base = settings.api(Target::Production)?;
    let jwt_secret = settings.jwt_secret(Target::Production);
    if let (None, Some(probe)) = (
        &jwt_secret,
        loaded.plan.probes.iter().find(|probe| probe.user.is_some()),
    ) {
        let name = Settings::jwt_secret_names(Target::Production);
        bail!(
            "{name} is not set: probe {:?} of lens {} runs as a user, whose tokens it signs",
            probe.name,
            loaded.plan.monitor
        );
    }
    Ok(Monitor {
        issuer: settings.issuer(&base),
        base,
        jwt_secret,
        provider: settings
            .provider()?
            .map(|provider| Arc::new(SharedFlags::new(provider))),
        maintenance: settings.project.maintenance.clone(),
        redactor: settings.redactor(),
        virtual_clock: false,
        plan_origin: loaded.origin,
        plan: loaded.plan,
    })
}

/// The plans with the tenants that `worker.tenants` gives them, and as paused where a rollback is in
/// force. A store that cannot tell the tenants now leaves them as last known here.
///
/// # Errors
/// When the journal cannot be read, or nobody knows the tenants.
pub(super) async fn known_tenants(settings: &Settings, mut plans: Vec<MonitorPlan>) -> Result<Vec<MonitorPlan>> {
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
                    bail!("the tenants cannot be read: {error}");
                }
                eprintln!(
                    "⚠️ the tenants cannot be read ({error}): these are the {} last known",
                    known.len()
                );
                known
            }
        };
        for plan in &mut plans {
            plan.tenants.clone_from(&tenants);
        }
    }
    Ok(plans)
}

/// Opens the journal. One that is not there yet is empty.
pub(super) async fn open_journal(settings: &Settings) -> Result<Journal> {
    Ok(Journal::open(&settings.journal_path()).await?)
}

/// The chosen store; nothing is connected to yet.
pub(super) fn open_store(settings: &Settings, journal: &Journal) -> Result<Store<Client>> {
    Ok(match settings.store()? {
        StoreChoice::Sqlite => Store::Sqlite(journal.clone()),
        StoreChoice::Postgres(url) => Store::Postgres(Postgres::new(&url)?),
        StoreChoice::Rest(base, key) => Store::Rest(Rest::new(Client::new(TIMEOUT), base, key)),
    })
}

/// The chosen store, to be read. Checks that have not arrived there are said: nobody should decide
/// without knowing that they are missing.
pub(super) async fn open_history(settings: &Settings) -> Result<Store<Client>> {
    let journal = open_journal(settings).await?;
    let store = open_store(settings, &journal)?;
    if store.is_elsewhere() {
        let state = journal.outbox().await?;
        if state.waiting + state.parked > 0 {
            let (waiting, parked) = (state.waiting, state.parked);
            eprintln!(
                "⚠️ {waiting} checks wait for the store and {parked} are parked: what follows is without them (`lensops outbox status`)"
            );
        }
    }
    Ok(store)
}

//! What commands are put together from: settings, plans, the journal and the chosen store.

use std::path::Path;

use anyhow::{Result, bail};
use lensops_core::plan::monitor::MonitorPlan;

use super::args::PlanArgs;
use crate::config::{Env, Settings, StoreChoice, StoreKind, Target};
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
        provider: settings.provider()?,
        redactor: settings.redactor(),
        virtual_clock: false,
        plan_origin: loaded.origin,
        plan: loaded.plan,
    })
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

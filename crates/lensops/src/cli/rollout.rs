//! `lensops flags`, `rollback` and `restore`: a lens, its provider, and the gate's answer beside them.

use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use jiff::Timestamp;
use lensops_core::duration::parse_span;

use super::args::RollbackArgs;
use crate::commands::acceptance;
use crate::commands::context::{known_tenants, monitor, open_history, open_journal, open_store};
use crate::commands::exit::Exit;
use crate::commands::plans::{Which, load};
use crate::commands::rollout::gate;
use crate::commands::rollout::rollback::{Ground, Order};
use crate::commands::signal::stop_on_signal;
use crate::commands::worker::delivery::Delivery;
use crate::config::Settings;
use crate::flags::COMMAND_PATIENCE;
use crate::http::{Client, TIMEOUT};
use crate::store::Switch;

/// The window that the gate is asked about.
const WINDOW: &str = "7d";

pub(super) async fn flags(settings: &Settings, lens: &str, json: bool) -> Result<Exit> {
    if let Some(warning) = acceptance::flag_proof::warning(settings) {
        eprintln!("{warning}");
    }
    let monitor = monitor(settings, load(settings, &Which::Lens(lens))?)?;
    let provider = settings.provider()?.map(|provider| provider.patient(COMMAND_PATIENCE));
    let provider = provider.as_ref().map_err(String::as_str);
    crate::commands::rollout::flags::flags(&monitor, provider, &Client::new(TIMEOUT), json).await
}

pub(super) async fn rollback(settings: &Settings, args: &RollbackArgs, kind: Switch) -> Result<Exit> {
    if args.reason.trim().is_empty() {
        bail!("--reason is empty: say why, for whoever reads the record");
    }
    let wait = parse_span(&args.wait)?;
    if acceptance::flag_proof::is_pending(settings) {
        bail!("a flag proof was cut off, and its end would undo this: run `lensops accept` first");
    }
    let monitor = monitor(settings, load(settings, &Which::Lens(&args.lens))?)?;
    let provider = settings
        .provider()?
        .map_err(|why| anyhow!("the flag cannot be switched: {why}"))?;
    let order = Order {
        kind,
        reason: args.reason.clone(),
        who: who(settings, args.by.as_deref()),
        wait: Duration::try_from(wait)?,
        dry_run: args.dry_run,
        json: args.json,
        gate: gate_says(settings, &monitor.plan).await,
    };
    let journal = open_journal(settings).await?;
    let store = open_store(settings, &journal)?;
    let ground = Ground {
        monitor: &monitor,
        provider: &provider.patient(COMMAND_PATIENCE),
        sender: &Client::new(TIMEOUT),
        journal: &journal,
        store: &store,
    };
    let exit = ground.carry_out(&order, &stop_on_signal()).await;
    if store.is_elsewhere() {
        // What does not arrive now waits in the journal, and is told.
        let limit = settings.journal_limit()?;
        Delivery::new(journal.clone(), store, settings.redactor(), limit)
            .flush()
            .await?;
    }
    journal.close().await;
    exit
}

/// `--by`, else who runs the CI job, else the user of this shell.
fn who(settings: &Settings, by: Option<&str>) -> String {
    by.map_or_else(|| settings.who(), str::to_owned)
}

/// The gate's answer over the last week, or why there is none: neither holds a rollback up.
async fn gate_says(settings: &Settings, plan: &lensops_core::plan::monitor::MonitorPlan) -> String {
    let asked = async {
        let plan = known_tenants(settings, vec![plan.clone()]).await?.swap_remove(0);
        let (history, now) = (open_history(settings).await?, Timestamp::now());
        gate::gate(&history, &plan, parse_span(WINDOW)?, now, now).await
    };
    match asked.await {
        Ok(gated) => {
            let reasons: Vec<&str> = gated
                .reports
                .iter()
                .map(|report| report.reason.as_str())
                .take(3)
                .collect();
            format!("{} over {WINDOW} ({})", gated.decision.tell(), reasons.join("; "))
        }
        Err(error) => format!("nothing: {error:#}"),
    }
}

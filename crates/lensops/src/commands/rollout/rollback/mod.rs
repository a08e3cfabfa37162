//! `lensops rollback` and `restore`: the master flag of a lens off, or on again, and what the API
//! makes of it.
//!
//! The intent is in the journal before the provider is told, and each step after it, so that a run
//! that was cut off is gone on with by the next one. Doing it twice changes nothing. Whether the API
//! follows is looked at for a while; an API that never says `503 FEATURE_DISABLED` is told apart from
//! one that was seen to follow.

pub mod context;
mod propagate;
mod report;
mod switching;

pub use context::{Context, Order};
pub use propagate::News;

use std::time::Duration;

use crate::commands::error::{Error, Result};
use jiff::Timestamp;
use lensops_core::duration::parse_span;
use lensops_core::plan::monitor::MonitorPlan;

use super::gate;
use crate::commands::acceptance::flag_proof;
use crate::commands::context::{known_tenants, monitor, open_history, open_journal, open_store};
use crate::commands::exit::Exit;
use crate::commands::plans::{Which, load};
use crate::commands::signal::stop_on_signal;
use crate::commands::worker::delivery::Delivery;
use crate::config::Settings;
use crate::flags::COMMAND_PATIENCE;
use crate::store::Switch;

/// The window that the gate is asked about.
const WINDOW: &str = "7d";

/// The longest that the gate is waited for, while the API is looked at.
const GATE_PATIENCE: Duration = Duration::from_secs(5);

/// The longest that checks are delivered at the end.
const DELIVERY_PATIENCE: Duration = Duration::from_secs(15);

/// What was asked for, as the command line says it.
#[derive(Debug)]
pub struct Asked<'a> {
    /// The lens.
    pub lens: &'a str,
    /// Why.
    pub reason: &'a str,
    /// Who; `None`: whoever the settings say.
    pub by: Option<&'a str>,
    /// How long the API is looked at, such as `3m`.
    pub wait: &'a str,
    /// Say what would be done, and do nothing.
    pub dry_run: bool,
    /// Print JSON.
    pub json: bool,
}

/// Switches the master flag of a lens off, or on again, and sees whether the API follows.
///
/// # Errors
/// What was asked makes no sense, a flag proof was cut off, or the provider or the journal refuses.
pub async fn run(settings: &Settings, asked: &Asked<'_>, kind: Switch) -> Result<Exit> {
    if asked.reason.trim().is_empty() {
        return Err(Error::usage("--reason is empty: say why, for whoever reads the record"));
    }
    let wait = parse_span(asked.wait)?;
    let monitor = monitor(settings, load(settings, &Which::Lens(asked.lens))?)?;
    let provider = settings
        .provider()?
        .map_err(|why| Error::usage(format!("the flag cannot be switched: {why}")))?;
    let order = Order {
        kind,
        reason: asked.reason.to_owned(),
        who: asked.by.map_or_else(|| settings.who(), str::to_owned),
        wait: Duration::try_from(wait).map_err(Error::invalid)?,
        dry_run: asked.dry_run,
        json: asked.json,
    };
    let journal = open_journal(settings).await?;
    let store = open_store(settings, &journal)?;
    let context = Context {
        monitor: &monitor,
        provider: &provider.patient(COMMAND_PATIENCE),
        sender: &settings.client()?,
        journal: &journal,
        store: &store,
    };
    let gate = gate_says(settings, &monitor.plan, GATE_PATIENCE.min(order.wait));
    let exit = context.carry_out(&order, gate, &stop_on_signal()).await;
    let master = monitor.plan.flags().first().map(ToString::to_string);
    if let (Ok(_), Some(flag), false) = (&exit, master, order.dry_run)
        && flag_proof::close(settings, &flag)?
    {
        complain!(
            "⚠️ A flag proof of {flag} runs or was cut off: its record is closed, and the flag stays as it is now"
        );
    }
    if store.is_elsewhere() {
        // What does not arrive now waits in the journal, and is told.
        let limit = settings.journal_limit()?;
        let mut delivery = Delivery::new(journal.clone(), store, settings.redactor(), limit);
        if let Ok(flushed) = tokio::time::timeout(DELIVERY_PATIENCE, delivery.flush()).await {
            flushed?;
        }
    }
    journal.close().await;
    exit
}

/// The gate's answer over the last week, or why there is none. A store that is slow or down holds nothing up: this
/// is asked once the flag is switched, and ends within `patience`.
async fn gate_says(settings: &Settings, plan: &MonitorPlan, patience: Duration) -> String {
    let asked = async {
        let plan = known_tenants(settings, vec![plan.clone()]).await?.swap_remove(0);
        let (history, now) = (open_history(settings).await?, Timestamp::now());
        gate::gate(&history, &plan, parse_span(WINDOW)?, now, now).await
    };
    match tokio::time::timeout(patience, asked).await {
        Ok(Ok(gated)) => {
            let reasons: Vec<&str> = gated
                .reports
                .iter()
                .map(|report| report.reason.as_str())
                .take(3)
                .collect();
            format!("{} over {WINDOW} ({})", gated.decision.tell(), reasons.join("; "))
        }
        Ok(Err(error)) => format!("nothing: {}", error.line()),
        Err(_) => format!("nothing: history did not answer within {} s", patience.as_secs()),
    }
}

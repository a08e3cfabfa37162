//! `lensops check`: the probes of a lens once for every tenant, printed and recorded.

use jiff::Timestamp;
use lensops_core::verdict::CheckReport;
use lensops_core::verdict::check_table::check_table;
use lensops_core::verdict::record::Level;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::commands::acceptance::flag_proof;
use crate::commands::context::{monitor, open_journal, open_store};
use crate::commands::error::Result;
use crate::commands::exit::{Exit, exit_of_checks};
use crate::commands::plans::{Which, load};
use crate::commands::worker::check::Monitor;
use crate::commands::worker::delivery::Delivery;
use crate::commands::worker::{overall, tell};
use crate::config::Settings;
use crate::http::Client;
use crate::store::{Journal, Store};

/// How a check is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The worker's log lines.
    Lines,
    /// A table for a person at a terminal.
    Table,
    /// JSON.
    Json,
}

/// Checks the lens of the plan `which` for each of its tenants. One that is not `recorded` is printed alone:
/// no history, gate or alert hears of it.
///
/// # Errors
/// A plan or a setting that is not valid, or a journal that cannot be read or written.
pub async fn run(settings: &Settings, which: &Which<'_>, form: Form, recorded: bool) -> Result<Exit> {
    if let Some(warning) = flag_proof::warning(settings) {
        tracing::warn!("{warning}");
    }
    let monitor = monitor(settings, load(settings, which)?)?;
    let journal = open_journal(settings).await?;
    let once = Once {
        settings,
        store: open_store(settings, &journal)?,
        client: settings.client()?.for_probes(),
        recorded,
        form,
        several: monitor.plan.tenants.len() > 1,
        monitor,
        journal,
    };
    let (mut results, mut rows) = (Vec::new(), Vec::new());
    for tenant in once.monitor.plan.tenants.iter() {
        let (report, delivery) = once.check(*tenant).await?;
        rows.push(check_json(&report, &delivery));
        results.push((report.status, report.judged));
    }
    if form == Form::Json {
        say!("{:#}", Value::Array(rows));
    }
    Ok(exit_of_checks(&results))
}

/// What the checks of all tenants share.
struct Once<'a> {
    settings: &'a Settings,
    monitor: Monitor,
    journal: Journal,
    store: Store<Client>,
    client: Client,
    several: bool,
    recorded: bool,
    form: Form,
}

impl Once<'_> {
    /// Checks, prints and records `tenant`; says where the check is on its way to the store.
    async fn check(&self, tenant: Uuid) -> Result<(CheckReport, Value)> {
        let (monitor, now) = (&self.monitor, Timestamp::now());
        let id = monitor.schedule(tenant).ad_hoc_id(now, fastrand::u64(..));
        let before = monitor.before(&self.journal, &self.store, tenant, now).await?;
        let name = monitor.plan.tenants.name(tenant);
        let prefix = if self.several {
            format!("[{name}] ")
        } else {
            String::new()
        };
        let table = self.form == Form::Table;
        let line = |level, line: &str| {
            if !table {
                tell(level, &format!("{prefix}{line}"));
            }
        };
        line(
            Level::Info,
            &format!("Starting health check for lens={} yacht={name}", monitor.lens()),
        );
        let report = monitor.check(&self.client, tenant, id, now, now, before, &line).await;
        if table {
            let of = if self.several {
                format!(" · tenant {name}")
            } else {
                String::new()
            };
            let subject = format!("{}{of}", monitor.lens().title());
            say!("{}\n", check_table(&report, &subject).join("\n"));
        }
        let (level, closing) = overall(&report);
        if !self.recorded {
            if table {
                say!("Not recorded: --no-record");
            }
            line(Level::Info, "Not recorded: --no-record");
            line(level, &closing);
            return Ok((report, json!("not recorded")));
        }
        self.journal.record(report.record.clone()).await?;
        if self.store.is_elsewhere() {
            self.deliver().await?;
        } else {
            line(Level::Info, &format!("✅ Wrote health check to DB: id={id}"));
        }
        if table {
            say!("Recorded: {id}");
        }
        line(level, &closing);
        let delivery = if self.store.is_elsewhere() {
            json!(self.journal.delivery_of(id).await?)
        } else {
            json!("journal")
        };
        Ok((report, delivery))
    }

    /// What does not arrive now stays in the journal, and is told; the check stands.
    async fn deliver(&self) -> Result<()> {
        let limit = self.settings.journal_limit()?;
        let (journal, store) = (self.journal.clone(), self.store.clone());
        Delivery::new(journal, store, self.settings.redactor(), limit)
            .flush()
            .await?;
        Ok(())
    }
}

pub(super) fn check_json(report: &CheckReport, delivery: &Value) -> Value {
    let record = &report.record;
    json!({
        "id": record.id,
        "lens": record.lens_id,
        "yacht_id": record.yacht_id,
        "status": record.status,
        "judged": report.judged,
        "p95_latency_ms": record.p95_latency_ms,
        "error_rate_percent": record.error_rate_hundredths.map(|hundredths| f64::from(i32::try_from(hundredths).unwrap_or(i32::MAX)) / 100.0),
        "sample_size": record.sample_size,
        "observed_at": record.observed_at,
        "delivery": delivery,
        "notes": record.notes.text().to_value(),
        "events": record.events.iter().map(|event| json!({"level": event.level, "detail": event.detail.to_value()})).collect::<Vec<_>>(),
    })
}

//! `lensops status`: one table, worst first. A check that is overdue is unknown, never healthy.

use jiff::{SignedDuration, Timestamp};
use lensops_core::history::status::{Standing, tell_age};
use lensops_core::lens::mute::MutedWhy;
use lensops_core::plan::monitor::MonitorPlan;
use lensops_core::stats::histogram::Quantile;
use serde_json::json;
use uuid::Uuid;

use super::gate::is_virtual;
use crate::commands::acceptance::flag_proof;
use crate::commands::context::{known_tenants, monitor_plans, open_history, open_journal};
use crate::commands::error::{Error, Result};
use crate::commands::exit::Exit;
use crate::config::Settings;
use crate::store::{History, StoreError, StoredCheck};

struct Row {
    lens: String,
    tenant: Uuid,
    /// The tenant as people call it.
    name: String,
    standing: Standing,
    check: Option<StoredCheck>,
    age: Option<SignedDuration>,
}

fn row(plan: &MonitorPlan, tenant: Uuid, check: Option<StoredCheck>, now: Timestamp) -> Row {
    let age = check.as_ref().map(|check| now.duration_since(check.observed_at));
    let standing = Standing::of(
        plan.every,
        plan.paused.is_some(),
        check.as_ref().map(|check| check.status),
        check.as_ref().and_then(|check| check.notes.read().muted_why()),
        age,
    );
    Row {
        lens: plan.monitor.title(),
        tenant,
        name: plan.tenants.name(tenant),
        standing,
        check,
        age,
    }
}

/// Prints how every lens stands at `now`. Where the store is out of reach, what the journal of this
/// machine has is better than nothing: it is shown, that is said, and nothing could be judged.
///
/// # Errors
/// A plan that is not valid, or history that cannot be read.
pub async fn run(settings: &Settings, now: Timestamp, as_json: bool) -> Result<Exit> {
    if let Some(warning) = flag_proof::warning(settings) {
        complain!("{warning}");
    }
    let plans = known_tenants(settings, monitor_plans(settings)?).await?;
    let history = open_history(settings).await?;
    match status(&history, &plans, now, as_json).await {
        Err(error) if history.is_elsewhere() && is_out_of_reach(&error) => {
            complain!(
                "⚠️ {}; what follows is from the journal of this machine alone",
                error.line()
            );
            let journal = open_journal(settings).await?;
            status(&journal, &plans, now, as_json).await?;
            Ok(Exit::CouldNotJudge)
        }
        shown => shown,
    }
}

fn is_out_of_reach(error: &Error) -> bool {
    matches!(error.root(), Error::Store(StoreError::Elsewhere(_)))
}

/// Prints how every lens of every tenant stands at `now`.
///
/// # Errors
/// When history cannot be read.
pub async fn status<H: History>(history: &H, plans: &[MonitorPlan], now: Timestamp, as_json: bool) -> Result<Exit> {
    let pairs: Vec<_> = plans
        .iter()
        .flat_map(|plan| plan.tenants.iter().map(|tenant| (*tenant, plan.monitor.clone())))
        .collect();
    let latest = history.latest(&pairs).await?;
    let mut rows: Vec<Row> = Vec::new();
    for plan in plans {
        for tenant in plan.tenants.iter() {
            let check = latest
                .iter()
                .find(|check| check.lens_id == plan.monitor && check.yacht_id == *tenant);
            let check = match check {
                Some(check) if is_annulled(check) => counting(history, check).await?,
                check => check.cloned(),
            };
            rows.push(row(plan, *tenant, check, now));
        }
    }
    rows.sort_by(|a, b| (a.standing, &a.lens, a.tenant).cmp(&(b.standing, &b.lens, b.tenant)));
    if as_json {
        let rows: Vec<_> = rows.iter().map(row_json).collect();
        say!("{:#}", json!(rows));
    } else {
        print_table(&rows);
    }
    Ok(Exit::Good)
}

/// Whether `check` was annulled, or is the row that says so of another.
fn is_annulled(check: &StoredCheck) -> bool {
    check.notes.read().muted_why() == Some(MutedWhy::Annulled)
}

/// How far back a check is looked for that stands in place of one that was annulled.
const LOOKED_BACK: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The newest check before `annulled`, or beside it, that was not annulled.
async fn counting<H: History>(history: &H, annulled: &StoredCheck) -> Result<Option<StoredCheck>> {
    let until = annulled.observed_at;
    let from = until.checked_sub(LOOKED_BACK).unwrap_or(Timestamp::MIN);
    let checks = history
        .between(annulled.yacht_id, &annulled.lens_id, from, until)
        .await?;
    Ok(checks.into_iter().rev().find(|check| !is_annulled(check)))
}

fn row_json(row: &Row) -> serde_json::Value {
    json!({
        "lens": row.lens,
        "tenant": row.tenant,
        "tenant_name": row.name,
        "standing": row.standing.tell().1.to_lowercase(),
        "status": row.check.as_ref().map(|check| check.status),
        "p95_latency_ms": row.check.as_ref().and_then(|check| check.p95_latency_ms),
        "error_rate_percent": row.check.as_ref().and_then(|check| check.error_rate_percent),
        "sample_size": row.check.as_ref().map(|check| check.sample_size),
        "observed_at": row.check.as_ref().map(|check| check.observed_at),
        "age_seconds": row.age.map(|age| age.as_secs()),
        "muted": row.check.as_ref().and_then(|check| check.notes.read().muted.as_ref()),
        "virtual_clock": row.check.as_ref().is_some_and(is_virtual),
    })
}

/// `867ms`; with its sample size where that is too small for a P95.
fn p95(ms: i64, samples: i64) -> String {
    // Kept in whole milliseconds: 0 is less than half of one.
    let figure = if ms == 0 { "<1ms".to_owned() } else { format!("{ms}ms") };
    match u64::try_from(samples) {
        Ok(n) if n >= Quantile::P95.supported_from() => figure,
        _ => format!("{figure} (n={samples})"),
    }
}

fn print_table(rows: &[Row]) {
    let width = rows.iter().map(|row| row.lens.len()).max().unwrap_or(0);
    let several = rows.windows(2).any(|pair| pair[0].tenant != pair[1].tenant);
    for row in rows {
        let (mark, word) = row.standing.tell();
        let tenant = if several {
            format!(" {}", row.name)
        } else {
            String::new()
        };
        let check = row.check.as_ref();
        let p95 = check.and_then(|check| Some(p95(check.p95_latency_ms?, check.sample_size)));
        let p95 = p95.unwrap_or_else(|| "n/a".to_owned());
        let errors = check
            .and_then(|check| check.error_rate_percent)
            .map_or_else(|| "n/a".to_owned(), |rate| format!("{rate:.2} %"));
        let last = row.age.map_or_else(|| "never".to_owned(), tell_age);
        say!(
            "{:width$}{tenant} {mark} {word:<11} P95: {p95:<7} Errors: {errors:<8} Last checked: {last}",
            row.lens
        );
    }
    if rows.iter().any(|row| row.check.as_ref().is_some_and(is_virtual)) {
        say!("(checks were made under a virtual clock)");
    }
}
